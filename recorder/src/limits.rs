//! Every cap of the recorder in one place, each with its reason.

use std::time::Duration;

/// Access units that may wait for the recording's task; about a second of pictures and sound.
pub const COMMANDS_MAX: usize = 128;

/// Events that may wait for the driver; they are rare, so a driver that is this far behind has stopped reading.
pub const EVENTS_MAX: usize = 64;

/// What a spool may take on disk unless the server is configured otherwise: 24 h at 2 Mb/s.
pub const SPOOL_BYTES_MAX: u64 = 24 * 1024 * 1024 * 1024;

/// A spool that holds so much of what it may is told of: somebody has time to act before it is full.
pub const SPOOL_FILLING_PERCENT: u64 = 80;

/// It is told of again only after it held no more than this in between.
pub const SPOOL_RELAXED_PERCENT: u64 = 50;

/// Largest access unit or thumbnail; a 1080p keyframe at 8.5 Mb/s stays far below.
pub const UNIT_BYTES_MAX: usize = 8 * 1024 * 1024;

/// Objects that are uploaded at the same time when a recording catches up.
pub const UPLOADS_IN_FLIGHT_MAX: usize = 4;

/// Bytes of objects in memory for uploads; one object may exceed it alone.
pub const UPLOAD_BYTES_IN_FLIGHT_MAX: u64 = 32 * 1024 * 1024;

/// Wait before the first repetition of a failed request; doubles with each failure.
pub const RETRY_DELAY_MIN: Duration = Duration::from_millis(500);

/// Longest wait between two attempts.
pub const RETRY_DELAY_MAX: Duration = Duration::from_secs(30);

/// So many failures in a row count as an interruption: one lost request is no outage.
pub const FAILURES_UNTIL_INTERRUPTED: u32 = 2;

/// The playlist is PUT after each segment while the recording is shorter than this.
pub const PLAYLIST_EAGER_PERIOD: Duration = Duration::from_secs(3600);

/// Afterwards it has grown long, and is PUT at most this often.
pub const PLAYLIST_INTERVAL: Duration = Duration::from_secs(10);

/// How often the open segment is flushed to the disk itself; SIGKILL loses nothing, loss of power at most a second: this, and
/// the time that flushing takes.
pub const SYNC_INTERVAL: Duration = Duration::from_millis(750);

/// One request to the store, from connecting to the answer: the largest segment at 3 Mb/s. Half of the time that passes
/// until a store that swallows everything counts as interrupted.
pub const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);

/// Connecting to the store.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// How long a segment of a channel's recording is meant to be; it ends at a keyframe (IVS: about 10 s).
pub const TIMED_SEGMENT_TARGET: Duration = Duration::from_secs(10);

/// A keyframe so much earlier than the target ends a segment, too: keyframe intervals are rounded to milliseconds.
pub const TIMED_SEGMENT_TOLERANCE: Duration = Duration::from_millis(50);

/// The target duration of a channel's playlists. A segment ends early rather than exceed it, without a keyframe if need be.
pub const TIMED_SEGMENT_MAX: Duration = Duration::from_secs(12);

/// Bytes of an open segment of a channel's recording; one that fills it before its next keyframe is cut there.
pub const TIMED_SEGMENT_BYTES_MAX: u64 = 32 * 1024 * 1024;

/// Largest ID3 tag: 1 KiB of payload, which is what PutMetadata takes, and its frame.
pub const METADATA_BYTES_MAX: usize = 4 * 1024;

/// Parts of a segment in the byte-range playlist are at least this long, so that keyframes alone do not make it endless.
pub const SEGMENT_PART_MIN: Duration = Duration::from_millis(950);
