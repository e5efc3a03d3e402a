//! Whose stream key is it? Answered by the API's store.

use async_trait::async_trait;
use compositor_core::id::ChannelId;

/// Knows the stream keys of all channels.
#[async_trait]
pub trait Directory: Send + Sync + 'static {
    /// The channel that `stream_key` belongs to (without its query), or `None` for a key that nobody owns.
    async fn channel_of(&self, stream_key: &str) -> Result<Option<ChannelGrant>, DirectoryError>;
}

/// What the owner of a stream key may do, and how its channel is called.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ChannelGrant {
    /// The channel.
    pub channel: ChannelId,
    /// Its ARN, for events.
    pub arn: String,
    /// Its name, for events; may be empty.
    pub name: String,
    /// Whether RTMP without TLS is allowed on a listener that is not loopback.
    pub insecure_ingest: bool,
    /// Its type.
    pub channel_type: ChannelType,
}

/// The channel types of IVS. All are served as one source rendition so far.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum ChannelType {
    /// `BASIC`: the source alone.
    Basic,
    /// `STANDARD`.
    #[default]
    Standard,
    /// `ADVANCED_SD`.
    AdvancedSd,
    /// `ADVANCED_HD`.
    AdvancedHd,
}

/// The directory could not answer.
#[derive(Debug, thiserror::Error)]
#[error("the stream key could not be looked up")]
pub struct DirectoryError(#[source] pub Box<dyn std::error::Error + Send + Sync>);
