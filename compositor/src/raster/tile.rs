//! A picture as its slot shows it, made ahead of drawing: in the thread that decoded it, while its samples are in that core's
//! cache. Drawing a tile is copying it.

use std::sync::Arc;

use compositor_core::layout::{Canvas, VideoFillMode};

use super::Scaling;
use super::band::{self, bands};
use super::kernel::Kernel;
use super::scale::Line;
use super::slot::SlotScaler;
use crate::codec::picture::Picture;

/// A picture with at least this many times the samples of its slot is worth a tile: reading them is what takes the time.
const SHRINKS_BY: u64 = 2;

/// How a slot shows what is in it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Look {
    /// The slot's; both sides are even.
    pub(crate) size: Canvas,
    pub(crate) fill_mode: VideoFillMode,
    pub(crate) scaling: Scaling,
}

/// The tiles of one slot, one after the other.
#[derive(Debug)]
pub(crate) struct Tile {
    look: Look,
    kernel: Kernel,
    line: Line,
    made: Option<Made>,
    /// Whether one was asked for since the last time that one could be made.
    wanted: bool,
}

/// The last tile, and what makes the next one.
#[derive(Debug)]
struct Made {
    scaler: SlotScaler,
    of: Arc<Picture>,
    tile: Arc<Picture>,
    /// The one before it, which may be on a canvas still.
    other: Arc<Picture>,
}

impl Tile {
    /// For a slot that looks like this; none is made yet.
    pub(crate) fn new(look: Look) -> Self {
        Self {
            look,
            kernel: Kernel::best(),
            line: Line::default(),
            made: None,
            wanted: true,
        }
    }

    pub(crate) fn look(&self) -> Look {
        self.look
    }

    /// The tile of `picture`, if it was made.
    pub(crate) fn take(&mut self, picture: &Arc<Picture>) -> Option<Arc<Picture>> {
        self.wanted = true;
        let made = self.made.as_ref();
        made.filter(|made| Arc::ptr_eq(&made.of, picture))
            .map(|made| Arc::clone(&made.tile))
    }

    /// Makes the tile of `picture`, unless that does not pay, or nobody has asked since the last time.
    pub(crate) fn make(&mut self, picture: &Arc<Picture>) {
        let Look {
            size,
            fill_mode,
            scaling,
        } = self.look;
        let slot = u64::from(size.width) * u64::from(size.height);
        let pays = picture.pixels() >= SHRINKS_BY * slot;
        if !std::mem::take(&mut self.wanted) || !pays {
            return;
        }
        let known = self.made.take();
        let mut made = match known.filter(|made| made.scaler.fits(picture, scaling)) {
            Some(made) if Arc::ptr_eq(&made.of, picture) => {
                self.made = Some(made);
                return;
            }
            Some(made) => made,
            None => Made {
                scaler: SlotScaler::new(picture, size.rect(), fill_mode, scaling),
                of: Arc::clone(picture),
                tile: black(size),
                other: black(size),
            },
        };
        let Some(samples) = Arc::get_mut(&mut made.other).and_then(Picture::own_mut) else {
            // Two tiles are on canvases: this picture is drawn itself, and the next one begins anew.
            return;
        };
        for mut band in bands(samples, size) {
            (made.scaler).draw(self.kernel, picture, &mut band, &mut self.line);
        }
        std::mem::swap(&mut made.tile, &mut made.other);
        made.of = Arc::clone(picture);
        self.made = Some(made);
    }
}

fn black(size: Canvas) -> Arc<Picture> {
    Arc::new(Picture::own(size.width, size.height, band::black(size)))
}
