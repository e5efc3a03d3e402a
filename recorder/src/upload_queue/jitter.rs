//! Randomness of waits.

/// xorshift64: good enough to spread retries, and repeatable in tests.
#[derive(Debug)]
pub(super) struct Jitter(u64);

impl Jitter {
    /// Repeats itself for the same seed.
    pub(super) fn new(seed: u64) -> Self {
        Self(seed | 1)
    }

    /// At least 0, less than 1.
    pub(super) fn next(&mut self) -> f64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as f64 / (1u64 << 53) as f64
    }
}
