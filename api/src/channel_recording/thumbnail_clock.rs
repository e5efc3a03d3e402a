//! Which keyframes become thumbnails. Pure.

use std::time::Duration;

use recorder::TimedUnit;

/// Counts media time over all streams of a recording.
#[derive(Debug)]
pub(super) struct ThumbnailClock {
    interval: u64,
    /// Media time of the streams before.
    base: u64,
    /// The first decode time of this stream.
    zero: Option<u64>,
    /// Media time so far.
    position: u64,
    due: u64,
}

impl ThumbnailClock {
    pub(super) fn new(interval: Duration) -> Self {
        Self {
            interval: interval.as_secs().max(1) * 90_000,
            base: 0,
            zero: None,
            position: 0,
            due: 0,
        }
    }

    /// Takes note of a unit; whether it is a keyframe that should become a thumbnail.
    pub(super) fn is_due(&mut self, unit: &TimedUnit) -> bool {
        match unit {
            TimedUnit::Begin { .. } => {
                self.base = self.position;
                self.zero = None;
                false
            }
            TimedUnit::Video { dts, keyframe, .. } => {
                let zero = *self.zero.get_or_insert(*dts);
                self.position = self.base + dts.saturating_sub(zero);
                *keyframe && self.position >= self.due
            }
            TimedUnit::Audio { .. }
            | TimedUnit::Metadata { .. }
            | TimedUnit::DateRange { .. }
            | TimedUnit::Break => false,
        }
    }

    /// The keyframe becomes one: the next is due at the next multiple of the interval.
    pub(super) fn taken(&mut self) {
        self.due = (self.position / self.interval + 1) * self.interval;
    }

    /// Media time of all streams so far.
    pub(super) fn position(&self) -> Duration {
        Duration::from_nanos(self.position * 100_000 / 9)
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use compositor_core::time::WallTime;

    use super::*;

    fn picture(ms: u64, keyframe: bool) -> TimedUnit {
        let dts = 900_000 + ms * 90;
        TimedUnit::Video {
            pts: dts,
            dts,
            keyframe,
            data: Bytes::new(),
        }
    }

    #[test]
    fn the_first_keyframe_at_or_after_each_interval_is_taken_over_all_streams() {
        let mut clock = ThumbnailClock::new(Duration::from_secs(5));
        let begin = TimedUnit::Begin {
            at: WallTime(0),
            audio: None,
        };
        let mut taken = Vec::new();
        for stream in 0..2 {
            assert!(!clock.is_due(&begin));
            for ms in (0..8000).step_by(500) {
                if clock.is_due(&picture(ms, ms % 2000 == 0)) {
                    clock.taken();
                    taken.push((stream, ms));
                }
            }
        }
        assert_eq!(taken, [(0, 0), (0, 6000), (1, 4000)]);
        assert_eq!(clock.position(), Duration::from_secs(15));
    }

    #[test]
    fn a_keyframe_that_could_not_be_taken_leaves_the_next_one_due() {
        let mut clock = ThumbnailClock::new(Duration::from_secs(60));
        assert!(clock.is_due(&picture(0, true)));
        assert!(clock.is_due(&picture(2000, true)));
        clock.taken();
        assert!(!clock.is_due(&picture(4000, true)));
    }
}
