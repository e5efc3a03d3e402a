//! The arithmetic of scaling, as fast as the CPU allows. All kernels give the same samples.

use super::scalar;
#[cfg(target_arch = "x86_64")]
use super::simd::Avx2;
use super::taps::Taps;

/// One of the implementations.
#[derive(Clone, Copy, Debug)]
pub(super) enum Kernel {
    /// On every CPU.
    Scalar,
    /// Sixteen or more samples at a time.
    #[cfg(target_arch = "x86_64")]
    Avx2(Avx2),
}

impl Kernel {
    /// The fastest one of this CPU.
    pub(super) fn best() -> Self {
        #[cfg(target_arch = "x86_64")]
        if let Some(avx2) = Avx2::detect() {
            return Self::Avx2(avx2);
        }
        Self::Scalar
    }

    /// See [`scalar::sum_rows`].
    pub(super) fn sum_rows(self, rows: &[u8], stride: usize, weights: &[u16], out: &mut [i16]) {
        match self {
            Self::Scalar => scalar::sum_rows(rows, stride, weights, out),
            #[cfg(target_arch = "x86_64")]
            Self::Avx2(avx2) => avx2.sum_rows(rows, stride, weights, out),
        }
    }

    /// See [`scalar::sum_columns`].
    pub(super) fn sum_columns(self, line: &[i16], taps: &Taps, out: &mut [u8]) {
        match self {
            Self::Scalar => scalar::sum_columns(line, taps, out),
            #[cfg(target_arch = "x86_64")]
            Self::Avx2(avx2) => avx2.sum_columns(line, taps, out),
        }
    }

    /// See [`scalar::halve`].
    pub(super) fn halve(self, upper: &[u8], lower: &[u8], out: &mut [u8]) {
        match self {
            Self::Scalar => scalar::halve(upper, lower, out),
            #[cfg(target_arch = "x86_64")]
            Self::Avx2(avx2) => avx2.halve(upper, lower, out),
        }
    }
}

#[cfg(all(test, target_arch = "x86_64"))]
mod tests {
    use rand::rngs::StdRng;
    use rand::{Rng, SeedableRng};

    use super::super::taps::{LINE_PADDING, Scaling};
    use super::*;

    /// Random sizes, weights and samples; with the same seed, the same ones.
    fn each_case(mut case: impl FnMut(&mut StdRng, Kernel)) {
        let Some(avx2) = Avx2::detect() else {
            eprintln!("this CPU has no AVX2: there is nothing to compare");
            return;
        };
        let mut random = StdRng::seed_from_u64(1);
        for _ in 0..2000 {
            case(&mut random, Kernel::Avx2(avx2));
        }
    }

    fn scaling(random: &mut StdRng) -> Scaling {
        [Scaling::Mean, Scaling::Linear][usize::from(random.random::<bool>())]
    }

    #[test]
    fn avx2_sums_rows_as_the_scalar_twin_does() {
        each_case(|random, avx2| {
            let (width, padding) = (random.random_range(1..200), random.random_range(0..70));
            let (input, output) = (random.random_range(1..60), random.random_range(1..60));
            let taps = Taps::of_rows(input, output, scaling(random));
            let stride = width + padding;
            let plane: Vec<u8> = (0..stride * input).map(|_| random.random()).collect();
            let i = random.random_range(0..output);
            let rows = &plane[taps.first()[i] as usize * stride..];
            let sums = |kernel: Kernel| {
                let mut out = vec![0; width];
                kernel.sum_rows(rows, stride, taps.weights_of(i), &mut out);
                out
            };
            assert_eq!(sums(avx2), sums(Kernel::Scalar), "{input} to {output}");
        });
    }

    #[test]
    fn avx2_sums_columns_as_the_scalar_twin_does() {
        each_case(|random, avx2| {
            let (input, output) = (random.random_range(1..300), random.random_range(1..120));
            let taps = Taps::of_columns(input, output, scaling(random));
            // What sums of rows can be.
            let line: Vec<i16> = (0..input + LINE_PADDING)
                .map(|_| random.random_range(i16::MIN..=256 * 127))
                .collect();
            let sums = |kernel: Kernel| {
                let mut out = vec![0; output];
                kernel.sum_columns(&line, &taps, &mut out);
                out
            };
            assert_eq!(sums(avx2), sums(Kernel::Scalar), "{input} to {output}");
        });
    }

    #[test]
    fn halving_is_what_sums_of_rows_and_columns_make_of_a_half() {
        each_case(|random, avx2| {
            let output = random.random_range(1..150);
            let rows: Vec<u8> = (0..4 * output).map(|_| random.random()).collect();
            let (upper, lower) = rows.split_at(2 * output);
            let halved = |kernel: Kernel| {
                let mut out = vec![0; output];
                kernel.halve(upper, lower, &mut out);
                out
            };
            let mut line = vec![0; 2 * output + LINE_PADDING];
            let weights = Taps::of_rows(2, 1, Scaling::Mean);
            let columns = Taps::of_columns(2 * output, output, Scaling::Mean);
            let sums = &mut line[..2 * output];
            avx2.sum_rows(&rows, 2 * output, weights.weights_of(0), sums);
            let mut summed = vec![0; output];
            avx2.sum_columns(&line, &columns, &mut summed);
            assert_eq!(halved(avx2), summed);
            assert_eq!(halved(Kernel::Scalar), summed);
        });
    }
}
