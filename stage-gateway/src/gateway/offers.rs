//! Offers become peer connections, and PATCH keeps them reachable.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use compositor_core::access_unit::MediaKind;
use compositor_core::id::ParticipantId;
use tokio::sync::{Mutex as AsyncMutex, mpsc};

use super::registry::{Resource, ResourceGuard};
use super::{Answer, Gateway, Inner, PatchAnswer};
use crate::error::{OfferError, ResourceError, SessionError};
use crate::limits::PEERS_MAX;
use crate::peer::{Peer, PeerEvents};
use crate::publisher;
use crate::sdp::{self, Offer, Purpose};
use crate::session::{Joining, Role, SessionInput, SessionShared, StopReason};
use crate::stage::{Departure, Identity, PeerId};
use crate::subscriber::{self, Subscriber};
use crate::token::Grant;
use crate::track_reader::PublisherShared;

/// Reasons to stop that wait for a peer's task; one is enough.
const STOP_QUEUE: usize = 1;

impl Gateway {
    /// Answers a WHIP offer: the participant publishes. An earlier peer connection of the same participant is replaced
    /// once this one is up, and the participant keeps its place.
    pub async fn publish(&self, grant: &Grant, offer: &str) -> Result<Answer, OfferError> {
        grant.require_publish()?;
        let offer = sdp::check_offer(offer, Purpose::Publish)?;
        let (inner, grant) = (self.inner.clone(), grant.clone());
        uncancelled(async move { inner.publish(&grant, &offer).await }).await
    }

    /// Answers a subscribe offer: the participant receives `publisher`.
    pub async fn subscribe(
        &self,
        grant: &Grant,
        publisher: &ParticipantId,
        offer: &str,
    ) -> Result<Answer, OfferError> {
        grant.require_subscribe()?;
        let offer = sdp::check_offer(offer, Purpose::Subscribe)?;
        let (inner, grant, publisher) = (self.inner.clone(), grant.clone(), publisher.clone());
        uncancelled(async move { inner.subscribe(&grant, &publisher, &offer).await }).await
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
    async fn publish(&self, grant: &Grant, offer: &Offer) -> Result<Answer, OfferError> {
        let seat = self.join(grant, Role::Publisher).await?;
        let made = async {
            let (peer, mut events) = self.new_peer(offer).await?;
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
        tokio::spawn(async move {
            let _guard = guard;
            publisher::run(peer, events, Arc::new(shared), seat.stopped).await;
        });
        Ok(answer)
    }

    async fn subscribe(
        &self,
        grant: &Grant,
        publisher: &ParticipantId,
        offer: &Offer,
    ) -> Result<Answer, OfferError> {
        let seat = self
            .join(grant, Role::Subscriber(publisher.clone()))
            .await?;
        let made = async {
            let feed = seat.session.existing_feed(publisher);
            let feed = feed.ok_or_else(|| OfferError::PublisherNotFound {
                publisher: publisher.clone(),
            })?;
            let (peer, mut events) = self.new_peer(offer).await?;
            let outlets = subscriber::add_outlets(&peer, offer, &feed).await?;
            let sdp = peer.answer(&mut events).await?;
            Ok((peer, events, feed, outlets, sdp))
        };
        let (peer, events, feed, outlets, sdp) = seat.unless_refused(made.await).await?;
        let peer = Arc::new(peer);
        let (answer, guard) = self.keep(grant, &peer, seat.stop, sdp);
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
            })
            .await;
        });
        Ok(answer)
    }

    async fn new_peer(&self, offer: &Offer) -> Result<(Peer, PeerEvents), OfferError> {
        if self.resources.len() >= PEERS_MAX {
            return Err(OfferError::ServerFull { limit: PEERS_MAX });
        }
        Peer::new(&self.mux, offer).await
    }

    async fn join(&self, grant: &Grant, role: Role) -> Result<Seat, OfferError> {
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
                stage: grant.stage.clone(),
                participant: grant.participant.clone(),
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
