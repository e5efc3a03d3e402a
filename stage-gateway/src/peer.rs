//! One peer connection: made from an offer, answered, restarted, watched and closed.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use compositor_core::access_unit::Codec;
use rtc::peer_connection::configuration::RTCConfigurationBuilder;
use rtc::peer_connection::sdp::RTCSessionDescription;
use rtc::peer_connection::transport::RTCDtlsTransportState;
use rtc::shared::error::Error;
use tokio::sync::{mpsc, oneshot};
use webrtc::media_stream::track_remote::TrackRemote;
use webrtc::peer_connection::transport::DtlsTransport;
use webrtc::peer_connection::{
    PeerConnection, PeerConnectionBuilder, PeerConnectionEventHandler, RTCIceGatheringState,
    RTCPeerConnectionState,
};

use crate::error::OfferError;
use crate::mux::{Mux, PeerPort};
use crate::outbound::Outbound;
use crate::outbound::keys::KeyTap;
use crate::peer_config::{MediaDirection, interceptors, media_engine, setting_engine};
use crate::peer_limits::DTLS_POLL;
use crate::rtcp::{RtcpFact, RtcpTap};
use crate::sdp::{self, IceCredentials, Offer};

/// State changes that wait for the peer's task; a connection has a handful in its life, restarts some more.
const STATE_QUEUE: usize = 64;

/// RTCP facts that wait for the peer's task: 3 layers, audio and feedback, some seconds' worth.
const RTCP_QUEUE: usize = 256;

/// How long gathering may take; nothing is asked of the network, so it takes milliseconds.
const GATHERING_WAIT: Duration = Duration::from_secs(3);

/// How long closing may take before the connection is dropped as it is.
const CLOSE_WAIT: Duration = Duration::from_secs(2);

/// What happens to a peer connection.
pub(crate) enum PeerEvent {
    /// ICE and DTLS are up.
    Connected,
    /// It will not come back.
    Gone,
    /// A remote track has its first packet.
    Track(Arc<dyn TrackRemote>),
}

/// A peer connection and its share of the port.
pub(crate) struct Peer {
    connection: Arc<dyn PeerConnection>,
    port: PeerPort,
    candidates: Vec<String>,
    offer: String,
    keys: Arc<KeyTap>,
    closed: AtomicBool,
}

/// What a peer's task listens to.
pub(crate) struct PeerEvents {
    /// State changes and tracks.
    pub(crate) states: mpsc::Receiver<PeerEvent>,
    /// Inbound RTCP.
    pub(crate) rtcp: mpsc::Receiver<RtcpFact>,
    gathered: Option<oneshot::Receiver<()>>,
}

impl Peer {
    /// Makes the connection; [`Self::answer`] follows once local tracks are added.
    pub(crate) async fn new(
        mux: &Mux,
        offer: &Offer,
        direction: MediaDirection,
    ) -> Result<(Self, PeerEvents), OfferError> {
        let (states_tx, states) = mpsc::channel(STATE_QUEUE);
        let (rtcp_tx, rtcp) = mpsc::channel(RTCP_QUEUE);
        let (gathered_tx, gathered) = oneshot::channel();
        let handler = Handler {
            states: states_tx,
            gathered: parking_lot::Mutex::new(Some(gathered_tx)),
        };
        let mut media = media_engine().map_err(|error| internal(&error))?;
        let interceptors = interceptors(&mut media, direction, RtcpTap::new(rtcp_tx))
            .map_err(|error| internal(&error))?;
        let keys = KeyTap::new().map_err(|error| OfferError::Internal {
            what: error.to_string(),
        })?;
        let keys = Arc::new(keys);
        let (port, runtime) = mux.open();
        let connection = PeerConnectionBuilder::new()
            .with_configuration(RTCConfigurationBuilder::new().build())
            .with_media_engine(media)
            .with_setting_engine(setting_engine(keys.clone()))
            .with_interceptor_registry(interceptors)
            .with_handler(Arc::new(handler))
            .with_runtime(Arc::new(runtime))
            .with_udp_addrs(vec![port.placeholder_address()])
            .with_tcp_addrs(vec![port.placeholder_address()])
            .build()
            .await
            .map_err(|error| internal(&error))?;
        let peer = Self {
            connection: Arc::new(connection),
            port,
            candidates: mux.candidate_lines(),
            offer: offer.sdp.clone(),
            keys,
            closed: AtomicBool::new(false),
        };
        Ok((
            peer,
            PeerEvents {
                states,
                rtcp,
                gathered: Some(gathered),
            },
        ))
    }

    /// The library's connection, for adding local tracks.
    pub(crate) fn connection(&self) -> &Arc<dyn PeerConnection> {
        &self.connection
    }

    /// For the outgoing stream `ssrc`, which the library then must not write; fails before the connection is up.
    pub(crate) fn outbound(
        &self,
        ssrc: u32,
        payload_type: u8,
        codec: Codec,
    ) -> Result<Outbound, Error> {
        let (sealer, path) = (self.keys.sealer(ssrc)?, self.port.media_path());
        Ok(Outbound::new(ssrc, payload_type, codec, sealer, path))
    }

    /// Answers the offer and starts to listen for the client.
    pub(crate) async fn answer(&self, events: &mut PeerEvents) -> Result<String, OfferError> {
        let answer = self.negotiate(&self.offer).await?;
        if let Some(gathered) = events.gathered.take() {
            let _ = tokio::time::timeout(GATHERING_WAIT, gathered).await;
        }
        let answer = self.local_sdp().await.unwrap_or(answer);
        let ice = sdp::ice_credentials(&answer).map_err(|what| OfferError::Internal { what })?;
        self.port.listen_for(&ice.ufrag);
        Ok(sdp::with_candidates(&answer, &self.candidates))
    }

    /// Restarts ICE towards a client with new credentials; returns our fragment.
    pub(crate) async fn restart_ice(&self, ice: &IceCredentials) -> Result<String, OfferError> {
        let answer = self
            .negotiate(&sdp::with_credentials(&self.offer, ice))
            .await?;
        let answer = self.local_sdp().await.unwrap_or(answer);
        let ours = sdp::ice_credentials(&answer).map_err(|what| OfferError::Internal { what })?;
        self.port.listen_for(&ours.ufrag);
        Ok(sdp::restart_fragment(&answer, &ours, &self.candidates))
    }

    async fn negotiate(&self, offer: &str) -> Result<String, OfferError> {
        let connection = self.connection.clone();
        let offer = offer.to_owned();
        // In its own task, so that a panic of the parser costs this offer and nothing else.
        let negotiated = tokio::spawn(async move {
            let offer = RTCSessionDescription::offer(offer).map_err(|error| refused(&error))?;
            connection
                .set_remote_description(offer)
                .await
                .map_err(|error| refused(&error))?;
            let answer = connection
                .create_answer(None)
                .await
                .map_err(|error| refused(&error))?;
            let sdp = answer.sdp.clone();
            connection
                .set_local_description(answer)
                .await
                .map_err(|error| refused(&error))?;
            Ok(sdp)
        });
        negotiated.await.unwrap_or_else(|_| {
            Err(OfferError::Malformed {
                rule: "the SDP parser gave up on it".to_owned(),
            })
        })
    }

    async fn local_sdp(&self) -> Option<String> {
        self.connection
            .local_description()
            .await
            .map(|description| description.sdp)
    }

    /// Waits until the connection's driver has ended.
    pub(crate) async fn abandoned(&self) {
        self.port.abandoned().await;
    }

    /// The DTLS transport, once media has been negotiated.
    async fn dtls(&self) -> Option<Arc<dyn DtlsTransport>> {
        let transport = if let Some(receiver) = self.connection.get_receivers().await.first() {
            receiver.transport().await
        } else {
            let senders = self.connection.get_senders().await;
            senders.first()?.transport().await
        };
        transport.ok().flatten()
    }

    /// Closes the connection; DTLS tells the other side.
    pub(crate) async fn close(&self) {
        self.closed.store(true, Ordering::Relaxed);
        let closed = tokio::time::timeout(CLOSE_WAIT, self.connection.close()).await;
        if !matches!(closed, Ok(Ok(()))) {
            tracing::debug!("a peer connection did not close in order");
        }
    }
}

/// The library's connection lives on when it is merely dropped.
impl Drop for Peer {
    fn drop(&mut self) {
        if !self.closed.load(Ordering::Relaxed)
            && let Ok(runtime) = tokio::runtime::Handle::try_current()
        {
            let connection = self.connection.clone();
            runtime.spawn(async move {
                let _ = tokio::time::timeout(CLOSE_WAIT, connection.close()).await;
            });
        }
    }
}

struct Handler {
    states: mpsc::Sender<PeerEvent>,
    gathered: parking_lot::Mutex<Option<oneshot::Sender<()>>>,
}

#[async_trait]
impl PeerConnectionEventHandler for Handler {
    async fn on_ice_gathering_state_change(&self, state: RTCIceGatheringState) {
        if state == RTCIceGatheringState::Complete
            && let Some(gathered) = self.gathered.lock().take()
        {
            let _ = gathered.send(());
        }
    }

    async fn on_connection_state_change(&self, state: RTCPeerConnectionState) {
        let event = match state {
            RTCPeerConnectionState::Connected => PeerEvent::Connected,
            RTCPeerConnectionState::Failed | RTCPeerConnectionState::Closed => PeerEvent::Gone,
            _ => return,
        };
        let _ = self.states.send(event).await;
    }

    async fn on_track(&self, track: Arc<dyn TrackRemote>) {
        let _ = self.states.send(PeerEvent::Track(track)).await;
    }
}

fn internal(error: &Error) -> OfferError {
    OfferError::Internal {
        what: error.to_string(),
    }
}

fn refused(error: &Error) -> OfferError {
    OfferError::Malformed {
        rule: error.to_string(),
    }
}

/// Waits until the other side closes DTLS, which the connection's state does not tell, or the connection's driver ends.
pub(crate) async fn wait_for_end(peer: &Peer) {
    let closed = async {
        let mut dtls = None;
        loop {
            tokio::time::sleep(DTLS_POLL).await;
            if dtls.is_none() {
                dtls = peer.dtls().await;
            }
            if let Some(dtls) = &dtls
                && let Ok(RTCDtlsTransportState::Closed | RTCDtlsTransportState::Failed) =
                    dtls.state().await
            {
                return;
            }
        }
    };
    tokio::select! {
        () = closed => {}
        () = peer.abandoned() => {}
    }
}
