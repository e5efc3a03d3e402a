//! Channels: RTMP ingest, stream sessions, live HLS, and the RTMP publisher of compositions.
//!
//! ```text
//! RTMP publisher ─► ingest (chunks → messages → tags → samples) ─► origin (segments, window) ─► HLS routes
//!                        │ asks Directory: whose key is it?             │
//!                        └─► stream session (pure) ─► ChannelEvent      └─► viewer count
//! ```
//!
//! [`Channels`] is all that the API needs; [`Publisher`] sends a composition to any RTMP server, ours included.

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
mod origin;
mod publish;
mod sample;
mod stream_key;
mod stream_session;

pub use crate::channels::{Channels, ChannelsConfig, LiveStream, StartError};
pub use crate::directory::{ChannelGrant, ChannelType, Directory, DirectoryError};
pub use crate::event::ChannelEvent;
pub use crate::publish::{PublishError, Publisher, PublisherEvent, UrlError, VideoParams};
pub use crate::stream_session::{StreamEvent, StreamHealth, TakeoverFailure};
