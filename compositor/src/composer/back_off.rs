//! How often to repeat a wish that is not granted.

use std::time::Duration;

use compositor_core::time::MediaTime;

const DELAY_MIN: Duration = Duration::from_millis(500);
const DELAY_MAX: Duration = Duration::from_secs(8);

/// Allows a first try at once, and each further one after twice the pause. Time is an argument.
#[derive(Clone, Copy, Debug)]
pub(super) struct BackOff {
    not_before: MediaTime,
    delay: Duration,
}

impl BackOff {
    pub(super) fn new() -> Self {
        Self {
            not_before: MediaTime(0),
            delay: DELAY_MIN,
        }
    }

    /// Whether to try at `now`.
    pub(super) fn try_at(&mut self, now: MediaTime) -> bool {
        if now < self.not_before {
            return false;
        }
        self.not_before = now.plus(self.delay);
        self.delay = (self.delay * 2).min(DELAY_MAX);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_eight_seconds() {
        let mut back_off = BackOff::new();
        let tries: Vec<u64> = (0..300)
            .map(|tenths| tenths * 100)
            .filter(|ms| back_off.try_at(MediaTime(ms * 1_000_000)))
            .collect();
        assert_eq!(tries, [0, 500, 1500, 3500, 7500, 15_500, 23_500]);
    }
}
