//! The arithmetic of `scalar` with AVX2. The only file with unsafe code: what the intrinsics read and write is checked by
//! assertions in front of them.
#![expect(unsafe_code, reason = "AVX2 intrinsics on checked slices")]

use std::arch::x86_64::*;

use super::scalar::{self, COLUMN_SHIFT, MIDDLE};
use super::taps::{LINE_PADDING, ROW_ONE, SHUFFLED, Taps};

/// Samples of a row that are summed at a time.
const ROW_STEP: usize = 64;

/// Outputs of a line that are made at a time.
const COLUMN_STEP: usize = 8;

/// Proof that the CPU has AVX2.
#[derive(Clone, Copy, Debug)]
pub(super) struct Avx2(());

impl Avx2 {
    /// `None` where the CPU lacks it.
    pub(super) fn detect() -> Option<Self> {
        is_x86_feature_detected!("avx2").then_some(Self(()))
    }

    /// As [`scalar::sum_rows`].
    pub(super) fn sum_rows(self, rows: &[u8], stride: usize, weights: &[u16], out: &mut [i16]) {
        let last_row = weights.len().saturating_sub(1) * stride;
        assert!(
            !weights.is_empty() && last_row + out.len() <= rows.len(),
            "the rows lie within the plane"
        );
        // SAFETY: AVX2 is there, and every row has as many samples as there are outputs.
        unsafe { sum_rows(rows, stride, weights, out) }
    }

    /// As [`scalar::sum_columns`].
    pub(super) fn sum_columns(self, line: &[i16], taps: &Taps, out: &mut [u8]) {
        assert!(out.len() <= taps.first().len(), "every output has taps");
        assert!(taps.end() <= line.len(), "the taps lie within the line");
        assert!(
            taps.end() + LINE_PADDING <= line.len() + taps.count(),
            "a block can be loaded from any output's first sample on"
        );
        if out.len() < COLUMN_STEP {
            return scalar::sum_columns(line, taps, out);
        }
        // SAFETY: AVX2 is there, there are eight outputs or more, and all their taps lie within the line.
        unsafe {
            match (taps.count(), taps.shuffles()) {
                (2, Some(shuffles)) => sum_near_pairs(line, taps, shuffles, out),
                (2, None) => sum_pairs(line, taps, out),
                (4, _) => sum_fours(line, taps, out),
                _ => sum_blocks(line, taps, out),
            }
        }
    }

    /// As [`scalar::halve`].
    pub(super) fn halve(self, upper: &[u8], lower: &[u8], out: &mut [u8]) {
        assert!(
            2 * out.len() <= upper.len().min(lower.len()),
            "two samples of each row for every output"
        );
        // SAFETY: AVX2 is there, and both rows have two samples for each output.
        unsafe { halve(upper, lower, out) }
    }
}

/// Where to begin so that `step` at a time make `len`, which is not less. The last step may do again what the one before it did.
fn steps(len: usize, step: usize) -> impl Iterator<Item = usize> {
    let last = len - step;
    (0..len.div_ceil(step)).map(move |n| (n * step).min(last))
}

/// # Safety
/// The CPU has AVX2; each of the rows has `out.len()` samples in `rows`.
#[target_feature(enable = "avx2")]
unsafe fn sum_rows(rows: &[u8], stride: usize, weights: &[u16], out: &mut [i16]) {
    if let Some(row) = weights.iter().position(|&w| u32::from(w) == ROW_ONE) {
        // One weight that a byte cannot say: the row is taken as it is.
        return scalar::sum_rows(&rows[row * stride..], stride, &weights[row..=row], out);
    }
    if out.len() < ROW_STEP {
        return scalar::sum_rows(rows, stride, weights, out);
    }
    for start in steps(out.len(), ROW_STEP) {
        let mut sums = [_mm256_setzero_si256(); 4];
        for (index, pair) in weights.chunks(2).enumerate() {
            let upper = 2 * index * stride + start;
            let (lower, weights) = match *pair {
                [a, b] => (upper + stride, a | b << 8),
                _ => (upper, pair[0]),
            };
            let weights = _mm256_set1_epi16(weights as i16);
            for half in 0..2 {
                // SAFETY: start + 64 <= out.len(), and both rows have that many samples.
                let (upper, lower) = unsafe {
                    let signed = |at: usize| {
                        let samples = rows.as_ptr().add(at + 32 * half).cast();
                        _mm256_xor_si256(_mm256_loadu_si256(samples), _mm256_set1_epi8(i8::MIN))
                    };
                    (signed(upper), signed(lower))
                };
                let low = _mm256_maddubs_epi16(weights, _mm256_unpacklo_epi8(upper, lower));
                let high = _mm256_maddubs_epi16(weights, _mm256_unpackhi_epi8(upper, lower));
                sums[2 * half] = _mm256_add_epi16(sums[2 * half], low);
                sums[2 * half + 1] = _mm256_add_epi16(sums[2 * half + 1], high);
            }
        }
        for half in 0..2 {
            // Unpacking worked in halves of a register.
            let (low, high) = (sums[2 * half], sums[2 * half + 1]);
            // SAFETY: start + 64 <= out.len().
            unsafe {
                let out = out.as_mut_ptr().add(start + 32 * half).cast::<__m256i>();
                _mm256_storeu_si256(out, _mm256_permute2x128_si256::<0x20>(low, high));
                _mm256_storeu_si256(out.add(1), _mm256_permute2x128_si256::<0x31>(low, high));
            }
        }
    }
}

/// Eight outputs of two taps each, of which four share a block of samples.
///
/// # Safety
/// The CPU has AVX2; `out` has eight or more; `taps` has two weights and a shuffle for every output, and from any first sample on `line` has a block.
#[target_feature(enable = "avx2")]
unsafe fn sum_near_pairs(line: &[i16], taps: &Taps, shuffles: &[[u8; 4]], out: &mut [u8]) {
    for i in steps(out.len(), COLUMN_STEP) {
        if !i.is_multiple_of(SHUFFLED) {
            // SAFETY: i + 8 <= out.len(); a gathered pair lies within the line.
            unsafe { gather_pairs(line, taps, i, out) };
            continue;
        }
        // SAFETY: i + 8 <= out.len(); eight samples can be loaded from the first one of any output on.
        unsafe {
            let block = |i: usize| {
                let first = *taps.first().get_unchecked(i) as usize;
                _mm_loadu_si128(line.as_ptr().add(first).cast())
            };
            let blocks = _mm256_set_m128i(block(i + 4), block(i));
            let pairs = _mm256_loadu_si256(shuffles.as_ptr().add(i).cast());
            let pairs = _mm256_shuffle_epi8(blocks, pairs);
            let weights = _mm256_loadu_si256(taps.weights().as_ptr().add(2 * i).cast());
            store_eight(_mm256_madd_epi16(pairs, weights), out.as_mut_ptr().add(i));
        }
    }
}

/// Eight outputs of four taps each.
///
/// # Safety
/// The CPU has AVX2; `out` has eight or more; `taps` has four weights for every output, all within `line`.
#[target_feature(enable = "avx2")]
unsafe fn sum_fours(line: &[i16], taps: &Taps, out: &mut [u8]) {
    for i in steps(out.len(), COLUMN_STEP) {
        // SAFETY: i + 8 <= out.len(); the weights of eight outputs and four samples for each are there.
        let sums = unsafe {
            let four = |i: usize| {
                let first = *taps.first().get_unchecked(i) as usize;
                _mm_loadl_epi64(line.as_ptr().add(first).cast())
            };
            // Of outputs i and i + 1.
            let products = |near: usize, far: usize| {
                let samples = |i: usize| _mm_unpacklo_epi64(four(i), four(i + 1));
                let weights = |i: usize| _mm_loadu_si128(taps.weights().as_ptr().add(4 * i).cast());
                _mm256_madd_epi16(
                    _mm256_set_m128i(samples(far), samples(near)),
                    _mm256_set_m128i(weights(far), weights(near)),
                )
            };
            // Adding neighbours puts all eight in order.
            _mm256_hadd_epi32(products(i, i + 4), products(i + 2, i + 6))
        };
        // SAFETY: i + 8 <= out.len().
        unsafe { store_eight(sums, out.as_mut_ptr().add(i)) };
    }
}

/// Eight outputs of two taps each.
///
/// # Safety
/// The CPU has AVX2; `out` has eight or more; `taps` has two weights for every output, all within `line`.
#[target_feature(enable = "avx2")]
unsafe fn sum_pairs(line: &[i16], taps: &Taps, out: &mut [u8]) {
    for i in steps(out.len(), COLUMN_STEP) {
        // SAFETY: i + 8 <= out.len(); a gathered pair lies within the line.
        unsafe { gather_pairs(line, taps, i, out) };
    }
}

/// # Safety
/// As [`sum_pairs`]; there are eight outputs from `i` on.
#[target_feature(enable = "avx2")]
unsafe fn gather_pairs(line: &[i16], taps: &Taps, i: usize, out: &mut [u8]) {
    // SAFETY: by the contract.
    unsafe {
        let first = _mm256_loadu_si256(taps.first().as_ptr().add(i).cast());
        let pairs = _mm256_i32gather_epi32::<2>(line.as_ptr().cast(), first);
        let weights = _mm256_loadu_si256(taps.weights().as_ptr().add(2 * i).cast());
        store_eight(_mm256_madd_epi16(pairs, weights), out.as_mut_ptr().add(i));
    }
}

/// Eight outputs of blocks of eight taps each.
///
/// # Safety
/// The CPU has AVX2; `out` has eight or more; `taps` has a multiple of eight weights for every output, all within `line`.
#[target_feature(enable = "avx2")]
unsafe fn sum_blocks(line: &[i16], taps: &Taps, out: &mut [u8]) {
    for i in steps(out.len(), COLUMN_STEP) {
        let mut sums = [_mm256_setzero_si256(); 4];
        for block in (0..taps.count()).step_by(LINE_PADDING) {
            for (j, sum) in sums.iter_mut().enumerate() {
                // SAFETY: i + 8 <= out.len(); eight weights and samples from `block` on are within weights and line.
                let (samples, weights) = unsafe {
                    let samples = |i: usize| {
                        let first = *taps.first().get_unchecked(i) as usize + block;
                        _mm_loadu_si128(line.as_ptr().add(first).cast())
                    };
                    let weights = |i: usize| {
                        _mm_loadu_si128(
                            taps.weights().as_ptr().add(i * taps.count() + block).cast(),
                        )
                    };
                    // Outputs four apart share a register: adding neighbours puts all eight in order.
                    let (near, far) = (i + j, i + j + 4);
                    (
                        _mm256_set_m128i(samples(far), samples(near)),
                        _mm256_set_m128i(weights(far), weights(near)),
                    )
                };
                *sum = _mm256_add_epi32(*sum, _mm256_madd_epi16(samples, weights));
            }
        }
        let [a, b, c, d] = sums;
        let sums = _mm256_hadd_epi32(_mm256_hadd_epi32(a, b), _mm256_hadd_epi32(c, d));
        // SAFETY: i + 8 <= out.len().
        unsafe { store_eight(sums, out.as_mut_ptr().add(i)) };
    }
}

/// Rounds eight sums of products to bytes.
///
/// # Safety
/// The CPU has AVX2; eight bytes can be written to `out`.
#[target_feature(enable = "avx2")]
unsafe fn store_eight(sums: __m256i, out: *mut u8) {
    let round = _mm256_set1_epi32((MIDDLE << COLUMN_SHIFT) + (1 << (COLUMN_SHIFT - 1)));
    let samples = _mm256_srai_epi32::<{ COLUMN_SHIFT as i32 }>(_mm256_add_epi32(sums, round));
    let low = _mm256_castsi256_si128(samples);
    let words = _mm_packs_epi32(low, _mm256_extracti128_si256::<1>(samples));
    // SAFETY: by the contract.
    unsafe { _mm_storel_epi64(out.cast(), _mm_packus_epi16(words, words)) };
}

/// # Safety
/// The CPU has AVX2; `upper` and `lower` have two samples for each output.
#[target_feature(enable = "avx2")]
unsafe fn halve(upper: &[u8], lower: &[u8], out: &mut [u8]) {
    let ones = _mm256_set1_epi8(1);
    let whole = out.len() / 16 * 16;
    for i in (0..whole).step_by(16) {
        // SAFETY: i + 16 <= out.len(), and both rows have twice as many samples.
        unsafe {
            let pairs = |row: &[u8]| {
                let samples = _mm256_loadu_si256(row.as_ptr().add(2 * i).cast());
                _mm256_maddubs_epi16(samples, ones)
            };
            let sums = _mm256_add_epi16(pairs(upper), pairs(lower));
            let means = _mm256_srli_epi16::<2>(_mm256_add_epi16(sums, _mm256_set1_epi16(2)));
            let low = _mm256_castsi256_si128(means);
            let bytes = _mm_packus_epi16(low, _mm256_extracti128_si256::<1>(means));
            _mm_storeu_si128(out.as_mut_ptr().add(i).cast(), bytes);
        }
    }
    scalar::halve(&upper[2 * whole..], &lower[2 * whole..], &mut out[whole..]);
}
