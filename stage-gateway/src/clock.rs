//! The crate's only look at real clocks.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use compositor_core::time::{MonotonicTime, WallTime};

/// The monotonic clock of the process.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ProcessClock {
    start: Instant,
}

impl ProcessClock {
    /// A clock whose zero is `start`.
    pub(crate) fn new(start: Instant) -> Self {
        Self { start }
    }

    /// Now.
    pub(crate) fn now(self) -> MonotonicTime {
        MonotonicTime(u64::try_from(self.start.elapsed().as_nanos()).unwrap_or(u64::MAX))
    }
}

/// The wall clock now; zero before 1970.
pub(crate) fn wall_now() -> WallTime {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    WallTime(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
}

/// A wall clock that is further off than this was set, and did not merely drift.
const SET_US: i64 = 10_000;

/// Turns monotonic times into wall times: equal ones into equal ones, and in the same order unless the clock is set.
#[derive(Clone, Copy, Debug)]
pub(crate) struct WallAnchor {
    offset_us: i64,
}

impl WallAnchor {
    /// Anchors `now`.
    pub(crate) fn new(now: MonotonicTime) -> Self {
        Self {
            offset_us: wall_now().0 - micros(now),
        }
    }

    /// What the wall clock showed `at`, as far as it is right `now`.
    pub(crate) fn of(&mut self, now: MonotonicTime, at: MonotonicTime) -> WallTime {
        let fresh = Self::new(now);
        if self.offset_us.abs_diff(fresh.offset_us) > SET_US.unsigned_abs() {
            *self = fresh;
        }
        WallTime(self.offset_us + micros(at))
    }
}

fn micros(time: MonotonicTime) -> i64 {
    i64::try_from(time.0 / 1_000).unwrap_or(i64::MAX)
}
