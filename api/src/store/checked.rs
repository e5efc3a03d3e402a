//! Texts in rows, each with a checksum: the database says whether its pages and indexes fit together, not whether a text is
//! the one that was written.

use crate::store::StoreError;

/// The text as the store keeps it.
pub(super) fn seal(mut text: String) -> String {
    let checksum = checksum(&text);
    text.push('\n');
    text.push_str(&checksum);
    text
}

/// The text as it was written; `what` names the row. JSON has no line break, so a text without one is of a version that
/// wrote no checksums.
pub(super) fn open<'a>(what: &str, kept: &'a str) -> Result<&'a str, StoreError> {
    match kept.rsplit_once('\n') {
        None => Ok(kept),
        Some((text, stated)) if stated == checksum(text) => Ok(text),
        Some(_) => Err(StoreError::Corrupt {
            what: format!("{what}: it has another checksum than when it was written"),
            source: None,
        }),
    }
}

fn checksum(text: &str) -> String {
    format!("{:08x}", crc32c::crc32c(text.as_bytes()))
}
