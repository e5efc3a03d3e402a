//! Channels: RTMP ingest, stream sessions, live HLS, and the RTMP publisher of compositions.
//!
//! ```text
//! RTMP publisher ─► ingest (chunks → messages → tags → samples) ─► origin (segments, window) ─► HLS routes
//!                        │ asks Directory: whose key is it?             │
//!                        └─► stream session (pure) ─► ChannelEvent      └─► viewer count
//! ```
//!
//! [`Channels`] is all that the API needs; [`Publisher`] sends a composition to any RTMP server, ours included.
//!
//! ```no_run
//! # use std::sync::Arc;
//! # async fn example(
//! #     directory: Arc<dyn channel::Directory>,
//! #     slates: Arc<dyn channel::SlateSource>,
//! # ) -> Result<(), channel::StartError> {
//! let config = channel::ChannelsConfig {
//!     listen: "127.0.0.1:1935".parse().expect("an address"),
//!     region: "us-east-1".to_owned(),
//!     account: "123456789012".to_owned(),
//!     public_url: "http://127.0.0.1:8080".to_owned(),
//! };
//! let (channels, mut events) = channel::Channels::start(config, directory, slates).await?;
//! let playback = channels.routes();
//! while let Some(report) = events.recv().await {
//!     println!("{report:?}");
//! }
//! # let _ = playback;
//! # Ok(())
//! # }
//! ```

mod ad_breaks;
mod amf;
mod channels;
mod chunk;
mod clock;
mod directory;
mod event;
mod flv;
mod hub;
mod ingest;
pub mod limits;
mod meter;
mod origin;
mod publish;
mod rate_meter;
mod sample;
mod slate;
mod stream_key;
mod stream_session;
mod tap;

pub use crate::ad_breaks::{AdBreakRefusal, AdBreakRequest};
pub use crate::channels::{Channels, ChannelsConfig, LiveStream, StartError};
pub use crate::directory::{
    ChannelGrant, ChannelType, Directory, DirectoryError, IngestLimits, IngestTerms,
};
pub use crate::event::{
    ChannelEvent, IngestLimit, LimitBreach, Report, StreamEvent, StreamHealth, TakeoverFailure,
};
pub use crate::ingest::{AudioDescription, IngestDescription, VideoDescription};
pub use crate::publish::{PublishError, Publisher, PublisherEvent, UrlError, VideoParams};
pub use crate::slate::{SlateError, SlateFormat, SlateSource, SlateTimes};
pub use crate::tap::{StreamFormat, StreamTap, TapUnit};
