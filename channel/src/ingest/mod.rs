//! RTMP ingest: the listener and one task per connection.
//!
//! ```text
//! socket ─► ChunkReader (limits, interleaving) ─► ServerProtocol (rml_rtmp, commands) ─► MediaReader ─► Hub
//! ```

mod connection;
mod description;
#[cfg(test)]
mod fuzz;
mod listener;
mod media;
mod newcomers;
mod protocol;
mod timeline;

pub use description::{AudioDescription, IngestDescription, VideoDescription};
pub(crate) use listener::listen;
