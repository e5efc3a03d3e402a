//! Stream.

use serde::Serialize;

use crate::dto::choice;

choice! {
    /// Whether a channel broadcasts.
    StreamState {
        /// It does.
        Live = "LIVE",
        /// It does not; never answered, such a channel has no stream.
        Offline = "OFFLINE",
    }
}

choice! {
    /// How ingest does.
    StreamHealth {
        /// Well.
        Healthy = "HEALTHY",
        /// Too slowly.
        Starving = "STARVING",
        /// Too early to tell.
        Unknown = "UNKNOWN",
    }
}

/// The live stream of a channel; summaries have no playback URL.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Stream {
    /// Of which channel.
    pub channel_arn: String,
    /// `st-` and 23 alphanumerics.
    pub stream_id: String,
    /// Absent in summaries.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub playback_url: Option<String>,
    /// ISO 8601.
    pub start_time: String,
    /// Always LIVE.
    pub state: StreamState,
    /// How ingest does.
    pub health: StreamHealth,
    /// Concurrent views.
    pub viewer_count: u32,
}
