//! The wake-ups of a composition, by name.

use serde::{Deserialize, Serialize};

use crate::limits::DESTINATIONS_PER_COMPOSITION_MAX;
use crate::time::MonotonicTime;

/// Something that happens by itself at a certain time.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub(super) enum Timer {
    /// Nobody is publishing.
    Idle,
    /// The composition has reached its greatest age.
    Lifetime,
    /// Draining takes too long.
    StopLimit,
    /// The ended composition is to be forgotten.
    Forget,
    /// The destination of this index is to be tried again.
    Retry(u8),
    /// The destination of this index has been tried for long enough.
    RetryBudget(u8),
}

const TIMERS: usize = 4 + 2 * DESTINATIONS_PER_COMPOSITION_MAX;

/// Which timers run, and until when.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Timers {
    deadlines: [Option<MonotonicTime>; TIMERS],
}

impl Timers {
    /// Starts `timer`, or moves its deadline.
    pub(super) fn arm(&mut self, timer: Timer, deadline: MonotonicTime) {
        self.deadlines[timer.index()] = Some(deadline);
    }

    /// Stops `timer` if it runs.
    pub(super) fn disarm(&mut self, timer: Timer) {
        self.deadlines[timer.index()] = None;
    }

    /// Stops all timers.
    pub(super) fn disarm_all(&mut self) {
        self.deadlines = [None; TIMERS];
    }

    /// Stops and returns the timer that ran out first, if one has run out by `now`.
    pub(super) fn pop_due(&mut self, now: MonotonicTime) -> Option<Timer> {
        let (deadline, timer) = self
            .running()
            .map(|(timer, at)| (at, timer))
            .min_by_key(|d| d.0)?;
        if deadline > now {
            return None;
        }
        self.disarm(timer);
        Some(timer)
    }

    /// When `timer` runs out, if it runs.
    pub(super) fn deadline(&self, timer: Timer) -> Option<MonotonicTime> {
        self.deadlines[timer.index()]
    }

    /// The earliest deadline.
    pub(super) fn next(&self) -> Option<MonotonicTime> {
        self.deadlines.iter().flatten().min().copied()
    }

    /// All that run, in a fixed order.
    pub(super) fn running(&self) -> impl Iterator<Item = (Timer, MonotonicTime)> + '_ {
        Timer::all().filter_map(|timer| Some((timer, self.deadline(timer)?)))
    }
}

impl Timer {
    fn index(self) -> usize {
        match self {
            Self::Idle => 0,
            Self::Lifetime => 1,
            Self::StopLimit => 2,
            Self::Forget => 3,
            Self::Retry(destination) => 4 + 2 * usize::from(destination),
            Self::RetryBudget(destination) => 5 + 2 * usize::from(destination),
        }
    }

    fn all() -> impl Iterator<Item = Self> {
        let destinations = 0..DESTINATIONS_PER_COMPOSITION_MAX as u8;
        [Self::Idle, Self::Lifetime, Self::StopLimit, Self::Forget]
            .into_iter()
            .chain(destinations.flat_map(|index| [Self::Retry(index), Self::RetryBudget(index)]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_timer_has_a_place_of_its_own() {
        let mut places: Vec<usize> = Timer::all().map(Timer::index).collect();
        places.sort_unstable();
        assert_eq!(places, (0..TIMERS).collect::<Vec<_>>());
    }

    #[test]
    fn timers_run_out_in_order_and_not_a_nanosecond_early() {
        let mut timers = Timers::default();
        timers.arm(Timer::Idle, MonotonicTime(20));
        timers.arm(Timer::Retry(1), MonotonicTime(10));
        assert_eq!(timers.next(), Some(MonotonicTime(10)));
        assert_eq!(timers.pop_due(MonotonicTime(9)), None);
        assert_eq!(timers.pop_due(MonotonicTime(20)), Some(Timer::Retry(1)));
        assert_eq!(timers.pop_due(MonotonicTime(20)), Some(Timer::Idle));
        assert_eq!(timers.pop_due(MonotonicTime(20)), None);
        assert_eq!(timers.next(), None);
    }
}
