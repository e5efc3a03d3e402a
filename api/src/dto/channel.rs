//! Channel and StreamKey.

use serde::{Deserialize, Serialize};

use crate::arn::{Arn, ArnKind, ArnOrEmpty};
use crate::dto::{Tags, choice};
use crate::error::ApiError;

choice! {
    /// How far behind live a player is.
    LatencyMode {
        /// Plain HLS.
        Normal = "NORMAL",
        /// Near real time.
        Low = "LOW",
    }
}

choice! {
    /// What is made of the ingested stream.
    ChannelType {
        /// Passed through.
        Basic = "BASIC",
        /// Transcoded up to 1080p.
        Standard = "STANDARD",
        /// Transcoded up to 480p.
        AdvancedSd = "ADVANCED_SD",
        /// Transcoded up to 720p.
        AdvancedHd = "ADVANCED_HD",
    }
}

choice! {
    /// Bit rates of the ADVANCED types.
    TranscodePreset {
        /// Not for this type; spelled as the empty string in answers.
        None = "",
        /// The default of ADVANCED types.
        HigherBandwidthDelivery = "HIGHER_BANDWIDTH_DELIVERY",
        /// Less.
        ConstrainedBandwidthDelivery = "CONSTRAINED_BANDWIDTH_DELIVERY",
    }
}

choice! {
    /// Whether broadcasters may send one track.
    MultitrackPolicy {
        /// Yes.
        Allow = "ALLOW",
        /// No.
        Require = "REQUIRE",
    }
}

choice! {
    /// Largest track.
    MultitrackMaximumResolution {
        /// 480p.
        Sd = "SD",
        /// 720p.
        Hd = "HD",
        /// 1080p.
        FullHd = "FULL_HD",
    }
}

choice! {
    /// Container of live and recorded segments.
    ContainerFormat {
        /// MPEG-TS.
        Ts = "TS",
        /// CMAF.
        FragmentedMp4 = "FRAGMENTED_MP4",
    }
}

/// Several renditions by one broadcaster.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MultitrackInputConfiguration {
    /// Whether.
    pub enabled: bool,
    /// Whether one track is allowed too.
    pub policy: MultitrackPolicy,
    /// Largest track.
    pub maximum_resolution: MultitrackMaximumResolution,
}

/// What the store keeps of a channel.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ChannelRecord {
    /// May be empty.
    pub name: String,
    /// How far behind live.
    pub latency_mode: LatencyMode,
    /// What is made of the stream.
    pub channel_type: ChannelType,
    /// Whether RTMP without TLS is accepted beyond loopback.
    pub insecure_ingest: bool,
    /// Whether playback needs a token.
    #[serde(default)]
    pub authorized: bool,
    /// Bit rates.
    pub preset: TranscodePreset,
    /// Several renditions by one broadcaster.
    pub multitrack_input: MultitrackInputConfiguration,
    /// Of segments.
    pub container_format: ContainerFormat,
    /// For SRT ingest.
    pub srt_passphrase: String,
    /// Where its streams are recorded to.
    #[serde(default)]
    pub recording_configuration: Option<Arn>,
    /// Who may play it, unless it is authorized.
    #[serde(default)]
    pub playback_restriction_policy: Option<Arn>,
    /// Which ads it may break for.
    #[serde(default)]
    pub ad_configuration: Option<Arn>,
    /// What is shown while ingest is interrupted.
    #[serde(default)]
    pub failover_slate_configuration: Option<Arn>,
}

/// The kinds of resources that a channel refers to.
pub const REFERENCE_KINDS: [ArnKind; 4] = [
    ArnKind::RecordingConfiguration,
    ArnKind::PlaybackRestrictionPolicy,
    ArnKind::AdConfiguration,
    ArnKind::FailoverSlateConfiguration,
];

impl ChannelRecord {
    /// What it refers to, in the order of [`REFERENCE_KINDS`].
    pub fn references(&self) -> [Option<&Arn>; 4] {
        [
            self.recording_configuration.as_ref(),
            self.playback_restriction_policy.as_ref(),
            self.ad_configuration.as_ref(),
            self.failover_slate_configuration.as_ref(),
        ]
    }
}

/// SRT ingest.
#[derive(Debug, Serialize)]
pub struct Srt {
    /// Host.
    pub endpoint: String,
    /// Secret.
    pub passphrase: String,
}

/// What full channels and summaries share.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ChannelSummary {
    /// Its name in the API.
    pub arn: String,
    /// May be empty.
    pub name: String,
    /// How far behind live.
    pub latency_mode: LatencyMode,
    /// What is made of the stream.
    #[serde(rename = "type")]
    pub channel_type: ChannelType,
    /// Empty: none.
    pub recording_configuration_arn: ArnOrEmpty,
    /// Whether playback needs a token.
    pub authorized: bool,
    /// Its tags.
    pub tags: Tags,
    /// Whether RTMP without TLS is accepted.
    pub insecure_ingest: bool,
    /// Bit rates.
    pub preset: TranscodePreset,
    /// Empty: none.
    pub playback_restriction_policy_arn: ArnOrEmpty,
    /// Empty: none.
    pub ad_configuration_arn: ArnOrEmpty,
    /// Empty: none.
    pub failover_slate_configuration_arn: ArnOrEmpty,
}

/// The resource.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Channel {
    /// What a summary has too.
    #[serde(flatten)]
    pub summary: ChannelSummary,
    /// Host, and port unless 1935.
    pub ingest_endpoint: String,
    /// Of the live HLS.
    pub playback_url: String,
    /// SRT ingest.
    pub srt: Srt,
    /// Several renditions by one broadcaster.
    pub multitrack_input_configuration: MultitrackInputConfiguration,
    /// Of segments.
    pub container_format: ContainerFormat,
}

/// What the store keeps of a stream key, besides its channel.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct StreamKeyRecord {
    /// `sk_<region>_<id>_<secret>`.
    pub value: crate::backend::StreamKeyValue,
}

/// A stream key; summaries have no value.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct StreamKey {
    /// Its name in the API.
    pub arn: String,
    /// The secret.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<crate::backend::StreamKeyValue>,
    /// Of which channel.
    pub channel_arn: String,
    /// Its tags.
    pub tags: Tags,
}

/// CreateChannel.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CreateChannelResponse {
    /// The resource.
    pub channel: Channel,
    /// Its one key.
    pub stream_key: StreamKey,
}

/// BatchGetChannel.
#[derive(Debug, Serialize)]
pub struct BatchGetChannelResponse {
    /// Those that are there, in the order of the request.
    pub channels: Vec<Channel>,
    /// One for each that is not.
    pub errors: Vec<BatchError>,
}

/// BatchGetStreamKey.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct BatchGetStreamKeyResponse {
    /// Those that are there, in the order of the request.
    pub stream_keys: Vec<StreamKey>,
    /// One for each that is not.
    pub errors: Vec<BatchError>,
}

/// Why a batch answers nothing for one resource.
#[derive(Debug, Serialize)]
pub struct BatchError {
    /// Which.
    pub arn: String,
    /// The status that a request of its own would have had.
    pub code: String,
    /// In words.
    pub message: String,
}

impl BatchError {
    /// There is no such resource.
    pub fn not_found(arn: &Arn) -> Self {
        let error = ApiError::not_found("the resource", arn);
        Self {
            arn: arn.to_string(),
            code: error.kind().status().as_str().to_owned(),
            message: error.message().to_owned(),
        }
    }
}
