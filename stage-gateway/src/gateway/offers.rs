//! Offers become peer connections, and PATCH keeps them reachable.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use compositor_core::access_unit::MediaKind;
use compositor_core::id::ParticipantId;
use tokio::sync::{Mutex as AsyncMutex, mpsc};

use super::refusals::Caller;
use super::registry::{Resource, ResourceGuard};
use super::{Answer, Gateway, Inner, PatchAnswer};
use crate::error::{OfferError, ResourceError, SessionError};
use crate::history::{Attempt, ClientAttributes};
use crate::limits::PEERS_MAX;
use crate::peer::{Peer, PeerEvents};
use crate::peer_config::MediaDirection;
use crate::publisher;
use crate::publisher_shared::PublisherShared;
use crate::sdp::{self, Offer, Purpose};
use crate::session::{Joining, Role, SessionInput, SessionShared, StopReason};
use crate::stage::{Departure, Identity, PeerId};
use crate::subscriber::{self, Subscriber};
use crate::token::Grant;

/// Reasons to stop that wait for a peer's task; one is enough.
const STOP_QUEUE: usize = 1;

impl Gateway {
    /// Answers a WHIP offer: the participant publishes. An earlier peer connection of the same participant is replaced
    /// once this one is up, and the participant keeps its place.
    pub async fn publish(
        &self,
        grant: &Grant,
        client: ClientAttributes,
        offer: &str,
    ) -> Result<Answer, OfferError> {
        let (inner, caller) = (self.inner.clone(), Caller::new(grant, client));
        inner.admit(&grant.stage)?;
        let allowed = grant.require_publish().map_err(OfferError::from);
        let offer = allowed.and_then(|()| sdp::check_offer(offer, Purpose::Publish));
        uncancelled(async move {
            let answered = match offer {
                Ok(offer) => inner.publish(&caller, &offer).await,
                Err(refused) => Err(refused),
            };
            inner.note(caller, Attempt::Publish, answered).await
        })
        .await
    }

    /// Answers a subscribe offer: the participant receives `publisher`.
    pub async fn subscribe(
        &self,
        grant: &Grant,
        client: ClientAttributes,
        publisher: &ParticipantId,
        offer: &str,
    ) -> Result<Answer, OfferError> {
        let (inner, caller) = (self.inner.clone(), Caller::new(grant, client));
        inner.admit(&grant.stage)?;
        let allowed = grant.require_subscribe().map_err(OfferError::from);
        let offer = allowed.and_then(|()| sdp::check_offer(offer, Purpose::Subscribe));
        let publisher = publisher.clone();
        uncancelled(async move {
            let answered = match offer {
                Ok(offer) => inner.subscribe(&caller, &publisher, &offer).await,
                Err(refused) => Err(refused),
            };
            let attempt = Attempt::Subscribe(publisher);
            inner.note(caller, attempt, answered).await
        })
        .await
    }

    /// Takes trickled candidates or restarts ICE (RFC 9725 section 4.3). `if_match` is the header's value.
    pub async fn patch(
        &self,
        grant: &Grant,
        resource: &str,
        if_match: Option<&str>,
        fragment: &str,
    ) -> Result<PatchAnswer, ResourceError> {
        let resource = self.inner.resources.find(grant, resource)?;
        let given = if_match.ok_or(ResourceError::PreconditionRequired)?.trim();
        let ice =
            sdp::check_fragment(fragment).map_err(|rule| ResourceError::Malformed { rule })?;
        let mut etag = resource.etag.lock().await;
        if given != "*" {
            if given != *etag {
                let (given, current) = (given.to_owned(), etag.clone());
                return Err(ResourceError::PreconditionFailed { given, current });
            }
            // Candidates need no handling: an ICE-lite agent learns addresses from the client's checks.
            return Ok(PatchAnswer::Trickled);
        }
        let Some(ice) = ice else {
            let rule = "If-Match: * restarts ICE, which needs a=ice-ufrag and a=ice-pwd".to_owned();
            return Err(ResourceError::Unprocessable { rule });
        };
        let restarted = resource.peer.restart_ice(&ice).await;
        let fragment = restarted.map_err(|error| ResourceError::Unprocessable {
            rule: error.to_string(),
        })?;
        *etag = fresh_etag();
        Ok(PatchAnswer::Restarted {
            etag: etag.clone(),
            fragment,
        })
    }
}

/// A place in a session.
struct Seat {
    peer: PeerId,
    session: Arc<SessionShared>,
    stop: mpsc::Sender<StopReason>,
    stopped: mpsc::Receiver<StopReason>,
}

impl Seat {
    /// Gives the place up when what it was for did not come about.
    async fn unless_refused<T>(&self, made: Result<T, OfferError>) -> Result<T, OfferError> {
        if made.is_err() {
            let (peer, departure) = (self.peer, Departure::Ended);
            self.session
                .tell(SessionInput::Left { peer, departure })
                .await;
        }
        made
    }
}

/// Runs to its end even if the caller goes away meanwhile, so that no place in a session is left behind.
async fn uncancelled<T: Send + 'static>(
    work: impl Future<Output = Result<T, OfferError>> + Send + 'static,
) -> Result<T, OfferError> {
    tokio::spawn(work).await.unwrap_or_else(|_| {
        Err(OfferError::Internal {
            what: "the offer's task ended early".to_owned(),
        })
    })
}

impl Inner {
    async fn publish(&self, caller: &Caller, offer: &Offer) -> Result<Answer, OfferError> {
        let seat = self.join(caller, Role::Publisher).await?;
        let grant = &caller.grant;
        let made = async {
            let (peer, mut events) = self.new_peer(offer, MediaDirection::Received).await?;
            let answer = peer.answer(&mut events).await?;
            let sdp = sdp::with_start_bitrate(&offer.sdp, &answer);
            Ok((peer, events, sdp))
        };
        let (peer, events, sdp) = seat.unless_refused(made.await).await?;
        let feed = seat.session.feed(&grant.participant);
        feed.of(MediaKind::Audio).expect(offer.audio);
        feed.of(MediaKind::Video).expect(offer.video);
        let participant = grant.participant.clone();
        let shared = PublisherShared::new(participant, seat.peer, seat.session.clone(), feed);
        let peer = Arc::new(peer);
        let (answer, guard) = self.keep(grant, &peer, seat.stop, sdp);
        let limits = self.config.limits;
        tokio::spawn(async move {
            let _guard = guard;
            publisher::run(peer, events, Arc::new(shared), seat.stopped, limits).await;
        });
        Ok(answer)
    }

    async fn subscribe(
        &self,
        caller: &Caller,
        publisher: &ParticipantId,
        offer: &Offer,
    ) -> Result<Answer, OfferError> {
        let seat = self
            .join(caller, Role::Subscriber(publisher.clone()))
            .await?;
        let made = async {
            let feed = seat.session.existing_feed(publisher);
            let feed = feed.ok_or_else(|| OfferError::PublisherNotFound {
                publisher: publisher.clone(),
            })?;
            let (peer, mut events) = self.new_peer(offer, MediaDirection::Sent).await?;
            let outlets = subscriber::add_outlets(&peer, offer, &feed).await?;
            let sdp = peer.answer(&mut events).await?;
            Ok((peer, events, feed, outlets, sdp))
        };
        let (peer, events, feed, outlets, sdp) = seat.unless_refused(made.await).await?;
        let peer = Arc::new(peer);
        let (answer, guard) = self.keep(&caller.grant, &peer, seat.stop, sdp);
        let duration_max = self.config.limits.duration_max;
        let (id, session, stop) = (seat.peer, seat.session, seat.stopped);
        tokio::spawn(async move {
            let _guard = guard;
            subscriber::run(Subscriber {
                id,
                peer,
                events,
                session,
                feed,
                outlets,
                stop,
                duration_max,
            })
            .await;
        });
        Ok(answer)
    }

    async fn new_peer(
        &self,
        offer: &Offer,
        media: MediaDirection,
    ) -> Result<(Peer, PeerEvents), OfferError> {
        if self.resources.len() >= PEERS_MAX {
            return Err(OfferError::ServerFull { limit: PEERS_MAX });
        }
        Peer::new(&self.mux, offer, media).await
    }

    async fn join(&self, caller: &Caller, role: Role) -> Result<Seat, OfferError> {
        let grant = &caller.grant;
        let session = match &role {
            Role::Publisher => self.session(&grant.stage).await?,
            // Nobody publishes on a stage without a session.
            Role::Subscriber(publisher) => {
                self.sessions
                    .get(&grant.stage)
                    .ok_or_else(|| OfferError::PublisherNotFound {
                        publisher: publisher.clone(),
                    })?
            }
        };
        let peer = PeerId(self.next_peer.fetch_add(1, Ordering::Relaxed));
        let (stop, stopped) = mpsc::channel(STOP_QUEUE);
        let identity = Identity {
            participant: grant.participant.clone(),
            user_id: grant.user_id.clone(),
            attributes: grant.attributes.clone(),
        };
        let joining = Joining {
            peer,
            identity,
            client: caller.client.clone(),
            role,
            stop: stop.clone(),
        };
        let joined = session
            .ask(|reply| SessionInput::Join { joining, reply })
            .await;
        joined.unwrap_or(Err(OfferError::Session(SessionError::Closed)))?;
        Ok(Seat {
            peer,
            session,
            stop,
            stopped,
        })
    }

    fn keep(
        &self,
        grant: &Grant,
        peer: &Arc<Peer>,
        stop: mpsc::Sender<StopReason>,
        sdp: String,
    ) -> (Answer, ResourceGuard) {
        let id = format!("{:032x}", rand::random::<u128>());
        let etag = fresh_etag();
        self.resources.insert(
            id.clone(),
            Resource {
                grant: grant.clone(),
                peer: peer.clone(),
                stop,
                etag: AsyncMutex::new(etag.clone()),
            },
        );
        let guard = ResourceGuard {
            resources: self.resources.clone(),
            id: id.clone(),
        };
        (
            Answer {
                resource: id,
                etag,
                sdp,
                ice_links: Vec::new(),
            },
            guard,
        )
    }
}

fn fresh_etag() -> String {
    format!("\"{:016x}\"", rand::random::<u64>())
}
