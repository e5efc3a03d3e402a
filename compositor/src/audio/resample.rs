//! Stretching a packet by a few samples, to follow a clock that slews.

use crate::codec::opus::StereoSample;

/// Samples that the interpolation needs from before the packet.
const HISTORY: usize = 3;

/// Stretches packets by cubic interpolation; delays by two samples, always, so that it never clicks in or out.
#[derive(Debug, Default)]
pub(super) struct Resampler {
    history: [StereoSample; HISTORY],
    joined: Vec<StereoSample>,
}

impl Resampler {
    /// Forgets what came before.
    pub(super) fn reset(&mut self) {
        self.history = Default::default();
    }

    /// Appends `samples` to `out`, as `output` samples.
    pub(super) fn run(
        &mut self,
        samples: &[StereoSample],
        output: usize,
        out: &mut impl Extend<StereoSample>,
    ) {
        self.joined.clear();
        self.joined.extend_from_slice(&self.history);
        self.joined.extend_from_slice(samples);
        let joined = &self.joined;
        // Output j lies at input j * input / output - 2, and input i is joined[i + 3].
        if output == samples.len() {
            out.extend(joined[1..=output].iter().copied());
        } else {
            let step = samples.len() as f64 / output as f64;
            out.extend((0..output).map(|j| {
                let position = j as f64 * step;
                let whole = position as usize;
                let taps = &joined[whole..whole + 4];
                let fraction = (position - whole as f64) as f32;
                [0, 1].map(|channel| {
                    cubic([0, 1, 2, 3].map(|tap: usize| taps[tap][channel]), fraction)
                })
            }));
        }
        let kept = joined.len() - HISTORY;
        self.history.copy_from_slice(&joined[kept..]);
    }
}

/// Catmull-Rom between the second and the third of four equidistant samples.
fn cubic([a, b, c, d]: [f32; 4], t: f32) -> f32 {
    let slope = c - a;
    let bend = 2.0 * a - 5.0 * b + 4.0 * c - d;
    let twist = 3.0 * (b - c) + d - a;
    b + 0.5 * t * (slope + t * (bend + t * twist))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tone(i: usize) -> StereoSample {
        let value = (i as f32 * 0.05).sin();
        [value, -value]
    }

    #[test]
    fn unstretched_packets_come_out_as_they_were_two_samples_later() {
        let input: Vec<_> = (0..200).map(tone).collect();
        let mut out = Vec::new();
        let mut resampler = Resampler::default();
        for packet in input.chunks(50) {
            resampler.run(packet, packet.len(), &mut out);
        }
        assert_eq!(out[2..], input[..198]);
    }

    #[test]
    fn stretching_leaves_no_step_between_packets() {
        let input: Vec<_> = (0..9600).map(tone).collect();
        let mut out = Vec::new();
        let mut resampler = Resampler::default();
        for (index, packet) in input.chunks(960).enumerate() {
            let stretched = [960, 964, 956][index % 3];
            resampler.run(packet, stretched, &mut out);
        }
        let steepest = out[10..]
            .windows(2)
            .map(|pair| (pair[1][0] - pair[0][0]).abs())
            .fold(0.0, f32::max);
        assert!(steepest < 0.0505, "{steepest}");
    }
}
