//! MPEG-TS for HLS: one H.264 stream, one AAC stream and, where wanted, timed ID3 metadata.

mod adts;
mod packet;
mod psi;
mod ts;

pub use adts::{AudioConfig, AudioConfigError};
pub use packet::Continuity;
pub use ts::{FrameTooLong, TsMuxer, VideoSample};
