//! The little that a recorder must know of an H.264 byte stream.

/// `nal_unit_type` of a sequence parameter set (ITU-T H.264 table 7-1).
const NAL_SPS: u8 = 7;

/// `nal_unit_type` of an access unit delimiter.
const NAL_AUD: u8 = 9;

/// An access unit delimiter that allows every slice type, with its start code.
pub(crate) const ACCESS_UNIT_DELIMITER: [u8; 6] = [0, 0, 0, 1, 0x09, 0xF0];

/// The NAL units of an Annex B byte stream, without start codes.
pub(crate) fn nal_units(annex_b: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = start_code(annex_b).map(|(_, after)| &annex_b[after..]);
    std::iter::from_fn(move || {
        let nal = rest?;
        let (end, after) = match start_code(nal) {
            Some((end, after)) => (end, Some(after)),
            None => (nal.len(), None),
        };
        rest = after.map(|after| &nal[after..]);
        Some(nal[..end].strip_suffix(&[0]).unwrap_or(&nal[..end]))
    })
}

/// Whether an access unit begins with an access unit delimiter.
pub(crate) fn begins_with_delimiter(annex_b: &[u8]) -> bool {
    nal_units(annex_b)
        .next()
        .and_then(|nal| nal.first())
        .is_some_and(|head| head & 0x1F == NAL_AUD)
}

/// The RFC 6381 codec string of the stream, read from the first SPS of a keyframe.
pub fn codec_string(annex_b: &[u8]) -> Option<String> {
    nal_units(annex_b).find_map(|nal| match nal {
        [head, profile, constraints, level, ..] if head & 0x1F == NAL_SPS => {
            Some(format!("avc1.{profile:02X}{constraints:02X}{level:02X}"))
        }
        _ => None,
    })
}

/// Where the next `00 00 01` begins and where it ends.
fn start_code(bytes: &[u8]) -> Option<(usize, usize)> {
    bytes
        .windows(3)
        .position(|window| window == [0, 0, 1])
        .map(|at| (at, at + 3))
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEYFRAME: [u8; 19] = [
        0, 0, 0, 1, 0x67, 0x4D, 0x40, 0x1F, 0, 0, 0, 1, 0x68, 0xEE, 0, 0, 1, 0x65, 0x88,
    ];

    #[test]
    fn nal_units_are_found_between_long_and_short_start_codes() {
        let nals: Vec<&[u8]> = nal_units(&KEYFRAME).collect();
        assert_eq!(
            nals,
            [&[0x67, 0x4D, 0x40, 0x1F][..], &[0x68, 0xEE], &[0x65, 0x88]]
        );
    }

    #[test]
    fn codec_string_names_profile_constraints_and_level() {
        assert_eq!(codec_string(&KEYFRAME).as_deref(), Some("avc1.4D401F"));
        assert_eq!(codec_string(&[0, 0, 1, 0x41, 1, 2, 3]), None);
    }

    #[test]
    fn a_delimiter_is_seen_only_in_front() {
        assert!(begins_with_delimiter(&ACCESS_UNIT_DELIMITER));
        assert!(!begins_with_delimiter(&KEYFRAME));
    }
}
