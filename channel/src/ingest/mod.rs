//! RTMP ingest: the listener and one task per connection.
//!
//! ```text
//! socket ─► ChunkReader (limits, interleaving) ─► ServerProtocol (rml_rtmp, commands) ─► MediaReader ─► Hub
//! ```

mod connection;
mod listener;
mod media;
mod protocol;
mod timeline;

pub(crate) use listener::listen;
