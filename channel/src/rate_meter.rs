//! The bit rate of an ingest, sustained: a burst after a stall is no breach. Pure.

use std::collections::VecDeque;
use std::time::Duration;

use compositor_core::time::MonotonicTime;

/// The span over which the rate is measured.
const RATE_SPAN: Duration = Duration::from_secs(10);

/// Arrivals closer together than this are counted as one, which bounds the meter.
const RATE_STEP: Duration = Duration::from_millis(100);

/// How much more media than time may be counted for: what an encoder holds back while its connection stalls. Without this
/// cap, timestamps that run ahead would excuse any rate.
const BURST_MAX: Duration = Duration::from_secs(5);

/// Media of the last [`RATE_SPAN`].
#[derive(Debug)]
pub(crate) struct RateMeter {
    since: MonotonicTime,
    arrivals: VecDeque<Arrival>,
}

#[derive(Debug)]
struct Arrival {
    at: MonotonicTime,
    bytes: u64,
    media: Duration,
}

impl RateMeter {
    pub(crate) fn new(now: MonotonicTime) -> Self {
        Self {
            since: now,
            arrivals: VecDeque::new(),
        }
    }

    /// Takes note of media. Bits per second, once a whole span was seen: over its media time or the clock's, whichever is
    /// longer.
    pub(crate) fn add(&mut self, now: MonotonicTime, bytes: usize, media: Duration) -> Option<u64> {
        let bytes = bytes as u64;
        match self.arrivals.back_mut() {
            Some(last) if now.since(last.at) < RATE_STEP => {
                last.bytes += bytes;
                last.media += media;
            }
            Some(_) | None => self.arrivals.push_back(Arrival {
                at: now,
                bytes,
                media,
            }),
        }
        let oldest = |arrival: &mut Arrival| now.since(arrival.at) > RATE_SPAN;
        while self.arrivals.pop_front_if(oldest).is_some() {}
        if now.since(self.since) < RATE_SPAN {
            return None;
        }
        let bytes: u64 = self.arrivals.iter().map(|arrival| arrival.bytes).sum();
        let media: Duration = self.arrivals.iter().map(|arrival| arrival.media).sum();
        let span = media.clamp(RATE_SPAN, RATE_SPAN + BURST_MAX);
        u64::try_from(u128::from(bytes) * 8 * 1000 / span.as_millis()).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FRAME: Duration = Duration::from_millis(40);

    /// The highest rate of frames that come `every` so often and claim to play for `media`.
    fn peak(bytes: usize, every: Duration, media: Duration) -> Option<u64> {
        let mut meter = RateMeter::new(MonotonicTime(0));
        let mut now = MonotonicTime(0);
        let rates: Vec<Option<u64>> = (0..1000)
            .map(|_| {
                now = now.plus(every);
                meter.add(now, bytes, media)
            })
            .collect();
        rates.into_iter().flatten().max()
    }

    #[test]
    fn steady_media_has_its_rate() {
        let rate = peak(40_000, FRAME, FRAME).unwrap();
        assert!((7_900_000..8_100_000).contains(&rate), "{rate}");
    }

    #[test]
    fn nothing_is_said_before_a_whole_span() {
        let mut meter = RateMeter::new(MonotonicTime(0));
        let early = MonotonicTime(9_900_000_000);
        assert_eq!(meter.add(early, 100_000_000, FRAME), None);
    }

    #[test]
    fn what_was_held_back_by_a_stall_is_no_breach() {
        let mut meter = RateMeter::new(MonotonicTime(0));
        let mut now = MonotonicTime(0);
        let mut peak = 0;
        for n in 0..1000 {
            // Every hundred frames come four seconds late, all at once, and the next on time.
            if n % 200 < 100 || n % 200 == 199 {
                now = MonotonicTime((n + 1) * 40_000_000);
            }
            peak = peak.max(meter.add(now, 40_000, FRAME).unwrap_or(0));
        }
        assert!(peak < 8_500_000, "{peak}");
    }

    #[test]
    fn timestamps_that_stand_or_race_excuse_little() {
        let standing = peak(40_000, FRAME, Duration::ZERO).unwrap();
        assert!(standing > 7_900_000, "{standing}");
        let racing = peak(40_000, FRAME, FRAME * 10).unwrap();
        assert!(racing > 5_200_000, "{racing}");
    }
}
