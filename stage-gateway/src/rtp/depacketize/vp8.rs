//! VP8 from RTP (RFC 7741) to frames.

use bytes::Bytes;
use compositor_core::bitstream::PictureSize;

use super::picture::{Part, PictureBuilder};
use super::{CodedFrame, Depacketized, Payload};

/// Puts VP8 frames together.
#[derive(Debug, Default)]
pub struct Vp8Depacketizer {
    picture: PictureBuilder,
}

impl Vp8Depacketizer {
    /// Takes the next payload; what it completes is appended to `out`.
    pub fn push(&mut self, payload: &Payload, out: &mut Vec<Depacketized>) {
        if payload.data.is_empty() {
            return;
        }
        let Some(part) = parse_descriptor(&payload.data) else {
            self.picture.skip(payload.rtp_ts, out);
            return;
        };
        let Some((rtp_ts, data)) = self.picture.push(payload, &part, out) else {
            return;
        };
        out.push(match FrameTag::parse(&data) {
            Some(FrameTag { keyframe, size }) => Depacketized::Frame(CodedFrame {
                rtp_ts,
                keyframe,
                size,
                data,
            }),
            None => Depacketized::Broken,
        });
    }

    /// Packets before the next payload are lost.
    pub fn lose(&mut self, out: &mut Vec<Depacketized>) {
        self.picture.lose(out);
    }
}

/// RFC 7741 4.2: the descriptor, then a piece of the frame.
fn parse_descriptor(payload: &Bytes) -> Option<Part> {
    let head = *payload.first()?;
    let (extended, start, partition) = (head & 0x80 != 0, head & 0x10 != 0, head & 0x07);
    let mut length = 1;
    if extended {
        let extension = *payload.get(1)?;
        length = 2;
        if extension & 0x80 != 0 {
            // The picture id has a second byte when its first bit says so.
            length += if *payload.get(length)? & 0x80 != 0 {
                2
            } else {
                1
            };
        }
        if extension & 0x40 != 0 {
            length += 1;
        }
        if extension & 0x30 != 0 {
            length += 1;
        }
    }
    let data = payload.get(length..).filter(|data| !data.is_empty())?;
    Some(Part {
        first: start && partition == 0,
        data: payload.slice_ref(data),
    })
}

/// The start of a frame (RFC 6386 9.1).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct FrameTag {
    keyframe: bool,
    size: Option<PictureSize>,
}

impl FrameTag {
    fn parse(frame: &[u8]) -> Option<Self> {
        let &[tag, _, _, ref rest @ ..] = frame else {
            return None;
        };
        if tag & 1 != 0 {
            return Some(Self {
                keyframe: false,
                size: None,
            });
        }
        let &[0x9d, 0x01, 0x2a, w0, w1, h0, h1, ..] = rest else {
            return None;
        };
        // The two upper bits ask for upscaling on display.
        let width = u16::from_le_bytes([w0, w1]) & 0x3fff;
        let height = u16::from_le_bytes([h0, h1]) & 0x3fff;
        (width > 0 && height > 0).then_some(Self {
            keyframe: true,
            size: Some(PictureSize { width, height }),
        })
    }
}
