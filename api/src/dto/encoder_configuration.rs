//! EncoderConfiguration.

use serde::{Deserialize, Serialize};

use crate::dto::Tags;

/// What is encoded.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
pub struct Video {
    /// Pixels.
    pub width: u16,
    /// Pixels.
    pub height: u16,
    /// Frames per second.
    pub framerate: f64,
    /// Bits per second.
    pub bitrate: u32,
}

impl Default for Video {
    fn default() -> Self {
        Self {
            width: 1280,
            height: 720,
            framerate: 30.0,
            bitrate: 2_500_000,
        }
    }
}

/// What the store keeps.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct EncoderConfigurationRecord {
    /// May be empty.
    pub name: String,
    /// With defaults filled in.
    pub video: Video,
}

/// The resource; a summary leaves `video` out.
#[derive(Debug, Serialize)]
pub struct EncoderConfiguration {
    /// Its name in the API.
    pub arn: String,
    /// May be empty.
    pub name: String,
    /// Absent in summaries.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub video: Option<Video>,
    /// Its tags.
    pub tags: Tags,
}

/// Create and Get.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct EncoderConfigurationResponse {
    /// The resource.
    pub encoder_configuration: EncoderConfiguration,
}

/// List.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ListEncoderConfigurationsResponse {
    /// Summaries.
    pub encoder_configurations: Vec<EncoderConfiguration>,
    /// When more remain.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_token: Option<String>,
}
