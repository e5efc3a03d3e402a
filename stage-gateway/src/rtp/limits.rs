//! Every cap of the ingest path, each with its reason.

use std::time::Duration;

use compositor_core::limits::JOURNAL_RECORD_BYTES_MAX;

/// Largest access unit: it must fit a journal record together with the record's own fields.
pub const ACCESS_UNIT_BYTES_MAX: usize = JOURNAL_RECORD_BYTES_MAX - 64;

/// How long video waits for a missing packet: room for five requests at 25 ms, below the composition delay.
pub const VIDEO_REPAIR_WAIT: Duration = Duration::from_millis(150);

/// How long audio waits for a missing packet. Opus is not retransmitted, so only reordering is waited for.
pub const AUDIO_REORDER_WAIT: Duration = Duration::from_millis(40);

/// Packets held while one is missing: 150 ms at 40 Mb/s of full-size packets is 640.
pub const JITTER_PACKETS_MAX: usize = 1024;

/// A sequence number further ahead than this is a restarted source, not loss (RFC 3550 A.1, MAX_DROPOUT).
pub const SEQ_DROPOUT_MAX: u64 = 3000;

/// Lost sequence numbers remembered, to tell late packets from duplicates.
pub const LOST_SEQS_REMEMBERED: usize = 1024;

/// First pause between keyframe requests while none arrives; doubles up to [`KEYFRAME_RETRY_MAX`].
pub const KEYFRAME_RETRY_MIN: Duration = Duration::from_millis(500);

/// Longest pause between keyframe requests while none arrives.
pub const KEYFRAME_RETRY_MAX: Duration = Duration::from_secs(4);

/// Outputs that wait in one ingest; drained after each input, so reaching it means that nobody drains.
pub const INGEST_OUTPUTS_MAX: usize = 4096;

/// A clock error beyond this re-maps at once; below it is slewed.
pub const SYNC_JUMP: Duration = Duration::from_millis(300);

/// A clock error up to this is left alone, so that report noise does not fill the journal with mappings.
pub const SYNC_DEAD_ZONE: Duration = Duration::from_millis(1);

/// Slew speed: one part in this many, 0.5 %.
pub const SYNC_SLEW_DIVISOR: i128 = 200;

/// A first report that would move the track further than this does not share its sibling's wall clock.
pub const SYNC_FIRST_STEP_MAX: Duration = Duration::from_secs(2);

/// After a pause, this long is waited for the network to catch up before the source itself is taken to have jumped.
pub const SYNC_RESUME_WAIT: Duration = Duration::from_millis(250);

/// Reports whose median is the RTP-to-NTP relation: enough to shrug off two bad ones, short enough to follow drift.
pub const SYNC_REPORTS: usize = 5;

/// Span of one bucket of the smallest-transit window.
pub const TRANSIT_BUCKET: Duration = Duration::from_secs(5);

/// Buckets of the smallest-transit window: 30 s, in which 100 ppm of drift are 3 ms.
pub const TRANSIT_BUCKETS: usize = 6;
