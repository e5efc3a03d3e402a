//! How often a worker may die before its composition is given up.

use std::collections::VecDeque;

use crate::limits::{WORKER_DEATHS_EXPLAINED_MAX, WORKER_DEATHS_MAX, WORKER_DEATHS_WINDOW};
use crate::time::MonotonicTime;

/// The deaths of one composition's workers.
#[derive(Clone, Debug, Default)]
pub struct RestartBudget {
    deaths: VecDeque<MonotonicTime>,
    explained: VecDeque<MonotonicTime>,
    /// Deaths in a row of workers that brought nothing new.
    fruitless: usize,
}

/// What to do about a death.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum AfterDeath {
    /// Start a successor.
    Restart,
    /// Report [`crate::composition::Input::WorkerFailed`].
    GiveUp,
}

impl RestartBudget {
    /// Counts a death. At most [`WORKER_DEATHS_MAX`] within [`WORKER_DEATHS_WINDOW`] are forgiven, and in a row no more than that,
    /// whatever the time, of workers that have not `brought` a frame.
    pub fn record_death(&mut self, now: MonotonicTime, brought: bool) -> AfterDeath {
        forget_before(&mut self.deaths, now);
        self.fruitless = if brought { 0 } else { self.fruitless + 1 };
        if self.deaths.len() >= WORKER_DEATHS_MAX || self.fruitless > WORKER_DEATHS_MAX {
            return AfterDeath::GiveUp;
        }
        self.deaths.push_back(now);
        AfterDeath::Restart
    }

    /// Counts a death of which, like of the one before, the cause is known and will not kill again: both are forgiven, up to
    /// [`WORKER_DEATHS_EXPLAINED_MAX`] times within [`WORKER_DEATHS_WINDOW`].
    pub fn record_explained(&mut self, now: MonotonicTime) -> AfterDeath {
        forget_before(&mut self.explained, now);
        if self.explained.len() >= WORKER_DEATHS_EXPLAINED_MAX {
            return AfterDeath::GiveUp;
        }
        self.explained.push_back(now);
        self.deaths.pop_back();
        self.fruitless = self.fruitless.saturating_sub(1);
        AfterDeath::Restart
    }
}

/// Forgets what lies back further than the window.
fn forget_before(deaths: &mut VecDeque<MonotonicTime>, now: MonotonicTime) {
    while deaths
        .front()
        .is_some_and(|&death| now.since(death) >= WORKER_DEATHS_WINDOW)
    {
        deaths.pop_front();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn five_deaths_within_a_minute_are_forgiven_and_the_sixth_is_not() {
        let mut budget = RestartBudget::default();
        for second in 0..5 {
            let now = MonotonicTime(second * 1_000_000_000);
            assert_eq!(budget.record_death(now, true), AfterDeath::Restart);
        }
        let edge = MonotonicTime(60_000_000_000);
        assert_eq!(
            budget.record_death(MonotonicTime(edge.0 - 1), true),
            AfterDeath::GiveUp
        );
        assert_eq!(budget.record_death(edge, true), AfterDeath::Restart);
    }

    #[test]
    fn five_that_brought_nothing_are_forgiven_in_a_row_however_long_they_lived() {
        let mut budget = RestartBudget::default();
        let mut minute = 0;
        let mut die = |brought| {
            minute += 1;
            budget.record_death(MonotonicTime(minute * 60_000_000_000), brought)
        };
        for _ in 0..5 {
            assert_eq!(die(false), AfterDeath::Restart);
        }
        assert_eq!(die(true), AfterDeath::Restart);
        for _ in 0..5 {
            assert_eq!(die(false), AfterDeath::Restart);
        }
        assert_eq!(die(false), AfterDeath::GiveUp);
    }

    #[test]
    fn deaths_that_are_explained_do_not_count() {
        let mut budget = RestartBudget::default();
        // The others are unexplained, and all that is forgiven.
        for death in 0..WORKER_DEATHS_MAX as u64 - 1 {
            assert_eq!(
                budget.record_death(MonotonicTime(death), false),
                AfterDeath::Restart
            );
        }
        for pair in 0..WORKER_DEATHS_EXPLAINED_MAX as u64 {
            let now = MonotonicTime(1_000 + pair);
            assert_eq!(budget.record_death(now, false), AfterDeath::Restart);
            assert_eq!(budget.record_explained(now), AfterDeath::Restart);
        }
        let now = MonotonicTime(2_000);
        assert_eq!(budget.record_death(now, false), AfterDeath::Restart);
        assert_eq!(budget.record_explained(now), AfterDeath::GiveUp);
    }

    #[test]
    fn rare_deaths_are_forgiven_for_ever() {
        let mut budget = RestartBudget::default();
        for minute in 0..1_000 {
            let now = MonotonicTime(minute * 12_100_000_000);
            assert_eq!(budget.record_death(now, true), AfterDeath::Restart);
        }
    }
}
