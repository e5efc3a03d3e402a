//! A canvas in horizontal bands, which can be drawn at the same time.

use compositor_core::layout::{Canvas, Rect};

use super::scale::Region;
use crate::codec::picture::i420_len;

/// Rows of pixels of a band.
pub(super) const BAND_ROWS: usize = 32;

/// Luma and chroma of black (BT.601, limited range).
const BLACK: [u8; 3] = [16, 128, 128];

/// Some rows of a canvas, in all three planes.
#[derive(Debug)]
pub(super) struct Band<'a> {
    planes: [PlaneBand<'a>; 3],
}

/// Some rows of one plane.
#[derive(Debug)]
pub(super) struct PlaneBand<'a> {
    samples: &'a mut [u8],
    stride: usize,
    /// The first row, counted in the plane.
    top: usize,
}

/// A canvas that is all black.
pub(super) fn black(size: Canvas) -> Vec<u8> {
    let mut canvas = vec![0; i420_len(size.width, size.height)];
    for mut band in bands(&mut canvas, size) {
        band.blacken(size.rect());
    }
    canvas
}

/// The bands of a canvas, from top to bottom.
pub(super) fn bands(canvas: &mut [u8], size: Canvas) -> Vec<Band<'_>> {
    let (width, height) = (size.width as usize, size.height as usize);
    let (luma, chroma) = canvas.split_at_mut(width * height);
    let (u, v) = chroma.split_at_mut(width * height / 4);
    let chunks = |plane, shrink: usize| plane_bands(plane, width / shrink, BAND_ROWS / shrink);
    chunks(luma, 1)
        .zip(chunks(u, 2))
        .zip(chunks(v, 2))
        .map(|((y, u), v)| Band { planes: [y, u, v] })
        .collect()
}

fn plane_bands(
    plane: &mut [u8],
    stride: usize,
    rows: usize,
) -> impl Iterator<Item = PlaneBand<'_>> {
    plane
        .chunks_mut(stride * rows)
        .enumerate()
        .map(move |(index, samples)| PlaneBand {
            samples,
            stride,
            top: index * rows,
        })
}

impl<'a> Band<'a> {
    /// Y, U, V.
    pub(super) fn planes(&mut self) -> &mut [PlaneBand<'a>; 3] {
        &mut self.planes
    }

    /// Makes what it holds of `rect` black.
    pub(super) fn blacken(&mut self, rect: Rect) {
        for (index, (plane, value)) in self.planes.iter_mut().zip(BLACK).enumerate() {
            for (_, row) in plane.rows_of(Region::of(rect, index > 0)) {
                row.fill(value);
            }
        }
    }
}

impl PlaneBand<'_> {
    /// What it holds of `region`: each row with its number, counted within the region.
    pub(super) fn rows_of(&mut self, region: Region) -> impl Iterator<Item = (usize, &mut [u8])> {
        let rows = self.samples.len() / self.stride;
        let from = region.y.clamp(self.top, self.top + rows);
        let to = (region.y + region.height).clamp(self.top, self.top + rows);
        let own = (from - self.top) * self.stride..(to - self.top) * self.stride;
        self.samples[own]
            .chunks_mut(self.stride)
            .zip(from.saturating_sub(region.y)..)
            .map(move |(row, y)| (y, &mut row[region.x..region.x + region.width]))
    }
}
