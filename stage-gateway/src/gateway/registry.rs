//! What the gateway keeps in tables: sessions by stage, resources by id, refused participants.

use std::collections::{HashMap, HashSet, VecDeque};
use std::fmt;
use std::io;
use std::path::Path;
use std::sync::Arc;

use compositor_core::id::{ParticipantId, StageId};
use parking_lot::Mutex;
use tokio::sync::{Mutex as AsyncMutex, mpsc};

use crate::error::ResourceError;
use crate::kept::KeptJournals;
use crate::limits::REVOKED_MAX;
use crate::peer::Peer;
use crate::session::{SessionShared, StopReason};
use crate::token::{Grant, TokenText};

/// The running sessions.
#[derive(Debug, Default)]
pub(super) struct Sessions {
    by_stage: Mutex<HashMap<StageId, Arc<SessionShared>>>,
}

impl Sessions {
    /// The session of a stage, unless it has ended.
    pub(super) fn get(&self, stage: &StageId) -> Option<Arc<SessionShared>> {
        let mut by_stage = self.by_stage.lock();
        let session = by_stage.get(stage)?.clone();
        if session.is_closed() {
            by_stage.remove(stage);
            return None;
        }
        Some(session)
    }

    /// Those that have not ended.
    pub(super) fn running(&self) -> Vec<Arc<SessionShared>> {
        let by_stage = self.by_stage.lock();
        let running = by_stage.values().filter(|session| !session.is_closed());
        running.cloned().collect()
    }

    /// Keeps a session.
    pub(super) fn insert(&self, session: Arc<SessionShared>) {
        let mut by_stage = self.by_stage.lock();
        by_stage.retain(|_, session| !session.is_closed());
        by_stage.insert(session.stage.clone(), session);
    }

    /// Gives up a session.
    pub(super) fn take(&self, stage: &StageId) -> Option<Arc<SessionShared>> {
        self.by_stage.lock().remove(stage)
    }

    /// The stages that have one.
    pub(super) fn stages(&self) -> Vec<StageId> {
        self.by_stage.lock().keys().cloned().collect()
    }

    /// Gives up all sessions.
    pub(super) fn take_all(&self) -> Vec<Arc<SessionShared>> {
        self.by_stage
            .lock()
            .drain()
            .map(|(_, session)| session)
            .collect()
    }
}

/// The live WHIP resources.
#[derive(Debug, Default)]
pub(super) struct Resources {
    by_id: Mutex<HashMap<String, Arc<Resource>>>,
}

/// One peer connection as HTTP sees it.
pub(super) struct Resource {
    /// What it was made with.
    pub(super) grant: Grant,
    /// The connection.
    pub(super) peer: Arc<Peer>,
    /// Ends it.
    pub(super) stop: mpsc::Sender<StopReason>,
    /// The entity tag of the ICE session; held while ICE restarts.
    pub(super) etag: AsyncMutex<String>,
}

impl fmt::Debug for Resource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Resource")
            .field("participant", &self.grant.participant)
            .finish_non_exhaustive()
    }
}

impl Resource {
    /// Ends the connection on purpose.
    pub(super) fn stop(&self) {
        // A full queue holds a reason to stop already.
        let _ = self.stop.try_send(StopReason::Ended);
    }
}

impl Resources {
    /// The resource, if it is there and the grant's own.
    pub(super) fn find(&self, grant: &Grant, id: &str) -> Result<Arc<Resource>, ResourceError> {
        let resource = self.by_id.lock().get(id).cloned();
        let Some(resource) = resource else {
            return Err(ResourceError::NotFound {
                resource: id.to_owned(),
            });
        };
        let owner = &resource.grant;
        if owner.stage != grant.stage || owner.participant != grant.participant {
            return Err(ResourceError::NotOwner {
                resource: id.to_owned(),
            });
        }
        Ok(resource)
    }

    /// What the resource was made with, if that was this token.
    pub(super) fn made_with(&self, token: &TokenText, id: &str) -> Option<Grant> {
        let by_id = self.by_id.lock();
        let owner = by_id.get(id).map(|resource| &resource.grant);
        owner.filter(|owner| owner.token == *token).cloned()
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.by_id.lock().len()
    }

    /// Keeps a resource.
    pub(super) fn insert(&self, id: String, resource: Resource) {
        self.by_id.lock().insert(id, Arc::new(resource));
    }

    /// Forgets a resource.
    pub(super) fn remove(&self, id: &str) {
        self.by_id.lock().remove(id);
    }
}

/// Forgets a resource when its peer connection ends, however it ends.
#[derive(Debug)]
pub(super) struct ResourceGuard {
    /// Where it is kept.
    pub(super) resources: Arc<Resources>,
    /// Which.
    pub(super) id: String,
}

impl Drop for ResourceGuard {
    fn drop(&mut self) {
        self.resources.remove(&self.id);
    }
}

/// Removes all folders in `journals` but those named in `wanted`; what is in them may be kept elsewhere.
pub(super) fn remove_others(
    journals: &Path,
    wanted: &[String],
    place: &KeptJournals,
) -> io::Result<()> {
    let entries = match std::fs::read_dir(journals) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    for entry in entries {
        let entry = entry?;
        let name = entry.file_name();
        if entry.file_type()?.is_dir() && !wanted.iter().any(|wanted| name == wanted.as_str()) {
            place.retire_stage(&entry.path())?;
        }
    }
    Ok(())
}

/// Participants whose tokens are refused.
#[derive(Debug, Default)]
pub(super) struct Revocations {
    inner: Mutex<Refused>,
}

#[derive(Debug, Default)]
struct Refused {
    known: HashSet<(StageId, ParticipantId)>,
    /// The same, oldest first.
    order: VecDeque<(StageId, ParticipantId)>,
}

impl Revocations {
    /// Refuses a participant from now on; when there are too many, the oldest is forgotten.
    pub(super) fn add(&self, stage: &StageId, participant: &ParticipantId) {
        let key = (stage.clone(), participant.clone());
        let mut inner = self.inner.lock();
        let Refused { known, order } = &mut *inner;
        if known.insert(key.clone()) {
            order.push_back(key);
        }
        if order.len() > REVOKED_MAX
            && let Some(oldest) = order.pop_front()
        {
            known.remove(&oldest);
        }
    }

    /// Whether the participant is refused.
    pub(super) fn contains(&self, stage: &StageId, participant: &ParticipantId) -> bool {
        self.inner
            .lock()
            .known
            .contains(&(stage.clone(), participant.clone()))
    }
}
