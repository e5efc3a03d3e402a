//! The little that forwarding reads of a payload: where keyframes start, and the picture numbers that a decoder wants
//! to see rise without a jump.

use compositor_core::access_unit::Codec;

/// H.264 NAL unit types (RFC 6184 section 5.2).
const NAL_IDR: u8 = 5;
const NAL_SPS: u8 = 7;
const NAL_STAP_A: u8 = 24;
const NAL_FU_A: u8 = 28;

/// Whether this packet is the first of a keyframe. True for all audio.
pub(crate) fn starts_keyframe(codec: Codec, payload: &[u8]) -> bool {
    match codec {
        Codec::Opus => true,
        Codec::H264 => h264_starts_keyframe(payload).unwrap_or(false),
        Codec::Vp8 => vp8_starts_keyframe(payload).unwrap_or(false),
        Codec::Vp9 => vp9_starts_keyframe(payload).unwrap_or(false),
    }
}

fn h264_starts_keyframe(payload: &[u8]) -> Option<bool> {
    let starts = |nal: u8| matches!(nal & 0x1f, NAL_SPS | NAL_IDR);
    let nal = *payload.first()?;
    Some(match nal & 0x1f {
        // The first aggregated unit decides: parameter sets come first.
        NAL_STAP_A => starts(*payload.get(3)?),
        NAL_FU_A => {
            let header = *payload.get(1)?;
            header & 0x80 != 0 && starts(header)
        }
        _ => starts(nal),
    })
}

// RFC 7741 section 4.2 and 4.3: start of the first partition, P bit clear.
fn vp8_starts_keyframe(payload: &[u8]) -> Option<bool> {
    let first = *payload.first()?;
    let at_start = first & 0x10 != 0 && first & 0x07 == 0;
    let header = *payload.get(vp8_descriptor(payload)?.length)?;
    Some(at_start && header & 1 == 0)
}

// RFC 9628 section 4.2: begin of a frame that refers to none, in the base spatial layer.
fn vp9_starts_keyframe(payload: &[u8]) -> Option<bool> {
    let first = *payload.first()?;
    let (predicted, layered, begins) = (first & 0x40 != 0, first & 0x20 != 0, first & 0x08 != 0);
    if predicted || !begins {
        return Some(false);
    }
    if !layered {
        return Some(true);
    }
    let layer = *payload.get(vp9_descriptor(payload)?.layer_at?)?;
    Some((layer >> 1) & 0x07 == 0)
}

/// Where a payload descriptor keeps its picture numbers.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
struct Descriptor {
    length: usize,
    picture_id_at: Option<usize>,
    tl0_at: Option<usize>,
    layer_at: Option<usize>,
}

fn descriptor(codec: Codec, payload: &[u8]) -> Option<Descriptor> {
    match codec {
        Codec::Vp8 => vp8_descriptor(payload),
        Codec::Vp9 => vp9_descriptor(payload),
        Codec::H264 | Codec::Opus => None,
    }
}

fn vp8_descriptor(payload: &[u8]) -> Option<Descriptor> {
    let mut found = Descriptor {
        length: 1,
        ..Descriptor::default()
    };
    if payload.first()? & 0x80 == 0 {
        return Some(found);
    }
    let extension = *payload.get(1)?;
    found.length = 2;
    if extension & 0x80 != 0 {
        found.picture_id_at = Some(found.length);
        found.length += picture_id_bytes(payload, found.length)?;
    }
    if extension & 0x40 != 0 {
        found.tl0_at = Some(found.length);
        found.length += 1;
    }
    if extension & 0x30 != 0 {
        found.length += 1;
    }
    (found.length < payload.len()).then_some(found)
}

fn vp9_descriptor(payload: &[u8]) -> Option<Descriptor> {
    let first = *payload.first()?;
    let mut found = Descriptor {
        length: 1,
        ..Descriptor::default()
    };
    if first & 0x80 != 0 {
        found.picture_id_at = Some(found.length);
        found.length += picture_id_bytes(payload, found.length)?;
    }
    if first & 0x20 != 0 {
        found.layer_at = Some(found.length);
        found.length += 1;
        if first & 0x10 == 0 {
            found.tl0_at = Some(found.length);
            found.length += 1;
        }
    }
    (found.length < payload.len()).then_some(found)
}

fn picture_id_bytes(payload: &[u8], at: usize) -> Option<usize> {
    Some(if payload.get(at)? & 0x80 != 0 { 2 } else { 1 })
}

/// The picture numbers of one packet.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct PictureNumbers {
    /// Seven or fifteen bits.
    pub(crate) picture_id: Option<u16>,
    /// TL0PICIDX: counts pictures of the lowest temporal layer.
    pub(crate) tl0: Option<u8>,
}

/// Reads the picture numbers of a packet; none for codecs without them.
pub(crate) fn picture_numbers(codec: Codec, payload: &[u8]) -> PictureNumbers {
    let Some(found) = descriptor(codec, payload) else {
        return PictureNumbers::default();
    };
    let picture_id = found.picture_id_at.map(|at| match payload[at] {
        narrow if narrow & 0x80 == 0 => u16::from(narrow),
        wide => u16::from_be_bytes([wide & 0x7f, payload[at + 1]]),
    });
    PictureNumbers {
        picture_id,
        tl0: found.tl0_at.map(|at| payload[at]),
    }
}

/// Writes picture numbers over those that the packet has, in the width that it has.
pub(crate) fn set_picture_numbers(codec: Codec, payload: &mut [u8], numbers: PictureNumbers) {
    let Some(found) = descriptor(codec, payload) else {
        return;
    };
    if let (Some(at), Some(id)) = (found.picture_id_at, numbers.picture_id) {
        if payload[at] & 0x80 == 0 {
            payload[at] = (id & 0x7f) as u8;
        } else {
            let [high, low] = (id | 0x8000).to_be_bytes();
            (payload[at], payload[at + 1]) = (high, low);
        }
    }
    if let (Some(at), Some(tl0)) = (found.tl0_at, numbers.tl0) {
        payload[at] = tl0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// X, S; I with 15 bits, L, T; picture id 0x1234, TL0PICIDX 9; keyframe header.
    const VP8_KEY: [u8; 7] = [0x90, 0xe0, 0x92, 0x34, 9, 0x20, 0x00];

    #[test]
    fn keyframe_starts_are_found_in_every_codec() {
        assert!(starts_keyframe(Codec::Vp8, &VP8_KEY));
        assert!(!starts_keyframe(
            Codec::Vp8,
            &[0x90, 0xe0, 0x92, 0x34, 9, 0x20, 0x01]
        ));
        assert!(!starts_keyframe(
            Codec::Vp8,
            &[0x80, 0xe0, 0x92, 0x34, 9, 0x20, 0x00]
        ));
        assert!(starts_keyframe(Codec::H264, &[0x67, 0x42]));
        assert!(starts_keyframe(Codec::H264, &[0x78, 0, 2, 0x67, 0x42]));
        assert!(starts_keyframe(Codec::H264, &[0x7c, 0x85, 1]));
        assert!(!starts_keyframe(Codec::H264, &[0x7c, 0x05, 1]));
        assert!(!starts_keyframe(Codec::H264, &[0x41, 1]));
        assert!(starts_keyframe(Codec::Vp9, &[0x88, 5, 0x82]));
        assert!(!starts_keyframe(Codec::Vp9, &[0xc8, 5, 0x82]));
        assert!(starts_keyframe(Codec::Opus, &[]));
        for codec in [Codec::Vp8, Codec::Vp9, Codec::H264] {
            assert!(!starts_keyframe(codec, &[]));
        }
    }

    #[test]
    fn picture_numbers_are_rewritten_in_their_own_width() {
        let mut wide = VP8_KEY;
        let read = picture_numbers(Codec::Vp8, &wide);
        assert_eq!(
            read,
            PictureNumbers {
                picture_id: Some(0x1234),
                tl0: Some(9)
            }
        );
        let numbers = PictureNumbers {
            picture_id: Some(0x7fff),
            tl0: Some(0),
        };
        set_picture_numbers(Codec::Vp8, &mut wide, numbers);
        assert_eq!(picture_numbers(Codec::Vp8, &wide), numbers);
        let mut narrow = [0x90, 0x80, 0x05, 0x00];
        set_picture_numbers(Codec::Vp8, &mut narrow, numbers);
        assert_eq!(picture_numbers(Codec::Vp8, &narrow).picture_id, Some(0x7f));
    }
}
