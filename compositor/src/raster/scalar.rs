//! The arithmetic of scaling, one sample at a time: what `simd` must equal, and what runs where there is no AVX2.

use super::taps::Taps;

/// A column's sum of products has this many bits behind the point: 8 of the row sum, 14 of the weights.
pub(super) const COLUMN_SHIFT: u32 = 22;

/// Samples are counted from the middle of their range, so that sums of rows fit into 16 bits.
pub(super) const MIDDLE: i32 = 128;

/// Each of `out` becomes the sum of as many rows as there are `weights`. The rows begin `stride` samples apart in `rows`.
pub(super) fn sum_rows(rows: &[u8], stride: usize, weights: &[u16], out: &mut [i16]) {
    out.fill(0);
    for (row, &weight) in weights.iter().enumerate() {
        let samples = &rows[row * stride..][..out.len()];
        for (out, &sample) in out.iter_mut().zip(samples) {
            // Weights sum to 256, so nothing on the way leaves 16 bits either.
            *out += (i16::from(sample) - MIDDLE as i16) * weight as i16;
        }
    }
}

/// Each of `out` becomes the weighted sum of the part of `line` that `taps` names, rounded to eight bits.
pub(super) fn sum_columns(line: &[i16], taps: &Taps, out: &mut [u8]) {
    for (i, out) in out.iter_mut().enumerate() {
        *out = column(line, taps, i);
    }
}

/// Output `i` of [`sum_columns`].
fn column(line: &[i16], taps: &Taps, i: usize) -> u8 {
    let first = taps.first()[i] as usize;
    let samples = &line[first..first + taps.count()];
    let products = samples.iter().zip(taps.weights_of(i));
    let sum: i32 = products.map(|(&s, &w)| i32::from(s) * i32::from(w)).sum();
    (((sum + (1 << (COLUMN_SHIFT - 1))) >> COLUMN_SHIFT) + MIDDLE) as u8
}

/// Each of `out` becomes the mean of 2 x 2 samples: what the two others do when both sides shrink to a half.
pub(super) fn halve(upper: &[u8], lower: &[u8], out: &mut [u8]) {
    let (upper, _) = upper.as_chunks::<2>();
    let (lower, _) = lower.as_chunks::<2>();
    for ((out, upper), lower) in out.iter_mut().zip(upper).zip(lower) {
        let sum: u16 = upper.iter().chain(lower).copied().map(u16::from).sum();
        *out = ((sum + 2) >> 2) as u8;
    }
}
