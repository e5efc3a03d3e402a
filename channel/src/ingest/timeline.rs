//! Milliseconds of a publisher's clock, 32 bits, onto one 90 kHz time line that never goes back within a track. Pure.

use crate::limits::TIMESTAMP_JUMP;
use crate::sample::CLOCK_HZ;

const TICKS_PER_MS: i64 = CLOCK_HZ as i64 / 1000;

/// Where the time line begins, so that pictures shown before they are decoded (a negative composition offset) fit.
const START_TICKS: i64 = 10 * CLOCK_HZ as i64;

/// How far sound may stray from its grid before it is put at its timestamp again: the rounding of milliseconds and a bit.
const GRID_TOLERANCE_TICKS: i64 = 3 * TICKS_PER_MS;

/// Samples in an AAC frame.
const AAC_FRAME_SAMPLES: u64 = 1024;

/// One connection's time line.
#[derive(Debug, Default)]
pub(crate) struct Timeline {
    /// The last timestamp, unwrapped.
    last: Option<(u32, i64)>,
    last_dts: Option<i64>,
    grid: Option<AudioGrid>,
}

/// Sound keeps its exact frame length, which milliseconds cannot express.
#[derive(Clone, Copy, Debug)]
struct AudioGrid {
    origin: i64,
    frames: u64,
    sample_rate: u32,
}

/// A time on the line.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Placed<T> {
    pub(crate) at: T,
    /// The timestamp jumped; nothing from before continues here.
    pub(crate) discontinuity: bool,
}

/// When a picture is shown and decoded.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct PictureTime {
    pub(crate) pts: u64,
    pub(crate) dts: u64,
}

impl Timeline {
    /// A picture decoded at `timestamp` and shown `composition_ms` later.
    pub(crate) fn picture(&mut self, timestamp: u32, composition_ms: i32) -> Placed<PictureTime> {
        let Placed { at, discontinuity } = self.unwrap(timestamp);
        let mut dts = at;
        if let Some(last) = self.last_dts {
            dts = dts.max(last + 1);
        }
        self.last_dts = Some(dts);
        let pts = (at + i64::from(composition_ms) * TICKS_PER_MS).max(dts);
        Placed {
            at: PictureTime {
                pts: positive(pts),
                dts: positive(dts),
            },
            discontinuity,
        }
    }

    /// A frame of sound at `timestamp`.
    pub(crate) fn sound(&mut self, timestamp: u32, sample_rate: u32) -> Placed<u64> {
        let Placed { at, discontinuity } = self.unwrap(timestamp);
        let on_grid = self
            .grid
            .filter(|grid| grid.sample_rate == sample_rate)
            .map(|grid| {
                let frames = grid.frames + 1;
                AudioGrid { frames, ..grid }
            });
        let grid = on_grid
            .filter(|grid| (grid.time() - at).abs() <= GRID_TOLERANCE_TICKS)
            .unwrap_or(AudioGrid {
                origin: at,
                frames: 0,
                sample_rate,
            });
        self.grid = Some(grid);
        Placed {
            at: positive(grid.time()),
            discontinuity,
        }
    }

    fn unwrap(&mut self, timestamp: u32) -> Placed<i64> {
        let Some((last, total)) = self.last else {
            self.last = Some((timestamp, START_TICKS / TICKS_PER_MS + i64::from(timestamp)));
            return Placed {
                at: START_TICKS + i64::from(timestamp) * TICKS_PER_MS,
                discontinuity: false,
            };
        };
        let step = i64::from(timestamp.wrapping_sub(last) as i32);
        let discontinuity = step.unsigned_abs() > TIMESTAMP_JUMP.as_millis() as u64;
        let mut total = total + step;
        if discontinuity {
            // Never below the start, wherever the publisher's clock went.
            total = total.max(START_TICKS / TICKS_PER_MS);
            self.last_dts = None;
            self.grid = None;
        }
        self.last = Some((timestamp, total));
        Placed {
            at: total * TICKS_PER_MS,
            discontinuity,
        }
    }
}

impl AudioGrid {
    fn time(self) -> i64 {
        let ticks = self.frames * AAC_FRAME_SAMPLES * CLOCK_HZ / u64::from(self.sample_rate.max(1));
        self.origin + i64::try_from(ticks).unwrap_or(i64::MAX / 2)
    }
}

fn positive(ticks: i64) -> u64 {
    u64::try_from(ticks).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: u64 = START_TICKS as u64;

    #[test]
    fn milliseconds_become_ticks_and_wrap_without_a_step() {
        let mut line = Timeline::default();
        let first = line.picture(u32::MAX - 19, 0).at.dts;
        let second = line.picture(20, 80);
        assert_eq!(
            (second.at.dts, second.discontinuity),
            (first + 40 * 90, false)
        );
        assert_eq!(second.at.pts, first + 120 * 90);
    }

    #[test]
    fn decode_times_rise_even_when_timestamps_stand_still() {
        let mut line = Timeline::default();
        let times = [line.picture(0, 0), line.picture(0, 0), line.picture(0, -40)];
        assert_eq!(times.map(|time| time.at.dts), [START, START + 1, START + 2]);
        assert!(times.iter().all(|time| time.at.pts >= time.at.dts));
    }

    #[test]
    fn jump_either_way_is_a_discontinuity_and_small_steps_are_not() {
        let mut line = Timeline::default();
        line.picture(10_000, 0);
        assert!(!line.sound(9_000, 48_000).discontinuity);
        assert!(!line.picture(11_000, 0).discontinuity);
        assert!(line.picture(14_001, 0).discontinuity);
        assert!(line.picture(0, 0).discontinuity);
        assert!(!line.picture(40, 0).discontinuity);
    }

    #[test]
    fn sound_keeps_its_exact_grid_for_an_hour_of_rounded_timestamps() {
        let mut line = Timeline::default();
        for n in 0..168_750u64 {
            let ms = (n * 1024 * 1000 + 24_000) / 48_000;
            assert_eq!(
                line.sound(ms as u32, 48_000).at,
                START + n * 1920,
                "frame {n}"
            );
        }
    }

    #[test]
    fn sound_follows_a_publisher_whose_clock_runs_away() {
        let mut line = Timeline::default();
        // Frames 0.5 % longer than they should be.
        for n in 0..10_000u64 {
            let ms = n * 1024 * 1005 / 48_000;
            let at = line.sound(ms as u32, 48_000).at as i64 - START_TICKS;
            assert!(
                (at - ms as i64 * 90).abs() <= GRID_TOLERANCE_TICKS,
                "frame {n}"
            );
        }
    }
}
