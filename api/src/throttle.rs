//! Request rates of the service, per account and operation: `[limits] profile = "aws"`.
//! <https://docs.aws.amazon.com/ivs/latest/LowLatencyUserGuide/service-quotas.html>

use std::collections::HashMap;
use std::time::Duration;

use compositor_core::time::WallTime;
use parking_lot::Mutex;

use crate::error::ApiError;

/// Buckets beyond this are looked through, and those that are full again are dropped.
const BUCKETS_MAX: usize = 10_000;

/// PutMetadata of one channel, beside the rate of the account.
const METADATA_PER_CHANNEL: u32 = 5;

const MICROS: f64 = 1e6;

/// Limits the rate of requests; each rate allows a burst of one second.
#[derive(Debug, Default)]
pub struct Throttle {
    buckets: Mutex<HashMap<(String, String), Bucket>>,
}

/// Tokens that come back at a steady rate.
#[derive(Clone, Copy, Debug)]
struct Bucket {
    per_second: f64,
    tokens: f64,
    at: WallTime,
}

impl Throttle {
    /// Takes a token for the request, or refuses it and says when to come again.
    pub fn admit(
        &self,
        now: WallTime,
        account: &str,
        operation: &str,
        resource: Option<&str>,
    ) -> Result<(), ApiError> {
        if let ("PutMetadata", Some(channel)) = (operation, resource) {
            self.take(now, account, channel, METADATA_PER_CHANNEL)
                .map_err(|wait| ApiError::throttled(operation, METADATA_PER_CHANNEL, wait))?;
        }
        let rate = rate_of(operation);
        self.take(now, account, operation, rate)
            .map_err(|wait| ApiError::throttled(operation, rate, wait))
    }

    fn take(
        &self,
        now: WallTime,
        account: &str,
        what: &str,
        per_second: u32,
    ) -> Result<(), Duration> {
        let mut buckets = self.buckets.lock();
        if buckets.len() >= BUCKETS_MAX {
            buckets.retain(|_, bucket| !bucket.is_full(now));
        }
        let key = (account.to_owned(), what.to_owned());
        let bucket = buckets.entry(key).or_insert(Bucket {
            per_second: f64::from(per_second),
            tokens: f64::from(per_second),
            at: now,
        });
        bucket.take(now)
    }
}

impl Bucket {
    fn filled(self, now: WallTime) -> f64 {
        // A clock that went back gives nothing and takes nothing.
        let passed = (now.0 - self.at.0).max(0) as f64 / MICROS;
        (self.tokens + passed * self.per_second).min(self.per_second)
    }

    fn is_full(self, now: WallTime) -> bool {
        self.filled(now) >= self.per_second
    }

    fn take(&mut self, now: WallTime) -> Result<(), Duration> {
        self.tokens = self.filled(now);
        self.at = now;
        if self.tokens >= 1.0 {
            self.tokens -= 1.0;
            return Ok(());
        }
        Err(Duration::from_secs_f64(
            (1.0 - self.tokens) / self.per_second,
        ))
    }
}

/// Requests per second of an account.
fn rate_of(operation: &str) -> u32 {
    let about = |names: &[&str]| names.iter().any(|name| operation.contains(name));
    match operation {
        "CreateParticipantToken" => 50,
        "PutMetadata" => 155,
        "TagResource"
        | "UntagResource"
        | "ListTagsForResource"
        | "StartViewerSessionRevocation" => 10,
        "BatchStartViewerSessionRevocation" => 2,
        "InsertAdBreak" => 1,
        _ if about(&[
            "PublicKey",
            "PlaybackKeyPair",
            "RecordingConfiguration",
            "AdConfiguration",
            "FailoverSlateConfiguration",
        ]) =>
        {
            3
        }
        _ => 5,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(millis: i64) -> WallTime {
        WallTime(millis * 1000)
    }

    #[test]
    fn a_burst_of_a_second_passes_and_tokens_come_back() {
        let throttle = Throttle::default();
        let admit = |millis, account| {
            throttle
                .admit(at(millis), account, "GetStage", None)
                .is_ok()
        };
        for _ in 0..5 {
            assert!(admit(0, "a"));
        }
        assert!(!admit(0, "a"));
        assert!(admit(0, "b"), "accounts do not share a rate");
        assert!(!admit(199, "a"));
        assert!(admit(200, "a"));
        assert!(!admit(200, "a"));
        assert!(!admit(-5000, "a"), "a clock that went back gives nothing");
    }

    #[test]
    fn metadata_has_a_rate_per_channel() {
        let throttle = Throttle::default();
        let admit = |channel: &str| throttle.admit(at(0), "a", "PutMetadata", Some(channel));
        for _ in 0..5 {
            assert!(admit("one").is_ok());
        }
        let refused = admit("one").expect_err("the sixth");
        assert_eq!(refused.retry_after(), Some(1));
        assert!(admit("two").is_ok());
    }

    #[test]
    fn full_buckets_are_dropped() {
        let throttle = Throttle::default();
        for n in 0..BUCKETS_MAX {
            let _ = throttle.take(at(0), &n.to_string(), "GetStage", 5);
        }
        let _ = throttle.take(at(5000), "last", "GetStage", 5);
        assert_eq!(throttle.buckets.lock().len(), 1);
    }
}
