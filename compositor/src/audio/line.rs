//! One track's samples on the grid: where each packet goes, and what is heard where there is none. Pure.

use std::collections::VecDeque;

use super::resample::Resampler;
use crate::codec::opus::StereoSample;

/// Length of every fade: 10 ms.
pub(super) const FADE: i64 = 480;

/// A larger error of position than this (5 ms, a second of slewing) is a jump: the picture has stepped, too. A smaller one
/// is slewed.
const JUMP: i64 = 240;

/// A smaller error than this (0.5 ms) is left alone.
const TOLERANCE: i64 = 24;

/// At most one sample of this many is added or taken away: 0.5 %, rounded up to a whole sample per packet.
const SLEW: usize = 200;

/// Samples from `base` to the write cursor. Positions count samples since the composition's start and may be negative.
#[derive(Debug)]
pub(super) struct Line {
    base: i64,
    samples: VecDeque<StereoSample>,
    /// Whether the sound goes on at the cursor; if not, it was faded out before it.
    live: bool,
    /// Added to the position of the next beginning: a predecessor's error that it was still slewing.
    offset: i64,
    resampler: Resampler,
}

impl Line {
    /// An empty line from `base` on.
    pub(super) fn new(base: i64, offset: i64) -> Self {
        Self {
            base,
            samples: VecDeque::new(),
            live: false,
            offset,
            resampler: Resampler::default(),
        }
    }

    /// Where the next sample goes.
    pub(super) fn cursor(&self) -> i64 {
        self.base + self.samples.len() as i64
    }

    /// Whether the sound goes on at the cursor.
    pub(super) fn live(&self) -> bool {
        self.live
    }

    /// Puts a packet that belongs at `at`. False if all of it is before the base, that is late.
    pub(super) fn add(&mut self, at: i64, packet: &[StereoSample]) -> bool {
        if self.live {
            let error = at - self.cursor();
            if error.abs() <= JUMP {
                self.append(error, packet);
                return true;
            }
            if error > 0 {
                self.fade_out();
            }
        }
        let offset = std::mem::take(&mut self.offset);
        self.begin(at + offset, packet)
    }

    /// Appends at the cursor, stretched towards where it belongs.
    fn append(&mut self, error: i64, packet: &[StereoSample]) {
        let slew_max = packet.len().div_ceil(SLEW) as i64;
        let stretch = if error.abs() <= TOLERANCE {
            0
        } else {
            error.clamp(-slew_max, slew_max)
        };
        let output = packet.len().saturating_add_signed(stretch as isize);
        self.resampler.run(packet, output, &mut self.samples);
    }

    /// Starts anew at `at`, cross-faded with what is there already.
    fn begin(&mut self, at: i64, packet: &[StereoSample]) -> bool {
        let start = at.max(self.base);
        let skip = (start - at) as usize;
        if skip >= packet.len() {
            return false;
        }
        let packet = &packet[skip..];
        let fade = packet.len().min(FADE as usize);
        let index = (start - self.base) as usize;
        if index < self.samples.len() {
            for (i, old) in self.samples.iter_mut().skip(index).take(fade).enumerate() {
                let gain = 1.0 - ramp(i, fade);
                *old = old.map(|value| value * gain);
            }
            self.samples.truncate(index + fade);
        } else {
            self.samples.resize(index, [0.0; 2]);
        }
        let mut fresh = Vec::with_capacity(packet.len());
        self.resampler.reset();
        self.resampler.run(packet, packet.len(), &mut fresh);
        for (i, mut sample) in fresh.into_iter().enumerate() {
            if i < fade {
                let gain = ramp(i, fade);
                sample = sample.map(|value| value * gain);
            }
            match self.samples.get_mut(index + i) {
                Some(old) => *old = [old[0] + sample[0], old[1] + sample[1]],
                None => self.samples.push_back(sample),
            }
        }
        self.live = true;
        true
    }

    /// Everything that belongs before `end` has been added: a sound that goes on only a little further ends there.
    pub(super) fn settle(&mut self, end: i64) {
        if self.live && self.cursor() < end + FADE {
            self.fade_out();
        }
    }

    fn fade_out(&mut self) {
        let fade = self.samples.len().min(FADE as usize);
        for (i, sample) in self.samples.iter_mut().rev().take(fade).enumerate() {
            let gain = ramp(i, fade);
            *sample = sample.map(|value| value * gain);
        }
        self.live = false;
    }

    /// Adds the samples at the base to `mix` and moves the base behind them.
    pub(super) fn mix_into(&mut self, mix: &mut [StereoSample]) {
        let count = mix.len().min(self.samples.len());
        for (sum, sample) in mix.iter_mut().zip(self.samples.drain(..count)) {
            sum[0] += sample[0];
            sum[1] += sample[1];
        }
        self.base += mix.len() as i64;
    }
}

/// 0 to 1 over `length`, without either end.
fn ramp(i: usize, length: usize) -> f32 {
    (i + 1) as f32 / (length + 1) as f32
}

#[cfg(test)]
mod tests {
    use super::*;

    const PACKET: i64 = 960;

    fn tone(from: i64, count: i64) -> Vec<StereoSample> {
        (from..from + count)
            .map(|i| [(i as f32 * 0.02).sin() * 0.5; 2])
            .collect()
    }

    /// Adds packets of one endless tone, each at `at(position)`, and renders `length` samples.
    fn rendered(positions: &[i64], at: impl Fn(i64) -> i64, length: usize) -> Vec<f32> {
        let mut line = Line::new(0, 0);
        for &position in positions {
            line.add(at(position), &tone(position, PACKET));
        }
        line.settle(length as i64);
        let mut mix = vec![[0.0; 2]; length];
        line.mix_into(&mut mix);
        mix.into_iter().map(|sample| sample[0]).collect()
    }

    fn steepest(samples: &[f32]) -> f32 {
        samples
            .windows(2)
            .map(|pair| (pair[1] - pair[0]).abs())
            .fold(0.0, f32::max)
    }

    #[test]
    fn packets_in_time_are_one_unbroken_tone() {
        let out = rendered(&[0, 960, 1920, 2880], |p| p, 3840);
        // The resampler's two samples later, after the fade-in and before the fade-out.
        for (i, value) in out.iter().enumerate().take(3300).skip(500) {
            assert!((value - tone(i as i64 - 2, 1)[0][0]).abs() < 1e-6, "{i}");
        }
        assert!(steepest(&out) < 0.0105);
    }

    #[test]
    fn a_missing_packet_is_silence_without_clicks() {
        let out = rendered(&[0, 960, 5760, 6720], |p| p, 7680);
        assert!(out[1930..5750].iter().all(|v| *v == 0.0));
        assert!(steepest(&out) < 0.012, "{}", steepest(&out));
    }

    #[test]
    fn a_small_error_is_slewed_not_jumped() {
        let late_by = 200;
        let mut line = Line::new(0, 0);
        line.add(0, &tone(0, PACKET));
        for i in 1..=400 {
            line.add(i * PACKET + late_by, &tone(i * PACKET, PACKET));
            line.mix_into(&mut vec![[0.0; 2]; 900]);
        }
        let error = 401 * PACKET + late_by - line.cursor();
        assert!(error.abs() <= TOLERANCE, "{error}");
    }

    #[test]
    fn jumps_are_cross_faded() {
        let back = rendered(
            &[0, 960, 1920, 2880],
            |p| if p < 1920 { p } else { p - 1930 },
            2000,
        );
        assert!(steepest(&back) < 0.02, "{}", steepest(&back));
        let ahead = rendered(
            &[0, 960, 1920],
            |p| if p < 1920 { p } else { p + 2000 },
            4800,
        );
        assert!(steepest(&ahead) < 0.02, "{}", steepest(&ahead));
        assert!(ahead[1925..3900].iter().all(|v| *v == 0.0));
    }

    #[test]
    fn what_comes_after_its_time_is_late() {
        let mut line = Line::new(10_000, 0);
        assert!(!line.add(9_000, &tone(0, PACKET)));
        assert!(line.add(9_100, &tone(0, PACKET)));
        assert_eq!(line.cursor(), 10_060);
    }
}
