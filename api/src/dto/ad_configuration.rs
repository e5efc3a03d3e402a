//! AdConfiguration.

use serde::{Deserialize, Serialize};

/// Where ads would come from.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MediaTailorPlaybackConfiguration {
    /// The model lets it be absent; a configuration without it means nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub playback_configuration_arn: Option<String>,
}

/// The ad break after a stream.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PostRollConfiguration {
    /// Whether there is one.
    pub enabled: bool,
    /// How long.
    pub duration_seconds: u32,
}

impl Default for PostRollConfiguration {
    fn default() -> Self {
        Self {
            enabled: false,
            duration_seconds: 15,
        }
    }
}

/// What the store keeps, and the resource between its ARN and tags; summaries have it all too.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AdConfigurationRecord {
    /// May be empty.
    pub name: String,
    /// One to three, the first is the default.
    pub media_tailor_playback_configurations: Vec<MediaTailorPlaybackConfiguration>,
    /// The ad break after a stream.
    pub post_roll_configuration: PostRollConfiguration,
}
