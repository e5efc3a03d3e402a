//! Forwards one kind of a publisher's media to one subscriber.

use std::sync::Arc;
use std::time::Duration;

use compositor_core::access_unit::{Codec, MediaKind};
use compositor_core::id::Layer;
use rtc::rtp_transceiver::rtp_sender::RTCRtpCodecParameters;
use tokio::sync::broadcast;
use tokio::sync::broadcast::error::RecvError;
use tokio::time::MissedTickBehavior;
use webrtc::media_stream::track_local::TrackLocal;
use webrtc::media_stream::track_local::static_rtp::TrackLocalStaticRTP;

use crate::clock::wall_now;
use crate::feed::{Batch, Feed};
use crate::forward::{Forwarder, Source};
use crate::layers::{LossGovernor, for_bandwidth};
use crate::outbound::Outbound;
use crate::peer::{Peer, codec_parameters};
use crate::rtcp::RtcpFact;
use crate::session::SessionShared;
use crate::subscriber::Outlet;

/// How often the best layer is looked for, and a missing keyframe asked for again.
const LAYER_TICK: Duration = Duration::from_millis(100);

/// How often a sender report goes out. It also tells [`Outbound`] where to send to.
const REPORT_TICK: Duration = Duration::from_secs(1);

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
        })
    }

    /// Forwards until the feed or the connection ends.
    pub(crate) async fn forward(
        mut self,
        feed: Arc<Feed>,
        mut facts: broadcast::Receiver<RtcpFact>,
    ) {
        let mut batches = feed.of(self.kind).batches();
        let (mut layer_tick, mut report_tick) = (ticker(LAYER_TICK), ticker(REPORT_TICK));
        loop {
            tokio::select! {
                batch = batches.recv() => match batch {
                    Ok(batch) => self.write(&batch, &feed).await,
                    // How much was missed shows in the next batch.
                    Err(RecvError::Lagged(_)) => {}
                    Err(RecvError::Closed) => return,
                },
                Ok(fact) = facts.recv() => self.on_fact(&fact, &feed).await,
                _ = layer_tick.tick() => self.choose_layer(&feed),
                _ = report_tick.tick() => if !self.report().await { return },
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
        for packet in &batch.packets {
            if let Some(outgoing) = self.forwarder.forward(packet) {
                self.outbound.push(outgoing, packet.arrived);
            }
        }
        self.outbound.flush().await;
    }

    /// False when the connection is gone.
    async fn report(&mut self) -> bool {
        match self.outbound.report(self.session.now(), wall_now()) {
            Some(report) => self.track.write_rtcp(vec![Box::new(report)]).await.is_ok(),
            None => true,
        }
    }

    async fn on_fact(&mut self, fact: &RtcpFact, feed: &Feed) {
        match fact {
            RtcpFact::KeyframeWanted { ssrc } if *ssrc == self.ssrc => self.want_keyframe(feed),
            RtcpFact::Loss { ssrc, fraction } if *ssrc == self.ssrc => {
                if self.governor.report(*fraction) {
                    self.choose_layer(feed);
                }
            }
            RtcpFact::Lost { ssrc, seqs } if *ssrc == self.ssrc => {
                self.outbound.push_again(seqs);
                self.outbound.flush().await;
            }
            RtcpFact::KeyframeWanted { .. }
            | RtcpFact::Loss { .. }
            | RtcpFact::Lost { .. }
            | RtcpFact::SenderReport { .. }
            | RtcpFact::Goodbye => {}
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

fn ticker(period: Duration) -> tokio::time::Interval {
    let mut ticker = tokio::time::interval(period);
    ticker.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticker
}
