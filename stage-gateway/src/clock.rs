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
