//! A subscribing peer connection: its local tracks, and the task that forwards a publisher's media to it.

use std::sync::Arc;
use std::time::Duration;

use compositor_core::access_unit::{Codec, MediaKind};
use rtc::media_stream::MediaStreamTrack;
use rtc::rtp_transceiver::rtp_sender::{
    RTCRtpCodingParameters, RTCRtpEncodingParameters, RtpCodecKind,
};
use tokio::sync::mpsc;
use webrtc::media_stream::track_local::TrackLocal;
use webrtc::media_stream::track_local::static_rtp::TrackLocalStaticRTP;
use webrtc::rtp_transceiver::RtpSender;

use crate::error::OfferError;
use crate::feed::{Feed, TrackControl};
use crate::history::FailureCode;
use crate::lane::Lane;
use crate::peer::{Peer, PeerEvent, PeerEvents, wait_for_end};
use crate::peer_config::codec_parameters;
use crate::peer_limits::{CONNECT_WAIT, TRACK_WAIT};
use crate::rtcp::RtcpFact;
use crate::sdp::Offer;
use crate::session::{SessionInput, SessionShared, StopReason};
use crate::stage::{Departure, PeerId};

/// RTCP facts that wait for a lane: some seconds of a browser's reports and requests.
const FACT_QUEUE: usize = 64;

/// One kind of media on its way to the subscriber.
pub(crate) struct Outlet {
    /// Which kind.
    pub(crate) kind: MediaKind,
    /// What the library knows of it.
    pub(crate) track: Arc<TrackLocalStaticRTP>,
    /// What was negotiated for it.
    pub(crate) sender: Arc<dyn RtpSender>,
    /// Under which SSRC it goes out.
    pub(crate) ssrc: u32,
    /// How it is coded.
    pub(crate) codec: Codec,
    /// The format parameters, as SDP has them.
    pub(crate) fmtp: String,
}

/// Adds a local track to `peer` for each kind that the offer wants and the publisher has.
pub(crate) async fn add_outlets(
    peer: &Peer,
    offer: &Offer,
    feed: &Feed,
) -> Result<Vec<Outlet>, OfferError> {
    let mut outlets = Vec::with_capacity(2);
    for (kind, wanted) in [
        (MediaKind::Audio, offer.audio),
        (MediaKind::Video, offer.video),
    ] {
        if !wanted {
            continue;
        }
        let coming = tokio::time::timeout(TRACK_WAIT, feed.of(kind).current_when_expected());
        if let Some(control) = coming.await.ok().flatten() {
            outlets.push(add_outlet(peer, kind, &control).await?);
        }
    }
    if outlets.is_empty() {
        let rule = "the publisher sends nothing of what the offer asks for".to_owned();
        return Err(OfferError::Unacceptable { rule });
    }
    Ok(outlets)
}

async fn add_outlet(
    peer: &Peer,
    kind: MediaKind,
    control: &TrackControl,
) -> Result<Outlet, OfferError> {
    let ssrc: u32 = rand::random();
    let (name, codec_kind) = match kind {
        MediaKind::Audio => ("audio", RtpCodecKind::Audio),
        MediaKind::Video => ("video", RtpCodecKind::Video),
    };
    let encoding = RTCRtpEncodingParameters {
        rtp_coding_parameters: RTCRtpCodingParameters {
            ssrc: Some(ssrc),
            ..Default::default()
        },
        codec: codec_parameters(control.codec, &control.fmtp),
        ..Default::default()
    };
    // One stream for both kinds, so that the receiver plays them in sync.
    let stream = MediaStreamTrack::new(
        "stage".to_owned(),
        name.to_owned(),
        name.to_owned(),
        codec_kind,
        vec![encoding],
    );
    let track = Arc::new(TrackLocalStaticRTP::new(stream));
    let sender = peer
        .connection()
        .add_track(track.clone() as Arc<dyn TrackLocal>)
        .await
        .map_err(|error| OfferError::Internal {
            what: error.to_string(),
        })?;
    let fmtp = control.fmtp.clone();
    Ok(Outlet {
        kind,
        track,
        sender,
        ssrc,
        codec: control.codec,
        fmtp,
    })
}

/// What the task of a subscriber needs.
pub(crate) struct Subscriber {
    /// Its number.
    pub(crate) id: PeerId,
    /// The connection.
    pub(crate) peer: Arc<Peer>,
    /// What happens to it.
    pub(crate) events: PeerEvents,
    /// The stage session.
    pub(crate) session: Arc<SessionShared>,
    /// Whose media.
    pub(crate) feed: Arc<Feed>,
    /// The local tracks.
    pub(crate) outlets: Vec<Outlet>,
    /// Ends it.
    pub(crate) stop: mpsc::Receiver<StopReason>,
    /// How long it may receive.
    pub(crate) duration_max: Duration,
}

/// Runs until the connection is gone or told to stop.
pub(crate) async fn run(subscriber: Subscriber) {
    let (peer, session, id) = (
        subscriber.peer.clone(),
        subscriber.session.clone(),
        subscriber.id,
    );
    let departure = live(subscriber).await;
    session
        .tell(SessionInput::Left {
            peer: id,
            departure,
        })
        .await;
    peer.close().await;
}

async fn live(subscriber: Subscriber) -> Departure {
    let Subscriber {
        id,
        peer,
        mut events,
        session,
        feed,
        outlets,
        mut stop,
        duration_max,
    } = subscriber;
    let lost = |session: &SessionShared| Departure::Lost {
        last_packet: session.now(),
    };
    let ended = wait_for_end(&peer);
    let too_late = tokio::time::sleep(CONNECT_WAIT);
    tokio::pin!(ended, too_late);
    // There are no keys before the connection is up.
    loop {
        tokio::select! {
            event = events.states.recv() => match event {
                Some(PeerEvent::Connected) => break,
                Some(PeerEvent::Track(_)) => {}
                Some(PeerEvent::Gone) | None => return lost(&session),
            },
            _ = stop.recv() => return Departure::Ended,
            () = &mut ended => return lost(&session),
            () = &mut too_late => return lost(&session),
        }
    }
    let mut lanes = Vec::with_capacity(outlets.len());
    for outlet in outlets {
        if let Some(lane) = Lane::new(outlet, &peer, session.clone()).await {
            lanes.push(lane);
        }
    }
    session.tell(SessionInput::Connected(id)).await;
    let (mut facts, mut facts_rx) = (Facts::default(), events.rtcp);
    let forwarding: Vec<_> = lanes
        .into_iter()
        .map(|lane| {
            let facts = facts.receiver(lane.ssrc());
            tokio::spawn(lane.forward(feed.clone(), facts))
        })
        .collect();
    let too_long = tokio::time::sleep(duration_max);
    tokio::pin!(too_long);
    let departure = loop {
        tokio::select! {
            event = events.states.recv() => match event {
                Some(PeerEvent::Gone) | None => break lost(&session),
                Some(PeerEvent::Connected | PeerEvent::Track(_)) => {}
            },
            Some(fact) = facts_rx.recv() => facts.tell(fact),
            _ = stop.recv() => break Departure::Ended,
            () = &mut too_long => {
                let code = FailureCode::StreamDurationExceeded;
                session.tell(SessionInput::OverLimit { peer: id, code }).await;
                break Departure::Ended;
            }
            () = &mut ended => break lost(&session),
        }
    };
    forwarding.iter().for_each(tokio::task::JoinHandle::abort);
    departure
}

/// Passes RTCP on to the lane that it is about.
#[derive(Default)]
struct Facts {
    lanes: Vec<(u32, mpsc::Sender<RtcpFact>)>,
}

impl Facts {
    fn receiver(&mut self, ssrc: u32) -> mpsc::Receiver<RtcpFact> {
        let (sender, receiver) = mpsc::channel(FACT_QUEUE);
        self.lanes.push((ssrc, sender));
        receiver
    }

    // A full queue loses the newest fact: reports repeat, and so do requests.
    fn tell(&self, fact: RtcpFact) {
        let Some(about) = fact.about() else { return };
        if let Some((_, lane)) = self.lanes.iter().find(|(ssrc, _)| *ssrc == about) {
            let _ = lane.try_send(fact);
        }
    }
}
