//! What is needed of H.264 parameter sets and slice headers (ITU-T H.264 7.3.2, 7.3.3).

use std::borrow::Cow;

use super::bits::BitReader;
use super::colour::{Colour, Range, h264_matrix};
use super::{PictureSize, annex_b};

/// Parameter sets carry this many ids at most (7.4.2.1.1, 7.4.2.2).
const SPS_IDS: u32 = 32;
const PPS_IDS: u32 = 256;

/// Bytes of a slice's start that are looked at: three Exp-Golomb numbers of at most 63 bits each, with escapes.
const SLICE_HEAD_BYTES: usize = 40;

/// A sequence parameter set, as far as it is read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Sps {
    /// Its id.
    pub id: u8,
    /// The size after cropping.
    pub size: PictureSize,
    /// The size before cropping, for which decoders take memory.
    pub coded: PictureSize,
    /// What the samples mean; as browsers mean them where it does not say.
    pub colour: Colour,
}

/// A picture parameter set, as far as it is read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Pps {
    /// Its id.
    pub id: u8,
    /// Which sequence parameter set it refers to.
    pub sps: u8,
}

/// The start of a slice header.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SliceHead {
    /// Whether the picture begins here: its first macroblock is 0.
    pub first: bool,
    /// Which picture parameter set it refers to.
    pub pps: u8,
}

impl Sps {
    /// Reads a NAL unit of type 7.
    pub fn parse(nal: &[u8]) -> Option<Self> {
        let payload = unescape(nal.get(1..)?);
        let mut bits = BitReader::new(&payload);
        let profile = bits.bits(8)?;
        bits.skip(16)?;
        let id = bits.ue().filter(|id| *id < SPS_IDS)?;
        let chroma_format = if has_chroma_format(profile) {
            high_profile(&mut bits)?
        } else {
            1
        };
        bits.ue()?; // log2_max_frame_num_minus4
        picture_order(&mut bits)?;
        bits.ue()?; // max_num_ref_frames
        bits.bit()?; // gaps_in_frame_num_value_allowed_flag
        let (coded, size) = picture_sizes(&mut bits, chroma_format)?;
        Some(Self {
            id: id as u8,
            size,
            coded,
            colour: colour(&mut bits).unwrap_or_default(),
        })
    }

    /// The first one of an access unit in Annex B form.
    pub fn of(unit: &[u8]) -> Option<Self> {
        parameter_sets(unit).next().and_then(Self::parse)
    }
}

impl Pps {
    /// Reads a NAL unit of type 8.
    pub fn parse(nal: &[u8]) -> Option<Self> {
        let payload = unescape(nal.get(1..)?);
        let mut bits = BitReader::new(&payload);
        let id = bits.ue().filter(|id| *id < PPS_IDS)?;
        let sps = bits.ue().filter(|id| *id < SPS_IDS)?;
        Some(Self {
            id: id as u8,
            sps: sps as u8,
        })
    }
}

impl SliceHead {
    /// Reads a NAL unit of type 1, 2 or 5.
    pub fn parse(nal: &[u8]) -> Option<Self> {
        let payload = unescape(nal.get(1..nal.len().min(SLICE_HEAD_BYTES))?);
        let mut bits = BitReader::new(&payload);
        let first = bits.ue()? == 0;
        bits.ue()?; // slice_type
        let pps = bits.ue().filter(|id| *id < PPS_IDS)?;
        Some(Self {
            first,
            pps: pps as u8,
        })
    }
}

/// The sequence parameter sets before the first slice of an access unit in Annex B form.
pub(super) fn parameter_sets(unit: &[u8]) -> impl Iterator<Item = &[u8]> {
    let kind = |nal: &[u8]| nal.first().map(|byte| byte & 31);
    annex_b(unit)
        .take_while(move |nal| !matches!(kind(nal), Some(1 | 5)))
        .filter(move |nal| kind(nal) == Some(7))
}

/// Profiles whose SPS has `chroma_format_idc` (7.3.2.1.1).
fn has_chroma_format(profile: u32) -> bool {
    matches!(
        profile,
        100 | 110 | 122 | 244 | 44 | 83 | 86 | 118 | 128 | 138 | 139 | 134 | 135
    )
}

/// Passes the fields that only high profiles have; returns `ChromaArrayType`.
fn high_profile(bits: &mut BitReader<'_>) -> Option<u32> {
    let chroma_format = bits.ue().filter(|format| *format <= 3)?;
    let separate_planes = chroma_format == 3 && bits.bit()?;
    bits.ue()?; // bit_depth_luma_minus8
    bits.ue()?; // bit_depth_chroma_minus8
    bits.bit()?; // qpprime_y_zero_transform_bypass_flag
    if bits.bit()? {
        for list in 0..if chroma_format == 3 { 12 } else { 8 } {
            if bits.bit()? {
                scaling_list(bits, if list < 6 { 16 } else { 64 })?;
            }
        }
    }
    Some(if separate_planes { 0 } else { chroma_format })
}

fn scaling_list(bits: &mut BitReader<'_>, entries: u32) -> Option<()> {
    let (mut last, mut next) = (8_i32, 8_i32);
    for _ in 0..entries {
        if next != 0 {
            next = last.wrapping_add(bits.se()?).rem_euclid(256);
        }
        last = if next == 0 { last } else { next };
    }
    Some(())
}

fn picture_order(bits: &mut BitReader<'_>) -> Option<()> {
    match bits.ue()? {
        0 => bits.ue().map(|_| ()),
        1 => {
            bits.bit()?;
            bits.se()?;
            bits.se()?;
            let cycle = bits.ue().filter(|cycle| *cycle <= 255)?;
            (0..cycle).try_for_each(|_| bits.se().map(|_| ()))
        }
        2 => Some(()),
        _ => None,
    }
}

/// Sizes before and after cropping (7.4.2.1.1, equations 7-19 to 7-22).
fn picture_sizes(
    bits: &mut BitReader<'_>,
    chroma_format: u32,
) -> Option<(PictureSize, PictureSize)> {
    let width = bits.ue()?.checked_add(1)?.checked_mul(16)?;
    let map_units = bits.ue()?.checked_add(1)?;
    let frame_only = bits.bit()?;
    if !frame_only {
        bits.bit()?; // mb_adaptive_frame_field_flag
    }
    let fields = if frame_only { 1 } else { 2 };
    let height = map_units.checked_mul(16 * fields)?;
    bits.bit()?; // direct_8x8_inference_flag
    let (mut crop_x, mut crop_y) = (0, 0);
    if bits.bit()? {
        let unit_x = if matches!(chroma_format, 1 | 2) { 2 } else { 1 };
        let unit_y = fields * if chroma_format == 1 { 2 } else { 1 };
        let (left, right) = (bits.ue()?, bits.ue()?);
        let (top, bottom) = (bits.ue()?, bits.ue()?);
        crop_x = left.checked_add(right)?.checked_mul(unit_x)?;
        crop_y = top.checked_add(bottom)?.checked_mul(unit_y)?;
    }
    let size = |width: u32, height: u32| {
        let [width, height] = [width, height].map(u16::try_from);
        let (width, height) = (width.ok()?, height.ok()?);
        (width > 0 && height > 0).then_some(PictureSize { width, height })
    };
    let shown = size(width.checked_sub(crop_x)?, height.checked_sub(crop_y)?)?;
    Some((size(width, height)?, shown))
}

/// The beginning of the VUI parameters (E.1.1), after the cropping.
fn colour(bits: &mut BitReader<'_>) -> Option<Colour> {
    const EXTENDED_SAR: u32 = 255;
    let mut colour = Colour::default();
    if !bits.bit()? {
        return Some(colour);
    }
    if bits.bit()? && bits.bits(8)? == EXTENDED_SAR {
        bits.skip(32)?;
    }
    if bits.bit()? {
        bits.bit()?; // overscan_appropriate_flag
    }
    if bits.bit()? {
        bits.skip(3)?; // video_format
        colour.range = if bits.bit()? {
            Range::Full
        } else {
            Range::Limited
        };
        if bits.bit()? {
            bits.skip(16)?; // colour_primaries, transfer_characteristics
            colour.matrix = h264_matrix(bits.bits(8)?);
        }
    }
    Some(colour)
}

/// Takes out the emulation prevention bytes (7.4.1).
fn unescape(payload: &[u8]) -> Cow<'_, [u8]> {
    if !payload.windows(3).any(|three| three == [0, 0, 3]) {
        return Cow::Borrowed(payload);
    }
    let mut plain = Vec::with_capacity(payload.len());
    let mut zeros = 0;
    for &byte in payload {
        if zeros >= 2 && byte == 3 {
            zeros = 0;
            continue;
        }
        zeros = if byte == 0 { zeros + 1 } else { 0 };
        plain.push(byte);
    }
    Cow::Owned(plain)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bitstream::colour::Matrix;

    /// As x264 writes it for 1280x720, without and with `colormatrix=bt709:fullrange=on`, and with `colormatrix=bt709`.
    const PLAIN: &str = "6764101facb80a00b760220000030002000003007808";
    const BT709_FULL: &str = "6764101facb80a00b7602dc0808050000003001000000303c040";
    const BT709: &str = "6764101facb80a00b7602d40808050000003001000000303c040";

    fn bytes(hex: &str) -> Vec<u8> {
        let digit = |b: &u8| char::from(*b).to_digit(16).expect("a hex digit") as u8;
        hex.as_bytes()
            .chunks(2)
            .map(|pair| pair.iter().fold(0, |byte, b| byte << 4 | digit(b)))
            .collect()
    }

    #[test]
    fn a_parameter_set_says_the_size_and_the_colours() {
        let (bt601, bt709) = (Matrix::Bt601, Matrix::Bt709);
        for (hex, matrix, range) in [
            (PLAIN, bt601, Range::Limited),
            (BT709_FULL, bt709, Range::Full),
            (BT709, bt709, Range::Limited),
        ] {
            let sps = Sps::parse(&bytes(hex)).expect("it is whole");
            assert_eq!((sps.size.width, sps.size.height), (1280, 720));
            assert_eq!(sps.colour, Colour { matrix, range });
        }
    }

    #[test]
    fn a_parameter_set_is_found_in_front_of_the_slices_only() {
        let set = bytes(BT709);
        let unit = |nals: [&[u8]; 3]| nals.map(|nal| [&[0, 0, 0, 1], nal].concat()).concat();
        let found = Sps::of(&unit([&[9, 16], &set, &[0x65, 1]])).expect("it is there");
        assert_eq!(found.colour.matrix, Matrix::Bt709);
        assert_eq!(Sps::of(&unit([&[9, 16], &[0x65, 1], &set])), None);
    }
}
