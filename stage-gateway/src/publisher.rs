//! The task of a publishing peer connection: starts a reader for each track and tells the session how it ends.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::MissedTickBehavior;

use crate::bitrate::BitrateGauge;
use crate::history::FailureCode;
use crate::limits::StreamLimits;
use crate::peer::{Peer, PeerEvent, PeerEvents, wait_for_end};
use crate::peer_limits::CONNECT_WAIT;
use crate::publisher_shared::PublisherShared;
use crate::rtcp::RtcpFact;
use crate::session::{SessionInput, StopReason};
use crate::stage::Departure;
use crate::track_reader::{self, ReportSender};

/// Remote tracks of one peer connection: audio and video.
const TRACKS_MAX: usize = 2;

/// How often the limits are looked at.
const LIMITS_TICK: Duration = Duration::from_secs(1);

/// How a publisher's connection ends.
enum End {
    /// By its client, the network or the API.
    Departed(Departure),
    /// By a limit.
    OverLimit(FailureCode),
}

/// Runs until the connection is gone or told to stop.
pub(crate) async fn run(
    peer: Arc<Peer>,
    events: PeerEvents,
    shared: Arc<PublisherShared>,
    stop: mpsc::Receiver<StopReason>,
    limits: StreamLimits,
) {
    let departure = match live(&peer, events, &shared, stop, limits).await {
        End::Departed(departure) => departure,
        End::OverLimit(code) => {
            let peer = shared.peer;
            let over = SessionInput::OverLimit { peer, code };
            shared.session.tell(over).await;
            Departure::Ended
        }
    };
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
    limits: StreamLimits,
) -> End {
    let mut readers: Vec<ReportSender> = Vec::with_capacity(TRACKS_MAX);
    let mut connected_at = None;
    let mut gauge = BitrateGauge::new(limits.bitrate_max);
    let mut look = tokio::time::interval(LIMITS_TICK);
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let ended = wait_for_end(peer);
    let too_late = tokio::time::sleep(CONNECT_WAIT);
    tokio::pin!(ended, too_late);
    loop {
        tokio::select! {
            event = events.states.recv() => match event {
                Some(PeerEvent::Connected) => {
                    connected_at.get_or_insert(shared.session.now());
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
            _ = look.tick() => {
                let now = shared.session.now();
                let too_long = |since| now.since(since) >= limits.duration_max;
                if gauge.is_exceeded(now, shared.bytes()) {
                    return End::OverLimit(FailureCode::BitrateExceeded);
                }
                if connected_at.is_some_and(too_long) {
                    return End::OverLimit(FailureCode::StreamDurationExceeded);
                }
            }
            _ = stop.recv() => return End::Departed(Departure::Ended),
            () = &mut ended => break,
            () = &mut too_late, if connected_at.is_none() => break,
        }
    }
    End::Departed(Departure::Lost {
        last_packet: shared.last_packet(),
    })
}
