//! One plane into a part of another: the mean of the covered area when shrinking to a half or less, bilinear otherwise,
//! and always when that is to be cheap.
//!
//! Separable: first the rows that an output row is made of, then its columns.

use compositor_core::layout::Rect;

use super::kernel::Kernel;
use super::taps::{LINE_PADDING, Scaling, Taps};
use crate::codec::picture::Plane;

/// A part of a plane, in its own samples.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Region {
    pub(super) x: usize,
    pub(super) y: usize,
    pub(super) width: usize,
    pub(super) height: usize,
}

impl Region {
    /// The samples of an even-aligned rectangle of luma pixels.
    pub(super) fn of(rect: Rect, chroma: bool) -> Self {
        let [x, y, width, height] = [rect.x, rect.y, rect.width, rect.height]
            .map(|pixels| (if chroma { pixels / 2 } else { pixels }) as usize);
        Self {
            x,
            y,
            width,
            height,
        }
    }
}

/// How to scale one region to another.
#[derive(Debug)]
pub(super) struct PlaneScaler {
    source: Region,
    way: Way,
}

#[derive(Debug)]
enum Way {
    /// Output is input.
    Copy,
    /// Each output is the mean of 2 x 2.
    Halve,
    /// Anything else.
    Sum { rows: Taps, columns: Taps },
}

/// Room for one row on its way.
#[derive(Clone, Debug, Default)]
pub(super) struct Line(Vec<i16>);

impl PlaneScaler {
    pub(super) fn new(source: Region, destination: Region, scaling: Scaling) -> Self {
        let (from, to) = (
            (source.width, source.height),
            (destination.width, destination.height),
        );
        let way = if from == to {
            Way::Copy
        } else if from == (2 * to.0, 2 * to.1) {
            Way::Halve
        } else {
            Way::Sum {
                rows: Taps::of_rows(from.1, to.1, scaling),
                columns: Taps::of_columns(from.0, to.0, scaling),
            }
        };
        Self { source, way }
    }

    /// Makes row `y` of the destination, as wide as `out`.
    pub(super) fn scale_row(
        &self,
        kernel: Kernel,
        source: Plane<'_>,
        y: usize,
        line: &mut Line,
        out: &mut [u8],
    ) {
        let Region { x, width, .. } = self.source;
        // From the region's left edge in row `y` of the region on.
        let from = |y: usize| &source.data[(self.source.y + y) * source.stride + x..];
        match &self.way {
            Way::Copy => out.copy_from_slice(&from(y)[..width]),
            Way::Halve => kernel.halve(&from(2 * y)[..width], &from(2 * y + 1)[..width], out),
            Way::Sum { rows, columns } => {
                let first = rows.first()[y] as usize;
                let line = line.of(width);
                let sums = &mut line[..width];
                kernel.sum_rows(from(first), source.stride, rows.weights_of(y), sums);
                kernel.sum_columns(line, columns, out);
            }
        }
    }
}

impl Line {
    /// Room for `width` samples and the padding that kernels may read. It grows to the widest picture, then never again.
    fn of(&mut self, width: usize) -> &mut [i16] {
        let len = width + LINE_PADDING;
        if self.0.len() < len {
            self.0.resize(len, 0);
        }
        &mut self.0[..len]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scaled(data: &[u8], input: (usize, usize), output: (usize, usize)) -> Vec<u8> {
        scaled_by(Scaling::Mean, data, input, output)
    }

    fn scaled_by(
        scaling: Scaling,
        data: &[u8],
        input: (usize, usize),
        output: (usize, usize),
    ) -> Vec<u8> {
        let region = |(width, height)| Region {
            x: 0,
            y: 0,
            width,
            height,
        };
        let source = Plane {
            data,
            stride: input.0,
        };
        let scaler = PlaneScaler::new(region(input), region(output), scaling);
        let mut out = vec![0; output.0 * output.1];
        for (y, out) in out.chunks_mut(output.0).enumerate() {
            scaler.scale_row(Kernel::best(), source, y, &mut Line::default(), out);
        }
        out
    }

    #[test]
    fn a_flat_plane_stays_flat_at_any_size() {
        for input in [(2, 2), (7, 5), (64, 36), (1280, 3)] {
            for output in [(1, 1), (2, 3), (31, 17), (320, 100)] {
                let flat = vec![201; input.0 * input.1];
                assert!(
                    scaled(&flat, input, output).iter().all(|&v| v == 201),
                    "{input:?} to {output:?}"
                );
            }
        }
    }

    #[test]
    fn shrinking_takes_the_mean_of_the_covered_area() {
        assert_eq!(scaled(&[0, 100, 200, 100], (2, 2), (1, 1)), [100]);
        assert_eq!(
            scaled(&[0, 30, 60, 90, 120, 150], (6, 1), (2, 1)),
            [30, 120]
        );
    }

    #[test]
    fn cheap_shrinking_takes_the_nearest_samples_alone() {
        let line = [0, 30, 60, 90, 120, 150];
        assert_eq!(scaled_by(Scaling::Linear, &line, (6, 1), (2, 1)), [30, 120]);
        let line = [9, 30, 60, 9, 9, 80, 100, 9];
        assert_eq!(scaled_by(Scaling::Linear, &line, (8, 1), (2, 1)), [45, 90]);
    }

    #[test]
    fn growing_interpolates_between_centres() {
        assert_eq!(scaled(&[0, 100], (2, 1), (4, 1)), [0, 25, 75, 100]);
    }
}
