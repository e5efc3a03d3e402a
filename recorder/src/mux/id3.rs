//! ID3v2.4 tags of timed metadata.

/// UTF-8 (ID3v2.4 4).
const ENCODING_UTF8: u8 = 3;

/// A tag with one TXXX frame without description, which holds `text`.
pub fn text_tag(text: &str) -> Vec<u8> {
    // Encoding, an empty description, the text.
    let frame = text.len() + 2;
    let mut tag = b"ID3\x04\x00\x00".to_vec();
    tag.extend_from_slice(&synchsafe(10 + frame));
    tag.extend_from_slice(b"TXXX");
    tag.extend_from_slice(&synchsafe(frame));
    tag.extend_from_slice(&[0, 0, ENCODING_UTF8, 0]);
    tag.extend_from_slice(text.as_bytes());
    tag
}

/// 28 bits, seven in each byte.
fn synchsafe(number: usize) -> [u8; 4] {
    [21, 14, 7, 0].map(|shift| (number >> shift) as u8 & 0x7F)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_one_txxx_frame() {
        assert_eq!(
            text_tag("hé"),
            b"ID3\x04\x00\x00\x00\x00\x00\x0fTXXX\x00\x00\x00\x05\x00\x00\x03\x00h\xc3\xa9"
        );
    }

    #[test]
    fn sizes_have_seven_bits_in_each_byte() {
        let tag = text_tag(&"x".repeat(1024));
        assert_eq!(tag[6..10], [0, 0, 0x08, 0x0C]);
        assert_eq!(tag[14..18], [0, 0, 0x08, 0x02]);
        assert_eq!(tag.len(), 10 + 10 + 2 + 1024);
    }
}
