//! Whether a publisher sends more than it may, not for a moment but for a while. Pure.

use std::collections::VecDeque;
use std::time::Duration;

use compositor_core::time::MonotonicTime;

/// The average over this long counts: a keyframe or the burst after a stall does not end anybody.
const WINDOW: Duration = Duration::from_secs(10);

/// Looks kept; at one a second the window is covered, more often only makes it shorter.
const LOOKS_MAX: usize = 16;

/// Averages what one publisher sends.
#[derive(Debug)]
pub(crate) struct BitrateGauge {
    limit_bps: u64,
    /// When it was looked, and how many bytes had come by then; oldest first.
    looks: VecDeque<(MonotonicTime, u64)>,
}

impl BitrateGauge {
    /// Nothing was sent yet.
    pub(crate) fn new(limit_bps: u64) -> Self {
        Self {
            limit_bps,
            looks: VecDeque::with_capacity(LOOKS_MAX),
        }
    }

    /// `bytes` have come since the beginning. True when the average of a whole window is over the limit.
    pub(crate) fn is_exceeded(&mut self, now: MonotonicTime, bytes: u64) -> bool {
        // The newest look that is a window old is where the window begins.
        while self
            .looks
            .get(1)
            .is_some_and(|(at, _)| now.since(*at) >= WINDOW)
            || self.looks.len() == LOOKS_MAX
        {
            self.looks.pop_front();
        }
        self.looks.push_back((now, bytes));
        let Some(&(since, before)) = self.looks.front() else {
            return false;
        };
        let elapsed = now.since(since);
        let bits = u128::from(bytes.saturating_sub(before)) * 8;
        elapsed >= WINDOW && bits * 1_000_000_000 > u128::from(self.limit_bps) * elapsed.as_nanos()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Asks once a second; the second in which the limit is first exceeded.
    fn first_exceeded(limit_bps: u64, bytes_of_second: impl Fn(u64) -> u64) -> Option<u64> {
        let mut gauge = BitrateGauge::new(limit_bps);
        let mut bytes = 0;
        (0..60).find(|&second| {
            bytes += bytes_of_second(second);
            gauge.is_exceeded(MonotonicTime(second * 1_000_000_000), bytes)
        })
    }

    #[test]
    fn exactly_the_limit_is_allowed_and_one_byte_more_is_not() {
        assert_eq!(first_exceeded(8_000, |_| 1_000), None);
        assert_eq!(first_exceeded(8_000, |_| 1_001), Some(10));
    }

    #[test]
    fn a_burst_after_a_stall_is_no_breach() {
        let stalled = |second| match second {
            20..25 => 0,
            25 => 3_600,
            _ => 600,
        };
        assert_eq!(first_exceeded(8_000, stalled), None);
    }

    #[test]
    fn a_higher_rate_is_noticed_within_the_window() {
        let raised = |second| if second < 30 { 500 } else { 2_000 };
        let noticed = first_exceeded(8_000, raised).unwrap();
        assert!((31..=40).contains(&noticed), "{noticed}");
    }
}
