//! EncoderConfiguration.

use serde::{Deserialize, Serialize};

/// What is encoded.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
#[serde(default)]
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
