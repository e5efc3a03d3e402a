//! What a composition gets of a stage session: its journal, keyframes on request, and layers by height.

use bytes::Bytes;
use compositor_core::id::{CompositionId, Layer, TrackId};
use compositor_core::journal::JournalSeq;
use compositor_core::sink::{JournalError, JournalReader, StageJournal};

/// A stage session as compositions see it.
#[derive(Debug)]
pub struct StageMedia {}

/// Follows the journal of one stage session.
#[derive(Debug)]
pub struct StageReader {}

impl JournalReader for StageReader {
    async fn next_batch(&mut self) -> Result<Bytes, JournalError> {
        Err(JournalError::Closed)
    }

    fn position(&self) -> JournalSeq {
        JournalSeq::default()
    }
}

impl StageJournal for StageMedia {
    type Reader = StageReader;

    async fn attach(
        &self,
        _composition: &CompositionId,
        _from: Option<JournalSeq>,
    ) -> Result<Self::Reader, JournalError> {
        Err(JournalError::Closed)
    }

    fn checkpoint(&self, _composition: &CompositionId, _seq: JournalSeq) {}

    fn detach(&self, _composition: &CompositionId) {}

    fn request_keyframe(&self, _track: TrackId, _layer: Layer) {}

    fn wish_height(&self, _composition: &CompositionId, _track: TrackId, _height: u16) {}
}
