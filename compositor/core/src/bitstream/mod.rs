//! What coded pictures say of themselves. Pure.

pub mod bits;
pub mod colour;
pub mod h264;
mod largest;
pub mod vp9;

use self::colour::Colour;
pub use self::largest::largest_side;
use crate::access_unit::Codec;

/// The visible size of a picture, in pixels.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PictureSize {
    /// Pixels.
    pub width: u16,
    /// Pixels.
    pub height: u16,
}

/// What a keyframe says of its colours; `None` if it says nothing of its kind at all.
pub fn colour_of(codec: Codec, keyframe: &[u8]) -> Option<Colour> {
    match codec {
        Codec::H264 => h264::Sps::of(keyframe).map(|sps| sps.colour),
        Codec::Vp9 => vp9::FrameHeader::parse(keyframe)?.key.map(|key| key.colour),
        // VP8 knows no other (RFC 6386 9.2).
        Codec::Vp8 => Some(Colour::default()),
        Codec::Opus => None,
    }
}

/// The NAL units of an access unit in byte-stream form (ITU-T H.264 Annex B), without their start codes.
fn annex_b(unit: &[u8]) -> impl Iterator<Item = &[u8]> {
    const START: [u8; 3] = [0, 0, 1];
    let find = |from: usize| {
        let windows = unit.get(from..)?.windows(START.len());
        windows
            .into_iter()
            .position(|three| three == START)
            .map(|at| from + at)
    };
    let mut next = find(0);
    std::iter::from_fn(move || {
        let start = next? + START.len();
        next = find(start);
        // A fourth byte of the next start code is a zero behind this unit, which every reader passes over.
        Some(&unit[start..next.unwrap_or(unit.len())])
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nal_units_are_found_between_start_codes_of_either_length() {
        let unit = [0, 0, 0, 1, 9, 16, 0, 0, 1, 0x67, 1, 0, 0, 1];
        let found: Vec<&[u8]> = annex_b(&unit).collect();
        assert_eq!(found, [&[9, 16][..], &[0x67, 1], &[]]);
        assert_eq!(annex_b(&[0, 0]).count(), 0);
    }
}
