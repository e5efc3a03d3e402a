//! What the port needs to know of STUN: what it is, and for whom a binding request is.

use super::kind::Kind;

const HEADER_BYTES: usize = 20;
const BINDING_REQUEST: [u8; 2] = [0x00, 0x01];
const MAGIC_COOKIE: [u8; 4] = [0x21, 0x12, 0xA4, 0x42];
const ATTRIBUTE_USERNAME: u16 = 0x0006;

/// Whether a datagram is STUN and not DTLS, RTP or RTCP.
pub(crate) fn is_stun(datagram: &[u8]) -> bool {
    Kind::of(datagram) == Some(Kind::Stun)
}

/// Our half of the USERNAME of a STUN binding request (RFC 8445 section 7.2.2); `None` for anything else.
pub(crate) fn local_ufrag(datagram: &[u8]) -> Option<&str> {
    let header = datagram.get(..HEADER_BYTES)?;
    if header[..2] != BINDING_REQUEST || header[4..8] != MAGIC_COOKIE {
        return None;
    }
    let mut rest = &datagram[HEADER_BYTES..];
    while let Some((head, tail)) = rest.split_at_checked(4) {
        let kind = u16::from_be_bytes([head[0], head[1]]);
        let length = usize::from(u16::from_be_bytes([head[2], head[3]]));
        let value = tail.get(..length)?;
        if kind == ATTRIBUTE_USERNAME {
            let name = std::str::from_utf8(value).ok()?;
            return Some(name.split_once(':').map_or(name, |(local, _)| local));
        }
        // Attributes are padded to four bytes (RFC 8489 section 14).
        rest = tail.get(length.next_multiple_of(4)..)?;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(attributes: &[(u16, &[u8])]) -> Vec<u8> {
        let mut out = vec![0, 1, 0, 0];
        out.extend(MAGIC_COOKIE);
        out.extend([7; 12]);
        for (kind, value) in attributes {
            out.extend(kind.to_be_bytes());
            out.extend((value.len() as u16).to_be_bytes());
            out.extend(*value);
            out.resize(out.len().next_multiple_of(4), 0);
        }
        out
    }

    #[test]
    fn the_local_half_of_the_username_is_found_behind_other_attributes() {
        let datagram = request(&[(0x0024, &[1, 2, 3]), (0x0006, b"ours:theirs")]);
        assert_eq!(local_ufrag(&datagram), Some("ours"));
    }

    #[test]
    fn stun_is_told_from_dtls_and_media() {
        assert!(is_stun(&request(&[])));
        for other in [20, 63, 128, 191] {
            assert!(!is_stun(&[other; 20]));
        }
    }

    #[test]
    fn cut_short_or_foreign_datagrams_have_no_ufrag() {
        let datagram = request(&[(0x0006, b"ours:theirs")]);
        for cut in 0..datagram.len() - 1 {
            assert_eq!(local_ufrag(&datagram[..cut]), None);
        }
        let mut response = datagram.clone();
        response[0] = 1;
        assert_eq!(local_ufrag(&response), None);
        assert_eq!(local_ufrag(&[0x80; 40]), None);
    }
}
