//! The sound of the test pattern: a quiet tone, and a loud one in the first tenth of each second.

use std::f64::consts::TAU;

/// Samples per second.
pub(super) const SAMPLE_RATE: u64 = 48_000;

const BEEP_SAMPLES: u64 = SAMPLE_RATE / 10;
/// The beep fades in and out this fast, so that it does not click.
const RAMP_SAMPLES: u64 = SAMPLE_RATE / 500;
const BEEP_LEVEL: f64 = 0.25;
const TONE_LEVEL: f64 = 0.01;

/// The sample `position` of a tone of `hz`, both channels alike.
pub(super) fn sample(position: u64, hz: u32) -> i16 {
    let phase = (position % SAMPLE_RATE) * u64::from(hz) % SAMPLE_RATE;
    let wave = (phase as f64 / SAMPLE_RATE as f64 * TAU).sin();
    let level = TONE_LEVEL + (BEEP_LEVEL - TONE_LEVEL) * beep(position % SAMPLE_RATE);
    (wave * level * f64::from(i16::MAX)) as i16
}

/// How much of the beep is heard, 0 to 1.
fn beep(in_second: u64) -> f64 {
    if in_second >= BEEP_SAMPLES {
        return 0.0;
    }
    let edge = in_second.min(BEEP_SAMPLES - in_second);
    (edge as f64 / RAMP_SAMPLES as f64).min(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_beep_starts_with_the_second_and_is_over_after_a_tenth() {
        let loudest = |from: u64, to: u64| (from..to).map(|p| sample(p, 440).abs()).max().unwrap();
        assert!(loudest(48_000, 48_480) > 7_000);
        assert!(loudest(52_800, 96_000) < 400);
    }
}
