//! Every cap of the journal, each with its reason.

use std::time::Duration;

use compositor_core::limits::{JOURNAL_RECORD_BYTES_MAX, WORKER_MESSAGE_BYTES_MAX};

/// A segment file is closed when it has this size.
pub const SEGMENT_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// A segment file is closed when it spans this much of the stage clock, so that retention frees quiet stages too.
pub const SEGMENT_SPAN_MAX: Duration = Duration::from_secs(30);

/// All segment files of one stage session together.
pub const DISK_BYTES_MAX: u64 = 8 * 1024 * 1024 * 1024;

/// Records that wait for the disk: about 16 s of twelve publishers at 2.5 Mb/s.
pub const QUEUE_BYTES_MAX: usize = 64 * 1024 * 1024;

/// Commands that wait for the writer; a batch goes out every 20 ms, so the byte limit is met first.
pub const QUEUE_COMMANDS_MAX: usize = 4096;

/// Records collected between two ticks go out early at this size.
pub const BATCH_BYTES_MAX: usize = 4 * 1024 * 1024;

/// Counted for each record besides its payload: its header and its place in the queue.
pub const RECORD_OVERHEAD_BYTES: usize = 128;

/// Records other than media that are kept while the disk is stuck; beyond it the oldest clock mappings go.
pub const STATE_RECORDS_KEPT_MAX: usize = 4096;

/// Written data is forced to the disk this often, against power loss.
pub const SYNC_INTERVAL: Duration = Duration::from_secs(1);

/// Pause before a failed write is tried again.
pub const WRITE_RETRY: Duration = Duration::from_millis(100);

/// A reader hands out about this much at once; one larger record goes alone.
pub const READ_BATCH_BYTES: usize = 1024 * 1024;

/// A place in a segment file is remembered each time this much was written, so that a reader need not scan it all.
pub const INDEX_STEP_BYTES: u64 = 1024 * 1024;

/// Events that wait to be polled; older ones are dropped, the counters stay exact.
pub const EVENTS_MAX: usize = 64;

const _: () = assert!(
    READ_BATCH_BYTES + JOURNAL_RECORD_BYTES_MAX + 64 <= WORKER_MESSAGE_BYTES_MAX,
    "a batch must fit a message on the worker's socket"
);
