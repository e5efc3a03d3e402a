//! Stage and ParticipantToken.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::dto::{Tags, choice};

choice! {
    /// What a participant may do.
    Capability {
        /// Send media.
        Publish = "PUBLISH",
        /// Receive media.
        Subscribe = "SUBSCRIBE",
    }
}

choice! {
    /// What a participant recording holds.
    RecordingMediaType {
        /// Both.
        AudioVideo = "AUDIO_VIDEO",
        /// Sound alone.
        AudioOnly = "AUDIO_ONLY",
        /// Thumbnails alone.
        None = "NONE",
    }
}

choice! {
    /// Which thumbnails are kept.
    ThumbnailStorage {
        /// Each.
        Sequential = "SEQUENTIAL",
        /// The newest, overwritten.
        Latest = "LATEST",
    }
}

choice! {
    /// Whether thumbnails are made.
    ThumbnailRecordingMode {
        /// At an interval.
        Interval = "INTERVAL",
        /// Not at all.
        Disabled = "DISABLED",
    }
}

/// Individual participant recording of a stage.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AutoParticipantRecordingConfiguration {
    /// Empty: off.
    pub storage_configuration_arn: String,
    /// What is recorded.
    pub media_types: Vec<RecordingMediaType>,
    /// Thumbnails.
    pub thumbnail_configuration: ParticipantThumbnailConfiguration,
    /// A return within this time continues the recording.
    pub recording_reconnect_window_seconds: u32,
    /// HLS.
    pub hls_configuration: HlsConfiguration,
    /// Whether replicas are recorded too.
    pub record_participant_replicas: bool,
}

impl Default for AutoParticipantRecordingConfiguration {
    fn default() -> Self {
        Self {
            storage_configuration_arn: String::new(),
            media_types: vec![RecordingMediaType::AudioVideo],
            thumbnail_configuration: ParticipantThumbnailConfiguration::default(),
            recording_reconnect_window_seconds: 0,
            hls_configuration: HlsConfiguration {
                target_segment_duration_seconds: 6,
            },
            record_participant_replicas: true,
        }
    }
}

/// Thumbnails of a participant recording.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ParticipantThumbnailConfiguration {
    /// Seconds between two.
    pub target_interval_seconds: u32,
    /// Which are kept.
    pub storage: Vec<ThumbnailStorage>,
    /// Whether.
    pub recording_mode: ThumbnailRecordingMode,
}

impl Default for ParticipantThumbnailConfiguration {
    fn default() -> Self {
        Self {
            target_interval_seconds: 60,
            storage: vec![ThumbnailStorage::Sequential],
            recording_mode: ThumbnailRecordingMode::Disabled,
        }
    }
}

/// Segment length of a recording.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct HlsConfiguration {
    /// Seconds.
    pub target_segment_duration_seconds: u32,
}

/// What the store keeps of a stage.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct StageRecord {
    /// May be empty.
    pub name: String,
    /// With defaults filled in.
    pub recording: AutoParticipantRecordingConfiguration,
}

/// Where clients of a stage connect.
#[derive(Clone, Debug, Serialize)]
pub struct StageEndpoints {
    /// WebSocket of stage events.
    pub events: String,
    /// WHIP.
    pub whip: String,
    /// RTMP ingest.
    pub rtmp: String,
    /// RTMPS ingest.
    pub rtmps: String,
}

/// The resource.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Stage {
    /// Its name in the API.
    pub arn: String,
    /// May be empty.
    pub name: String,
    /// While a session is live.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub active_session_id: Option<String>,
    /// Its tags.
    pub tags: Tags,
    /// With defaults filled in.
    pub auto_participant_recording_configuration: AutoParticipantRecordingConfiguration,
    /// Where clients connect.
    pub endpoints: StageEndpoints,
}

/// An entry of ListStages.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct StageSummary {
    /// Its name in the API.
    pub arn: String,
    /// May be empty.
    pub name: String,
    /// While a session is live.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub active_session_id: Option<String>,
    /// Its tags.
    pub tags: Tags,
}

/// A token just made.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ParticipantToken {
    /// Whom it lets in.
    pub participant_id: String,
    /// The JWT.
    pub token: String,
    /// When given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_id: Option<String>,
    /// When given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attributes: Option<BTreeMap<String, String>>,
    /// What it allows.
    pub capabilities: Vec<Capability>,
    /// ISO 8601.
    pub expiration_time: String,
}

/// CreateStage.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CreateStageResponse {
    /// The resource.
    pub stage: Stage,
    /// One per configuration, in order.
    pub participant_tokens: Vec<ParticipantToken>,
}

/// GetStage.
#[derive(Debug, Serialize)]
pub struct GetStageResponse {
    /// The resource.
    pub stage: Stage,
}

/// ListStages.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ListStagesResponse {
    /// Summaries.
    pub stages: Vec<StageSummary>,
    /// When more remain.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_token: Option<String>,
}

/// CreateParticipantToken.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CreateParticipantTokenResponse {
    /// The token.
    pub participant_token: ParticipantToken,
}
