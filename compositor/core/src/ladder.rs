//! When a composition goes down the degradation ladder, and when up again.
//!
//! Decides on what the worker reports, about once a second. Down: it is busy, stays too far behind the stage and does
//! not catch up. Up: it has kept pace for a while and was idle enough for what the step above costs; if that step does not last, the
//! next attempt waits twice as long. A step that was decided waits to be obeyed before anything else is decided.

use std::time::Duration;

use crate::limits::{
    COMPOSITION_DELAY, DEGRADE_AFTER, LATE_BEYOND_DELAY, LATE_BUSY_PERCENT_MIN,
    ON_TIME_BEYOND_DELAY, RESTORE_AFTER, RESTORE_AFTER_MAX, RESTORE_BUSY_PERCENT_MAX, RESTORED_FOR,
};
use crate::quality::{Quality, STEP_MAX};
use crate::time::MonotonicTime;

/// What a worker was seen to do.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Pace {
    /// How far its newest frame is behind the stage clock.
    pub behind: Duration,
    /// How much of its time it did not wait for the server.
    pub busy_percent: u8,
    /// The step that it obeys.
    pub step: u8,
}

/// The ladder of one composition.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Ladder {
    step: u8,
    trend: Trend,
    restore_after: Duration,
    /// The last step up, until it has lasted.
    restored_at: Option<MonotonicTime>,
}

/// What leads to the next step.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Trend {
    /// Nothing.
    None,
    /// It is too late since then, when it was so far behind.
    Late {
        since: MonotonicTime,
        behind: Duration,
    },
    /// It has had CPU to spare since then.
    Spare { since: MonotonicTime },
}

impl Default for Ladder {
    /// Full quality.
    fn default() -> Self {
        Self {
            step: 0,
            trend: Trend::None,
            restore_after: RESTORE_AFTER,
            restored_at: None,
        }
    }
}

impl Ladder {
    /// The step that was decided last.
    pub fn step(&self) -> u8 {
        self.step
    }

    /// Takes what was seen at `now`; answers with the new step when it is time for one.
    pub fn see(&mut self, now: MonotonicTime, pace: Pace) -> Option<u8> {
        if pace.step != self.step {
            self.trend = Trend::None;
            return None;
        }
        if self
            .restored_at
            .is_some_and(|at| now.since(at) >= RESTORED_FOR)
        {
            self.restored_at = None;
            self.restore_after = RESTORE_AFTER;
        }
        let beyond_delay = pace.behind.saturating_sub(COMPOSITION_DELAY);
        if beyond_delay > LATE_BEYOND_DELAY && pace.busy_percent >= LATE_BUSY_PERCENT_MIN {
            return self.late(now, pace.behind);
        }
        if beyond_delay > ON_TIME_BEYOND_DELAY || !self.has_room_above(pace.busy_percent) {
            self.trend = Trend::None;
            return None;
        }
        self.spare(now)
    }

    fn late(&mut self, now: MonotonicTime, behind: Duration) -> Option<u8> {
        let Trend::Late {
            since,
            behind: before,
        } = self.trend
        else {
            self.trend = Trend::Late { since: now, behind };
            return None;
        };
        if now.since(since) < DEGRADE_AFTER {
            return None;
        }
        self.trend = Trend::Late { since: now, behind };
        if behind < before || self.step >= STEP_MAX {
            return None;
        }
        if self.restored_at.take().is_some() {
            self.restore_after = (self.restore_after * 2).min(RESTORE_AFTER_MAX);
        }
        Some(self.take_step(self.step + 1))
    }

    fn spare(&mut self, now: MonotonicTime) -> Option<u8> {
        let Trend::Spare { since } = self.trend else {
            self.trend = Trend::Spare { since: now };
            return None;
        };
        if now.since(since) < self.restore_after {
            return None;
        }
        self.restored_at = Some(now);
        Some(self.take_step(self.step - 1))
    }

    fn take_step(&mut self, step: u8) -> u8 {
        self.step = step;
        self.trend = Trend::None;
        step
    }

    /// Whether a worker that is so busy could afford the step above.
    fn has_room_above(&self, busy_percent: u8) -> bool {
        let Some(above) = self.step.checked_sub(1) else {
            return false;
        };
        let costs = Quality::at(above).cost_percent * u32::from(busy_percent);
        costs <= RESTORE_BUSY_PERCENT_MAX * Quality::at(self.step).cost_percent
    }
}
