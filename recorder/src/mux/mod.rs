//! MPEG-TS for HLS: one H.264 stream, one AAC stream and, where wanted, timed ID3 metadata.

mod adts;
mod id3;
mod packet;
mod psi;
mod ts;

pub use adts::{AudioConfig, AudioConfigError};
pub use id3::text_tag;
pub use packet::Continuity;
pub(crate) use psi::crc32_mpeg;
pub use ts::{FrameTooLong, TsMuxer, VideoSample};
