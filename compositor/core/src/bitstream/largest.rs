//! How large a decoder would make its pictures, before it is asked to.

use super::{h264, vp9};
use crate::access_unit::Codec;

/// The longest side that anything in a unit claims; `None` if nothing there says a size. What cannot be read claims every size.
pub fn largest_side(codec: Codec, unit: &[u8]) -> Option<u32> {
    let longer = |(width, height): (u32, u32)| width.max(height);
    match codec {
        Codec::H264 => {
            let sets = h264::parameter_sets(unit).map(|nal| {
                h264::Sps::parse(nal).map_or(u32::MAX, |sps| {
                    longer((sps.coded.width.into(), sps.coded.height.into()))
                })
            });
            sets.max()
        }
        Codec::Vp8 => vp8_size(unit).map(longer),
        Codec::Vp9 => {
            let sizes = vp9::frames(unit).into_iter().filter_map(vp9::said_size);
            sizes.map(longer).max()
        }
        Codec::Opus => None,
    }
}

/// Of a keyframe (RFC 6386 9.1). The two upper bits ask for upscaling on display.
fn vp8_size(frame: &[u8]) -> Option<(u32, u32)> {
    let &[tag, _, _, _, _, _, w0, w1, h0, h1, ..] = frame else {
        return None;
    };
    let side = |bytes| u32::from(u16::from_le_bytes(bytes) & 0x3fff);
    (tag & 1 == 0).then(|| (side([w0, w1]), side([h0, h1])))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(text: &str) -> Vec<u8> {
        let digits = (0..text.len() / 2).map(|n| u8::from_str_radix(&text[2 * n..2 * n + 2], 16));
        digits.collect::<Result<_, _>>().unwrap()
    }

    /// As x264 writes it for 1280x720.
    const SPS: &str = "000000016764001facb200a00b7602d40404050000030001000003003c8f183248";
    /// As libvpx begins keyframes of 322x242 and 642x362, and the frame after that.
    const VP8: &str = "9069009d012a4201f200004708858588";
    const VP9: &str = "8249834220281016961438241c18ae10";
    const VP9_DELTA: &str = "86004092f1f1570401007c1d3bc277bf";

    #[test]
    fn keyframes_say_their_size_and_others_none() {
        assert_eq!(largest_side(Codec::H264, &hex(SPS)), Some(1280));
        assert_eq!(largest_side(Codec::Vp8, &hex(VP8)), Some(322));
        assert_eq!(largest_side(Codec::Vp9, &hex(VP9)), Some(642));
        assert_eq!(largest_side(Codec::Vp9, &hex(VP9_DELTA)), None);
        assert_eq!(largest_side(Codec::Vp8, &[0x31; 20]), None);
        assert_eq!(largest_side(Codec::H264, &[0, 0, 0, 1, 0x41, 0x9a]), None);
        assert_eq!(largest_side(Codec::Opus, &[0xfc]), None);
    }

    #[test]
    fn a_parameter_set_that_cannot_be_read_claims_every_size() {
        let unit = [&hex(SPS)[..], &[0, 0, 0, 1, 0x67, 0x64]].concat();
        assert_eq!(largest_side(Codec::H264, &unit), Some(u32::MAX));
    }

    #[test]
    fn cropping_makes_no_picture_smaller() {
        // Baseline, id 0, POC type 2, one reference, 1024 x 1024 macroblocks, frames only, cropped to 320 x 240.
        let mut bits = String::new();
        let ue = |value: u32| {
            let code = format!("{:b}", value + 1);
            "0".repeat(code.len() - 1) + &code
        };
        for value in [0, 0, 2, 1] {
            bits += &ue(value);
        }
        bits += "0";
        bits += &(ue(1023) + &ue(1023));
        bits += "111";
        for value in [0, (16384 - 320) / 2, 0, (16384 - 240) / 2] {
            bits += &ue(value);
        }
        bits += "01";
        bits += &"0".repeat(bits.len().next_multiple_of(8) - bits.len());
        let payload = bits.as_bytes().chunks(8).map(|byte| {
            let digits = byte
                .iter()
                .map(|digit| char::from(*digit))
                .collect::<String>();
            u8::from_str_radix(&digits, 2).unwrap()
        });
        let nal = [vec![0x67, 66, 0, 30], payload.collect()].concat();
        let sps = h264::Sps::parse(&nal).unwrap();
        assert_eq!((sps.size.width, sps.size.height), (320, 240));
        let unit = [vec![0, 0, 0, 1], nal].concat();
        assert_eq!(largest_side(Codec::H264, &unit), Some(16384));
    }

    #[test]
    fn every_frame_of_a_superframe_counts() {
        let mut large = hex(VP9);
        // Both sides are 16 bits from bit 36 on: all ones but for the lowest.
        large[4] |= 0x0F;
        large[5..8].fill(0xFF);
        assert!(largest_side(Codec::Vp9, &large).unwrap() > 60_000);
        let small = hex(VP9);
        let marker = 0b1100_0001;
        let sizes = [marker, small.len() as u8, large.len() as u8, marker];
        let unit = [&small[..], &large, &sizes].concat();
        assert!(largest_side(Codec::Vp9, &unit).unwrap() > 60_000);
    }
}
