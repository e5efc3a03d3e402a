//! Composition and Destination.

use serde::{Deserialize, Serialize};

use crate::arn::Arn;
use crate::dto::layout::LayoutConfiguration;
use crate::dto::stage::ThumbnailStorage;
use crate::dto::{Tags, choice};

choice! {
    /// Life of a composition.
    CompositionState {
        /// No output yet.
        Starting = "STARTING",
        /// At least one destination gets output.
        Active = "ACTIVE",
        /// Draining.
        Stopping = "STOPPING",
        /// Over, not as wished.
        Failed = "FAILED",
        /// Over.
        Stopped = "STOPPED",
    }
}

choice! {
    /// Life of a destination.
    DestinationState {
        /// No output yet.
        Starting = "STARTING",
        /// Gets output.
        Active = "ACTIVE",
        /// Draining.
        Stopping = "STOPPING",
        /// Interrupted, being retried.
        Reconnecting = "RECONNECTING",
        /// Given up.
        Failed = "FAILED",
        /// Over.
        Stopped = "STOPPED",
    }
}

impl CompositionState {
    /// Whether it still runs, and so holds on to what it uses.
    pub fn is_unfinished(self) -> bool {
        match self {
            Self::Starting | Self::Active | Self::Stopping => true,
            Self::Failed | Self::Stopped => false,
        }
    }
}

/// A destination as it was asked for, with defaults filled in.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct DestinationConfiguration {
    /// May be empty.
    pub name: String,
    /// Where.
    #[serde(flatten)]
    pub target: DestinationTarget,
}

/// Exactly one of the two.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum DestinationTarget {
    /// A broadcast.
    Channel(ChannelDestinationConfiguration),
    /// A recording.
    S3(S3DestinationConfiguration),
}

/// A broadcast to a channel.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ChannelDestinationConfiguration {
    /// Which channel.
    pub channel_arn: Arn,
    /// Absent: the defaults of encoder configurations.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub encoder_configuration_arn: Option<Arn>,
}

/// A recording.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct S3DestinationConfiguration {
    /// Exactly one.
    pub encoder_configuration_arns: [Arn; 1],
    /// Where.
    pub storage_configuration_arn: Arn,
    /// How.
    #[serde(default)]
    pub recording_configuration: RecordingConfiguration,
    /// Absent: no thumbnails.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub thumbnail_configurations: Vec<ThumbnailConfiguration>,
}

choice! {
    /// Format of a recording.
    RecordingFormat {
        /// The only one.
        Hls = "HLS",
    }
}

/// Format and segments of a recording.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct RecordingConfiguration {
    /// HLS.
    pub format: RecordingFormat,
    /// Segments.
    pub hls_configuration: HlsConfiguration,
}

impl Default for RecordingConfiguration {
    fn default() -> Self {
        Self {
            format: RecordingFormat::Hls,
            hls_configuration: HlsConfiguration::default(),
        }
    }
}

/// Segment length of a recording.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct HlsConfiguration {
    /// Seconds.
    pub target_segment_duration_seconds: u32,
}

impl Default for HlsConfiguration {
    fn default() -> Self {
        Self {
            target_segment_duration_seconds: 2,
        }
    }
}

/// Thumbnails of a recording.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ThumbnailConfiguration {
    /// Which are kept.
    pub storage: Vec<ThumbnailStorage>,
    /// Seconds between two.
    pub target_interval_seconds: u32,
}

impl Default for ThumbnailConfiguration {
    fn default() -> Self {
        Self {
            storage: vec![ThumbnailStorage::Sequential],
            target_interval_seconds: 60,
        }
    }
}

/// Where a recording goes inside its bucket.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct S3Detail {
    /// Without slashes at the ends.
    pub recording_prefix: String,
}

/// What is only known after the start.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct DestinationDetail {
    /// Of a recording.
    pub s3: S3Detail,
}

/// A destination; summaries have neither configuration nor detail.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Destination {
    /// Its identifier.
    pub id: String,
    /// Where it is in its life.
    pub state: DestinationState,
    /// ISO 8601.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub start_time: Option<String>,
    /// ISO 8601.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub end_time: Option<String>,
    /// As asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub configuration: Option<DestinationConfiguration>,
    /// Of recordings.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<DestinationDetail>,
}

/// The resource; summaries have no layout.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Composition {
    /// Its name in the API.
    pub arn: String,
    /// Of which stage.
    pub stage_arn: String,
    /// Where it is in its life.
    pub state: CompositionState,
    /// Fixed at the start.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub layout: Option<LayoutConfiguration>,
    /// One or two.
    pub destinations: Vec<Destination>,
    /// Its tags.
    pub tags: Tags,
    /// ISO 8601.
    pub start_time: String,
    /// ISO 8601.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub end_time: Option<String>,
}
