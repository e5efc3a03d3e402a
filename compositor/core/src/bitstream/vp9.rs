//! The start of VP9 frames.

use super::PictureSize;
use super::bits::BitReader;
use super::colour::{Colour, Range, vp9_matrix};

/// The start of the uncompressed header (VP9 bitstream specification 6.2).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FrameHeader {
    /// `None` unless it is a keyframe.
    pub key: Option<Key>,
}

/// What a keyframe says of itself.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Key {
    /// Of the picture.
    pub size: PictureSize,
    /// What the samples mean.
    pub colour: Colour,
}

/// What follows says a size (6.2).
const SYNC_CODE: u32 = 0x49_8342;

impl FrameHeader {
    /// Reads the first frame of a superframe; `None` if it is no VP9.
    pub fn parse(frame: &[u8]) -> Option<Self> {
        let mut bits = BitReader::new(frame);
        let Some(start) = Start::read(&mut bits)? else {
            return Some(Self { key: None });
        };
        if start.inter {
            return Some(Self { key: None });
        }
        let colour = colour_config(&mut bits, start.profile)?;
        let (width, height) = frame_size(&mut bits)?;
        let (width, height) = (u16::try_from(width).ok()?, u16::try_from(height).ok()?);
        Some(Self {
            key: Some(Key {
                size: PictureSize { width, height },
                colour,
            }),
        })
    }
}

/// The size that a frame says, keyframe or not; `None` when it has that of another one, or is no VP9.
pub(super) fn said_size(frame: &[u8]) -> Option<(u32, u32)> {
    let mut bits = BitReader::new(frame);
    let start = Start::read(&mut bits)??;
    if !start.inter {
        colour_config(&mut bits, start.profile)?;
        return frame_size(&mut bits);
    }
    let intra_only = !start.shown && bits.bit()?;
    if !start.error_resilient {
        bits.skip(2)?; // reset_frame_context
    }
    if intra_only {
        if start.profile > 0 {
            colour_config(&mut bits, start.profile)?;
        } else {
            sync_code(&mut bits)?;
        }
        bits.skip(8)?; // refresh_frame_flags
        return frame_size(&mut bits);
    }
    bits.skip(8)?; // refresh_frame_flags
    for _ in 0..3 {
        bits.skip(4)?; // ref_frame_idx, ref_frame_sign_bias
    }
    for _ in 0..3 {
        if bits.bit()? {
            return None; // found_ref
        }
    }
    frame_size(&mut bits)
}

/// The frames of a superframe (Annex B); the whole where it is none.
pub(super) fn frames(unit: &[u8]) -> Vec<&[u8]> {
    split(unit).unwrap_or_else(|| vec![unit])
}

fn split(unit: &[u8]) -> Option<Vec<&[u8]>> {
    let (marker, rest) = unit.split_last()?;
    if marker & 0xE0 != 0xC0 {
        return None;
    }
    let size_bytes = usize::from(marker >> 3 & 3) + 1;
    let count = usize::from(marker & 7) + 1;
    let sizes_begin = rest.len().checked_sub(size_bytes * count)?;
    let (frames, sizes) = rest.split_at(sizes_begin);
    let (again, mut frames) = frames.split_last()?;
    if again != marker {
        return None;
    }
    let mut split = Vec::with_capacity(count);
    for size in sizes.chunks(size_bytes) {
        let size = size
            .iter()
            .rev()
            .fold(0, |sum, byte| sum << 8 | usize::from(*byte));
        let (frame, rest) = frames.split_at_checked(size)?;
        split.push(frame);
        frames = rest;
    }
    Some(split)
}

/// The beginning of a frame that shows no other one.
struct Start {
    profile: u32,
    inter: bool,
    shown: bool,
    error_resilient: bool,
}

impl Start {
    /// The outer `None` is no VP9, the inner one a frame that only shows another one.
    fn read(bits: &mut BitReader<'_>) -> Option<Option<Self>> {
        if bits.bits(2)? != 2 {
            return None;
        }
        let profile = bits.bits(1)? | bits.bits(1)? << 1;
        if profile == 3 {
            bits.bit()?;
        }
        if bits.bit()? {
            return Some(None);
        }
        Some(Some(Self {
            profile,
            inter: bits.bit()?,
            shown: bits.bit()?,
            error_resilient: bits.bit()?,
        }))
    }
}

fn sync_code(bits: &mut BitReader<'_>) -> Option<()> {
    (bits.bits(24)? == SYNC_CODE).then_some(())
}

fn colour_config(bits: &mut BitReader<'_>, profile: u32) -> Option<Colour> {
    const COLOR_SPACE_RGB: u32 = 7;
    sync_code(bits)?;
    if profile >= 2 {
        bits.bit()?; // bit depth
    }
    let space = bits.bits(3)?;
    let mut range = Range::Full;
    if space != COLOR_SPACE_RGB {
        if !bits.bit()? {
            range = Range::Limited;
        }
        if profile % 2 == 1 {
            bits.skip(3)?; // subsampling
        }
    } else if profile % 2 == 1 {
        bits.bit()?;
    }
    let matrix = vp9_matrix(space);
    Some(Colour { matrix, range })
}

fn frame_size(bits: &mut BitReader<'_>) -> Option<(u32, u32)> {
    Some((bits.bits(16)? + 1, bits.bits(16)? + 1))
}
