//! The seam between the stage gateway, which writes the journal, and the compositor, which reads it.

use std::future::Future;

use bytes::Bytes;

use crate::id::{CompositionId, Layer, TrackId};
use crate::journal::JournalSeq;

/// What a composition may ask of the stage that it composes.
pub trait StageJournal: Send + Sync + 'static {
    /// Reads records in order.
    type Reader: JournalReader;

    /// Starts a reader at `from`, or where a new reader starts: at a roster snapshot written for it, with a keyframe
    /// requested of every layer. The journal keeps what this composition needs until [`Self::detach`].
    fn attach(
        &self,
        composition: &CompositionId,
        from: Option<JournalSeq>,
    ) -> impl Future<Output = Result<Self::Reader, JournalError>> + Send;

    /// Records before `seq` are not needed any more by this composition.
    fn checkpoint(&self, composition: &CompositionId, seq: JournalSeq);

    /// The composition has ended.
    fn detach(&self, composition: &CompositionId);

    /// Asks the publisher for a keyframe; the gateway throttles.
    fn request_keyframe(&self, track: TrackId, layer: Layer);

    /// The slot that shows `track` is `height` pixels tall. The gateway chooses the smallest layer at least as tall and
    /// journals the choice.
    fn wish_height(&self, composition: &CompositionId, track: TrackId, height: u16);
}

/// Follows a journal: first what is on disk, then live.
pub trait JournalReader: Send {
    /// The sequence of the first record that it yields next.
    fn position(&self) -> JournalSeq;

    /// The next whole records, encoded back to back as [`crate::journal::Record::encode`] does; waits when there are
    /// none yet. Cancel-safe.
    fn next_batch(&mut self) -> impl Future<Output = Result<Bytes, JournalError>> + Send;
}

/// Why a journal cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// The stage has no session, or it ended.
    #[error("the journal of this stage session is closed")]
    Closed,
    /// The wanted records were given up already.
    #[error("journal record {wanted} is gone, the oldest kept is {oldest}")]
    Gone {
        /// The sequence asked for.
        wanted: u64,
        /// The oldest sequence on disk.
        oldest: u64,
    },
    /// The files cannot be read or written.
    #[error("journal file access failed")]
    Io(#[from] std::io::Error),
}
