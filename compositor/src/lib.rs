//! The composition worker and its supervisor: journal in, numbered access units out.
//!
//! ```
//! use compositor::composer::Composer;
//! use compositor_core::id::CompositionId;
//! use compositor_core::journal::{JournalSeq, Record, RecordBody};
//! use compositor_core::layout::{GridSpec, LayoutSpec, VideoAspectRatio};
//! use compositor_core::time::{FrameRate, MediaTime};
//! use compositor_core::worker_protocol::{EncoderSpec, FromWorker, Job};
//!
//! let job = Job {
//!     composition: CompositionId::new("composition1"),
//!     start: MediaTime(0),
//!     layout: LayoutSpec::Grid(GridSpec {
//!         featured_participant_attribute: String::new(),
//!         grid_gap: 2,
//!         omit_stopped_video: false,
//!         participant_order_attribute: String::new(),
//!         video_aspect_ratio: VideoAspectRatio::Video,
//!         video_fill_mode: None,
//!     }),
//!     encoders: vec![EncoderSpec {
//!         width: 320,
//!         height: 180,
//!         fps: FrameRate::whole(30),
//!         bitrate: 500_000,
//!         keyframe_every: vec![60],
//!         thumbnail_every: None,
//!     }],
//!     resume: None,
//! };
//! let mut composer = Composer::new(job)?;
//! let mut said = Vec::new();
//! // Nobody is on the stage for one second: thirty black frames.
//! composer.stop(MediaTime(1_000_000_000), &mut said)?;
//! for tick in 0..=60 {
//!     let watermark = Record {
//!         seq: JournalSeq(tick),
//!         time: MediaTime(tick * 20_000_000),
//!         body: RecordBody::Watermark,
//!     };
//!     composer.record(watermark, &mut said)?;
//! }
//! let frames = said.iter().filter(|m| matches!(m, FromWorker::Video(_)));
//! assert_eq!(frames.count(), 30);
//! assert_eq!(said.last(), Some(&FromWorker::Ended));
//! # Ok::<(), compositor::worker::WorkerError>(())
//! ```

mod audio;
mod codec;
pub mod composer;
pub mod confine;
pub mod in_flight;
pub mod offline;
pub mod plugins;
pub mod raster;
pub mod slate;
pub mod source;
mod spent;
pub mod supervisor;
pub mod thumbnail;
pub mod wire;
pub mod worker;

pub use codec::CodecError;
