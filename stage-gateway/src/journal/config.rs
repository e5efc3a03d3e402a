//! How large a journal may get.

use std::time::Duration;

use super::limits::{DISK_BYTES_MAX, QUEUE_BYTES_MAX, SEGMENT_BYTES_MAX, SEGMENT_SPAN_MAX};

/// The sizes of a journal; the defaults are those of [`super::limits`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct JournalConfig {
    /// A segment file is closed at this size.
    pub segment_bytes_max: u64,
    /// A segment file is closed when it spans this much of the stage clock.
    pub segment_span_max: Duration,
    /// All segment files together.
    pub disk_bytes_max: u64,
    /// How long records stay that nobody needs, by the stage clock; zero: they go at once.
    pub keep: Duration,
    /// Records that wait for the disk.
    pub queue_bytes_max: usize,
}

impl Default for JournalConfig {
    fn default() -> Self {
        Self {
            segment_bytes_max: SEGMENT_BYTES_MAX,
            segment_span_max: SEGMENT_SPAN_MAX,
            disk_bytes_max: DISK_BYTES_MAX,
            keep: Duration::ZERO,
            queue_bytes_max: QUEUE_BYTES_MAX,
        }
    }
}
