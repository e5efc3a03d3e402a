//! When a layer's publisher is asked for a keyframe: each wish once, again while it is not heard, never too often. Pure.

use std::time::Duration;

use compositor_core::limits::KEYFRAME_INTERVAL_MAX;
use compositor_core::time::MonotonicTime;

/// Shortest pause between two requests for one layer; a subscriber is to get its keyframe within 500 ms.
const REQUEST_PAUSE_MIN: Duration = Duration::from_millis(250);

/// Longest pause between two requests while none is heard.
const REQUEST_PAUSE_MAX: Duration = Duration::from_secs(4);

/// How much earlier than [`KEYFRAME_INTERVAL_MAX`] the next one is asked for: the encoder's time and the way.
const CADENCE_LEAD: Duration = Duration::from_secs(1);

/// The keyframe requests of one layer.
#[derive(Debug, Default)]
pub(crate) struct KeyframeRequests {
    wanted_since: Option<MonotonicTime>,
    requested_at: Option<MonotonicTime>,
    pause: Duration,
    seen_at: Option<MonotonicTime>,
}

impl KeyframeRequests {
    /// Somebody needs a keyframe.
    pub(crate) fn want(&mut self, now: MonotonicTime) {
        if self.wanted_since.is_none() {
            self.wanted_since = Some(now);
            self.pause = REQUEST_PAUSE_MIN;
        }
    }

    /// A keyframe has begun.
    pub(crate) fn on_keyframe(&mut self, now: MonotonicTime) {
        self.seen_at = Some(now);
        self.wanted_since = None;
    }

    /// Whether to send a request now. With `cadence`, somebody needs a keyframe regularly.
    pub(crate) fn poll(&mut self, now: MonotonicTime, cadence: bool) -> bool {
        let last = self.seen_at.max(self.requested_at);
        let stale = |at: MonotonicTime| now.since(at) >= KEYFRAME_INTERVAL_MAX - CADENCE_LEAD;
        if cadence && last.is_none_or(stale) {
            self.want(now);
        }
        let due = self
            .requested_at
            .is_none_or(|at| now.since(at) >= self.pause);
        if self.wanted_since.is_none() || !due {
            return false;
        }
        let again = self.requested_at >= self.wanted_since;
        if again {
            self.pause = (self.pause * 2).min(REQUEST_PAUSE_MAX);
        }
        self.requested_at = Some(now);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: u64) -> MonotonicTime {
        MonotonicTime(ms * 1_000_000)
    }

    #[test]
    fn a_wish_is_sent_at_once_and_repeated_with_growing_pauses() {
        let mut requests = KeyframeRequests::default();
        assert!(!requests.poll(at(0), false));
        requests.want(at(10));
        let sent: Vec<u64> = (10..9_000)
            .filter(|ms| requests.poll(at(*ms), false))
            .collect();
        assert_eq!(sent, [10, 260, 760, 1_760, 3_760, 7_760]);
        requests.on_keyframe(at(9_000));
        assert!(!requests.poll(at(20_000), false));
    }

    #[test]
    fn many_wishes_make_few_requests() {
        let mut requests = KeyframeRequests::default();
        let mut sent = Vec::new();
        for ms in 0..1_000 {
            requests.want(at(ms));
            if requests.poll(at(ms), false) {
                sent.push(ms);
                requests.on_keyframe(at(ms));
            }
        }
        assert_eq!(sent, [0, 250, 500, 750]);
    }

    #[test]
    fn the_cadence_asks_before_ten_seconds_are_over() {
        let mut requests = KeyframeRequests::default();
        assert!(requests.poll(at(0), true));
        requests.on_keyframe(at(100));
        assert!(!requests.poll(at(9_099), true));
        assert!(requests.poll(at(9_100), true));
    }
}
