//! The real clocks. Everything below takes time as an argument; only shells read it here.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use compositor_core::time::{MonotonicTime, WallTime};

/// The one pair of real clocks of the process; copies share the same zero.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    started: Instant,
}

impl Clock {
    /// Begins to count monotonic time; made once in `main`.
    pub fn start() -> Self {
        Self {
            started: Instant::now(),
        }
    }

    /// The zero of monotonic time.
    pub fn started(&self) -> Instant {
        self.started
    }

    /// Nanoseconds since the process started.
    pub fn monotonic(&self) -> MonotonicTime {
        let nanos = self.started.elapsed().as_nanos();
        MonotonicTime(u64::try_from(nanos).unwrap_or(u64::MAX))
    }

    /// Microseconds since the Unix epoch.
    pub fn wall(&self) -> WallTime {
        let micros = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0, |since| since.as_micros());
        WallTime(i64::try_from(micros).unwrap_or(i64::MAX))
    }
}
