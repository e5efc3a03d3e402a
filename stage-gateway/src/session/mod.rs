//! One life of a stage: what its peers and compositions share, and the actor that owns the roster.

mod actor;
mod backlog;
mod folder;

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use compositor_core::id::{CompositionId, Layer, ParticipantId, SessionId, StageId, TrackId};
use compositor_core::journal::{ClockMapping, JournalSeq, RecordBody};
use compositor_core::roster::{Publisher, Track};
use compositor_core::sink::JournalError;
use compositor_core::time::{MediaTime, MonotonicTime};
use parking_lot::{Mutex, RwLock};
use tokio::sync::{broadcast, mpsc, oneshot};

use self::backlog::Backlog;
use crate::clock::ProcessClock;
use crate::counters::Counters;
use crate::error::{OfferError, SessionError};
use crate::event::GatewayEvent;
use crate::feed::{Feed, TrackControl};
use crate::history::{Attempt, ClientAttributes, FailureCode, HistoryEvent, Visitor};
use crate::journal::{Follower, Journal};
use crate::kept::KeptJournals;
use crate::layers::LayerState;
use crate::rtp::StageClock;
use crate::stage::{Departure, Identity, PeerId};

/// Inputs that wait for the actor; peers wait when it is full, and the actor never waits for peers.
const INPUT_QUEUE: usize = 1_024;

/// Why a peer connection is to end.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum StopReason {
    /// DELETE, DisconnectParticipant, or the stage is gone.
    Ended,
    /// A newer connection of the same participant publishes.
    Replaced,
}

/// What a peer connection is for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Role {
    /// It sends.
    Publisher,
    /// It receives this participant.
    Subscriber(ParticipantId),
}

/// A peer connection that wants to be part of the session.
#[derive(Debug)]
pub(crate) struct Joining {
    /// Its number.
    pub(crate) peer: PeerId,
    /// Whose it is.
    pub(crate) identity: Identity,
    /// What it says of its software.
    pub(crate) client: ClientAttributes,
    /// What for.
    pub(crate) role: Role,
    /// Ends it.
    pub(crate) stop: mpsc::Sender<StopReason>,
}

/// Everything that the session's actor is told.
#[derive(Debug)]
pub(crate) enum SessionInput {
    /// A peer connection is being made.
    Join {
        /// Which.
        joining: Joining,
        /// Whether there is room.
        reply: oneshot::Sender<Result<(), OfferError>>,
    },
    /// Its ICE and DTLS are up.
    Connected(PeerId),
    /// A limit ends it; `Left` follows.
    OverLimit {
        /// Which.
        peer: PeerId,
        /// Which limit.
        code: FailureCode,
    },
    /// An offer was refused.
    Refused {
        /// Whose.
        visitor: Visitor,
        /// What it was for.
        attempt: Attempt,
        /// Why.
        code: FailureCode,
    },
    /// It is gone.
    Left {
        /// Which.
        peer: PeerId,
        /// How.
        departure: Departure,
    },
    /// A track's first packet came.
    TrackStarted {
        /// Whose.
        participant: ParticipantId,
        /// By which connection.
        peer: PeerId,
        /// Which.
        track: Track,
    },
    /// A track fell silent or sounds again.
    TrackStopped {
        /// Which.
        track: TrackId,
        /// Whether it is silent.
        stopped: bool,
    },
    /// A track's layers are these now.
    LayersChanged {
        /// Which track.
        track: TrackId,
        /// Its layers.
        layers: Vec<LayerState>,
    },
    /// A composition starts to read.
    Attach {
        /// Which.
        composition: CompositionId,
        /// From where; `None` for a new reader.
        from: Option<JournalSeq>,
        /// Its reader.
        reply: oneshot::Sender<Result<Follower, JournalError>>,
    },
    /// A composition is over.
    Detached(CompositionId),
    /// A composition shows a track this tall.
    Wish {
        /// Which composition.
        composition: CompositionId,
        /// Which track.
        track: TrackId,
        /// Pixels.
        height: u16,
    },
    /// All connections of a participant are to end; answers whether there was one.
    Disconnect {
        /// Whose.
        participant: ParticipantId,
        /// Whether it was connected.
        reply: oneshot::Sender<bool>,
    },
    /// The session is to end.
    Close {
        /// Done.
        reply: oneshot::Sender<()>,
    },
}

/// What everybody in a session shares.
///
/// Lock order: `journal`, then `mappings`; all others are held alone.
#[derive(Debug)]
pub(crate) struct SessionShared {
    /// Of which stage.
    pub(crate) stage: StageId,
    /// Which session.
    pub(crate) session: SessionId,
    /// The stage clock.
    pub(crate) clock: StageClock,
    process: ProcessClock,
    inputs: mpsc::Sender<SessionInput>,
    events: broadcast::Sender<GatewayEvent>,
    history_full: AtomicBool,
    counters: Arc<Counters>,
    journal: Mutex<Option<Journal>>,
    journaling: AtomicBool,
    mappings: Mutex<BTreeMap<(TrackId, Layer), ClockMapping>>,
    tracks: Mutex<HashMap<TrackId, Arc<TrackControl>>>,
    feeds: Mutex<HashMap<ParticipantId, Arc<Feed>>>,
    roster: RwLock<Vec<Publisher>>,
    next_track: AtomicU32,
    folder: PathBuf,
    kept: KeptJournals,
}

/// What a session is made of.
#[derive(Debug)]
pub(crate) struct SessionSetup<'a> {
    /// Of which stage.
    pub(crate) stage: StageId,
    /// Where the stage's sessions are kept.
    pub(crate) stage_dir: &'a Path,
    /// Where journals of sessions that are over are kept.
    pub(crate) kept: KeptJournals,
    /// The clock.
    pub(crate) process: ProcessClock,
    /// Where events go.
    pub(crate) events: broadcast::Sender<GatewayEvent>,
    /// Who remembers.
    pub(crate) history: Option<mpsc::Sender<HistoryEvent>>,
    /// Where drops are counted.
    pub(crate) counters: Arc<Counters>,
}

impl SessionShared {
    /// Opens the session that an earlier run of the server left behind, or else a new one, and starts its actor.
    pub(crate) async fn open(setup: SessionSetup<'_>) -> Result<Arc<Self>, SessionError> {
        let dir = setup.stage_dir.to_owned();
        let kept = setup.kept.clone();
        let opened = tokio::task::spawn_blocking(move || folder::open(&dir, &kept));
        let opened = opened
            .await
            .map_err(|_| SessionError::Closed)?
            .map_err(JournalError::Io)?;
        let now = setup.process.now();
        let base = opened
            .resumed
            .map(|resumed| resumed.time)
            .unwrap_or_default();
        let (inputs, inputs_rx) = mpsc::channel(INPUT_QUEUE);
        let shared = Arc::new(Self {
            stage: setup.stage,
            session: opened.session,
            clock: StageClock {
                started_at: now,
                base,
            },
            process: setup.process,
            inputs,
            events: setup.events,
            history_full: AtomicBool::new(false),
            counters: setup.counters,
            journal: Mutex::new(None),
            journaling: AtomicBool::new(false),
            mappings: Mutex::default(),
            tracks: Mutex::default(),
            feeds: Mutex::default(),
            roster: RwLock::default(),
            next_track: AtomicU32::new(first_track(base)),
            folder: opened.journal.dir().to_owned(),
            kept: setup.kept,
        });
        let mut journal = opened.journal;
        if let Some(resumed) = opened.resumed {
            journal.resume(base, resumed.gap)?;
        }
        shared
            .journaling
            .store(journal.is_active(), Ordering::Relaxed);
        *shared.journal.lock() = Some(journal);
        let backlog = Backlog::new(setup.history);
        actor::spawn(shared.clone(), inputs_rx, backlog, opened.resumed.is_some());
        Ok(shared)
    }

    /// The folder of the journal, if it is kept.
    pub(crate) fn kept_folder(&self) -> Option<&Path> {
        self.kept.keeps().then_some(self.folder.as_path())
    }

    /// The session is over and its journal closed.
    async fn retire_journal(&self) {
        let (kept, folder) = (self.kept.clone(), self.folder.clone());
        let retired = tokio::task::spawn_blocking(move || kept.retire(&folder)).await;
        if let Ok(Err(error)) = retired {
            tracing::warn!(stage = %self.stage, %error, "a journal cannot be kept");
        }
    }

    /// The process clock.
    pub(crate) fn now(&self) -> MonotonicTime {
        self.process.now()
    }

    /// Whether what has happened waits to be remembered, so that nothing new may begin.
    pub(crate) fn is_history_full(&self) -> bool {
        self.history_full.load(Ordering::Relaxed)
    }

    /// The stage clock.
    pub(crate) fn media_now(&self) -> MediaTime {
        self.clock.media(self.now())
    }

    /// Whether the session has ended or is about to.
    pub(crate) fn is_closed(&self) -> bool {
        self.inputs.is_closed()
    }

    /// Tells the actor; waits while its queue is full.
    pub(crate) async fn tell(&self, input: SessionInput) {
        let _ = self.inputs.send(input).await;
    }

    /// Tells the actor from where nothing can wait; false when its queue is full or it has ended.
    pub(crate) fn try_tell(&self, input: SessionInput) -> bool {
        self.inputs.try_send(input).is_ok()
    }

    /// Asks the actor; `None` when it has ended.
    pub(crate) async fn ask<T>(
        &self,
        question: impl FnOnce(oneshot::Sender<T>) -> SessionInput,
    ) -> Option<T> {
        let (reply, answer) = oneshot::channel();
        self.inputs.send(question(reply)).await.ok()?;
        answer.await.ok()
    }

    /// Writes a record, if anybody reads.
    pub(crate) fn append(&self, time: MediaTime, body: RecordBody) {
        if let Some(journal) = self.journal.lock().as_mut() {
            journal.append(time, body);
        }
    }

    /// Writes a clock mapping and keeps it for readers to come.
    pub(crate) fn map_clock(&self, mapping: ClockMapping) {
        let now = self.media_now();
        let mut journal = self.journal.lock();
        self.mappings
            .lock()
            .insert((mapping.track, mapping.layer), mapping);
        if let Some(journal) = journal.as_mut() {
            journal.append(now, RecordBody::ClockMapping(mapping));
        }
    }

    /// Whether a composition reads, so that keyframes have to come regularly.
    pub(crate) fn is_journaling(&self) -> bool {
        self.journaling.load(Ordering::Relaxed)
    }

    /// Records before `seq` are not needed any more by this composition.
    pub(crate) fn checkpoint(&self, composition: &CompositionId, seq: JournalSeq) {
        if let Some(journal) = self.journal.lock().as_mut() {
            journal.checkpoint(composition, seq);
        }
    }

    /// A composition is over.
    pub(crate) fn detach(&self, composition: &CompositionId) {
        if let Some(journal) = self.journal.lock().as_mut() {
            journal.detach(composition);
            self.journaling
                .store(journal.is_active(), Ordering::Relaxed);
        }
        // What the actor still remembers of the composition goes with its tracks at the latest.
        self.try_tell(SessionInput::Detached(composition.clone()));
    }

    /// A number for a new track.
    pub(crate) fn next_track(&self) -> TrackId {
        TrackId(self.next_track.fetch_add(1, Ordering::Relaxed))
    }

    /// A track is being read.
    pub(crate) fn add_track(&self, track: Arc<TrackControl>) {
        self.tracks.lock().insert(track.id, track);
    }

    /// A track is not read any more.
    pub(crate) fn remove_track(&self, track: TrackId) {
        self.tracks.lock().remove(&track);
        self.mappings
            .lock()
            .retain(|(mapped, _), _| *mapped != track);
    }

    /// Asks a publisher for a keyframe, not too often.
    pub(crate) fn want_keyframe(&self, track: TrackId, layer: Layer) {
        if let Some(track) = self.tracks.lock().get(&track) {
            track.want_keyframe(layer);
        }
    }

    fn want_all_keyframes(&self) {
        self.tracks
            .lock()
            .values()
            .for_each(|track| track.want_all_keyframes());
    }

    /// The media of a participant that publishes, made when it is not there.
    pub(crate) fn feed(&self, participant: &ParticipantId) -> Arc<Feed> {
        self.feeds
            .lock()
            .entry(participant.clone())
            .or_default()
            .clone()
    }

    /// The media of a participant, if it ever published in this session.
    pub(crate) fn existing_feed(&self, participant: &ParticipantId) -> Option<Arc<Feed>> {
        self.feeds.lock().get(participant).cloned()
    }

    /// Forgets media that nobody sends or receives any more.
    fn sweep_feeds(&self, published: impl Fn(&ParticipantId) -> bool) {
        let mut feeds = self.feeds.lock();
        feeds.retain(|participant, feed| Arc::strong_count(feed) > 1 || published(participant));
    }

    /// Where drops are counted.
    pub(crate) fn counters(&self) -> &Counters {
        &self.counters
    }

    /// Who publishes, in order of arrival.
    pub(crate) fn publishers(&self) -> Vec<Publisher> {
        self.roster.read().clone()
    }
}

/// Track numbers are never reused in a session, also not after a restart of the server: the clock goes on from where it
/// stood, and no session ever starts a track each millisecond.
fn first_track(base: MediaTime) -> u32 {
    u32::try_from(base.0 / 1_000_000).unwrap_or(u32::MAX / 2) + 1
}
