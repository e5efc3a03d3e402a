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

impl FrameHeader {
    /// Reads the first frame of a superframe; `None` if it is no VP9.
    pub fn parse(frame: &[u8]) -> Option<Self> {
        const SYNC_CODE: u32 = 0x49_8342;
        const COLOR_SPACE_RGB: u32 = 7;
        let mut bits = BitReader::new(frame);
        if bits.bits(2)? != 2 {
            return None;
        }
        let profile = bits.bits(1)? | bits.bits(1)? << 1;
        if profile == 3 {
            bits.bit()?;
        }
        let other = Self { key: None };
        if bits.bit()? {
            return Some(other); // shows an existing frame
        }
        let inter = bits.bit()?;
        bits.skip(2)?; // show_frame, error_resilient_mode
        if inter {
            return Some(other);
        }
        if bits.bits(24)? != SYNC_CODE {
            return None;
        }
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
        let width = u16::try_from(bits.bits(16)? + 1).ok()?;
        let height = u16::try_from(bits.bits(16)? + 1).ok()?;
        let matrix = vp9_matrix(space);
        Some(Self {
            key: Some(Key {
                size: PictureSize { width, height },
                colour: Colour { matrix, range },
            }),
        })
    }
}
