//! Three clocks that never convert into each other by accident, and the exact frame grid.

use std::time::Duration;

use serde::{Deserialize, Serialize};

const NANOS_PER_SECOND: u128 = 1_000_000_000;

/// Nanoseconds since the process started; for timers and latency.
#[derive(
    Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, Serialize, Deserialize,
)]
pub struct MonotonicTime(pub u64);

/// Nanoseconds since the stage session began: the stage clock, on which all media is placed.
#[derive(
    Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, Serialize, Deserialize,
)]
pub struct MediaTime(pub u64);

/// Microseconds since the Unix epoch; for API timestamps and tokens.
#[derive(
    Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, Serialize, Deserialize,
)]
pub struct WallTime(pub i64);

macro_rules! nanos_arithmetic {
    ($($name:ident),+) => {$(
        impl $name {
            /// This time later by `by`, saturating.
            pub fn plus(self, by: Duration) -> Self {
                Self(self.0.saturating_add(duration_nanos(by)))
            }

            /// This time earlier by `by`, not before zero.
            pub fn minus(self, by: Duration) -> Self {
                Self(self.0.saturating_sub(duration_nanos(by)))
            }

            /// How long after `earlier` this is; zero if it is not after it.
            pub fn since(self, earlier: Self) -> Duration {
                Duration::from_nanos(self.0.saturating_sub(earlier.0))
            }
        }
    )+};
}

nanos_arithmetic!(MonotonicTime, MediaTime);

impl WallTime {
    /// This time later by `by`, saturating.
    pub fn plus(self, by: Duration) -> Self {
        Self(
            self.0
                .saturating_add(i64::try_from(by.as_micros()).unwrap_or(i64::MAX)),
        )
    }

    /// How long after `earlier` this is; zero if it is not after it.
    pub fn since(self, earlier: Self) -> Duration {
        let micros = self.0.saturating_sub(earlier.0);
        Duration::from_micros(u64::try_from(micros).unwrap_or(0))
    }
}

fn duration_nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

/// Frames per second as an exact rational.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub struct FrameRate {
    /// Numerator, frames.
    pub num: u32,
    /// Denominator, seconds.
    pub den: u32,
}

impl FrameRate {
    /// `n` frames each second.
    pub const fn whole(n: u32) -> Self {
        Self { num: n, den: 1 }
    }

    /// The rational meant by an API float: n x 1000/1001 for 23.976, 29.97, 59.94 and their longer spellings, else
    /// thousandths. The caller has checked the range 1 to 60.
    pub fn from_api(fps: f64) -> Self {
        let ceiling = fps.ceil();
        if ceiling > fps && (fps - ceiling * 1000.0 / 1001.0).abs() < 0.005 {
            return Self {
                num: ceiling as u32 * 1000,
                den: 1001,
            };
        }
        let thousandths = (fps * 1000.0).round() as u32;
        if thousandths.is_multiple_of(1000) {
            return Self::whole(thousandths / 1000);
        }
        Self {
            num: thousandths,
            den: 1000,
        }
    }

    /// When frame `k` is due, counted from frame 0, rounded to the nearest nanosecond.
    pub fn frame_time(self, k: u64) -> Duration {
        Duration::from_nanos(self.scaled(k, NANOS_PER_SECOND))
    }

    /// PTS of frame `k` on the 90 kHz clock: round(k x 90000 / fps).
    pub fn pts_90k(self, k: u64) -> u64 {
        self.scaled(k, 90_000)
    }

    /// How many whole frames are nearest to `seconds`.
    pub fn frames_in(self, seconds: u32) -> u32 {
        let frames = u64::from(seconds) * u64::from(self.num);
        let den = u64::from(self.den);
        u32::try_from((frames + den / 2) / den).unwrap_or(u32::MAX)
    }

    /// Seconds that `frames` frames last.
    pub fn seconds(self, frames: u64) -> f64 {
        frames as f64 * f64::from(self.den) / f64::from(self.num)
    }

    fn scaled(self, k: u64, unit: u128) -> u64 {
        let num = u128::from(self.num);
        ((u128::from(k) * u128::from(self.den) * unit + num / 2) / num) as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn usual_floats_become_the_ntsc_rationals() {
        assert_eq!(
            FrameRate::from_api(29.97),
            FrameRate {
                num: 30_000,
                den: 1001
            }
        );
        assert_eq!(
            FrameRate::from_api(23.976),
            FrameRate {
                num: 24_000,
                den: 1001
            }
        );
        assert_eq!(
            FrameRate::from_api(59.94),
            FrameRate {
                num: 60_000,
                den: 1001
            }
        );
        assert_eq!(FrameRate::from_api(30.0), FrameRate::whole(30));
        assert_eq!(
            FrameRate::from_api(12.5),
            FrameRate {
                num: 12_500,
                den: 1000
            }
        );
    }

    #[test]
    fn frame_grid_does_not_drift() {
        let fps = FrameRate {
            num: 30_000,
            den: 1001,
        };
        assert_eq!(fps.pts_90k(1), 3003);
        assert_eq!(fps.pts_90k(30_000), 90_000 * 1001);
        assert_eq!(fps.frame_time(30_000), Duration::from_secs(1001));
    }

    #[test]
    fn a_segment_is_the_nearest_whole_number_of_frames() {
        assert_eq!(FrameRate::whole(30).frames_in(2), 60);
        assert_eq!(
            FrameRate {
                num: 30_000,
                den: 1001
            }
            .frames_in(2),
            60
        );
    }
}
