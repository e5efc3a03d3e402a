//! What a composition gets of a stage session: its journal, keyframes on request, and layers by height.

use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use compositor_core::id::{CompositionId, Layer, SessionId, TrackId};
use compositor_core::journal::{Degradation, JournalSeq, RecordBody};
use compositor_core::roster::Publisher;
use compositor_core::sink::{JournalError, JournalReader, StageJournal};
use compositor_core::time::MediaTime;

use crate::journal::Follower;
use crate::session::{SessionInput, SessionShared};

/// A stage session as compositions see it.
#[derive(Debug)]
pub struct StageMedia {
    session: Arc<SessionShared>,
}

impl StageMedia {
    pub(crate) fn new(session: Arc<SessionShared>) -> Self {
        Self { session }
    }

    /// Which session this is.
    pub fn session(&self) -> &SessionId {
        &self.session.session
    }

    /// The folder of the session's journal, if it is kept after the session: what belongs to it can be put there.
    pub fn kept_folder(&self) -> Option<&Path> {
        self.session.kept_folder()
    }

    /// The stage clock now.
    pub fn media_now(&self) -> MediaTime {
        self.session.media_now()
    }

    /// Journals that a composition took a step on the degradation ladder, from now on.
    pub fn degrade(&self, composition: &CompositionId, step: u8) {
        let composition = composition.clone();
        let step = Degradation { composition, step };
        self.session
            .append(self.media_now(), RecordBody::Degradation(step));
    }

    /// Who publishes, in order of arrival; also those within the grace window.
    pub fn publishers(&self) -> Vec<Publisher> {
        self.session.publishers()
    }
}

/// Follows the journal of one stage session.
#[derive(Debug)]
pub struct StageReader {
    follower: Follower,
}

impl JournalReader for StageReader {
    fn position(&self) -> JournalSeq {
        self.follower.position()
    }

    async fn next_batch(&mut self) -> Result<Bytes, JournalError> {
        self.follower.next_batch().await
    }
}

impl StageJournal for StageMedia {
    type Reader = StageReader;

    async fn attach(
        &self,
        composition: &CompositionId,
        from: Option<JournalSeq>,
    ) -> Result<Self::Reader, JournalError> {
        let composition = composition.clone();
        let attached = self
            .session
            .ask(|reply| SessionInput::Attach {
                composition,
                from,
                reply,
            })
            .await;
        let follower = attached.unwrap_or(Err(JournalError::Closed))?;
        Ok(StageReader { follower })
    }

    fn checkpoint(&self, composition: &CompositionId, seq: JournalSeq) {
        self.session.checkpoint(composition, seq);
    }

    fn detach(&self, composition: &CompositionId) {
        self.session.detach(composition);
    }

    fn request_keyframe(&self, track: TrackId, layer: Layer) {
        self.session.want_keyframe(track, layer);
    }

    fn wish_height(&self, composition: &CompositionId, track: TrackId, height: u16) {
        let composition = composition.clone();
        // A lost wish leaves the layer as it is; the composition wishes again when its layout changes.
        if !self.session.try_tell(SessionInput::Wish {
            composition,
            track,
            height,
        }) {
            tracing::warn!(stage = %self.session.stage, "a height wish was lost, the session is overloaded");
        }
    }
}
