//! Reads one remote track: its packets go to the subscribers as they are, and as access units to the journal.

use std::sync::Arc;
use std::time::Duration;

use compositor_core::access_unit::{Codec, MediaKind};
use compositor_core::id::Layer;
use compositor_core::journal::RecordBody;
use compositor_core::roster::Track;
use compositor_core::time::MonotonicTime;
use rtc::rtp_transceiver::rtp_sender::RtpCodecKind;
use tokio::sync::mpsc;
use tokio::time::MissedTickBehavior;
use webrtc::media_stream::track_remote::{TrackRemote, TrackRemoteEvent};

use crate::feed::TrackControl;
use crate::forward::gather::Gather;
use crate::forward::payload::starts_keyframe;
use crate::forward::{Forwarded, Source};
use crate::keyframe::KeyframeRequests;
use crate::layers::LayerState;
use crate::publisher_shared::PublisherShared;
use crate::rtcp::{RtcpFact, keyframe_request};
use crate::rtp::{IngestConfig, IngestOutput, RtpPacket, SenderReport, TrackIngest};
use crate::session::SessionInput;

/// Layers of one track; browsers send at most three.
const LAYERS_MAX: usize = 4;

/// Sender reports that wait for the reader.
const REPORT_QUEUE: usize = 32;

/// How often overdue packets, silence and keyframe requests are looked at.
const TICK: Duration = Duration::from_millis(20);

/// A track without a packet for this long is stopped, and a layer is idle.
const STOPPED_AFTER: Duration = Duration::from_secs(1);

/// Without extensions (RFC 3550 section 5.1).
const RTP_HEADER_BYTES: u64 = 12;

/// Tells a reader of sender reports.
pub(crate) type ReportSender = mpsc::Sender<RtcpFact>;

/// Starts to read `track`; the task ends when the connection does.
pub(crate) fn spawn(shared: Arc<PublisherShared>, track: Arc<dyn TrackRemote>) -> ReportSender {
    let (reports, reports_rx) = mpsc::channel(REPORT_QUEUE);
    tokio::spawn(async move {
        let kind = match track.kind().await {
            RtpCodecKind::Audio => MediaKind::Audio,
            RtpCodecKind::Video => MediaKind::Video,
            _ => return,
        };
        let mut reader = TrackReader {
            shared,
            track,
            kind,
            control: None,
            layers: Vec::new(),
            gather: Gather::default(),
            last_packet: MonotonicTime(0),
            stopped: false,
        };
        reader.run(reports_rx).await;
        reader.finish();
    });
    reports
}

struct TrackReader {
    shared: Arc<PublisherShared>,
    track: Arc<dyn TrackRemote>,
    kind: MediaKind,
    control: Option<Arc<TrackControl>>,
    layers: Vec<LayerReader>,
    gather: Gather,
    last_packet: MonotonicTime,
    stopped: bool,
}

struct LayerReader {
    ssrc: u32,
    rid: Option<String>,
    ingest: TrackIngest,
    keyframes: KeyframeRequests,
    last_packet: MonotonicTime,
    state: LayerState,
}

impl TrackReader {
    async fn run(&mut self, mut reports: mpsc::Receiver<RtcpFact>) {
        let mut ticker = tokio::time::interval(TICK);
        ticker.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let control = self.control.clone();
            let wished = async move {
                match control {
                    Some(control) => control.wished().await,
                    None => std::future::pending().await,
                }
            };
            let gathered = self.gathered();
            tokio::select! {
                event = self.track.poll() => match event {
                    Some(TrackRemoteEvent::OnRtpPacket(packet)) => self.on_packet(packet).await,
                    Some(_) => {}
                    None => return,
                },
                Some(fact) = reports.recv() => {
                    if let RtcpFact::SenderReport { ssrc, report } = fact {
                        self.on_report(ssrc, report).await;
                    }
                }
                () = gathered => self.pass_on(),
                () = wished => self.ask_for_keyframes().await,
                _ = ticker.tick() => self.on_tick().await,
            }
        }
    }

    async fn on_packet(&mut self, packet: rtc::rtp::Packet) {
        let now = self.shared.session.now();
        let ssrc = packet.header.ssrc;
        let index = match self.layers.iter().position(|layer| layer.ssrc == ssrc) {
            Some(index) => index,
            None => match self.meet(now, ssrc).await {
                Some(index) => index,
                None => return,
            },
        };
        self.last_packet = now;
        let bytes = RTP_HEADER_BYTES + packet.payload.len() as u64;
        self.shared.count(now, bytes);
        if self.stopped {
            self.set_stopped(false).await;
        }
        let Some(control) = self.control.clone() else {
            return;
        };
        let packet = RtpPacket {
            payload_type: packet.header.payload_type,
            marker: packet.header.marker,
            seq: packet.header.sequence_number,
            rtp_ts: packet.header.timestamp,
            ssrc,
            abs_capture_time: None,
            payload: packet.payload,
        };
        let layer = &mut self.layers[index];
        layer.last_packet = now;
        let woke = !std::mem::replace(&mut layer.state.active, true);
        let keyframe = starts_keyframe(control.codec, &packet.payload);
        if keyframe {
            layer.keyframes.on_keyframe(now);
        }
        if self.shared.feed.of(self.kind).is_heard() {
            let last = packet.marker || self.kind == MediaKind::Audio;
            let forwarded = Forwarded {
                source: Source {
                    track: control.id,
                    layer: layer.state.layer,
                },
                arrived: now,
                keyframe,
                packet: packet.clone(),
            };
            if self.gather.push(forwarded, last) {
                self.pass_on();
            }
        }
        let layer = &mut self.layers[index];
        layer
            .ingest
            .handle_rtp(now, packet, &mut self.shared.clock.lock());
        let resized = self.take_outputs(now, index);
        if woke || resized {
            self.tell_layers().await;
        }
    }

    /// Gives the subscribers what was gathered for them.
    fn pass_on(&mut self) {
        self.shared.feed.of(self.kind).send(self.gather.take());
    }

    /// Waits until the gathered packets must go.
    fn gathered(&self) -> impl Future<Output = ()> + use<> {
        let due = self.gather.poll_timeout();
        let wait = due.map(|due| due.since(self.shared.session.now()));
        async move {
            match wait {
                Some(wait) => tokio::time::sleep(wait).await,
                None => std::future::pending().await,
            }
        }
    }

    /// Makes room for a stream that has not been seen before; `None` when it cannot be used.
    async fn meet(&mut self, now: MonotonicTime, ssrc: u32) -> Option<usize> {
        let negotiated = self.track.codec(ssrc).await?;
        let codec = codec_of(&negotiated.mime_type)?;
        let rid = self.track.rid(ssrc).await.map(|rid| rid.to_string());
        if self
            .control
            .as_ref()
            .is_some_and(|control| control.codec != codec)
        {
            return None;
        }
        // The same layer again, sent anew; the ingest notices by the SSRC.
        if let Some(index) = self.layers.iter().position(|layer| layer.rid == rid) {
            self.layers[index].ssrc = ssrc;
            return Some(index);
        }
        if self.layers.len() == LAYERS_MAX {
            return None;
        }
        let session = self.shared.session.clone();
        let first = self.control.is_none();
        let control = self.control.get_or_insert_with(|| {
            let id = session.next_track();
            Arc::new(TrackControl::new(id, codec, negotiated.sdp_fmtp_line))
        });
        let layer = Layer(u8::try_from(self.layers.len()).unwrap_or(u8::MAX));
        let track = control.id;
        self.layers.push(LayerReader {
            ssrc,
            rid,
            ingest: TrackIngest::new(IngestConfig {
                track,
                layer,
                codec,
            }),
            keyframes: KeyframeRequests::default(),
            last_packet: now,
            state: LayerState {
                layer,
                size: None,
                active: true,
            },
        });
        if first {
            let control = control.clone();
            self.shared.session.add_track(control.clone());
            self.shared.feed.of(self.kind).begin(control);
            let track = Track {
                id: track,
                codec,
                stopped: false,
                layers: Vec::new(),
            };
            self.tell(SessionInput::TrackStarted {
                participant: self.shared.participant.clone(),
                peer: self.shared.peer,
                track,
            })
            .await;
        }
        self.tell_layers().await;
        Some(self.layers.len() - 1)
    }

    async fn on_report(&mut self, ssrc: u32, report: SenderReport) {
        let now = self.shared.session.now();
        if let Some(index) = self.layers.iter().position(|layer| layer.ssrc == ssrc) {
            let ingest = &mut self.layers[index].ingest;
            ingest.handle_sender_report(now, report, &mut self.shared.clock.lock());
            if self.take_outputs(now, index) {
                self.tell_layers().await;
            }
        }
    }

    async fn on_tick(&mut self) {
        let now = self.shared.session.now();
        let mut changed = false;
        for index in 0..self.layers.len() {
            let layer = &mut self.layers[index];
            if layer.ingest.poll_timeout().is_some_and(|due| due <= now) {
                layer
                    .ingest
                    .handle_timeout(now, &mut self.shared.clock.lock());
                changed |= self.take_outputs(now, index);
            }
            let layer = &mut self.layers[index];
            if layer.state.active && now.since(layer.last_packet) >= STOPPED_AFTER {
                layer.state.active = false;
                changed = true;
            }
        }
        if changed {
            self.tell_layers().await;
        }
        let silent = now.since(self.last_packet) >= STOPPED_AFTER;
        if self.control.is_some() && silent && !self.stopped {
            self.set_stopped(true).await;
        }
        self.ask_for_keyframes().await;
    }

    /// Passes on what the ingest put out; true when a picture size became known or changed.
    fn take_outputs(&mut self, now: MonotonicTime, index: usize) -> bool {
        let session = &self.shared.session;
        let layer = &mut self.layers[index];
        let mut resized = false;
        while let Some(output) = layer.ingest.poll_output() {
            match output {
                IngestOutput::AccessUnit(unit) => {
                    session.append(unit.pts, RecordBody::AccessUnit(unit));
                }
                IngestOutput::ClockMapping(mapping) => session.map_clock(mapping),
                IngestOutput::LayerSize(size) => {
                    layer.state.size = Some((size.width, size.height));
                    resized = true;
                }
                IngestOutput::NeedKeyframe => layer.keyframes.want(now),
            }
        }
        resized
    }

    async fn ask_for_keyframes(&mut self) {
        if self.kind == MediaKind::Audio {
            return;
        }
        let now = self.shared.session.now();
        let wanted = self
            .control
            .as_ref()
            .map_or(0, |control| control.take_wanted());
        let cadence = self.shared.session.is_journaling();
        for layer in &mut self.layers {
            if wanted & (1 << layer.state.layer.0) != 0 {
                layer.keyframes.want(now);
            }
            // An idle layer has no encoder to ask.
            if layer.state.active && layer.keyframes.poll(now, cadence) {
                let _ = self.track.write_rtcp(keyframe_request(layer.ssrc)).await;
            }
        }
    }

    async fn set_stopped(&mut self, stopped: bool) {
        self.stopped = stopped;
        if let Some(control) = &self.control {
            let track = control.id;
            self.tell(SessionInput::TrackStopped { track, stopped })
                .await;
        }
    }

    async fn tell_layers(&self) {
        let Some(control) = &self.control else { return };
        if self.kind == MediaKind::Audio {
            return;
        }
        let layers: Vec<LayerState> = self
            .layers
            .iter()
            .map(|layer| layer.state.clone())
            .collect();
        control.set_layers(layers.clone());
        self.tell(SessionInput::LayersChanged {
            track: control.id,
            layers,
        })
        .await;
    }

    async fn tell(&self, input: SessionInput) {
        self.shared.session.tell(input).await;
    }

    fn finish(&mut self) {
        if self.gather.poll_timeout().is_some() {
            self.pass_on();
        }
        if let Some(control) = &self.control {
            self.shared.feed.of(self.kind).end(control.id);
            self.shared.session.remove_track(control.id);
        }
    }
}

fn codec_of(mime_type: &str) -> Option<Codec> {
    // Case differs between implementations (webrtcbin says audio/OPUS).
    match mime_type.to_ascii_lowercase().as_str() {
        "audio/opus" => Some(Codec::Opus),
        "video/h264" => Some(Codec::H264),
        "video/vp8" => Some(Codec::Vp8),
        "video/vp9" => Some(Codec::Vp9),
        _ => None,
    }
}
