//! Even-aligned rectangles and how they are placed.

use serde::{Deserialize, Serialize};

/// The smallest width or height of anything shown: one chroma sample of an I420 picture.
pub(super) const SIDE_MIN: u32 = 2;

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

impl Rect {
    /// The column right of it.
    pub fn right(self) -> u32 {
        self.x.saturating_add(self.width)
    }

    /// The row below it.
    pub fn bottom(self) -> u32 {
        self.y.saturating_add(self.height)
    }

    /// Whether the two share a pixel.
    pub fn overlaps(self, other: Self) -> bool {
        self.x < other.right()
            && other.x < self.right()
            && self.y < other.bottom()
            && other.y < self.bottom()
    }

    /// Whether all of `other` lies in it.
    pub fn contains(self, other: Self) -> bool {
        self.x <= other.x
            && self.y <= other.y
            && other.right() <= self.right()
            && other.bottom() <= self.bottom()
    }

    /// A rectangle of this size in the middle of it, rounded to even pixels up and left. The size fits into it.
    pub(super) fn centred(self, width: u32, height: u32) -> Self {
        Self {
            x: self.x + floor_even(self.width.saturating_sub(width) / 2),
            y: self.y + floor_even(self.height.saturating_sub(height) / 2),
            width,
            height,
        }
    }
}

impl Canvas {
    /// All of it; an odd last column or row is left out.
    pub fn rect(self) -> Rect {
        Rect {
            x: 0,
            y: 0,
            width: floor_even(self.width),
            height: floor_even(self.height),
        }
    }
}

/// The greatest even number that is not greater.
pub(super) fn floor_even(pixels: u32) -> u32 {
    pixels & !1
}

/// The smallest even number that is not smaller, within what fits.
pub(super) fn ceil_even(pixels: u32) -> u32 {
    floor_even(pixels.saturating_add(1))
}

/// The largest even size of the aspect `aspect_width : aspect_height` within `width` x `height`, but at least 2 x 2. All
/// arguments are at least 1, and the outer size is at least 2 x 2.
pub(super) fn inscribe(
    (width, height): (u32, u32),
    (aspect_width, aspect_height): (u32, u32),
) -> (u32, u32) {
    let scale = |side: u32, by: u32, of: u32| {
        let scaled = u64::from(side) * u64::from(by) / u64::from(of);
        floor_even(u32::try_from(scaled).unwrap_or(u32::MAX)).max(SIDE_MIN)
    };
    if u64::from(width) * u64::from(aspect_height) <= u64::from(height) * u64::from(aspect_width) {
        let width = floor_even(width);
        (
            width,
            scale(width, aspect_height, aspect_width).min(floor_even(height)),
        )
    } else {
        let height = floor_even(height);
        (
            scale(height, aspect_width, aspect_height).min(floor_even(width)),
            height,
        )
    }
}
