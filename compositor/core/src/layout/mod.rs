//! Where each publisher is shown (DESIGN.md 3.5). Pure: a spec, the publishers and a canvas in, slots out.

use serde::{Deserialize, Serialize};

use crate::id::ParticipantId;

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
    /// Pixels; `None`: a quarter of the canvas width.
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

/// An even-aligned rectangle in canvas pixels.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub struct Rect {
    /// Left edge.
    pub x: u32,
    /// Upper edge.
    pub y: u32,
    /// Width.
    pub width: u32,
    /// Height.
    pub height: u32,
}

/// The size of what is composed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Canvas {
    /// Pixels, even.
    pub width: u32,
    /// Pixels, even.
    pub height: u32,
}

/// What the layout needs to know of a publisher, in order of arrival.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Candidate<'a> {
    /// Who.
    pub participant: &'a ParticipantId,
    /// The token's attributes.
    pub attributes: &'a std::collections::BTreeMap<String, String>,
    /// Whether it shows a picture now.
    pub has_video: bool,
    /// Width and height of its picture, when known.
    pub video_size: Option<(u32, u32)>,
}

/// One rectangle of the picture. Later slots lie over earlier ones.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Slot {
    /// Who is shown.
    pub participant: ParticipantId,
    /// Where.
    pub rect: Rect,
    /// How its picture meets the slot.
    pub fill_mode: VideoFillMode,
}
