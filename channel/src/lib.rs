//! Channels: RTMP ingest, stream sessions, live HLS, and the RTMP publisher of compositions.
//!
//! ```text
//! RTMP publisher ─► ingest (chunks → messages → tags → samples) ─► origin (segments, window) ─► HLS routes
//!                        │ asks Directory: whose key is it?             │
//!                        └─► stream session (pure) ─► ChannelEvent      ├─► viewer sessions
//!                                                                       └─► asks PlaybackGate: who may play?
//! ```
//!
//! [`Channels`] is all that the API needs; [`Publisher`] sends a composition to any RTMP server, ours included.
//!
//! ```no_run
//! # async fn example(owner: channel::Owner) -> Result<(), channel::StartError> {
//! let config = channel::ChannelsConfig {
//!     listen: "127.0.0.1:1935".parse().expect("an address"),
//!     region: "us-east-1".to_owned(),
//!     viewers_max: channel::limits::VIEWERS_MAX,
//!     broadcasts_max: 100,
//!     connections_max: 1000,
//! };
//! let (channels, mut events) = channel::Channels::start(config, owner).await?;
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
mod playback;
mod publish;
mod rate_meter;
mod sample;
mod slate;
mod stream_key;
mod stream_session;
mod tap;

pub use crate::ad_breaks::{AdBreakRefusal, AdBreakRequest};
pub use crate::channels::{Channels, ChannelsConfig, LiveStream, Owner, StartError};
pub use crate::directory::{
    ChannelGrant, ChannelType, Directory, DirectoryError, IngestLimits, IngestTerms, Snapshot,
};
pub use crate::event::{
    ChannelEvent, IngestLimit, LimitBreach, Report, StreamEvent, StreamHealth, TakeoverFailure,
};
pub use crate::ingest::{AudioDescription, IngestDescription, VideoDescription};
pub use crate::playback::{
    ClientAddress, Country, GateError, PlaybackGate, PlaybackKey, PlaybackTerms, RestrictionPolicy,
    SingleUse, ViewerBreach,
};
pub use crate::publish::{PublishError, Publisher, PublisherEvent, UrlError, VideoParams};
pub use crate::slate::{SlateError, SlateFormat, SlateSource, SlateTimes};
pub use crate::tap::{StreamFormat, StreamTap, TapUnit};
