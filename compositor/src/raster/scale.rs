//! One plane into a part of another: the mean of the covered area when shrinking to a half or less, bilinear otherwise.
//!
//! Separable with 8-bit weights that sum to 256: first rows (long runs, which the compiler turns into SIMD), then columns.

use compositor_core::layout::Rect;
use rayon::prelude::*;

use crate::codec::picture::Plane;

/// Weights of one output sample sum to this.
const ONE: u16 = 256;

/// Bands of this many rows are scaled in parallel.
const BAND_ROWS: usize = 32;

/// Below this many samples a second thread costs more than it saves.
const PARALLEL_SAMPLES_MIN: usize = 64 * 1024;

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
    columns: Axis,
    rows: Axis,
}

/// For each output sample along one side, which input samples it is made of.
#[derive(Debug)]
enum Axis {
    /// Output is input.
    Same,
    /// Each output is the mean of two neighbours.
    Half,
    /// Anything else.
    Any(Taps),
}

/// Output `i` is made of `count` input samples from `first[i]` on, counted within the source region, with as many
/// weights from `i * count` on.
#[derive(Debug)]
struct Taps {
    count: usize,
    first: Vec<usize>,
    weights: Vec<u16>,
}

impl Axis {
    fn new(input: usize, output: usize) -> Self {
        if input == output {
            Self::Same
        } else if input == 2 * output {
            Self::Half
        } else {
            let taps = if input > 2 * output { area } else { bilinear };
            Self::Any(Taps::new(
                input,
                (0..output).map(|i| taps(i, input, output)).collect(),
            ))
        }
    }
}

impl Taps {
    /// Brings all outputs to the same count of weights: loops of known length are several times faster.
    fn new(input: usize, each: Vec<(usize, Vec<u16>)>) -> Self {
        let count = each.iter().map(|(_, weights)| weights.len()).max();
        let count = count.unwrap_or(1);
        let mut taps = Self {
            count,
            first: Vec::with_capacity(each.len()),
            weights: Vec::with_capacity(each.len() * count),
        };
        for (first, weights) in each {
            // At the far end there is only room for further weights in front.
            let shifted = first.min(input - count);
            let end = taps.weights.len() + count;
            taps.first.push(shifted);
            taps.weights
                .extend(std::iter::repeat_n(0, first - shifted).chain(weights));
            taps.weights.resize(end, 0);
        }
        taps
    }

    fn weights_of(&self, i: usize) -> &[u16] {
        &self.weights[i * self.count..(i + 1) * self.count]
    }
}

/// The input samples that output `i` covers, each by as much as it is covered: the first, and all weights.
fn area(i: usize, input: usize, output: usize) -> (usize, Vec<u16>) {
    // In units of 1/output of an input sample.
    let (from, to) = (i * input, (i + 1) * input);
    let (first, last) = (from / output, (to - 1) / output);
    let mut before = 0;
    let weights = (first..=last)
        .map(|sample| {
            let covered = to.min((sample + 1) * output) - from;
            let until = (covered * usize::from(ONE) + input / 2) / input;
            let weight = until - before;
            before = until;
            weight as u16
        })
        .collect();
    (first, weights)
}

/// The two input samples between whose centres the centre of output `i` lies.
fn bilinear(i: usize, input: usize, output: usize) -> (usize, Vec<u16>) {
    // Twice the position, in units of 1/output of an input sample; centres lie at halves.
    let position = ((2 * i + 1) * input).saturating_sub(output);
    let (first, rest) = (position / (2 * output), position % (2 * output));
    let second = (rest * usize::from(ONE) + output) / (2 * output);
    if first + 1 >= input {
        return (input - 1, vec![ONE]);
    }
    (first, vec![ONE - second as u16, second as u16])
}

impl PlaneScaler {
    pub(super) fn new(source: Region, destination: Region) -> Self {
        Self {
            source,
            columns: Axis::new(source.width, destination.width),
            rows: Axis::new(source.height, destination.height),
        }
    }

    /// Scales the source region of `source` into `region` of `plane`.
    pub(super) fn scale(&self, source: Plane<'_>, plane: &mut [u8], stride: usize, region: Region) {
        let rows = &mut plane[region.y * stride..(region.y + region.height) * stride];
        let band = |(index, band): (usize, &mut [u8])| {
            let mut scratch = Scratch::new(self.source.width);
            for (row, line) in band.chunks_mut(stride).enumerate() {
                let out = &mut line[region.x..region.x + region.width];
                self.scale_row(source, index * BAND_ROWS + row, out, &mut scratch);
            }
        };
        let bands = stride * BAND_ROWS;
        if region.width * region.height < PARALLEL_SAMPLES_MIN {
            rows.chunks_mut(bands).enumerate().for_each(band);
        } else {
            rows.par_chunks_mut(bands).enumerate().for_each(band);
        }
    }

    fn scale_row(&self, source: Plane<'_>, y: usize, out: &mut [u8], scratch: &mut Scratch) {
        let input = |row: usize| {
            &source.row(self.source.y + row)[self.source.x..self.source.x + self.source.width]
        };
        let line = match &self.rows {
            Axis::Same => input(y),
            Axis::Half => {
                mean(input(2 * y), input(2 * y + 1), &mut scratch.line);
                &scratch.line
            }
            Axis::Any(taps) => {
                weighted_rows(taps, y, input, scratch);
                &scratch.line
            }
        };
        match &self.columns {
            Axis::Same => out.copy_from_slice(line),
            Axis::Half => {
                for (out, pair) in out.iter_mut().zip(line.chunks_exact(2)) {
                    *out = (u16::from(pair[0]) + u16::from(pair[1])).div_ceil(2) as u8;
                }
            }
            Axis::Any(taps) => match taps.count {
                1 => columns::<1>(taps, line, out),
                2 => columns::<2>(taps, line, out),
                3 => columns::<3>(taps, line, out),
                4 => columns::<4>(taps, line, out),
                5 => columns::<5>(taps, line, out),
                6 => columns::<6>(taps, line, out),
                _ => columns_of_many(taps, line, out),
            },
        }
    }
}

fn columns<const COUNT: usize>(taps: &Taps, line: &[u8], out: &mut [u8]) {
    let (weights, _) = taps.weights.as_chunks::<COUNT>();
    for ((out, &first), weights) in out.iter_mut().zip(&taps.first).zip(weights) {
        let samples = &line[first..first + COUNT];
        let mut sum = 128;
        for i in 0..COUNT {
            sum += u32::from(samples[i]) * u32::from(weights[i]);
        }
        *out = (sum >> 8) as u8;
    }
}

fn columns_of_many(taps: &Taps, line: &[u8], out: &mut [u8]) {
    for (i, (out, &first)) in out.iter_mut().zip(&taps.first).enumerate() {
        let samples = &line[first..first + taps.count];
        let products = samples.iter().zip(taps.weights_of(i));
        let sum: u32 = products.map(|(&s, &w)| u32::from(s) * u32::from(w)).sum();
        *out = ((sum + 128) >> 8) as u8;
    }
}

/// Room for one row on its way.
#[derive(Debug)]
struct Scratch {
    sums: Vec<u16>,
    line: Vec<u8>,
}

impl Scratch {
    fn new(width: usize) -> Self {
        Self {
            sums: vec![0; width],
            line: vec![0; width],
        }
    }
}

fn mean(upper: &[u8], lower: &[u8], out: &mut [u8]) {
    for ((out, &upper), &lower) in out.iter_mut().zip(upper).zip(lower) {
        *out = (u16::from(upper) + u16::from(lower)).div_ceil(2) as u8;
    }
}

fn weighted_rows<'a>(
    taps: &Taps,
    y: usize,
    input: impl Fn(usize) -> &'a [u8],
    scratch: &mut Scratch,
) {
    let (first, weights) = (taps.first[y], taps.weights_of(y));
    if let [upper, lower] = *weights {
        let rows = input(first).iter().zip(input(first + 1));
        for (out, (&a, &b)) in scratch.line.iter_mut().zip(rows) {
            // At most 256 x 255 + 128, which fits.
            *out = ((u16::from(a) * upper + u16::from(b) * lower + 128) >> 8) as u8;
        }
        return;
    }
    scratch.sums.fill(128);
    for (offset, &weight) in weights.iter().enumerate() {
        for (sum, &sample) in scratch.sums.iter_mut().zip(input(first + offset)) {
            *sum += u16::from(sample) * weight;
        }
    }
    for (out, &sum) in scratch.line.iter_mut().zip(&scratch.sums) {
        *out = (sum >> 8) as u8;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scaled(data: &[u8], input: (usize, usize), output: (usize, usize)) -> Vec<u8> {
        let region = |(width, height)| Region {
            x: 0,
            y: 0,
            width,
            height,
        };
        let source = Plane {
            data,
            stride: input.0,
            width: input.0,
        };
        let mut out = vec![0; output.0 * output.1];
        PlaneScaler::new(region(input), region(output)).scale(
            source,
            &mut out,
            output.0,
            region(output),
        );
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
    fn weights_of_every_output_sum_to_one_and_stay_inside() {
        for input in 1..80 {
            for output in 1..80 {
                if let Axis::Any(taps) = Axis::new(input, output) {
                    for i in 0..output {
                        let sum: u16 = taps.weights_of(i).iter().sum();
                        assert_eq!(sum, ONE, "{input} {output}");
                        assert!(taps.first[i] + taps.count <= input, "{input} {output}");
                    }
                }
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
    fn growing_interpolates_between_centres() {
        assert_eq!(scaled(&[0, 100], (2, 1), (4, 1)), [0, 25, 75, 100]);
    }
}
