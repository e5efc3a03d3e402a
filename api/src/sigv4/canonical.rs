//! The canonical form of a request, byte for byte as signers build it.

use std::fmt::Write;

use http::HeaderMap;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

use crate::sigv4::SignedParts;

/// Everything except RFC 3986's unreserved characters is encoded.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// In paths the slash stays.
const ENCODED_IN_PATH: &AsciiSet = &ENCODED.remove(b'/');

/// The text whose hash is signed.
pub(super) fn canonical_request(
    parts: &SignedParts<'_>,
    signed_headers: &[String],
    body_hash: &str,
) -> String {
    let mut headers = String::new();
    for name in signed_headers {
        let value = canonical_value(parts.headers, name);
        // Writing to a String cannot fail.
        let _ = writeln!(headers, "{name}:{value}");
    }
    format!(
        "{}\n{}\n{}\n{headers}\n{}\n{body_hash}",
        parts.method,
        utf8_percent_encode(parts.raw_path, ENCODED_IN_PATH),
        canonical_query(parts.raw_query),
        signed_headers.join(";"),
    )
}

/// Decodes each name and value once and encodes them again in one way; sorted by encoded name, then value.
fn canonical_query(raw: &str) -> String {
    let mut pairs: Vec<(String, String)> = raw
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .map(|(name, value)| (reencode(name), reencode(value)))
        .collect();
    pairs.sort();
    let joined: Vec<String> = pairs.iter().map(|(n, v)| format!("{n}={v}")).collect();
    joined.join("&")
}

fn reencode(text: &str) -> String {
    let decoded: Vec<u8> = percent_decode_str(text).collect();
    percent_encoding::percent_encode(&decoded, ENCODED).to_string()
}

/// All values of the header, trimmed, runs of spaces made one, joined by commas.
fn canonical_value(headers: &HeaderMap, name: &str) -> String {
    let values: Vec<String> = headers
        .get_all(name)
        .iter()
        .map(|value| {
            let text = String::from_utf8_lossy(value.as_bytes());
            let words: Vec<&str> = text.split(' ').filter(|word| !word.is_empty()).collect();
            words.join(" ")
        })
        .collect();
    values.join(",")
}

#[cfg(test)]
mod tests {
    use http::{HeaderValue, Method};

    use super::*;

    #[test]
    fn a_path_is_encoded_once_more_and_a_query_is_sorted() {
        let mut headers = HeaderMap::new();
        headers.append("host", HeaderValue::from_static(" localhost:8080 "));
        headers.append("x-amz-note", HeaderValue::from_static("a   b"));
        headers.append("x-amz-note", HeaderValue::from_static("c"));
        let parts = SignedParts {
            method: &Method::DELETE,
            raw_path: "/tags/arn%3Aaws%3Aivs",
            raw_query: "tagKeys=b%20c&tagKeys=a&flag",
            headers: &headers,
            body: b"",
        };
        let signed = ["host".to_owned(), "x-amz-note".to_owned()];
        assert_eq!(
            canonical_request(&parts, &signed, "HASH"),
            "DELETE\n/tags/arn%253Aaws%253Aivs\nflag=&tagKeys=a&tagKeys=b%20c\n\
             host:localhost:8080\nx-amz-note:a b,c\n\nhost;x-amz-note\nHASH"
        );
    }
}
