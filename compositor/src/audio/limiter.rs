//! Keeps the sum of many voices below full scale without hard clipping.

use crate::codec::opus::StereoSample;

/// The gain is decided for runs of this many samples.
const RUN: usize = 64;

/// Peaks above this are turned down.
const THRESHOLD: f32 = 0.9;

/// What is missing to full gain shrinks by this part each run: about 200 ms to recover.
const RELEASE: f32 = 0.0066;

/// A gain that goes down at once and comes up slowly, and a soft knee for what is left.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) struct Limiter {
    gain: f32,
}

impl Limiter {
    pub(super) fn new(gain: f32) -> Self {
        Self {
            gain: gain.clamp(0.0, 1.0),
        }
    }

    pub(super) fn gain(self) -> f32 {
        self.gain
    }

    /// Limits whole runs in place.
    pub(super) fn run(&mut self, samples: &mut [StereoSample]) {
        for run in samples.chunks_mut(RUN) {
            let peak = run
                .iter()
                .flatten()
                .fold(0.0_f32, |peak, v| peak.max(v.abs()));
            let wanted = if peak > THRESHOLD {
                THRESHOLD / peak
            } else {
                1.0
            };
            let released = self.gain + (1.0 - self.gain) * RELEASE;
            let target = wanted.min(released);
            let step = (target - self.gain) / run.len() as f32;
            for (index, sample) in run.iter_mut().enumerate() {
                let gain = self.gain + step * (index + 1) as f32;
                *sample = sample.map(|value| knee(value * gain));
            }
            self.gain = target;
        }
    }
}

/// Identity up to the threshold, then a curve that never reaches 1.
fn knee(value: f32) -> f32 {
    let over = value.abs() - THRESHOLD;
    if over <= 0.0 {
        return value;
    }
    let room = 1.0 - THRESHOLD;
    (THRESHOLD + room * over / (over + room)).copysign(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limited(level: f32) -> Vec<StereoSample> {
        let mut samples: Vec<_> = (0..48_000)
            .map(|i| [level * (i as f32 * 0.06).sin(); 2])
            .collect();
        Limiter::new(1.0).run(&mut samples);
        samples
    }

    #[test]
    fn what_is_quiet_passes_unchanged() {
        for (i, sample) in limited(0.8).into_iter().enumerate() {
            assert_eq!(sample, [0.8 * (i as f32 * 0.06).sin(); 2]);
        }
    }

    #[test]
    fn twelve_loud_voices_stay_below_full_scale_and_keep_their_shape() {
        let loud = limited(12.0);
        assert!(loud.iter().flatten().all(|v| v.abs() < 1.0));
        let settled = &loud[24_000..];
        let peak = settled
            .iter()
            .flatten()
            .fold(0.0_f32, |p, v| p.max(v.abs()));
        assert!((0.85..0.95).contains(&peak), "{peak}");
    }

    #[test]
    fn the_gain_recovers_after_a_peak() {
        let mut limiter = Limiter::new(0.1);
        limiter.run(&mut vec![[0.0; 2]; 48_000]);
        assert!(limiter.gain() > 0.99);
    }
}
