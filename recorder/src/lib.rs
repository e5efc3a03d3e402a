//! Recording: numbered access units become MPEG-TS segments and HLS playlists, survive in a spool on disk, and are uploaded
//! to an S3 bucket in the layout of IVS composite recording.
//!
//! Three rules hold at every moment, whatever dies:
//! - the playlist in the bucket never names an object that is not there;
//! - one key never has two contents, except playlists and the latest thumbnail;
//! - `recording-ended.json` comes last.

mod h264;
pub mod key_layout;
pub mod limits;
pub mod metadata;
pub mod mux;
pub mod playlist;
mod recording;
mod recover;
mod rfc3339;
mod s3;
pub mod segmenter;
mod spool;
pub mod upload_queue;

pub use h264::codec_string as h264_codec_string;
pub use recording::{
    Recording, RecordingClosed, RecordingError, RecordingEvent, RecordingOutcome, RecordingSpec,
    Rejection, RenditionSpec, Thumbnails, WallClock,
};
pub use recover::{Recovery, recover};
pub use s3::{
    Confirmation, ObjectStore, PutObject, StoreConfig, StoreCredentials, StoreError, StoreFault,
};
pub use spool::SpoolError;
