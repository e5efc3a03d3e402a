//! One coded picture or audio frame, complete.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::id::{Layer, TrackId};
use crate::time::MediaTime;

/// What a track carries.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub enum MediaKind {
    /// Sound.
    Audio,
    /// Pictures.
    Video,
}

/// How an access unit is coded.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub enum Codec {
    /// H.264 in Annex B byte-stream form; a keyframe carries its SPS and PPS.
    H264,
    /// VP8, one frame.
    Vp8,
    /// VP9, one superframe.
    Vp9,
    /// Opus, one packet, RTP clock 48 kHz.
    Opus,
}

impl Codec {
    /// Whether this is a picture or a sound codec.
    pub fn kind(self) -> MediaKind {
        match self {
            Self::H264 | Self::Vp8 | Self::Vp9 => MediaKind::Video,
            Self::Opus => MediaKind::Audio,
        }
    }
}

/// One coded picture or audio frame of one layer of one track, in decode order within its layer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AccessUnit {
    /// Which track.
    pub track: TrackId,
    /// Which simulcast layer; 0 for audio and single-layer video.
    pub layer: Layer,
    /// Presentation time on the stage clock.
    pub pts: MediaTime,
    /// How `data` is coded.
    pub codec: Codec,
    /// Whether a decoder can start here. True for every audio frame.
    pub keyframe: bool,
    /// Whether something between this unit and its predecessor of the same layer was lost for good.
    pub discontinuity: bool,
    /// The coded bytes.
    pub data: Bytes,
}
