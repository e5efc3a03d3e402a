//! Equal tiles in rows and columns.

use super::rect::{Rect, SIDE_MIN, ceil_even, floor_even, inscribe};
use super::spec::VideoAspectRatio;

/// One way to cut an area into tiles.
#[derive(Clone, Copy)]
struct Grid {
    columns: u32,
    rows: u32,
    gap_x: u32,
    gap_y: u32,
    width: u32,
    height: u32,
}

/// `count` tiles in `area`, row by row. The column count that gives the largest tile wins, on a tie the fewest columns. The
/// block is centred, and so is an incomplete last row. AUTO takes the columns of 16:9 tiles and makes each tile its cell.
pub(super) fn rects(area: Rect, count: usize, gap: u32, aspect: VideoAspectRatio) -> Vec<Rect> {
    let room = u64::from(area.width / SIDE_MIN) * u64::from(area.height / SIDE_MIN);
    let count = u32::try_from(room.min(count as u64)).unwrap_or(u32::MAX);
    let gap = ceil_even(gap);
    let mut best: Option<(u64, Grid)> = None;
    for columns in 1..=count {
        let Some(grid) = Grid::new(area, count, columns, gap) else {
            continue;
        };
        let (width, height) = tile((grid.width, grid.height), aspect.measure());
        let size = u64::from(width) * u64::from(height);
        if best.is_none_or(|(largest, _)| size > largest) {
            let (width, height) = match aspect {
                VideoAspectRatio::Auto => (grid.width, grid.height),
                VideoAspectRatio::Video | VideoAspectRatio::Square | VideoAspectRatio::Portrait => {
                    (width, height)
                }
            };
            best = Some((
                size,
                Grid {
                    width,
                    height,
                    ..grid
                },
            ));
        }
    }
    best.map_or_else(Vec::new, |(_, grid)| grid.tiles(area, count))
}

/// The largest tile of an aspect in a cell.
pub(super) fn tile(cell: (u32, u32), aspect: (u32, u32)) -> (u32, u32) {
    inscribe(cell, aspect)
}

/// The gap between `count` things along `length`, shrunk until each can be [`SIDE_MIN`], and the even size left for each.
/// `None` when even without a gap there is no room.
pub(super) fn share(length: u32, count: u32, gap: u32) -> Option<(u32, u32)> {
    let spare = length.checked_sub(count.checked_mul(SIDE_MIN)?)?;
    let gaps = count.checked_sub(1)?;
    let gap = spare
        .checked_div(gaps)
        .map_or(0, |room| gap.min(floor_even(room)));
    Some((gap, floor_even((length - gaps * gap) / count)))
}

impl VideoAspectRatio {
    /// The shape that tiles have, or for AUTO the one by which columns are chosen.
    pub(super) fn measure(self) -> (u32, u32) {
        match self {
            Self::Auto | Self::Video => (16, 9),
            Self::Square => (1, 1),
            Self::Portrait => (3, 4),
        }
    }
}

impl Grid {
    /// `count` cells in this many columns; `None` when they have no room.
    fn new(area: Rect, count: u32, columns: u32, gap: u32) -> Option<Self> {
        let rows = count.div_ceil(columns);
        let (gap_x, width) = share(area.width, columns, gap)?;
        let (gap_y, height) = share(area.height, rows, gap)?;
        Some(Self {
            columns,
            rows,
            gap_x,
            gap_y,
            width,
            height,
        })
    }

    fn tiles(self, area: Rect, count: u32) -> Vec<Rect> {
        let Self {
            columns,
            rows,
            gap_x,
            gap_y,
            width,
            height,
        } = self;
        let block_height = rows * height + (rows - 1) * gap_y;
        (0..count)
            .map(|index| {
                let (row, column) = (index / columns, index % columns);
                let in_row = columns.min(count - row * columns);
                let row_width = in_row * width + (in_row - 1) * gap_x;
                let block = area.centred(row_width, block_height);
                Rect {
                    x: block.x + column * (width + gap_x),
                    y: block.y + row * (height + gap_y),
                    width,
                    height,
                }
            })
            .collect()
    }
}
