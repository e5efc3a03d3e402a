//! Forwards one kind of a publisher's media to one subscriber.

use std::sync::Arc;
use std::time::Duration;

use compositor_core::access_unit::{Codec, MediaKind};
use compositor_core::id::Layer;
use compositor_core::time::MonotonicTime;
use rtc::rtp_transceiver::rtp_sender::RTCRtpCodecParameters;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::mpsc;
use tokio::time::MissedTickBehavior;
use webrtc::media_stream::track_local::TrackLocal;
use webrtc::media_stream::track_local::static_rtp::TrackLocalStaticRTP;

use crate::clock::wall_now;
use crate::feed::{Batch, Feed};
use crate::forward::{Forwarder, Source};
use crate::layers::{LossGovernor, for_bandwidth};
use crate::outbound::Outbound;
use crate::peer::Peer;
use crate::peer_config::codec_parameters;
use crate::rtcp::RtcpFact;
use crate::session::SessionShared;
use crate::subscriber::Outlet;

/// How often the best layer is looked for, and a missing keyframe asked for again.
const LAYER_TICK: Duration = Duration::from_millis(100);

/// How often a sender report goes out. It also tells [`Outbound`] where to send to.
const REPORT_EVERY: Duration = Duration::from_secs(1);

/// One kind of media on its way to one subscriber.
pub(crate) struct Lane {
    kind: MediaKind,
    track: Arc<TrackLocalStaticRTP>,
    ssrc: u32,
    outbound: Outbound,
    forwarder: Forwarder,
    codec: Codec,
    governor: LossGovernor,
    session: Arc<SessionShared>,
    received: Option<u64>,
    report_due: MonotonicTime,
}

impl Lane {
    /// Of a connection that is up. `None` when the subscriber did not accept the publisher's codec.
    pub(crate) async fn new(
        outlet: Outlet,
        peer: &Peer,
        session: Arc<SessionShared>,
    ) -> Option<Self> {
        let payload_type = payload_type(&outlet).await?;
        let Outlet {
            kind,
            track,
            ssrc,
            codec,
            ..
        } = outlet;
        let outbound = match peer.outbound(ssrc, payload_type, codec) {
            Ok(outbound) => outbound,
            Err(error) => {
                tracing::warn!(%error, "nothing can be forwarded to a subscriber");
                return None;
            }
        };
        let (forwarder, governor) = (Forwarder::new(codec), LossGovernor::default());
        Some(Self {
            kind,
            track,
            ssrc,
            outbound,
            forwarder,
            codec,
            governor,
            session,
            received: None,
            report_due: MonotonicTime(0),
        })
    }

    /// Under which SSRC it sends.
    pub(crate) fn ssrc(&self) -> u32 {
        self.ssrc
    }

    /// Forwards until the feed or the connection ends.
    pub(crate) async fn forward(mut self, feed: Arc<Feed>, mut facts: mpsc::Receiver<RtcpFact>) {
        let mut batches = feed.of(self.kind).batches();
        let mut ticker = tokio::time::interval(LAYER_TICK);
        ticker.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                // Media first: the others are looked at when no more of it waits. Then what is due, so that no flood of
                // requests holds it up.
                biased;
                batch = batches.recv() => match batch {
                    Ok(batch) => self.write(&batch, &feed).await,
                    // How much was missed shows in the next batch.
                    Err(RecvError::Lagged(_)) => {}
                    Err(RecvError::Closed) => return,
                },
                _ = ticker.tick() => {
                    self.choose_layer(&feed);
                    if !self.report().await { return }
                }
                Some(fact) = facts.recv() => self.on_fact(fact, &feed).await,
            }
        }
    }

    async fn write(&mut self, batch: &Batch, feed: &Feed) {
        let after = batch.before + batch.packets.len() as u64;
        let missed = self
            .received
            .replace(after)
            .map(|seen| batch.before.saturating_sub(seen));
        if let Some(missed) = missed.filter(|missed| *missed > 0) {
            self.session.counters().skip_packets(missed);
            self.want_keyframe(feed);
        }
        let forwarder = &mut self.forwarder;
        let packets = batch
            .packets
            .iter()
            .filter_map(|packet| Some((forwarder.forward(packet)?, packet.arrived)));
        self.outbound.send(packets).await;
    }

    /// False when the connection is gone.
    async fn report(&mut self) -> bool {
        let now = self.session.now();
        if now < self.report_due {
            return true;
        }
        let Some(report) = self.outbound.report(now, wall_now()) else {
            return true;
        };
        self.report_due = now.plus(REPORT_EVERY);
        self.track.write_rtcp(vec![Box::new(report)]).await.is_ok()
    }

    async fn on_fact(&mut self, fact: RtcpFact, feed: &Feed) {
        match fact {
            RtcpFact::KeyframeWanted { .. } => self.want_keyframe(feed),
            RtcpFact::Loss { fraction, .. } => {
                if self.governor.report(fraction) {
                    self.choose_layer(feed);
                }
            }
            RtcpFact::Lost { seqs, .. } => self.outbound.send_again(&seqs).await,
            RtcpFact::SenderReport { .. } | RtcpFact::Goodbye => {}
        }
    }

    fn choose_layer(&mut self, feed: &Feed) {
        let current = feed
            .of(self.kind)
            .current()
            .filter(|track| track.codec == self.codec);
        let Some(control) = current else { return };
        let layers = control.layers();
        let layer = match self.kind {
            MediaKind::Audio => Some(Layer(0)),
            MediaKind::Video => for_bandwidth(&layers, self.governor.steps_down()),
        };
        // With all layers idle there is nothing better than what was forwarded last.
        if let Some(layer) = layer {
            self.forwarder.set_target(Some(Source {
                track: control.id,
                layer,
            }));
        }
        if let Some(awaited) = self.forwarder.awaited() {
            control.want_keyframe(awaited.layer);
        }
    }

    fn want_keyframe(&self, feed: &Feed) {
        if let Some(control) = feed.of(self.kind).current()
            && let Some(target) = self.forwarder.target()
            && target.track == control.id
        {
            control.want_keyframe(target.layer);
        }
    }
}

/// The payload type of the outlet's format, or else of its codec.
async fn payload_type(outlet: &Outlet) -> Option<u8> {
    let wanted = codec_parameters(outlet.codec, &outlet.fmtp).mime_type;
    let parameters = outlet.sender.get_parameters().await.ok()?;
    let same_codec =
        |known: &&RTCRtpCodecParameters| known.rtp_codec.mime_type.eq_ignore_ascii_case(&wanted);
    let codecs = &parameters.rtp_parameters.codecs;
    let mut matching = codecs.iter().filter(same_codec);
    let same_format = matching
        .clone()
        .find(|known| known.rtp_codec.sdp_fmtp_line == outlet.fmtp);
    Some(same_format.or(matching.next())?.payload_type)
}
