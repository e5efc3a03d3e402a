//! How long to wait before a destination is tried again.

use std::time::Duration;

use crate::limits::{RETRY_DELAY_MAX, RETRY_DELAY_MIN};

/// Permille by which jitter may shorten a delay, so that many destinations do not come back at the same instant.
const JITTER_PERMILLE_MAX: u64 = 200;

/// The pause after `failures` failed attempts in a row (1 or more): 1, 2, 4 ... 30 s, shortened by up to a fifth.
/// `seed` decides by how much.
pub(super) fn retry_delay(failures: u32, seed: u64) -> Duration {
    let doublings = failures.saturating_sub(1).min(u64::BITS - 1);
    let base = RETRY_DELAY_MIN
        .saturating_mul(1_u32.checked_shl(doublings).unwrap_or(u32::MAX))
        .min(RETRY_DELAY_MAX);
    let millis = base.as_millis() as u64;
    let cut = mix(seed.wrapping_add(u64::from(failures))) % (JITTER_PERMILLE_MAX + 1);
    Duration::from_millis(millis - millis * cut / 1000)
}

/// The finalizer of SplitMix64: spreads neighbouring numbers over all 64 bits.
fn mix(number: u64) -> u64 {
    let number = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ (number >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_double_from_one_to_thirty_seconds_less_a_fifth_at_most() {
        for seed in 0..200 {
            for (failures, seconds) in [
                (1, 1),
                (2, 2),
                (3, 4),
                (4, 8),
                (5, 16),
                (6, 30),
                (7, 30),
                (40, 30),
                (u32::MAX, 30),
            ] {
                let delay = retry_delay(failures, seed);
                let base = Duration::from_secs(seconds);
                assert!(delay <= base, "{failures} failures: {delay:?}");
                assert!(delay >= base * 4 / 5, "{failures} failures: {delay:?}");
            }
        }
    }

    #[test]
    fn different_seeds_wait_differently() {
        let delays: std::collections::BTreeSet<_> =
            (0..50).map(|seed| retry_delay(6, seed)).collect();
        assert!(delays.len() > 25);
    }
}
