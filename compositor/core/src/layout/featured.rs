//! A large area for the featured participants above one row of tiles for everybody else.

use super::grid::{self, share, tile};
use super::rect::{Rect, SIDE_MIN, ceil_even, floor_even};
use super::spec::VideoAspectRatio;

/// Rectangles for both groups.
pub(super) struct Featured {
    pub(super) featured: Vec<Rect>,
    pub(super) others: Vec<Rect>,
}

/// Places this many featured participants and others. Where one group is empty the other has all of `area`.
pub(super) fn rects(
    area: Rect,
    [featured, others]: [usize; 2],
    gap: u32,
    aspect: VideoAspectRatio,
) -> Featured {
    if featured == 0 {
        let others = grid::rects(area, others, gap, aspect);
        return Featured {
            featured: Vec::new(),
            others,
        };
    }
    // Featured participants share their area in cells: the aspect is that of the tiles.
    if others == 0 {
        let featured = grid::rects(area, featured, gap, VideoAspectRatio::Auto);
        return Featured {
            featured,
            others: Vec::new(),
        };
    }
    let height = floor_even(u32::try_from(u64::from(area.height) * 4 / 5).unwrap_or(u32::MAX));
    let top = Rect { height, ..area };
    let rest = area.height - height;
    let gap_y = ceil_even(gap).min(floor_even(rest.saturating_sub(SIDE_MIN)));
    let row = Rect {
        y: top.bottom() + gap_y,
        height: rest - gap_y,
        ..area
    };
    Featured {
        featured: grid::rects(top, featured, gap, VideoAspectRatio::Auto),
        others: row_rects(row, others, gap, aspect),
    }
}

/// One centred row of tiles as tall as `area`, shrunk when they do not fit its width. AUTO tiles share the width, but none
/// is wider than 16:9.
fn row_rects(area: Rect, count: usize, gap: u32, aspect: VideoAspectRatio) -> Vec<Rect> {
    if area.height < SIDE_MIN {
        return Vec::new();
    }
    let count = u32::try_from(count)
        .unwrap_or(u32::MAX)
        .min(area.width / SIDE_MIN);
    let Some((gap, cell_width)) = share(area.width, count, ceil_even(gap)) else {
        return Vec::new();
    };
    let (fitted_width, fitted_height) = tile((cell_width, area.height), aspect.measure());
    let (width, height) = match aspect {
        VideoAspectRatio::Auto => (fitted_width, area.height),
        VideoAspectRatio::Video | VideoAspectRatio::Square | VideoAspectRatio::Portrait => {
            (fitted_width, fitted_height)
        }
    };
    let row = area.centred(count * width + (count - 1) * gap, height);
    (0..count)
        .map(|index| Rect {
            x: row.x + index * (width + gap),
            width,
            ..row
        })
        .collect()
}
