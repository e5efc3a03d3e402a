//! Pictures onto a canvas, in I420. Nothing here knows participants or time.
//!
//! A canvas is Y, U, V back to back, without padding. [`Raster::draw`] redraws the slots whose picture changed and those
//! that lie over them; what it leaves is sample for sample what drawing everything anew would leave.

mod band;
mod colour;
mod font;
mod kernel;
pub(crate) mod placeholder;
mod scalar;
mod scale;
#[cfg(target_arch = "x86_64")]
mod simd;
pub(crate) mod slate;
mod slot;
mod taps;
#[cfg(test)]
mod tests;
pub(crate) mod thumbnail;
pub(crate) mod tile;

use std::sync::Arc;

use compositor_core::layout::{Canvas, Rect, VideoFillMode};
use rayon::prelude::*;

use self::band::{BAND_ROWS, Band, bands};
use self::kernel::Kernel;
use self::scale::Line;
use self::slot::SlotScaler;
pub use self::taps::Scaling;
pub use crate::codec::picture::Picture;

/// Below this many samples of luma, read and drawn (twelve tiles and a 720p canvas are two million), drawing takes a millisecond
/// or two; waking other threads would cost more CPU than it saves time.
const PARALLEL_PIXELS_MIN: u64 = 5 << 20;

/// A picture and where it is shown.
#[derive(Clone, Debug)]
pub struct Item {
    /// Its slot, within the canvas.
    pub slot: Rect,
    /// How it meets its slot.
    pub fill_mode: VideoFillMode,
    /// What is shown.
    pub picture: Arc<Picture>,
}

/// What is on a canvas, and how to change it.
#[derive(Debug)]
pub struct Raster {
    size: Canvas,
    kernel: Kernel,
    scaling: Scaling,
    drawn: Vec<Drawn>,
    /// Room for each band.
    lines: Vec<Line>,
}

/// An item as it is on the canvas.
#[derive(Debug)]
struct Drawn {
    item: Item,
    scaler: SlotScaler,
    damage: Damage,
}

/// What of an item must be drawn.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Damage {
    /// Nothing.
    None,
    /// Where the picture lies.
    Picture,
    /// All of the slot, bars included.
    Slot,
}

impl Raster {
    /// For a canvas with even sides.
    pub fn new(size: Canvas) -> Self {
        let bands = (size.height as usize).div_ceil(BAND_ROWS);
        Self {
            size,
            kernel: Kernel::best(),
            scaling: Scaling::Mean,
            drawn: Vec::new(),
            lines: vec![Line::default(); bands],
        }
    }

    /// The same without vector instructions, for comparison.
    #[doc(hidden)]
    pub fn scalar(size: Canvas) -> Self {
        Self {
            kernel: Kernel::Scalar,
            ..Self::new(size)
        }
    }

    /// Scales otherwise from the next call of [`Self::draw`] on.
    pub fn set_scaling(&mut self, scaling: Scaling) {
        self.scaling = scaling;
    }

    /// The canvas to begin with: black.
    pub fn black(&self) -> Vec<u8> {
        band::black(self.size)
    }

    /// Draws `scene` over what the last call left on `canvas`; false if there was nothing to do. Later items lie over
    /// earlier ones.
    pub fn draw(&mut self, canvas: &mut [u8], scene: Vec<Item>) -> bool {
        let same_slots = self.drawn.len() == scene.len()
            && self.drawn.iter().zip(&scene).all(|(d, item)| d.is_at(item));
        if same_slots {
            self.damage(scene);
        } else {
            self.drawn.clear();
            let drawn = scene.into_iter().map(|item| Drawn::new(item, self.scaling));
            self.drawn.extend(drawn);
        }
        let pixels = self.damaged_pixels();
        if same_slots && pixels == 0 {
            return false;
        }
        let (drawn, kernel, all) = (&self.drawn, self.kernel, self.size.rect());
        let draw = |(mut band, line): (Band<'_>, &mut Line)| {
            if !same_slots {
                band.blacken(all);
            }
            for Drawn {
                item,
                scaler,
                damage,
            } in drawn
            {
                if *damage == Damage::Slot && scaler.leaves_bars() {
                    band.blacken(item.slot);
                }
                if *damage != Damage::None {
                    scaler.draw(kernel, &item.picture, &mut band, line);
                }
            }
        };
        let bands = bands(canvas, self.size);
        if pixels < PARALLEL_PIXELS_MIN {
            bands.into_iter().zip(&mut self.lines).for_each(draw);
        } else {
            bands.into_par_iter().zip(&mut self.lines).for_each(draw);
        }
        true
    }

    /// Takes the pictures of a scene with the same slots, and marks what must be drawn of each.
    fn damage(&mut self, scene: Vec<Item>) {
        for (index, item) in scene.into_iter().enumerate() {
            let (below, rest) = self.drawn.split_at_mut(index);
            let drawn = &mut rest[0];
            let is_covered = below
                .iter()
                .any(|b| b.damage != Damage::None && b.item.slot.overlaps(item.slot));
            drawn.damage = if !drawn.scaler.fits(&item.picture, self.scaling) {
                *drawn = Drawn::new(item, self.scaling);
                continue;
            } else if is_covered {
                Damage::Slot
            } else if Arc::ptr_eq(&drawn.item.picture, &item.picture) {
                Damage::None
            } else {
                Damage::Picture
            };
            drawn.item = item;
        }
    }

    /// What drawing has to read and to write; zero if nothing is damaged.
    fn damaged_pixels(&self) -> u64 {
        let damaged = self.drawn.iter().filter(|d| d.damage != Damage::None);
        damaged
            .map(|Drawn { item, .. }| {
                let drawn = u64::from(item.slot.width) * u64::from(item.slot.height);
                item.picture.pixels() + drawn
            })
            .sum()
    }
}

impl Drawn {
    fn new(item: Item, scaling: Scaling) -> Self {
        Self {
            scaler: SlotScaler::new(&item.picture, item.slot, item.fill_mode, scaling),
            item,
            damage: Damage::Slot,
        }
    }

    fn is_at(&self, item: &Item) -> bool {
        (self.item.slot, self.item.fill_mode) == (item.slot, item.fill_mode)
    }
}
