//! How fast media comes, compared with how fast it plays. Pure.

use std::collections::VecDeque;
use std::time::Duration;

use compositor_core::time::MonotonicTime;

/// The span over which the ingest is measured.
const METER_SPAN: Duration = Duration::from_secs(5);

/// Arrivals closer together than this are counted as one, which bounds the meter.
const METER_STEP: Duration = Duration::from_millis(100);

/// How much media came in the last [`METER_SPAN`].
#[derive(Debug)]
pub(crate) struct Meter {
    since: MonotonicTime,
    arrivals: VecDeque<(MonotonicTime, Duration)>,
}

impl Meter {
    pub(crate) fn new(now: MonotonicTime) -> Self {
        Self {
            since: now,
            arrivals: VecDeque::new(),
        }
    }

    pub(crate) fn add(&mut self, now: MonotonicTime, span: Duration) {
        match self.arrivals.back_mut() {
            Some((at, sum)) if now.since(*at) < METER_STEP => *sum += span,
            Some(_) | None => self.arrivals.push_back((now, span)),
        }
        self.forget(now);
    }

    /// Media per time in percent; `None` until a whole span was seen.
    pub(crate) fn percent(&mut self, now: MonotonicTime) -> Option<u32> {
        if now.since(self.since) < METER_SPAN {
            return None;
        }
        self.forget(now);
        let media: Duration = self.arrivals.iter().map(|(_, span)| *span).sum();
        let percent = media.as_millis() * 100 / METER_SPAN.as_millis();
        Some(u32::try_from(percent).unwrap_or(u32::MAX))
    }

    fn forget(&mut self, now: MonotonicTime) {
        while self
            .arrivals
            .front()
            .is_some_and(|(at, _)| now.since(*at) > METER_SPAN)
        {
            self.arrivals.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_said_before_a_whole_span_and_only_the_last_span_counts() {
        let mut meter = Meter::new(MonotonicTime(0));
        let mut now = MonotonicTime(0);
        for _ in 0..50 {
            meter.add(now, Duration::from_millis(100));
            assert_eq!(meter.percent(now), None);
            now = now.plus(Duration::from_millis(100));
        }
        assert_eq!(meter.percent(now), Some(100));
        assert_eq!(
            meter.percent(now.plus(Duration::from_millis(2500))),
            Some(50)
        );
        assert_eq!(meter.percent(now.plus(METER_SPAN)), Some(0));
    }

    #[test]
    fn many_small_arrivals_take_little_room() {
        let mut meter = Meter::new(MonotonicTime(0));
        for ms in 0..20_000 {
            meter.add(MonotonicTime(ms * 1_000_000), Duration::from_millis(1));
        }
        assert!(meter.arrivals.len() <= 51, "{}", meter.arrivals.len());
    }
}
