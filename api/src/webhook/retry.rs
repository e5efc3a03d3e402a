//! When a delivery is tried again: exponential back-off with jitter, for a day. Pure.

use std::time::Duration;

use compositor_core::time::WallTime;

/// An event that is not delivered this long after it happened is dropped.
pub const GIVEN_UP_AFTER: Duration = Duration::from_secs(24 * 60 * 60);

const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(15 * 60);

/// When to try an event of `at` again that failed `earlier` times before and now once more; `None` when it is to be dropped.
/// `jitter`, from 0 to 1, takes up to half of the pause away.
pub fn retry_at(now: WallTime, at: WallTime, earlier: u32, jitter: f64) -> Option<WallTime> {
    let doubled = FIRST_PAUSE.saturating_mul(1_u32.checked_shl(earlier).unwrap_or(u32::MAX));
    let pause = doubled.min(LONGEST_PAUSE).mul_f64(1.0 - jitter / 2.0);
    let due = WallTime(now.0.saturating_add(micros(pause)));
    (!is_too_old(due, at)).then_some(due)
}

/// Whether an event of `at` is to be dropped, even if nobody has tried to deliver it.
pub fn is_too_old(now: WallTime, at: WallTime) -> bool {
    now.0 - at.0 > micros(GIVEN_UP_AFTER)
}

fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: i64 = 1_000_000;

    fn pause(earlier: u32, jitter: f64) -> i64 {
        retry_at(WallTime(0), WallTime(0), earlier, jitter)
            .unwrap()
            .0
    }

    #[test]
    fn pauses_double_up_to_a_quarter_of_an_hour() {
        let pauses: Vec<i64> = [0, 1, 2, 9, 10, 31, 32, u32::MAX]
            .into_iter()
            .map(|earlier| pause(earlier, 0.0) / SECOND)
            .collect();
        assert_eq!(pauses, [1, 2, 4, 512, 900, 900, 900, 900]);
    }

    #[test]
    fn jitter_takes_at_most_half() {
        assert_eq!(pause(3, 1.0), 4 * SECOND);
        assert_eq!(pause(3, 0.5), 6 * SECOND);
    }

    #[test]
    fn after_a_day_it_is_over() {
        let day = 24 * 60 * 60 * SECOND;
        assert!(retry_at(WallTime(day - SECOND), WallTime(0), 0, 0.0).is_some());
        assert_eq!(
            retry_at(WallTime(day - SECOND + 1), WallTime(0), 0, 0.0),
            None
        );
        assert!(!is_too_old(WallTime(day), WallTime(0)));
        assert!(is_too_old(WallTime(day + 1), WallTime(0)));
    }
}
