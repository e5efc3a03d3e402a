//! VP9 from RTP (RFC 9628), flexible and non-flexible mode, to superframes.

use bytes::{BufMut, Bytes, BytesMut};
use compositor_core::bitstream::PictureSize;
use compositor_core::bitstream::vp9::FrameHeader;

use super::picture::{Part, PictureBuilder};
use super::{CodedFrame, Depacketized, Payload};

/// A superframe has at most this many frames (VP9 bitstream specification, Annex B).
const FRAMES_MAX: usize = 8;

/// Puts VP9 superframes together: all spatial layers of one picture.
#[derive(Debug, Default)]
pub struct Vp9Depacketizer {
    picture: PictureBuilder,
    frame_starts: Vec<usize>,
    keyframe: bool,
    size: Option<PictureSize>,
}

/// What the payload descriptor says, as far as it is needed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Descriptor {
    /// The picture refers to no earlier one.
    intra: bool,
    /// A layer frame begins here.
    begins: bool,
    spatial: u8,
    /// The size of the highest spatial layer, when the scalability structure is here.
    size: Option<PictureSize>,
    length: usize,
}

impl Vp9Depacketizer {
    /// Takes the next payload; what it completes is appended to `out`.
    pub fn push(&mut self, payload: &Payload, out: &mut Vec<Depacketized>) {
        if payload.data.is_empty() {
            return;
        }
        let parsed = Descriptor::parse(&payload.data)
            .filter(|descriptor| descriptor.length < payload.data.len());
        let Some(descriptor) = parsed else {
            self.picture.skip(payload.rtp_ts, out);
            return;
        };
        if self.picture.begins(payload.rtp_ts) {
            self.frame_starts.clear();
            self.keyframe = descriptor.intra;
            self.size = None;
        }
        self.size = descriptor.size.or(self.size);
        let part = Part {
            first: descriptor.begins && descriptor.spatial == 0,
            data: payload.data.slice(descriptor.length..),
        };
        let before = if self.picture.begins(payload.rtp_ts) {
            0
        } else {
            self.picture.byte_count()
        };
        if descriptor.begins {
            self.frame_starts.push(before);
        }
        if self.frame_starts.len() > FRAMES_MAX {
            self.frame_starts.clear();
            self.picture.skip(payload.rtp_ts, out);
        }
        let Some((rtp_ts, data)) = self.picture.push(payload, &part, out) else {
            return;
        };
        out.push(match self.frame(rtp_ts, data) {
            Some(frame) => Depacketized::Frame(frame),
            None => Depacketized::Broken,
        });
    }

    /// Packets before the next payload are lost.
    pub fn lose(&mut self, out: &mut Vec<Depacketized>) {
        self.picture.lose(out);
    }

    fn frame(&self, rtp_ts: u64, data: Bytes) -> Option<CodedFrame> {
        let key = FrameHeader::parse(&data)?.key.filter(|_| self.keyframe);
        let data = with_index(data, &self.frame_starts);
        Some(CodedFrame {
            rtp_ts,
            keyframe: key.is_some(),
            size: key.map(|key| self.size.unwrap_or(key.size)),
            data,
        })
    }
}

impl Descriptor {
    /// RFC 9628 4.2.
    fn parse(payload: &[u8]) -> Option<Self> {
        let mut cursor = Cursor {
            bytes: payload,
            position: 0,
        };
        let head = cursor.byte()?;
        let [has_id, inter, layers, flexible] = [0x80, 0x40, 0x20, 0x10].map(|bit| head & bit != 0);
        let [begins, structure] = [0x08, 0x02].map(|bit| head & bit != 0);
        if has_id && cursor.byte()? & 0x80 != 0 {
            cursor.byte()?;
        }
        let mut spatial = 0;
        if layers {
            spatial = cursor.byte()? >> 1 & 0x07;
            if !flexible {
                cursor.byte()?; // TL0PICIDX
            }
        }
        if flexible && inter {
            // Up to three reference indices, each with a bit that says whether another follows.
            let mut references = 1;
            while cursor.byte()? & 1 != 0 {
                references += 1;
                if references > 3 {
                    return None;
                }
            }
        }
        let size = if structure {
            cursor.scalability_structure()?
        } else {
            None
        };
        Some(Self {
            intra: !inter,
            begins,
            spatial,
            size,
            length: cursor.position,
        })
    }
}

struct Cursor<'a> {
    bytes: &'a [u8],
    position: usize,
}

impl Cursor<'_> {
    fn byte(&mut self) -> Option<u8> {
        let byte = *self.bytes.get(self.position)?;
        self.position += 1;
        Some(byte)
    }

    fn u16(&mut self) -> Option<u16> {
        Some(u16::from_be_bytes([self.byte()?, self.byte()?]))
    }

    /// RFC 9628 4.2.1. The size of the highest layer, if sizes are given.
    fn scalability_structure(&mut self) -> Option<Option<PictureSize>> {
        let head = self.byte()?;
        let mut size = None;
        if head & 0x10 != 0 {
            for _ in 0..=head >> 5 {
                let (width, height) = (self.u16()?, self.u16()?);
                size = Some(PictureSize { width, height });
            }
        }
        if head & 0x08 != 0 {
            for _ in 0..self.byte()? {
                let references = self.byte()? >> 2 & 0x03;
                for _ in 0..references {
                    self.byte()?;
                }
            }
        }
        Some(size.filter(|size| size.width > 0 && size.height > 0))
    }
}

/// Several frames need an index behind them, or decoders see only the first (Annex B).
fn with_index(data: Bytes, starts: &[usize]) -> Bytes {
    if starts.len() < 2 || has_index(&data) {
        return data;
    }
    let ends = starts.iter().skip(1).copied().chain([data.len()]);
    let marker = 0b1100_0000 | 3 << 3 | (starts.len() as u8 - 1);
    let mut indexed = BytesMut::with_capacity(data.len() + 2 + 4 * starts.len());
    indexed.put_slice(&data);
    indexed.put_u8(marker);
    for (start, end) in starts.iter().zip(ends) {
        indexed.put_u32_le(end.saturating_sub(*start) as u32);
    }
    indexed.put_u8(marker);
    indexed.freeze()
}

fn has_index(data: &[u8]) -> bool {
    let Some(&marker) = data.last().filter(|marker| *marker & 0xe0 == 0xc0) else {
        return false;
    };
    let size_bytes = usize::from(marker >> 3 & 3) + 1;
    let index_bytes = 2 + size_bytes * (usize::from(marker & 7) + 1);
    data.len()
        .checked_sub(index_bytes)
        .is_some_and(|start| data[start] == marker)
}
