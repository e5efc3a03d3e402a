//! The one place of this crate that reads the real clock.

use std::time::{Instant, SystemTime};

use compositor_core::time::{MonotonicTime, WallTime};

/// Now, on both clocks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Now {
    pub(crate) monotonic: MonotonicTime,
    pub(crate) wall: WallTime,
}

/// Counts from the start of the channels.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    zero: Instant,
}

impl Clock {
    pub(crate) fn start() -> Self {
        Self {
            zero: Instant::now(),
        }
    }

    pub(crate) fn now(&self) -> Now {
        let since = self.zero.elapsed();
        let unix = SystemTime::now()
            .duration_since(SystemTime::UNIX_EPOCH)
            .unwrap_or_default();
        Now {
            monotonic: MonotonicTime(u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)),
            wall: WallTime(i64::try_from(unix.as_micros()).unwrap_or(i64::MAX)),
        }
    }
}
