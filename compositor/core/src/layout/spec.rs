//! What a caller can ask of the layout: the API's LayoutConfiguration.

use serde::{Deserialize, Serialize};

/// How participants are arranged; the API's LayoutConfiguration with its defaults filled in.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum LayoutSpec {
    /// Equal tiles, optionally a featured area above them.
    Grid(GridSpec),
    /// A grid or featured layout with one participant over it.
    Pip(PipSpec),
}

/// The API's GridConfiguration.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct GridSpec {
    /// Token attribute that marks featured participants; empty for none.
    pub featured_participant_attribute: String,
    /// Pixels between tiles.
    pub grid_gap: u32,
    /// Leave participants without video out of the picture.
    pub omit_stopped_video: bool,
    /// Token attribute that orders participants; empty for order of arrival.
    pub participant_order_attribute: String,
    /// Shape of the tiles.
    pub video_aspect_ratio: VideoAspectRatio,
    /// How a picture meets its slot; `None`: COVER in tiles, CONTAIN in the featured slot.
    pub video_fill_mode: Option<VideoFillMode>,
}

/// The API's PipConfiguration.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct PipSpec {
    /// Token attribute that marks featured participants; empty for none.
    pub featured_participant_attribute: String,
    /// Pixels between tiles.
    pub grid_gap: u32,
    /// Leave participants without video out of the picture.
    pub omit_stopped_video: bool,
    /// Token attribute that orders participants; empty for order of arrival.
    pub participant_order_attribute: String,
    /// What the PiP slot does when nobody else is left.
    pub pip_behavior: PipBehavior,
    /// Pixels from the two nearest edges.
    pub pip_offset: u32,
    /// Token attribute that marks the PiP participant; empty for none.
    pub pip_participant_attribute: String,
    /// In which corner.
    pub pip_position: PipPosition,
    /// Pixels; `None`: from the height and the source's aspect, or a quarter of the canvas width without a height.
    pub pip_width: Option<u32>,
    /// Pixels; `None`: from the width and the source's aspect.
    pub pip_height: Option<u32>,
    /// How a picture meets its slot.
    pub video_fill_mode: VideoFillMode,
}

/// Shape of a tile.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum VideoAspectRatio {
    /// Each tile is its cell.
    Auto,
    /// 16:9.
    Video,
    /// 1:1.
    Square,
    /// 3:4.
    Portrait,
}

/// How a picture meets its slot.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub enum VideoFillMode {
    /// Stretch.
    Fill,
    /// Crop.
    Cover,
    /// Letterbox.
    Contain,
}

/// What the PiP slot does when nobody else is left.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum PipBehavior {
    /// Keeps its size and place.
    Static,
    /// Fills the canvas.
    Dynamic,
}

/// A corner of the canvas.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum PipPosition {
    /// Upper left.
    TopLeft,
    /// Upper right.
    TopRight,
    /// Lower left.
    BottomLeft,
    /// Lower right.
    BottomRight,
}
