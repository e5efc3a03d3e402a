//! The public handle: tokens, WHIP offers and resources, stage sessions, events.

mod offers;
mod refusals;
mod registry;

use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::{Duration, Instant, SystemTime};

use compositor_core::id::{ParticipantId, SessionId, StageId};
use compositor_core::roster::Publisher;
use compositor_core::time::{MediaTime, WallTime};
use tokio::sync::{Mutex as AsyncMutex, broadcast, mpsc};

use crate::clock::ProcessClock;
use crate::counters::{Counters, Drops};
use crate::error::{ResourceError, SessionError, StartError, TokenError};
use crate::event::GatewayEvent;
use crate::history::HistoryEvent;
use crate::kept::KeptJournals;
use crate::limits::{EVENT_QUEUE, StreamLimits};
use crate::mux::Mux;
use crate::session::{SessionInput, SessionSetup, SessionShared};
use crate::stage_media::StageMedia;
use crate::token::{Grant, ImportedKey, TokenIssuer, TokenKey, TokenSpec, TokenText};
use registry::{Resources, Revocations, Sessions};

/// Kept journals are looked through this often; they are kept for hours.
const SWEEP_INTERVAL: Duration = Duration::from_secs(15 * 60);

/// What the gateway needs to know.
#[derive(Clone, Debug)]
pub struct GatewayConfig {
    /// Where media arrives: one UDP port for all peers, and ICE-TCP on the same number. Port 0 takes a free one.
    pub listen: SocketAddr,
    /// The address that peers reach when a NAT stands between; else the bound ones are told.
    pub advertised: Option<IpAddr>,
    /// Where the journals of stage sessions are kept, one folder each.
    pub journal_dir: PathBuf,
    /// Where those of sessions that are over are kept, and how long.
    pub kept_journals: KeptJournals,
    /// The private key that signs participant tokens; made when it does not exist.
    pub token_key_file: PathBuf,
    /// Region and endpoints, for the tokens.
    pub issuer: TokenIssuer,
    /// The zero of [`compositor_core::time::MonotonicTime`] in this process.
    pub process_start: Instant,
    /// Who remembers what happens in sessions, without loss; `None`: nobody.
    pub history: Option<mpsc::Sender<HistoryEvent>>,
    /// What participants may send, and for how long.
    pub limits: StreamLimits,
}

/// The answer to a WHIP or subscribe offer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Answer {
    /// Names the resource in `Location`, for PATCH and DELETE.
    pub resource: String,
    /// The entity tag of the ICE session, with its quotes.
    pub etag: String,
    /// The SDP answer.
    pub sdp: String,
    /// Values of `Link` headers with `rel="ice-server"`; none while no STUN or TURN server is configured.
    pub ice_links: Vec<String>,
}

/// The answer to a PATCH that was accepted.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum PatchAnswer {
    /// Trickled candidates were taken: 204.
    Trickled,
    /// ICE restarted: 200 with the new entity tag and our fragment.
    Restarted {
        /// The new entity tag, with its quotes.
        etag: String,
        /// `application/trickle-ice-sdpfrag` with our new credentials and candidates.
        fragment: String,
    },
}

/// How many there are, at the moment.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Census {
    /// Stage sessions.
    pub sessions: usize,
    /// Participants that publish, also those within the grace window.
    pub publishers: usize,
    /// WebRTC connections.
    pub peers: usize,
}

/// The stage gateway. Cheap to clone; all clones are one gateway.
#[derive(Clone, Debug)]
pub struct Gateway {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    config: GatewayConfig,
    clock: ProcessClock,
    key: TokenKey,
    mux: Mux,
    counters: Arc<Counters>,
    events: broadcast::Sender<GatewayEvent>,
    sessions: Sessions,
    /// Held while a session is opened or deleted, so that a stage never has two.
    opening: AsyncMutex<()>,
    resources: Arc<Resources>,
    revocations: Revocations,
    next_peer: AtomicU64,
}

impl Gateway {
    /// Binds the WebRTC port, reads or makes the token key and starts to serve peers.
    pub async fn start(config: GatewayConfig) -> Result<Self, StartError> {
        let key = TokenKey::load_or_create(&config.token_key_file)?;
        let counters = Arc::new(Counters::default());
        let mux = Mux::bind(config.listen, config.advertised, counters.clone()).await?;
        tokio::spawn(sweep_kept_journals(config.kept_journals.clone()));
        let inner = Inner {
            clock: ProcessClock::new(config.process_start),
            config,
            key,
            mux,
            counters,
            events: broadcast::Sender::new(EVENT_QUEUE),
            sessions: Sessions::default(),
            opening: AsyncMutex::new(()),
            resources: Arc::default(),
            revocations: Revocations::default(),
            next_peer: AtomicU64::new(1),
        };
        Ok(Self {
            inner: Arc::new(inner),
        })
    }

    /// The bound UDP address; TCP has the same port.
    pub fn local_addr(&self) -> SocketAddr {
        self.inner.mux.local_addr()
    }

    /// What bounded queues have dropped since the start.
    pub fn drops(&self) -> Drops {
        self.inner.counters.drops()
    }

    /// How many there are of what, at the moment.
    pub fn census(&self) -> Census {
        let sessions = self.inner.sessions.running();
        Census {
            sessions: sessions.len(),
            publishers: sessions.iter().map(|s| s.publishers().len()).sum(),
            peers: self.inner.resources.len(),
        }
    }

    /// Signs a participant token.
    pub fn mint_token(&self, spec: &TokenSpec) -> String {
        self.inner.key.mint(&self.inner.config.issuer, spec)
    }

    /// Checks a participant token of this server, or, with `imported`, one that is signed with that key. Whether its stage
    /// still exists is the caller's to ask.
    pub fn verify_token(
        &self,
        now: WallTime,
        token: &str,
        imported: Option<&ImportedKey>,
    ) -> Result<Grant, TokenError> {
        let Inner { config, key, .. } = self.inner.as_ref();
        let grant = match imported {
            Some(imported) => imported.verify(now, &config.issuer, token)?,
            None => key.verify(now, &config.issuer, token)?,
        };
        if self
            .inner
            .revocations
            .contains(&grant.stage, &grant.participant)
        {
            return Err(TokenError::Revoked {
                participant: grant.participant,
            });
        }
        Ok(grant)
    }

    /// The grant that a published or subscribed resource was made with, if it was read from this token. Whoever was let in
    /// with a token may go on and end with it, also when it has expired or its key is gone.
    pub fn made_with(&self, token: &str, resource: &str) -> Option<Grant> {
        let token = TokenText::new(token);
        self.inner.resources.made_with(&token, resource)
    }

    /// What happens from now on, on all stages. A listener that falls far behind is told how many events it lost, and
    /// reads [`Self::publishers`] to catch up.
    pub fn events(&self) -> broadcast::Receiver<GatewayEvent> {
        self.inner.events.subscribe()
    }

    /// Ends a published or subscribed resource.
    pub async fn delete(&self, grant: &Grant, resource: &str) -> Result<(), ResourceError> {
        let found = self.inner.resources.find(grant, resource)?;
        self.inner.resources.remove(resource);
        found.stop();
        Ok(())
    }

    /// Disconnects a participant and refuses its token from now on. True when it was connected; of one who was not,
    /// nothing is remembered: the tokens that must not be used any more are the caller's to know.
    pub async fn disconnect_participant(
        &self,
        stage: &StageId,
        participant: &ParticipantId,
    ) -> bool {
        let Some(session) = self.inner.sessions.get(stage) else {
            return false;
        };
        let whom = participant.clone();
        let asked = session.ask(|reply| SessionInput::Disconnect {
            participant: whom,
            reply,
        });
        let was_connected = asked.await.unwrap_or(false);
        if was_connected {
            self.revoke(stage, participant);
        }
        was_connected
    }

    /// Refuses a participant's token without touching connections; for start-up, when the store remembers.
    pub fn revoke(&self, stage: &StageId, participant: &ParticipantId) {
        self.inner.revocations.add(stage, participant);
    }

    /// Ends the stage's session, disconnects everybody and removes its journal, unless it is to be kept.
    pub async fn delete_stage(&self, stage: &StageId) {
        let _opening = self.inner.opening.lock().await;
        if let Some(session) = self.inner.sessions.take(stage) {
            let _ = session.ask(|reply| SessionInput::Close { reply }).await;
        }
        let dir = self.inner.stage_dir(stage);
        let kept = self.inner.config.kept_journals.clone();
        let removed = tokio::task::spawn_blocking(move || kept.retire_stage(&dir)).await;
        if let Ok(Err(error)) = removed {
            tracing::warn!(%stage, %error, "the journals of a deleted stage cannot be removed");
        }
    }

    /// The running session of a stage.
    pub fn active_session(&self, stage: &StageId) -> Option<SessionId> {
        self.inner
            .sessions
            .get(stage)
            .map(|session| session.session.clone())
    }

    /// Who publishes on a stage, in order of arrival; also those within the grace window.
    pub fn publishers(&self, stage: &StageId) -> Vec<Publisher> {
        self.inner
            .sessions
            .get(stage)
            .map(|session| session.publishers())
            .unwrap_or_default()
    }

    /// The stage clock now.
    pub fn media_now(&self, stage: &StageId) -> Option<MediaTime> {
        self.inner
            .sessions
            .get(stage)
            .map(|session| session.media_now())
    }

    /// The stage's journal for a composition; starts the session when the stage is empty, and continues the one that an
    /// earlier run of the server left behind.
    pub async fn stage_journal(&self, stage: &StageId) -> Result<Arc<StageMedia>, SessionError> {
        let session = self.inner.session(stage).await?;
        Ok(Arc::new(StageMedia::new(session)))
    }

    /// Removes journals that an earlier run of the server left behind and that nobody will continue, unless they are to be
    /// kept: those of all stages but `wanted` and those with a running session. For start-up, after the compositions to continue are known.
    pub async fn remove_abandoned_journals(&self, wanted: &[StageId]) {
        let _opening = self.inner.opening.lock().await;
        let mut kept: Vec<String> = wanted.iter().map(|stage| stage.to_string()).collect();
        kept.extend(
            self.inner
                .sessions
                .stages()
                .iter()
                .map(|stage| stage.to_string()),
        );
        let journals = self.inner.config.journal_dir.clone();
        let place = self.inner.config.kept_journals.clone();
        let removed =
            tokio::task::spawn_blocking(move || registry::remove_others(&journals, &kept, &place));
        if let Ok(Err(error)) = removed.await {
            tracing::warn!(%error, "journals left behind cannot be removed");
        }
    }

    /// Ends all sessions; their journals are forced to the disk and stay for the next start.
    pub async fn shutdown(&self) {
        let _opening = self.inner.opening.lock().await;
        for session in self.inner.sessions.take_all() {
            let _ = session.ask(|reply| SessionInput::Close { reply }).await;
        }
    }
}

/// Removes what was kept long enough, for ever.
async fn sweep_kept_journals(kept: KeptJournals) {
    let mut ticker = tokio::time::interval(SWEEP_INTERVAL);
    loop {
        ticker.tick().await;
        let kept = kept.clone();
        let swept = tokio::task::spawn_blocking(move || kept.sweep(SystemTime::now())).await;
        if let Ok(Err(error)) = swept {
            tracing::warn!(%error, "kept journals cannot be looked through");
        }
    }
}

impl Inner {
    fn stage_dir(&self, stage: &StageId) -> PathBuf {
        self.config.journal_dir.join(Path::new(stage.as_str()))
    }

    /// The stage's session, opened when there is none.
    async fn session(&self, stage: &StageId) -> Result<Arc<SessionShared>, SessionError> {
        if let Some(session) = self.sessions.get(stage) {
            return Ok(session);
        }
        let _opening = self.opening.lock().await;
        if let Some(session) = self.sessions.get(stage) {
            return Ok(session);
        }
        let is_plain = stage
            .as_str()
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric());
        if stage.as_str().is_empty() || !is_plain {
            // It names a folder.
            return Err(SessionError::Closed);
        }
        let session = SessionShared::open(SessionSetup {
            stage: stage.clone(),
            stage_dir: &self.stage_dir(stage),
            kept: self.config.kept_journals.clone(),
            process: self.clock,
            events: self.events.clone(),
            history: self.config.history.clone(),
            counters: self.counters.clone(),
        })
        .await?;
        self.sessions.insert(session.clone());
        Ok(session)
    }
}
