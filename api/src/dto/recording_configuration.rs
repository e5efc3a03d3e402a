//! RecordingConfiguration.

use serde::{Deserialize, Serialize};

use crate::arn::Arn;
use crate::dto::stage::{ThumbnailRecordingMode, ThumbnailStorage};
use crate::dto::storage_configuration::S3StorageConfiguration;
use crate::dto::{Tags, choice};

choice! {
    /// Whether channels can be recorded with it.
    RecordingConfigurationState {
        /// The bucket is being checked.
        Creating = "CREATING",
        /// The bucket is not there, or nothing can be written to it.
        CreateFailed = "CREATE_FAILED",
        /// They can.
        Active = "ACTIVE",
    }
}

choice! {
    /// A class of picture heights.
    RecordingResolution {
        /// 361 to 480 lines.
        Sd = "SD",
        /// 481 to 720 lines.
        Hd = "HD",
        /// 721 to 1080 lines.
        FullHd = "FULL_HD",
        /// 160 to 360 lines.
        LowestResolution = "LOWEST_RESOLUTION",
    }
}

choice! {
    /// Which renditions are recorded.
    RenditionSelection {
        /// All.
        All = "ALL",
        /// None.
        None = "NONE",
        /// Those listed.
        Custom = "CUSTOM",
    }
}

/// Where recordings go.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct DestinationConfiguration {
    /// The bucket.
    pub s3: S3StorageConfiguration,
}

/// Thumbnails.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ThumbnailConfiguration {
    /// Whether.
    pub recording_mode: ThumbnailRecordingMode,
    /// 1 to 60; there with INTERVAL.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target_interval_seconds: Option<u32>,
    /// Of the source when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resolution: Option<RecordingResolution>,
    /// There with INTERVAL.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub storage: Option<Vec<ThumbnailStorage>>,
}

/// Renditions.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RenditionConfiguration {
    /// Which.
    pub rendition_selection: RenditionSelection,
    /// With CUSTOM; empty otherwise.
    pub renditions: Vec<RecordingResolution>,
}

/// What the store keeps, and the resource between its ARN and tags.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RecordingConfigurationRecord {
    /// May be empty.
    pub name: String,
    /// Where recordings go.
    pub destination_configuration: DestinationConfiguration,
    /// Whether channels can be recorded with it.
    pub state: RecordingConfigurationState,
    /// Thumbnails.
    pub thumbnail_configuration: ThumbnailConfiguration,
    /// How long after a stream another one continues its recording, 0 to 300.
    pub recording_reconnect_window_seconds: u32,
    /// Renditions.
    pub rendition_configuration: RenditionConfiguration,
}

/// In lists.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RecordingConfigurationSummary {
    /// Its name in the API.
    pub arn: Arn,
    /// May be empty.
    pub name: String,
    /// Where recordings go.
    pub destination_configuration: DestinationConfiguration,
    /// Whether channels can be recorded with it.
    pub state: RecordingConfigurationState,
    /// Its tags.
    pub tags: Tags,
}
