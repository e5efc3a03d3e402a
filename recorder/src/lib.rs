//! Recording: numbered access units become MPEG-TS segments and HLS playlists, survive in a spool on disk, and are uploaded
//! to an S3 bucket in the layout of IVS composite recording. The streams of channels are recorded the same way, by time instead
//! of number, in the layout of IVS auto-record to S3.
//!
//! Three rules hold at every moment, whatever dies:
//! - the playlist in the bucket never names an object that is not there;
//! - one key never has two contents, except playlists and the latest thumbnail;
//! - `recording-ended.json` comes last.
//!
//! The contract: units are handed in by number, in any process; a process that takes over continues where the spool ends.
//!
//! ```no_run
//! use recorder::{ObjectStore, Recording, RecordingEvent, RecordingOutcome, RecordingSpec, WallClock};
//!
//! # async fn record(spec: RecordingSpec, store: ObjectStore, clock: WallClock, idr: bytes::Bytes, aac: bytes::Bytes)
//! # -> Result<(), Box<dyn std::error::Error>> {
//! let (recording, mut events) = Recording::start(spec, store, clock).await?;
//! recording.video(0, true, idr).await?;
//! recording.audio(0, aac).await?;
//! recording.finish(RecordingOutcome::Ended).await?;
//! while let Some(event) = events.recv().await {
//!     if let RecordingEvent::Finished { objects, duration } = event {
//!         println!("{objects} objects, {duration:?}");
//!     }
//! }
//! # Ok(())
//! # }
//! ```

mod ad_break;
mod backlog;
mod folder;
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
mod scte35;
pub mod segmenter;
mod spool;
mod time_cutter;
pub mod upload_queue;

pub use ad_break::AdBreak;
pub use backlog::Backlog;
pub use folder::FolderRecording;
pub use h264::codec_string as h264_codec_string;
pub use recording::{
    ChannelSource, Recording, RecordingClosed, RecordingError, RecordingEvent, RecordingOutcome,
    RecordingSpec, Rejection, RenditionSpec, Source, Thumbnails, TimedUnit, WallClock,
};
pub use recover::{Recovery, recover};
pub use s3::{
    Confirmation, ObjectStore, PutObject, StoreConfig, StoreCredentials, StoreError, StoreFault,
};
pub use spool::SpoolError;
