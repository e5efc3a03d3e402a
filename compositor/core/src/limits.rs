//! Every cap in one place, each with its reason.

use std::time::Duration;

/// Largest journal record: a 1080p keyframe at the 8.5 Mb/s ingest limit stays far below.
pub const JOURNAL_RECORD_BYTES_MAX: usize = 8 * 1024 * 1024;

/// A watermark is journaled this often, and the journal is written to disk with it.
pub const WATERMARK_INTERVAL: Duration = Duration::from_millis(20);

/// While a journal has a reader, every received layer gets a keyframe request at least this often.
pub const KEYFRAME_INTERVAL_MAX: Duration = Duration::from_secs(10);

/// A disconnect shorter than this keeps the slot with its last picture.
pub const GRACE_WINDOW: Duration = Duration::from_secs(5);

/// How far composition runs behind the stage clock.
pub const COMPOSITION_DELAY: Duration = Duration::from_millis(200);

/// Publishers on one stage (IVS quota).
pub const PUBLISHERS_PER_STAGE_MAX: usize = 12;

/// Largest message on the worker's socket: a batch of records or one output access unit.
pub const WORKER_MESSAGE_BYTES_MAX: usize = 2 * JOURNAL_RECORD_BYTES_MAX;

/// Samples in one AAC-LC frame (ISO/IEC 14496-3).
pub const AAC_FRAME_SAMPLES: u64 = 1024;

/// Sample rate of the mix.
pub const AUDIO_SAMPLE_RATE: u32 = 48_000;

/// AAC-LC, 48 kHz, stereo: the AudioSpecificConfig of every mix (ISO/IEC 14496-3 1.6.2.1).
pub const AAC_AUDIO_SPECIFIC_CONFIG: [u8; 2] = [0x11, 0x90];

/// Destinations of one composition (IVS model): a channel, an S3 bucket, or one of each.
pub const DESTINATIONS_PER_COMPOSITION_MAX: usize = 2;

/// A composition stops when nobody has been publishing for this long (IVS behaviour).
pub const IDLE_TIMEOUT: Duration = Duration::from_secs(60);

/// A composition stops when it is this old (IVS quota).
pub const COMPOSITION_LIFETIME_MAX: Duration = Duration::from_secs(24 * 60 * 60);

/// How long a composition may drain; what an S3 destination has not uploaded by then keeps uploading from the ledger.
pub const STOP_DURATION_MAX: Duration = Duration::from_secs(60);

/// The same when the server exits: it has 10 s, and sealing what has come by then takes some of them.
pub const SERVER_STOP_DURATION_MAX: Duration = Duration::from_secs(7);

/// A composition that has ended is gone from Get and List after this (IVS behaviour).
pub const FORGET_AFTER: Duration = Duration::from_secs(5 * 60);

/// How long a broadcast may be interrupted before its destination fails.
pub const RETRY_BUDGET: Duration = Duration::from_secs(5 * 60);

/// The first pause between two connection attempts; it doubles with each further attempt.
pub const RETRY_DELAY_MIN: Duration = Duration::from_secs(1);

/// The longest pause between two connection attempts.
pub const RETRY_DELAY_MAX: Duration = Duration::from_secs(30);

/// A worker may die this often within [`WORKER_DEATHS_WINDOW`]; one death more fails the composition.
pub const WORKER_DEATHS_MAX: usize = 5;

/// The window in which [`WORKER_DEATHS_MAX`] counts.
pub const WORKER_DEATHS_WINDOW: Duration = Duration::from_secs(60);

/// Pairs of deaths that are forgiven within [`WORKER_DEATHS_WINDOW`] because their cause was found: media of so many hostile
/// participants, each of whom can send two units that kill.
pub const WORKER_DEATHS_EXPLAINED_MAX: usize = 24;

/// A track with so many access units that workers died of is not decoded any more.
pub const QUARANTINED_UNITS_OF_TRACK_MAX: usize = 2;

/// Access units that are remembered because workers died of them.
pub const QUARANTINED_MAX: usize = 256;

/// A worker that is so far behind the stage, beyond the composition delay, is late: players begin to starve.
pub const LATE_BEYOND_DELAY: Duration = Duration::from_secs(1);

/// A late worker that is less busy than this waits for the server: giving up quality would not help.
pub const LATE_BUSY_PERCENT_MIN: u8 = 50;

/// A worker that is late for so long, and not less late than before, takes a step down the degradation ladder. A successor
/// of a killed worker and one that was held up for a moment catch up meanwhile.
pub const DEGRADE_AFTER: Duration = Duration::from_secs(2);

/// A worker no further behind than this, beyond the composition delay, keeps pace: it reports once a second.
pub const ON_TIME_BEYOND_DELAY: Duration = Duration::from_millis(500);

/// A worker that keeps pace and has CPU to spare for so long takes a step up.
pub const RESTORE_AFTER: Duration = Duration::from_secs(5);

/// The same after steps up that did not last: it doubles with each of them, up to this.
pub const RESTORE_AFTER_MAX: Duration = Duration::from_secs(5 * 60);

/// A step up that is not taken back within this has lasted.
pub const RESTORED_FOR: Duration = Duration::from_secs(60);

/// A step up may keep the worker busy for this much of its time, by what steps cost on average.
pub const RESTORE_BUSY_PERCENT_MAX: u32 = 85;
