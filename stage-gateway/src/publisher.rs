//! The task of a publishing peer connection: starts a reader for each track and tells the session how it ends.

use std::sync::Arc;

use tokio::sync::mpsc;

use crate::peer::{Peer, PeerEvent, PeerEvents, wait_for_end};
use crate::peer_limits::CONNECT_WAIT;
use crate::rtcp::RtcpFact;
use crate::session::{SessionInput, StopReason};
use crate::stage::Departure;
use crate::track_reader::{self, PublisherShared, ReportSender};

/// Remote tracks of one peer connection: audio and video.
const TRACKS_MAX: usize = 2;

/// Runs until the connection is gone or told to stop.
pub(crate) async fn run(
    peer: Arc<Peer>,
    events: PeerEvents,
    shared: Arc<PublisherShared>,
    stop: mpsc::Receiver<StopReason>,
) {
    let departure = live(&peer, events, &shared, stop).await;
    let left = SessionInput::Left {
        peer: shared.peer,
        departure,
    };
    shared.session.tell(left).await;
    peer.close().await;
}

async fn live(
    peer: &Peer,
    mut events: PeerEvents,
    shared: &Arc<PublisherShared>,
    mut stop: mpsc::Receiver<StopReason>,
) -> Departure {
    let mut readers: Vec<ReportSender> = Vec::with_capacity(TRACKS_MAX);
    let mut connected = false;
    let ended = wait_for_end(peer);
    let too_late = tokio::time::sleep(CONNECT_WAIT);
    tokio::pin!(ended, too_late);
    loop {
        tokio::select! {
            event = events.states.recv() => match event {
                Some(PeerEvent::Connected) => {
                    connected = true;
                    shared.session.tell(SessionInput::Connected(shared.peer)).await;
                }
                Some(PeerEvent::Track(track)) if readers.len() < TRACKS_MAX => {
                    readers.push(track_reader::spawn(shared.clone(), track));
                }
                Some(PeerEvent::Track(_)) => {}
                Some(PeerEvent::Gone) | None => break,
            },
            Some(fact) = events.rtcp.recv() => {
                if matches!(fact, RtcpFact::SenderReport { .. }) {
                    for reader in &readers {
                        let _ = reader.try_send(fact.clone());
                    }
                }
            }
            _ = stop.recv() => return Departure::Ended,
            () = &mut ended => break,
            () = &mut too_late, if !connected => break,
        }
    }
    Departure::Lost {
        last_packet: shared.last_packet(),
    }
}
