//! The degradation ladder of one composition: what its worker reports goes in, a step comes out and is journaled, so that
//! the worker, its successors and every replay take it at the same frame.

use std::sync::Arc;

use compositor_core::id::CompositionId;
use compositor_core::ladder::{Ladder, Pace};
use compositor_core::time::MonotonicTime;
use stage_gateway::stage_media::StageMedia;

/// The ladder and the journal that it writes to.
#[derive(Debug)]
pub(super) struct QualityControl {
    composition: CompositionId,
    journal: Arc<StageMedia>,
    ladder: Ladder,
}

impl QualityControl {
    /// Full quality.
    pub(super) fn new(composition: CompositionId, journal: Arc<StageMedia>) -> Self {
        Self {
            composition,
            journal,
            ladder: Ladder::default(),
        }
    }

    /// Answers with the step that is taken because of `pace`.
    pub(super) fn see(&mut self, now: MonotonicTime, pace: Pace) -> Option<u8> {
        let step = self.ladder.see(now, pace)?;
        self.journal.degrade(&self.composition, step);
        Some(step)
    }

    /// Journals the step that holds: a worker that begins with the stage as it is now may have missed it.
    pub(super) fn repeat(&self) {
        self.journal.degrade(&self.composition, self.ladder.step());
    }
}
