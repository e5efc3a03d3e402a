//! The degradation ladder: tables of what it decides, and what holds whatever a worker reports.

use std::time::Duration;

use compositor_core::ladder::{Ladder, Pace};
use compositor_core::limits::{
    COMPOSITION_DELAY, DEGRADE_AFTER, LATE_BEYOND_DELAY, LATE_BUSY_PERCENT_MIN,
    ON_TIME_BEYOND_DELAY, RESTORE_AFTER, RESTORE_AFTER_MAX, RESTORED_FOR,
};
use compositor_core::quality::STEP_MAX;
use compositor_core::time::MonotonicTime;
use proptest::prelude::{Just, Strategy, prop_assert, prop_assert_eq, prop_oneof, proptest};

/// A ladder, its worker, which obeys at once, and the time.
struct World {
    ladder: Ladder,
    step: u8,
    now: MonotonicTime,
    taken: Vec<(u64, u8)>,
}

const LATE_MS: u64 = (COMPOSITION_DELAY.as_millis() + LATE_BEYOND_DELAY.as_millis()) as u64 + 1;
const ON_TIME_MS: u64 = COMPOSITION_DELAY.as_millis() as u64 + 33;

impl World {
    fn new() -> Self {
        Self {
            ladder: Ladder::default(),
            step: 0,
            now: MonotonicTime(0),
            taken: Vec::new(),
        }
    }

    /// What the worker reports after another second.
    fn second(&mut self, behind_ms: u64, busy_percent: u8) {
        self.now = self.now.plus(Duration::from_secs(1));
        let pace = Pace {
            behind: Duration::from_millis(behind_ms),
            busy_percent,
            step: self.step,
        };
        if let Some(step) = self.ladder.see(self.now, pace) {
            self.step = step;
            self.taken.push((self.now.0 / 1_000_000_000, step));
        }
    }

    fn seconds(&mut self, count: u64, behind_ms: impl Fn(u64) -> u64, busy_percent: u8) {
        (0..count).for_each(|second| self.second(behind_ms(second), busy_percent));
    }

    /// Goes down by one step.
    fn step_down(&mut self) {
        let before = self.step;
        while self.step == before {
            self.second(LATE_MS, 100);
        }
    }

    /// Seconds of keeping pace until the next step up.
    fn seconds_to_step_up(&mut self) -> u64 {
        let (before, begun) = (self.step, self.now);
        while self.step == before {
            self.second(ON_TIME_MS, 10);
        }
        self.now.since(begun).as_secs()
    }
}

#[test]
fn who_stays_late_goes_down_a_step_at_a_time_to_the_last() {
    let mut world = World::new();
    world.seconds(60, |second| LATE_MS + 300 * second, 100);
    assert_eq!(world.taken, [(3, 1), (6, 2), (9, 3), (12, 4), (15, 5)]);
}

#[test]
fn who_catches_up_stays() {
    let mut world = World::new();
    world.seconds(60, |second| 20_000 - 100 * second, 100);
    assert_eq!(world.taken, []);
}

#[test]
fn who_is_late_for_a_moment_stays() {
    let mut world = World::new();
    for _ in 0..20 {
        world.seconds(2, |_| LATE_MS, 100);
        world.second(LATE_MS - 1, 100);
    }
    assert_eq!(world.taken, []);
}

#[test]
fn who_is_late_because_the_server_is_stays() {
    let mut world = World::new();
    world.seconds(60, |second| LATE_MS + second, LATE_BUSY_PERCENT_MIN - 1);
    assert_eq!(world.taken, []);
}

#[test]
fn a_step_that_is_not_obeyed_yet_is_waited_for() {
    let mut world = World::new();
    world.seconds(3, |_| LATE_MS, 100);
    assert_eq!(world.ladder.step(), 1);
    world.step = 0;
    world.seconds(60, |second| LATE_MS + second, 100);
    assert_eq!(world.taken, [(3, 1)]);
}

#[test]
fn who_keeps_pace_with_cpu_to_spare_goes_up_to_full_quality() {
    let mut world = World::new();
    (0..STEP_MAX).for_each(|_| world.step_down());
    world.taken.clear();
    world.now = MonotonicTime(0);
    world.seconds(60, |_| ON_TIME_MS, 40);
    assert_eq!(world.taken, [(6, 4), (12, 3), (18, 2), (24, 1), (30, 0)]);
}

#[test]
fn who_is_busy_or_not_quite_on_time_stays_down() {
    for (behind_ms, busy_percent) in [
        (ON_TIME_MS, 85),
        (ON_TIME_MS + ON_TIME_BEYOND_DELAY.as_millis() as u64, 10),
    ] {
        let mut world = World::new();
        world.step_down();
        world.seconds(600, |_| behind_ms, busy_percent);
        assert_eq!(world.step, 1);
    }
}

#[test]
fn a_step_up_that_does_not_last_is_tried_again_twice_as_late() {
    let mut world = World::new();
    let mut expected = RESTORE_AFTER.as_secs();
    for _ in 0..10 {
        world.step_down();
        // One more report begins the wait.
        assert_eq!(world.seconds_to_step_up(), expected + 1);
        expected = (2 * expected).min(RESTORE_AFTER_MAX.as_secs());
    }
    world.seconds(RESTORED_FOR.as_secs(), |_| ON_TIME_MS, 10);
    world.step_down();
    assert_eq!(world.seconds_to_step_up(), RESTORE_AFTER.as_secs() + 1);
}

/// Reports of a worker, good and bad, at any pace; it obeys sooner or later.
fn reports() -> impl Strategy<Value = Vec<(u64, u64, u8, bool)>> {
    let behind = prop_oneof![Just(0), Just(ON_TIME_MS), Just(LATE_MS), 0..10_000_u64];
    let obeys = prop_oneof![3 => Just(true), 1 => Just(false)];
    proptest::collection::vec((0..4_000_u64, behind, 0..=100_u8, obeys), 0..200)
}

proptest! {
    #[test]
    fn it_takes_one_step_at_a_time_within_its_range_and_never_faster_than_the_hold_times(reports in reports()) {
        let mut ladder = Ladder::default();
        let (mut now, mut obeyed) = (MonotonicTime(0), 0);
        let mut last: Option<MonotonicTime> = None;
        for (wait_ms, behind_ms, busy_percent, obeys) in reports {
            now = now.plus(Duration::from_millis(wait_ms));
            if obeys {
                obeyed = ladder.step();
            }
            let before = ladder.step();
            let pace = Pace { behind: Duration::from_millis(behind_ms), busy_percent, step: obeyed };
            let Some(step) = ladder.see(now, pace) else {
                prop_assert_eq!(ladder.step(), before);
                continue;
            };
            prop_assert_eq!(step, ladder.step());
            prop_assert!(step <= STEP_MAX && step.abs_diff(before) == 1);
            prop_assert_eq!(obeyed, before);
            let hold = if step > before { DEGRADE_AFTER } else { RESTORE_AFTER };
            prop_assert!(last.is_none_or(|last| now.since(last) >= hold));
            prop_assert_eq!(step > before, behind_ms >= LATE_MS);
            last = Some(now);
        }
    }
}
