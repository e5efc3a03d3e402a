//! Of which input samples each output sample is made, along one side: the mean of the covered length when shrinking to a
//! half or less, linear interpolation between centres otherwise. Pure.

/// Samples that follow the last one of a line, so that a kernel may load a whole block anywhere.
pub(super) const LINE_PADDING: usize = 8;

/// Outputs whose pairs of samples one register is shuffled to.
pub(super) const SHUFFLED: usize = 4;

/// Weights of one output row sum to this: its sums of samples from -128 to 127 fit into 16 bits.
pub(super) const ROW_ONE: u32 = 1 << 8;

/// Weights of one output column sum to this: products with sums of rows fit into 32 bits.
pub(super) const COLUMN_ONE: u32 = 1 << 14;

/// How shrinking to a half or less is done.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Scaling {
    /// By the mean of all that is covered.
    Mean,
    /// By interpolation, as everything else is: cheaper, and less true.
    Linear,
}

/// Output `i` is made of the input samples from `first[i]` on, with as many weights from `i * count` on.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Taps {
    count: usize,
    first: Vec<u32>,
    /// Zero where an output needs fewer than `count`.
    weights: Vec<u16>,
    /// Input samples that are named, whatever their weight.
    end: usize,
    /// See [`Taps::shuffles`].
    shuffles: Option<Vec<[u8; 4]>>,
}

impl Taps {
    /// Rows: all outputs have the same count of weights, and no input sample beyond the last is named.
    pub(super) fn of_rows(input: usize, output: usize, scaling: Scaling) -> Self {
        let each = each(input, output, scaling, ROW_ONE);
        let count = each.iter().map(|(_, weights)| weights.len()).max();
        Self::padded(input, count.unwrap_or(1), each)
    }

    /// Columns: the count is 2, 4 or a multiple of [`LINE_PADDING`], and less than so many samples beyond the last are named,
    /// with weight zero.
    pub(super) fn of_columns(input: usize, output: usize, scaling: Scaling) -> Self {
        let each = each(input, output, scaling, COLUMN_ONE);
        let count = match each.iter().map(|(_, weights)| weights.len()).max() {
            Some(..=2) | None => 2,
            Some(3..=4) => 4,
            Some(count) => count.next_multiple_of(LINE_PADDING),
        };
        let mut taps = Self::padded(input + LINE_PADDING, count, each);
        taps.shuffles = (count == 2).then(|| shuffles(&taps.first)).flatten();
        taps
    }

    fn padded(input: usize, count: usize, each: Vec<(usize, Vec<u16>)>) -> Self {
        let mut taps = Self {
            count,
            first: Vec::with_capacity(each.len()),
            weights: Vec::with_capacity(each.len() * count),
            end: 0,
            shuffles: None,
        };
        for (first, weights) in each {
            // At the far end there is only room for further weights in front.
            let shifted = first.min(input - count);
            let end = taps.weights.len() + count;
            taps.first.push(shifted as u32);
            taps.end = taps.end.max(shifted + count);
            taps.weights
                .extend(std::iter::repeat_n(0, first - shifted).chain(weights));
            taps.weights.resize(end, 0);
        }
        taps
    }

    /// Weights of each output.
    pub(super) fn count(&self) -> usize {
        self.count
    }

    /// The first input sample of each output.
    pub(super) fn first(&self) -> &[u32] {
        &self.first
    }

    /// The weights of all outputs, `count` of each.
    pub(super) fn weights(&self) -> &[u16] {
        &self.weights
    }

    /// A line of input needs this many samples.
    pub(super) fn end(&self) -> usize {
        self.end
    }

    /// Of columns with two weights: where the bytes of an output's two samples lie among the [`LINE_PADDING`] samples from
    /// the first one of its four outputs on. `None` if they lie further away.
    pub(super) fn shuffles(&self) -> Option<&[[u8; 4]]> {
        self.shuffles.as_deref()
    }

    /// The weights of output `i`.
    pub(super) fn weights_of(&self, i: usize) -> &[u16] {
        &self.weights[i * self.count..(i + 1) * self.count]
    }
}

/// See [`Taps::shuffles`].
fn shuffles(first: &[u32]) -> Option<Vec<[u8; 4]>> {
    let fours = first.chunks(SHUFFLED);
    let distances = fours.flat_map(|four| four.iter().map(|first| (first - four[0]) as usize));
    distances
        .map(|distance| {
            (distance + 2 <= LINE_PADDING).then(|| {
                let byte = 2 * distance as u8;
                [byte, byte + 1, byte + 2, byte + 3]
            })
        })
        .collect()
}

/// The first input sample and the weights of each output.
fn each(input: usize, output: usize, scaling: Scaling, one: u32) -> Vec<(usize, Vec<u16>)> {
    let is_mean = scaling == Scaling::Mean && input >= 2 * output;
    let taps = if is_mean { area } else { bilinear };
    (0..output).map(|i| taps(i, input, output, one)).collect()
}

/// The input samples that output `i` covers, each by as much as it is covered.
fn area(i: usize, input: usize, output: usize, one: u32) -> (usize, Vec<u16>) {
    // In units of 1/output of an input sample.
    let (from, to) = (i * input, (i + 1) * input);
    let (first, last) = (from / output, (to - 1) / output);
    let mut before = 0;
    let weights = (first..=last)
        .map(|sample| {
            let covered = to.min((sample + 1) * output) - from;
            let until = (covered * one as usize + input / 2) / input;
            let weight = until - before;
            before = until;
            weight as u16
        })
        .collect();
    (first, weights)
}

/// The two input samples between whose centres the centre of output `i` lies.
fn bilinear(i: usize, input: usize, output: usize, one: u32) -> (usize, Vec<u16>) {
    // Twice the position, in units of 1/output of an input sample; centres lie at halves.
    let position = ((2 * i + 1) * input).saturating_sub(output);
    let (first, rest) = (position / (2 * output), position % (2 * output));
    let second = (rest * one as usize + output) / (2 * output);
    if first + 1 >= input {
        return (input - 1, vec![one as u16]);
    }
    (first, vec![(one as usize - second) as u16, second as u16])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_of_every_output_sum_to_one_and_stay_inside() {
        let sizes = (1..80).flat_map(|input| (1..80).map(move |output| (input, output)));
        let cases = sizes.flat_map(|size| [Scaling::Mean, Scaling::Linear].map(|by| (size, by)));
        for ((input, output), scaling) in cases {
            let rows = (Taps::of_rows(input, output, scaling), ROW_ONE, input);
            let columns = Taps::of_columns(input, output, scaling);
            for (taps, one, end) in [rows, (columns, COLUMN_ONE, input + LINE_PADDING)] {
                for i in 0..output {
                    let weights = taps.weights_of(i);
                    let sum: u32 = weights.iter().copied().map(u32::from).sum();
                    let first = taps.first[i] as usize;
                    assert_eq!(sum, one, "{input} {output}");
                    assert!(first + taps.count <= end, "{input} {output}");
                    let beyond = &weights[weights.len().min(input.saturating_sub(first))..];
                    assert!(beyond.iter().all(|&w| w == 0), "{input} {output}");
                }
            }
        }
    }

    #[test]
    fn the_same_size_takes_each_sample_alone() {
        let taps = Taps::of_columns(5, 5, Scaling::Mean);
        assert_eq!(taps.first, [0, 1, 2, 3, 4]);
        assert!(taps.weights.chunks(2).all(|w| w == [COLUMN_ONE as u16, 0]));
    }
}
