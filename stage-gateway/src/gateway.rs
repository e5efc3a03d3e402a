//! The public handle: tokens, WHIP offers and resources, stage sessions, events.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use compositor_core::id::{ParticipantId, SessionId, StageId};
use compositor_core::roster::Publisher;
use compositor_core::time::{MediaTime, WallTime};
use tokio::sync::broadcast;

use crate::error::{OfferError, ResourceError, SessionError, StartError, TokenError};
use crate::event::GatewayEvent;
use crate::limits::EVENT_QUEUE;
use crate::stage_media::StageMedia;
use crate::token::{Grant, TokenIssuer, TokenKey, TokenSpec};

/// What the gateway needs to know.
#[derive(Clone, Debug)]
pub struct GatewayConfig {
    /// Where media arrives: one UDP port for all peers, and ICE-TCP on the same number. Port 0 takes a free one.
    pub listen: SocketAddr,
    /// The address that peers reach when a NAT stands between; else the bound ones are told.
    pub advertised: Option<IpAddr>,
    /// Where the journals of stage sessions are kept, one folder each.
    pub journal_dir: PathBuf,
    /// The private key that signs participant tokens; made when it does not exist.
    pub token_key_file: PathBuf,
    /// Region, account and public WHIP URL, for the tokens.
    pub issuer: TokenIssuer,
    /// The zero of [`compositor_core::time::MonotonicTime`] in this process.
    pub process_start: Instant,
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

/// The stage gateway. Cheap to clone; all clones are one gateway.
#[derive(Clone, Debug)]
pub struct Gateway {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    config: GatewayConfig,
    key: TokenKey,
    events: broadcast::Sender<GatewayEvent>,
}

impl Gateway {
    /// Binds the WebRTC port, reads or makes the token key and starts to serve peers.
    pub async fn start(config: GatewayConfig) -> Result<Self, StartError> {
        let key = TokenKey::load_or_create(&config.token_key_file)?;
        let (events, _) = broadcast::channel(EVENT_QUEUE);
        Ok(Self {
            inner: Arc::new(Inner {
                config,
                key,
                events,
            }),
        })
    }

    /// The bound UDP address; TCP has the same port.
    pub fn local_addr(&self) -> SocketAddr {
        self.inner.config.listen
    }

    /// Signs a participant token.
    pub fn mint_token(&self, spec: &TokenSpec) -> String {
        self.inner.key.mint(&self.inner.config.issuer, spec)
    }

    /// Checks a participant token. Whether its stage still exists is the caller's to ask.
    pub fn verify_token(&self, now: WallTime, token: &str) -> Result<Grant, TokenError> {
        self.inner.key.verify(now, &self.inner.config.issuer, token)
    }

    /// What happens from now on, on all stages. A listener that falls far behind is told how many events it lost, and
    /// reads [`Self::publishers`] to catch up.
    pub fn events(&self) -> broadcast::Receiver<GatewayEvent> {
        self.inner.events.subscribe()
    }

    /// Answers a WHIP offer: the participant publishes. An earlier peer connection of the same participant is replaced,
    /// and the participant keeps its place.
    pub async fn publish(&self, _grant: &Grant, _offer: &str) -> Result<Answer, OfferError> {
        Err(SessionError::Closed.into())
    }

    /// Answers a subscribe offer: the participant receives `publisher`.
    pub async fn subscribe(
        &self,
        _grant: &Grant,
        publisher: &ParticipantId,
        _offer: &str,
    ) -> Result<Answer, OfferError> {
        Err(OfferError::PublisherNotFound {
            publisher: publisher.clone(),
        })
    }

    /// Takes trickled candidates or restarts ICE (RFC 9725 section 4.3). `if_match` is the header's value.
    pub async fn patch(
        &self,
        _grant: &Grant,
        resource: &str,
        _if_match: Option<&str>,
        _fragment: &str,
    ) -> Result<PatchAnswer, ResourceError> {
        Err(ResourceError::NotFound {
            resource: resource.to_owned(),
        })
    }

    /// Ends a published or subscribed resource.
    pub async fn delete(&self, _grant: &Grant, resource: &str) -> Result<(), ResourceError> {
        Err(ResourceError::NotFound {
            resource: resource.to_owned(),
        })
    }

    /// Disconnects a participant and refuses its token from now on. True when it was connected.
    pub async fn disconnect_participant(
        &self,
        _stage: &StageId,
        _participant: &ParticipantId,
    ) -> bool {
        false
    }

    /// Refuses a participant's token without touching connections; for start-up, when the store remembers.
    pub fn revoke(&self, _stage: &StageId, _participant: &ParticipantId) {}

    /// Ends the stage's session, disconnects everybody and closes its journal.
    pub async fn delete_stage(&self, _stage: &StageId) {}

    /// The running session of a stage.
    pub fn active_session(&self, _stage: &StageId) -> Option<SessionId> {
        None
    }

    /// Who publishes on a stage, in order of arrival; also those within the grace window.
    pub fn publishers(&self, _stage: &StageId) -> Vec<Publisher> {
        Vec::new()
    }

    /// The stage clock now.
    pub fn media_now(&self, _stage: &StageId) -> Option<MediaTime> {
        None
    }

    /// The stage's journal for a composition; starts the session when the stage is empty.
    pub async fn stage_journal(&self, _stage: &StageId) -> Result<Arc<StageMedia>, SessionError> {
        Err(SessionError::Closed)
    }

    /// Ends all sessions; journals are synced and stay for the next start.
    pub async fn shutdown(&self) {}
}
