//! What a journal tells its owner.

use std::io;

use compositor_core::id::{CompositionId, Layer, TrackId};
use compositor_core::journal::JournalSeq;

/// What the owner of a journal should know.
#[derive(Debug)]
pub enum JournalEvent {
    /// The disk does not keep up: units were thrown away. Each layer continues with its next keyframe, so ask for one.
    UnitsDropped {
        /// How many units.
        units: u64,
        /// Their bytes.
        bytes: u64,
        /// Whose units.
        layers: Vec<(TrackId, Layer)>,
    },
    /// The disk cap took records that were still wanted.
    CapForced {
        /// The oldest record that is left.
        oldest: JournalSeq,
        /// Whose checkpoints lie before it.
        behind: Vec<CompositionId>,
    },
    /// Writing fails; it is tried again until it works.
    WriteFailed {
        /// Why.
        error: io::Error,
    },
    /// Writing works again.
    WriteRecovered,
}

/// Counters since the journal was opened.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct JournalStats {
    /// Records handed to the writer.
    pub records: u64,
    /// Units thrown away because the disk did not keep up.
    pub units_dropped: u64,
    /// Their bytes.
    pub bytes_dropped: u64,
}
