//! What is due when: a function of the job and of what is done already.

use std::time::Duration;

use compositor_core::limits::{AAC_FRAME_SAMPLES, AUDIO_SAMPLE_RATE};
use compositor_core::time::{FrameRate, MediaTime};

/// What is due next.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Due {
    /// A frame of this encoder.
    Video(usize),
    Sound,
}

/// From when to when a composition reaches.
#[derive(Clone, Copy, Debug)]
pub(super) struct Schedule {
    start: MediaTime,
    stop: MediaTime,
}

impl Schedule {
    /// Without an end.
    pub(super) fn from(start: MediaTime) -> Self {
        Self {
            start,
            stop: MediaTime(u64::MAX),
        }
    }

    /// Ends it before `at`; the earliest stop counts.
    pub(super) fn stop(&mut self, at: MediaTime) {
        self.stop = self.stop.min(at);
    }

    /// What is due next, and when, given the next frame of each encoder and of the sound; `None` once everything before
    /// the stop is done.
    pub(super) fn next(
        &self,
        frames: impl Iterator<Item = (FrameRate, u64)>,
        n: u64,
    ) -> Option<(MediaTime, Due)> {
        let videos = frames.enumerate().map(|(index, (fps, k))| {
            let due = self.start.plus(fps.frame_time(k));
            (due, due, Due::Video(index))
        });
        let sound_starts = self.start.plus(samples(n * AAC_FRAME_SAMPLES));
        // The last frame reaches beyond the stop, where nothing needs to be waited for.
        let sound_ends = self.sound_end(n).min(self.stop);
        videos
            .chain([(sound_starts, sound_ends, Due::Sound)])
            .filter(|(starts, ..)| *starts < self.stop)
            .map(|(_, due, what)| (due, what))
            .min()
    }

    /// When AAC frame `n` is over.
    pub(super) fn sound_end(&self, n: u64) -> MediaTime {
        self.start.plus(samples((n + 1) * AAC_FRAME_SAMPLES))
    }
}

/// How long `count` samples last.
fn samples(count: u64) -> Duration {
    let nanos = u128::from(count) * 1_000_000_000 / u128::from(AUDIO_SAMPLE_RATE);
    Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
}
