//! Whether a composition that an earlier run of the server left can go on, and with what.

use std::collections::BTreeMap;
use std::sync::Arc;

use compositor_core::composition::SavedComposition;
use compositor_core::id::DestinationId;
use compositor_core::sink::{JournalError, StageJournal};
use compositor_core::time::{MediaTime, WallTime};
use compositor_core::worker_protocol::Resume;
use recorder::{Recording, RecordingError, RecordingEvent};
use stage_gateway::error::SessionError;
use stage_gateway::stage_media::StageMedia;
use tokio::sync::mpsc;

use super::Services;
use super::continuation;
use super::encoders::EncoderPlan;
use crate::backend::DestinationTarget;
use crate::store::StoredComposition;

/// A recording that goes on, and its events.
pub(super) type Resumed = (Recording, mpsc::Receiver<RecordingEvent>);

/// A composition that goes on.
pub(super) struct Left {
    /// Its state machine.
    pub(super) machine: SavedComposition,
    /// When its server was last known to live.
    pub(super) left_at: WallTime,
    /// When it began, on the clock of the stage session.
    pub(super) start: MediaTime,
    /// From where its worker goes on.
    pub(super) resume: Resume,
    /// Its recordings.
    pub(super) recordings: BTreeMap<DestinationId, Resumed>,
}

/// Why a composition cannot go on.
#[derive(Debug, thiserror::Error)]
pub(super) enum CannotGoOn {
    #[error("there was nothing more to compose")]
    Over,
    #[error("it is not written down where its worker stood")]
    NoContinuation,
    #[error("its stage session cannot be opened")]
    Session(#[from] SessionError),
    #[error("its stage session is over")]
    OtherSession,
    #[error("its stage session has not kept what its worker needs")]
    Journal(#[from] JournalError),
    #[error("its recording {id} cannot go on")]
    Recording {
        id: DestinationId,
        #[source]
        source: RecordingError,
    },
    #[error("its recording {id} was sealed")]
    Sealed { id: DestinationId },
    #[error("its recording {id} has less than its worker made")]
    Behind { id: DestinationId },
}

/// Looks for everything that the composition needs. Its recordings are held from here on.
pub(super) async fn find(
    services: &Services,
    stored: &StoredComposition,
) -> Result<Left, CannotGoOn> {
    let running = |machine: &SavedComposition| machine.is_running();
    let machine = stored.progress.saved.clone().filter(running);
    let machine = machine.ok_or(CannotGoOn::Over)?;
    let id = &stored.spec.id;
    let continuation = continuation::read(&services.continuations, id).await;
    let mut continuation = continuation.ok_or(CannotGoOn::NoContinuation)?;
    let journal = services.gateway.stage_journal(&stored.spec.stage).await?;
    if *journal.session() != continuation.session {
        return Err(CannotGoOn::OtherSession);
    }
    let (resume, mut recordings) = (&mut continuation.resume, BTreeMap::new());
    let found = match check_journal(&journal, stored, resume).await {
        Ok(()) => resume_recordings(services, stored, resume, &mut recordings).await,
        Err(error) => Err(error),
    };
    if let Err(error) = found {
        journal.detach(id);
        release(recordings).await;
        return Err(error);
    }
    Ok(Left {
        machine,
        left_at: continuation.written_at,
        start: continuation.start,
        resume: continuation.resume,
        recordings,
    })
}

/// The journal must still have what the checkpoint needs, and reach up to it.
async fn check_journal(
    journal: &Arc<StageMedia>,
    stored: &StoredComposition,
    resume: &Resume,
) -> Result<(), CannotGoOn> {
    let checkpoint = resume.checkpoint.as_ref();
    let checkpoint = checkpoint.ok_or(CannotGoOn::NoContinuation)?;
    for seq in [checkpoint.state_at, checkpoint.read_from] {
        journal.attach(&stored.spec.id, Some(seq)).await?;
    }
    Ok(())
}

/// Takes up the recordings; the worker goes on with the first unit that one of them lacks.
async fn resume_recordings(
    services: &Services,
    stored: &StoredComposition,
    resume: &mut Resume,
    recordings: &mut BTreeMap<DestinationId, Resumed>,
) -> Result<(), CannotGoOn> {
    let plan = EncoderPlan::new(&stored.spec);
    let mut next_k: BTreeMap<usize, u64> = BTreeMap::new();
    let mut next_n = u64::MAX;
    for (index, spec) in stored.spec.destinations.iter().enumerate() {
        let progress = stored.progress.destinations.get(index);
        let is_over = progress.is_none_or(|progress| progress.ended_at.is_some());
        if is_over || !matches!(spec.target, DestinationTarget::S3 { .. }) {
            continue;
        }
        let id = &spec.id;
        let spool = services.spool_root.join(id.as_str());
        let resumed = Recording::resume(
            spool,
            services.objects.clone(),
            services.recording_clock.clone(),
        );
        let resumed = resumed.await.map_err(|source| CannotGoOn::Recording {
            id: id.clone(),
            source,
        })?;
        let (recording, _) = recordings.entry(id.clone()).or_insert(resumed);
        if recording.is_sealed() {
            return Err(CannotGoOn::Sealed { id: id.clone() });
        }
        let encoder = usize::from(plan.encoder_of[index]);
        let (k, n) = (recording.next_video(), recording.next_audio());
        if k < resume.next_k[encoder] || n < resume.next_n {
            return Err(CannotGoOn::Behind { id: id.clone() });
        }
        let known = next_k.entry(encoder).or_insert(k);
        *known = k.min(*known);
        next_n = n.min(next_n);
    }
    if next_n < u64::MAX {
        resume.next_n = next_n;
    }
    for (encoder, k) in next_k {
        resume.next_k[encoder] = k;
    }
    Ok(())
}

/// Gives recordings back, so that they can be finished from their spools.
async fn release(recordings: BTreeMap<DestinationId, Resumed>) {
    for (recording, mut events) in recordings.into_values() {
        drop(recording);
        while events.recv().await.is_some() {}
    }
}
