//! LayoutConfiguration.

use serde::{Deserialize, Serialize};

use crate::dto::choice;

choice! {
    /// Shape of the tiles.
    VideoAspectRatio {
        /// Each tile is its cell.
        Auto = "AUTO",
        /// 16:9.
        Video = "VIDEO",
        /// 1:1.
        Square = "SQUARE",
        /// 3:4.
        Portrait = "PORTRAIT",
    }
}

choice! {
    /// How a picture meets its slot.
    VideoFillMode {
        /// By the kind of slot; spelled as the empty string in answers.
        Unset = "",
        /// Stretch.
        Fill = "FILL",
        /// Crop.
        Cover = "COVER",
        /// Letterbox.
        Contain = "CONTAIN",
    }
}

choice! {
    /// What the PiP slot does when nobody else is left.
    PipBehavior {
        /// Keeps size and place.
        Static = "STATIC",
        /// Fills the canvas.
        Dynamic = "DYNAMIC",
    }
}

choice! {
    /// A corner of the canvas.
    PipPosition {
        /// Upper left.
        TopLeft = "TOP_LEFT",
        /// Upper right.
        TopRight = "TOP_RIGHT",
        /// Lower left.
        BottomLeft = "BOTTOM_LEFT",
        /// Lower right.
        BottomRight = "BOTTOM_RIGHT",
    }
}

/// Exactly one of the two layouts, with defaults filled in.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum LayoutConfiguration {
    /// Equal tiles, perhaps a featured area.
    Grid(GridConfiguration),
    /// One participant over the others.
    Pip(PipConfiguration),
}

/// The grid layout.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct GridConfiguration {
    /// Token attribute; empty for none.
    pub featured_participant_attribute: String,
    /// Pixels.
    pub grid_gap: u32,
    /// Leave the video-less out.
    pub omit_stopped_video: bool,
    /// Token attribute; empty for none.
    pub participant_order_attribute: String,
    /// Of tiles.
    pub video_aspect_ratio: VideoAspectRatio,
    /// In all slots.
    pub video_fill_mode: VideoFillMode,
}

impl Default for GridConfiguration {
    fn default() -> Self {
        Self {
            featured_participant_attribute: String::new(),
            grid_gap: 2,
            omit_stopped_video: false,
            participant_order_attribute: String::new(),
            video_aspect_ratio: VideoAspectRatio::Video,
            video_fill_mode: VideoFillMode::Unset,
        }
    }
}

/// The picture-in-picture layout.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PipConfiguration {
    /// Token attribute; empty for none.
    pub featured_participant_attribute: String,
    /// Pixels.
    pub grid_gap: u32,
    /// Leave the video-less out.
    pub omit_stopped_video: bool,
    /// Token attribute; empty for none.
    pub participant_order_attribute: String,
    /// When nobody else is left.
    pub pip_behavior: PipBehavior,
    /// Pixels from the two nearest edges.
    pub pip_offset: u32,
    /// Token attribute; empty for none.
    pub pip_participant_attribute: String,
    /// Which corner.
    pub pip_position: PipPosition,
    /// Pixels; absent when unset.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pip_width: Option<u32>,
    /// Pixels; absent when unset.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pip_height: Option<u32>,
    /// In all slots.
    pub video_fill_mode: VideoFillMode,
}

impl Default for PipConfiguration {
    fn default() -> Self {
        Self {
            featured_participant_attribute: String::new(),
            grid_gap: 0,
            omit_stopped_video: false,
            participant_order_attribute: String::new(),
            pip_behavior: PipBehavior::Static,
            pip_offset: 0,
            pip_participant_attribute: String::new(),
            pip_position: PipPosition::BottomRight,
            pip_width: None,
            pip_height: None,
            video_fill_mode: VideoFillMode::Cover,
        }
    }
}
