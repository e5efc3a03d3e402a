//! Channels: RTMP ingest, stream sessions, live HLS, and the RTMP publisher of compositions.
//!
//! ```text
//! RTMP publisher ─► ingest (chunks → messages → tags → samples) ─► origin (segments, window) ─► HLS routes
//!                        │ asks Directory: whose key is it?             │
//!                        └─► stream session (pure) ─► ChannelEvent      └─► viewer count
//! ```
//!
//! [`Channels`] is all that the API needs; [`Publisher`] sends a composition to any RTMP server, ours included.

mod channels;
mod clock;
mod directory;
mod event;
mod limits;
mod stream_key;
mod stream_session;

pub use crate::channels::{ChannelsConfig, LiveStream, StartError};
pub use crate::directory::{ChannelGrant, ChannelType, Directory, DirectoryError};
pub use crate::event::ChannelEvent;
pub use crate::stream_session::{StreamEvent, StreamHealth, TakeoverFailure};
