//! Stage and ParticipantToken.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::arn::{Arn, ArnOrEmpty};
use crate::dto::{Tags, choice};
use crate::error::ApiError;

/// All keys and values of a participant's attributes together (IVS).
const ATTRIBUTES_BYTES_MAX: usize = 1024;

/// Twelve hours.
const TOKEN_MINUTES_DEFAULT: u32 = 720;

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
#[serde(rename_all = "camelCase", default)]
pub struct AutoParticipantRecordingConfiguration {
    /// Empty: off.
    pub storage_configuration_arn: ArnOrEmpty,
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
            storage_configuration_arn: ArnOrEmpty(None),
            media_types: vec![RecordingMediaType::AudioVideo],
            thumbnail_configuration: ParticipantThumbnailConfiguration::default(),
            recording_reconnect_window_seconds: 0,
            hls_configuration: HlsConfiguration::default(),
            record_participant_replicas: true,
        }
    }
}

impl AutoParticipantRecordingConfiguration {
    /// As it is kept: without a storage configuration everything is at its default, and so is an empty list.
    pub fn settled(mut self) -> Self {
        let default = Self::default();
        if self.storage_configuration_arn.0.is_none() {
            return default;
        }
        if self.media_types.is_empty() {
            self.media_types = default.media_types;
        }
        let storage = &mut self.thumbnail_configuration.storage;
        if storage.is_empty() {
            *storage = default.thumbnail_configuration.storage;
        }
        self
    }
}

/// Thumbnails of a participant recording.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
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

/// Segment length of a participant recording.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct HlsConfiguration {
    /// Seconds.
    pub target_segment_duration_seconds: u32,
}

impl Default for HlsConfiguration {
    fn default() -> Self {
        Self {
            target_segment_duration_seconds: 6,
        }
    }
}

/// CreateStage.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct CreateStageRequest {
    /// May be empty.
    pub name: String,
    /// Its tags.
    pub tags: Tags,
    /// One token each.
    pub participant_token_configurations: Vec<TokenParameters>,
    /// Of every participant.
    pub auto_participant_recording_configuration: AutoParticipantRecordingConfiguration,
}

/// UpdateStage; what is absent stays.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct UpdateStageRequest {
    /// Which.
    pub arn: Arn,
    /// May be empty.
    pub name: Option<String>,
    /// As a whole: what it leaves out gets its default.
    pub auto_participant_recording_configuration: Option<AutoParticipantRecordingConfiguration>,
}

/// What a participant token is made from.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TokenParameters {
    /// Minutes.
    #[serde(default = "token_minutes")]
    pub duration: u32,
    /// When given.
    pub user_id: Option<String>,
    /// When given.
    pub attributes: Option<BTreeMap<String, String>>,
    /// What it allows.
    #[serde(default = "all_capabilities")]
    pub capabilities: Vec<Capability>,
}

impl TokenParameters {
    /// What the model does not say; `path` names the attributes in the request.
    pub fn check(&self, path: &str) -> Result<(), ApiError> {
        match &self.attributes {
            Some(attributes) => check_attributes(path, attributes),
            None => Ok(()),
        }
    }
}

/// The rule for the attributes of a participant.
pub fn check_attributes(path: &str, attributes: &BTreeMap<String, String>) -> Result<(), ApiError> {
    let entries = attributes.iter();
    let bytes: usize = entries.map(|(key, value)| key.len() + value.len()).sum();
    if bytes > ATTRIBUTES_BYTES_MAX {
        return Err(ApiError::validation(format!(
            "`{path}`: {bytes} bytes of keys and values given, must be at most {ATTRIBUTES_BYTES_MAX}"
        )));
    }
    Ok(())
}

fn token_minutes() -> u32 {
    TOKEN_MINUTES_DEFAULT
}

fn all_capabilities() -> Vec<Capability> {
    vec![Capability::Publish, Capability::Subscribe]
}

/// CreateParticipantToken.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CreateParticipantTokenRequest {
    /// Of which stage.
    pub stage_arn: Arn,
    /// What it says.
    #[serde(flatten)]
    pub parameters: TokenParameters,
}

/// DisconnectParticipant.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DisconnectParticipantRequest {
    /// From which stage.
    pub stage_arn: Arn,
    /// Whom.
    pub participant_id: String,
    /// For the log.
    #[serde(default)]
    pub reason: String,
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
    pub arn: Arn,
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
    pub arn: Arn,
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
