//! What goes into an upload queue and what comes out of it.

use std::time::Duration;

use crate::key_layout::ObjectName;
use crate::limits;
use crate::recording::Rejection;

/// The numbers that an upload queue goes by.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct UploadPolicy {
    /// Requests at the same time.
    pub in_flight_max: usize,
    /// Bytes of objects at the same time; one object may exceed it alone.
    pub bytes_in_flight_max: u64,
    /// Wait after the first failure.
    pub retry_delay_min: Duration,
    /// Longest wait.
    pub retry_delay_max: Duration,
    /// Failures in a row that count as an interruption.
    pub failures_until_interrupted: u32,
    /// The playlist follows each segment while it has fewer than this.
    pub eager_segments: u64,
    /// Afterwards it is stored at most this often.
    pub playlist_interval: Duration,
    /// Objects that a `PutPlaylist` stores, and as many that a `PutMultivariant` stores; 0 for a recording without
    /// segments.
    pub playlists: u64,
}

impl UploadPolicy {
    /// The policy of [`limits`] for segments of this length.
    pub fn for_segments_of(segment: Duration) -> Self {
        let eager = limits::PLAYLIST_EAGER_PERIOD.as_secs_f64() / segment.as_secs_f64();
        Self {
            in_flight_max: limits::UPLOADS_IN_FLIGHT_MAX,
            bytes_in_flight_max: limits::UPLOAD_BYTES_IN_FLIGHT_MAX,
            retry_delay_min: limits::RETRY_DELAY_MIN,
            retry_delay_max: limits::RETRY_DELAY_MAX,
            failures_until_interrupted: limits::FAILURES_UNTIL_INTERRUPTED,
            eager_segments: eager.ceil() as u64,
            playlist_interval: limits::PLAYLIST_INTERVAL,
            playlists: 1,
        }
    }
}

/// What the queue is told.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum UploadInput {
    /// An object with one content for ever is in the spool. Segments come in order.
    Added {
        /// Which.
        object: ObjectName,
        /// Its length.
        bytes: u64,
        /// Whether an earlier process may have uploaded it.
        unconfirmed: bool,
    },
    /// An object was uploaded by an earlier process.
    Restored(ObjectName),
    /// There is a newer latest thumbnail.
    LatestThumbnail,
    /// Nothing but this closing document will be added any more.
    Closed {
        /// [`ObjectName::Ended`] or [`ObjectName::Failed`].
        object: ObjectName,
        /// Its length.
        bytes: u64,
        /// Whether an earlier process may have uploaded it.
        unconfirmed: bool,
    },
    /// A `Put` succeeded, or a `Confirm` found the object.
    Stored(ObjectName),
    /// A `Confirm` did not find the object.
    Absent(ObjectName),
    /// A `Put` or `Confirm` failed or its outcome is unknown; another attempt may succeed.
    Failed(ObjectName),
    /// A `Put` or `Confirm` was refused for good.
    Refused(Rejection),
    /// The time of [`super::UploadQueue::poll_timeout`] has come.
    Timeout,
}

/// What the queue asks for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum UploadOutput {
    /// Upload this object.
    Put(ObjectName),
    /// Look whether this object is stored already.
    Confirm(ObjectName),
    /// Upload the media playlists with so many segments.
    PutPlaylist {
        /// How many of the oldest segments it names.
        segments: u64,
        /// Whether it is the last one.
        ended: bool,
    },
    /// Upload the multivariant playlists.
    PutMultivariant {
        /// Whether it is the last one.
        ended: bool,
    },
    /// The store has stopped answering.
    Interrupted,
    /// The store answers again.
    Recovered,
    /// The store refuses us for good; the queue has stopped.
    Rejected(Rejection),
    /// The closing document is stored.
    Drained {
        /// Objects of the recording, playlists included.
        objects: u64,
    },
}
