//! Admission: what the running workers cost, and whether the machine has room for one more.
//!
//! Counted is the CPU time of the workers alone, so other programs refuse nobody, at full quality: what the degradation
//! ladder saves is no room.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use compositor_core::id::CompositionId;
use compositor_core::quality::Quality;
use compositor_core::time::MonotonicTime;
use compositor_core::worker_protocol::WorkerStats;

/// Costs are means of so long: the seconds of a keyframe are not those of the next one.
const WINDOW: Duration = Duration::from_secs(10);

/// A worker that reported for less than this counts as estimated: it still pays for its start, or catches up.
const MEASURED_AFTER: Duration = Duration::from_secs(5);

/// The estimate, in CPUs, before any was measured: a few publishers at 720p30 (`benches/RESULTS.md`).
const FIRST_ESTIMATE: f64 = 0.25;

/// Why no composition is started now.
#[derive(Clone, Copy, PartialEq, Debug, thiserror::Error)]
#[error(
    "this server is full: its compositions use {used:.2} CPUs, one more is estimated at {estimate:.2}, at most \
     {limit:.2} allowed"
)]
pub struct MachineFull {
    /// What the running ones use, in CPUs; those that were just started as estimated.
    pub used: f64,
    /// What one more would use.
    pub estimate: f64,
    /// What all together may use.
    pub limit: f64,
}

/// The costs of all running compositions.
#[derive(Debug)]
pub struct Load {
    limit: f64,
    estimate: f64,
    costs: BTreeMap<CompositionId, Cost>,
}

/// Of one composition.
#[derive(Debug, Default)]
struct Cost {
    /// The worker's counter when it was last read, milliseconds.
    counter_ms: u64,
    /// CPU time so far, of all its workers, as if at full quality; seconds.
    total: f64,
    /// The total at each report within the window and at the last one before it.
    reports: VecDeque<(MonotonicTime, f64)>,
}

impl Load {
    /// Compositions may use `limit` CPUs.
    pub fn new(limit: f64) -> Self {
        Self {
            limit,
            estimate: FIRST_ESTIMATE,
            costs: BTreeMap::new(),
        }
    }

    /// Counts one more composition from now on, if there is room; the only one always has it.
    pub(super) fn admit(&mut self, composition: CompositionId) -> Result<(), MachineFull> {
        let of = |cost: &Cost| cost.cpus().unwrap_or(self.estimate);
        let full = MachineFull {
            used: self.costs.values().map(of).sum(),
            estimate: self.estimate,
            limit: self.limit,
        };
        if !self.costs.is_empty() && full.used + full.estimate > full.limit {
            return Err(full);
        }
        self.costs.insert(composition, Cost::default());
        Ok(())
    }

    /// Counts a composition that ran already when the server was killed.
    pub(super) fn adopt(&mut self, composition: CompositionId) {
        self.costs.insert(composition, Cost::default());
    }

    /// The worker of a composition that was admitted said this.
    pub(super) fn report(
        &mut self,
        now: MonotonicTime,
        composition: &CompositionId,
        stats: &WorkerStats,
    ) {
        let Some(cost) = self.costs.get_mut(composition) else {
            return;
        };
        cost.report(now, stats);
        let measured: Vec<f64> = self.costs.values().filter_map(Cost::cpus).collect();
        if !measured.is_empty() {
            self.estimate = measured.iter().sum::<f64>() / measured.len() as f64;
        }
    }

    /// The composition is over.
    pub(super) fn forget(&mut self, composition: &CompositionId) {
        self.costs.remove(composition);
    }
}

impl Cost {
    fn report(&mut self, now: MonotonicTime, stats: &WorkerStats) {
        // A successor counts from zero, and what it pays for its start is not counted.
        let spent_ms = stats.cpu_ms.saturating_sub(self.counter_ms);
        self.counter_ms = stats.cpu_ms;
        let share = f64::from(Quality::at(stats.step).cost_percent) / 100.0;
        self.total += spent_ms as f64 / 1000.0 / share;
        self.reports.push_back((now, self.total));
        while let Some((at, _)) = self.reports.get(1)
            && now.since(*at) >= WINDOW
        {
            self.reports.pop_front();
        }
    }

    /// CPU seconds per second; `None` until it is known.
    fn cpus(&self) -> Option<f64> {
        let ((from, before), (until, after)) = (self.reports.front()?, self.reports.back()?);
        let over = until.since(*from);
        (over >= MEASURED_AFTER).then(|| (after - before) / over.as_secs_f64())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;

    fn id(name: &str) -> CompositionId {
        CompositionId::new(name)
    }

    /// A worker that uses `cpus` reports each second of `seconds`.
    fn run(load: &mut Load, name: &str, cpus: f64, seconds: std::ops::Range<u64>, step: u8) {
        for second in seconds {
            let stats = WorkerStats {
                cpu_ms: (second as f64 * cpus * 1000.0) as u64,
                step,
                ..WorkerStats::default()
            };
            load.report(MonotonicTime(second * SECOND), &id(name), &stats);
        }
    }

    fn near(found: f64, expected: f64) -> bool {
        (found - expected).abs() < 0.01
    }

    #[test]
    fn the_only_composition_is_admitted_whatever_it_costs() {
        let mut load = Load::new(0.01);
        load.admit(id("a")).unwrap();
        let full = load.admit(id("b")).unwrap_err();
        assert_eq!((full.used, full.estimate), (FIRST_ESTIMATE, FIRST_ESTIMATE));
        assert_eq!(
            full.to_string(),
            "this server is full: its compositions use 0.25 CPUs, one more is estimated at 0.25, at most 0.01 allowed"
        );
        load.forget(&id("a"));
        load.admit(id("b")).unwrap();
    }

    #[test]
    fn measured_costs_replace_the_estimate_and_the_next_one_is_estimated_by_their_mean() {
        let mut load = Load::new(1.5);
        load.admit(id("a")).unwrap();
        load.admit(id("b")).unwrap();
        run(&mut load, "a", 0.8, 0..5, 0);
        assert_eq!(load.estimate, FIRST_ESTIMATE);
        run(&mut load, "a", 0.8, 5..6, 0);
        run(&mut load, "b", 0.4, 0..6, 0);
        let full = load.admit(id("c")).unwrap_err();
        assert!(near(full.used, 1.2) && near(full.estimate, 0.6), "{full}");
        load.forget(&id("a"));
        load.admit(id("c")).unwrap();
    }

    #[test]
    fn a_cost_is_that_of_the_last_ten_seconds() {
        let mut load = Load::new(9.0);
        load.admit(id("a")).unwrap();
        run(&mut load, "a", 0.2, 0..100, 0);
        assert!(near(load.estimate, 0.2));
        for second in 100..=110 {
            let stats = WorkerStats {
                cpu_ms: 19_800 + (second - 99) * 700,
                ..WorkerStats::default()
            };
            load.report(MonotonicTime(second * SECOND), &id("a"), &stats);
        }
        assert!(near(load.estimate, 0.7), "{}", load.estimate);
    }

    #[test]
    fn a_degraded_composition_counts_at_full_quality() {
        let mut load = Load::new(9.0);
        load.admit(id("a")).unwrap();
        let step = 3;
        let share = f64::from(Quality::at(step).cost_percent) / 100.0;
        run(&mut load, "a", share, 0..20, step);
        assert!(near(load.estimate, 1.0), "{}", load.estimate);
    }

    #[test]
    fn a_successor_counts_from_zero() {
        let mut load = Load::new(9.0);
        load.admit(id("a")).unwrap();
        run(&mut load, "a", 0.5, 0..10, 0);
        let stats = WorkerStats {
            cpu_ms: 700,
            ..WorkerStats::default()
        };
        load.report(MonotonicTime(10 * SECOND), &id("a"), &stats);
        assert!(near(load.estimate, 0.45), "{}", load.estimate);
    }
}
