//! RTP payloads to complete coded pictures and audio frames.

pub mod h264;
pub mod opus;
pub mod picture;
pub mod vp8;
pub mod vp9;

use bytes::Bytes;
use compositor_core::access_unit::Codec;
use compositor_core::bitstream::PictureSize;

/// What a depacketizer gets, in order and without duplicates.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Payload {
    /// Unwrapped RTP timestamp.
    pub rtp_ts: u64,
    /// The RTP marker bit.
    pub marker: bool,
    /// The RTP payload; empty for padding.
    pub data: Bytes,
}

/// What comes out of a depacketizer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Depacketized {
    /// A complete picture or audio frame.
    Frame(CodedFrame),
    /// A picture that is not complete, or bytes that no rule allows, were thrown away.
    Broken,
}

/// A complete picture or audio frame, by itself; whether its references are there is for the caller to know.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CodedFrame {
    /// Unwrapped RTP timestamp.
    pub rtp_ts: u64,
    /// Whether a decoder can start here.
    pub keyframe: bool,
    /// Of a keyframe: what its headers say.
    pub size: Option<PictureSize>,
    /// The coded bytes in the form that [`Codec`] names.
    pub data: Bytes,
}

/// The depacketizer of a codec.
#[derive(Debug)]
pub enum Depacketizer {
    /// RFC 6184.
    H264(h264::H264Depacketizer),
    /// RFC 7741.
    Vp8(vp8::Vp8Depacketizer),
    /// RFC 9628.
    Vp9(vp9::Vp9Depacketizer),
    /// RFC 7587.
    Opus,
}

impl Depacketizer {
    /// For `codec`.
    pub fn new(codec: Codec) -> Self {
        match codec {
            Codec::H264 => Self::H264(h264::H264Depacketizer::default()),
            Codec::Vp8 => Self::Vp8(vp8::Vp8Depacketizer::default()),
            Codec::Vp9 => Self::Vp9(vp9::Vp9Depacketizer::default()),
            Codec::Opus => Self::Opus,
        }
    }

    /// Takes the next payload; what it completes is appended to `out`.
    pub fn push(&mut self, payload: Payload, out: &mut Vec<Depacketized>) {
        match self {
            Self::H264(depacketizer) => depacketizer.push(payload, out),
            Self::Vp8(depacketizer) => depacketizer.push(&payload, out),
            Self::Vp9(depacketizer) => depacketizer.push(&payload, out),
            Self::Opus => opus::push(payload, out),
        }
    }

    /// Packets before the next payload are lost for good.
    pub fn lose(&mut self, out: &mut Vec<Depacketized>) {
        match self {
            Self::H264(depacketizer) => depacketizer.lose(out),
            Self::Vp8(depacketizer) => depacketizer.lose(out),
            Self::Vp9(depacketizer) => depacketizer.lose(out),
            Self::Opus => {}
        }
    }
}
