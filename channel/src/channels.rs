//! The handle that the API holds: start, look, stop.

use std::net::SocketAddr;

use compositor_core::id::ChannelId;
use compositor_core::time::WallTime;

use crate::stream_session::StreamHealth;

/// How the channels are reached.
#[derive(Clone, Debug)]
pub struct ChannelsConfig {
    /// Where RTMP publishers connect; port 0 takes a free one. On a loopback address every channel may be published to
    /// without TLS, elsewhere only those with `insecureIngest`.
    pub listen: SocketAddr,
    /// The region in playback names.
    pub region: String,
    /// The account in playback names.
    pub account: String,
    /// What playback URLs begin with, without a slash at the end.
    pub public_url: String,
}

/// A stream that is live, as GetStream shows it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LiveStream {
    /// The channel.
    pub channel: ChannelId,
    /// Its stream session.
    pub stream_id: String,
    /// When its first media came.
    pub start: WallTime,
    /// How well the ingest keeps up.
    pub health: StreamHealth,
    /// Playlist sessions that are watching.
    pub viewer_count: usize,
}

/// The channels could not be started.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The address cannot be listened on.
    #[error("cannot listen for RTMP on {listen}")]
    Listen {
        /// The address.
        listen: SocketAddr,
        /// Why.
        #[source]
        source: std::io::Error,
    },
}
