//! The WebRTC side of the publisher: one offer, one connection, one RTP stream per layer.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use compositor::source::{SourceCodec, SourceMedia, SourceSpec};
use rtc::interceptor::{Interceptor, Packet, Registry, Slot, StreamInfo, TaggedPacket};
use rtc::media_stream::MediaStreamTrack;
use rtc::peer_connection::configuration::RTCConfigurationBuilder;
use rtc::peer_connection::configuration::interceptor_registry::configure_nack;
use rtc::peer_connection::configuration::media_engine::MediaEngine;
use rtc::peer_connection::configuration::setting_engine::SettingEngineBuilder;
use rtc::peer_connection::sdp::RTCSessionDescription;
use rtc::rtcp::payload_feedbacks::full_intra_request::FullIntraRequest;
use rtc::rtcp::payload_feedbacks::picture_loss_indication::PictureLossIndication;
use rtc::rtp_transceiver::rtp_sender::{
    RTCPFeedback, RTCRtpCodec, RTCRtpCodecParameters, RTCRtpCodingParameters,
    RTCRtpEncodingParameters, RTCRtpHeaderExtensionCapability, RtpCodecKind,
};
use rtc::sansio::Protocol;
use tokio::sync::{Notify, mpsc};
use webrtc::media_stream::track_local::TrackLocal;
use webrtc::media_stream::track_local::static_rtp::TrackLocalStaticRTP;
use webrtc::peer_connection::{
    PeerConnection, PeerConnectionBuilder, PeerConnectionEventHandler, RTCIceGatheringState,
    RTCPeerConnectionState,
};

use super::layer::{LayerSender, Negotiated, Payload};

const MID_URI: &str = "urn:ietf:params:rtp-hdrext:sdes:mid";
const RID_URI: &str = "urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id";
const GATHERING_TIMEOUT: Duration = Duration::from_secs(3);
const EVENTS_MAX: usize = 64;

/// What happens to the connection.
#[derive(Debug)]
pub(super) enum PeerEvent {
    Connected,
    Disconnected(String),
    KeyframeWanted(SourceMedia),
}

/// What failed, with its cause.
#[derive(Debug, thiserror::Error)]
#[error("cannot {what}")]
pub struct PeerError {
    what: &'static str,
    source: Box<dyn std::error::Error + Send + Sync>,
}

impl PeerError {
    pub(super) fn new<E: std::error::Error + Send + Sync + 'static>(
        what: &'static str,
    ) -> impl Fn(E) -> Self {
        move |source| Self {
            what,
            source: Box::new(source),
        }
    }
}

/// A publisher's connection.
pub(super) struct Peer {
    connection: Arc<dyn PeerConnection>,
    gathered: Arc<Notify>,
    tracks: Vec<PeerTrack>,
}

struct PeerTrack {
    track: Arc<TrackLocalStaticRTP>,
    sender: Arc<dyn webrtc::rtp_transceiver::RtpSender>,
    payload: Payload,
    streams: Vec<PeerStream>,
}

struct PeerStream {
    media: SourceMedia,
    ssrc: u32,
    rid: String,
}

impl Peer {
    /// A connection with one track per kind in `spec`; nothing is on the wire yet.
    pub(super) async fn new(
        spec: &SourceSpec,
    ) -> Result<(Self, mpsc::Receiver<PeerEvent>), PeerError> {
        let (events, received) = mpsc::channel(EVENTS_MAX);
        let gathered = Arc::new(Notify::new());
        let plans = plans(spec);
        let mut engine = media_engine(&plans)?;
        let registry = configure_nack(Registry::new(), &mut engine)
            .with(Slot::from(20_000), KeyframeTap::new(&plans, events.clone()));
        let settings = SettingEngineBuilder::new()
            .with_multicast_dns_mode(rtc::ice::mdns::MulticastDnsMode::Disabled)
            .with_include_loopback_candidate(true)
            .build();
        let handler = Handler {
            gathered: Arc::clone(&gathered),
            events,
        };
        let connection = PeerConnectionBuilder::new()
            .with_configuration(RTCConfigurationBuilder::new().build())
            .with_media_engine(engine)
            .with_interceptor_registry(registry)
            .with_setting_engine(settings)
            .with_handler(Arc::new(handler))
            .with_udp_addrs(vec!["127.0.0.1:0".to_owned(), "0.0.0.0:0".to_owned()])
            .build()
            .await
            .map_err(PeerError::new("make a peer connection"))?;
        let connection: Arc<dyn PeerConnection> = Arc::new(connection);
        let mut tracks = Vec::new();
        for plan in plans {
            let track = Arc::new(TrackLocalStaticRTP::new(plan.media_stream_track()));
            let sender = connection
                .add_track(Arc::clone(&track) as Arc<dyn TrackLocal>)
                .await;
            let sender = sender.map_err(PeerError::new("add a track"))?;
            tracks.push(PeerTrack {
                track,
                sender,
                payload: plan.payload,
                streams: plan.streams,
            });
        }
        Ok((
            Self {
                connection,
                gathered,
                tracks,
            },
            received,
        ))
    }

    /// The SDP offer with all candidates.
    pub(super) async fn offer(&self) -> Result<String, PeerError> {
        let offer = self
            .connection
            .create_offer(None)
            .await
            .map_err(PeerError::new("make an offer"))?;
        let set = self.connection.set_local_description(offer).await;
        set.map_err(PeerError::new("set the local description"))?;
        if tokio::time::timeout(GATHERING_TIMEOUT, self.gathered.notified())
            .await
            .is_err()
        {
            tracing::warn!("candidate gathering is slow; offering what there is");
        }
        let local = self.connection.local_description().await;
        Ok(local.expect("it was set above").sdp)
    }

    /// Applies the answer and waits until media can flow.
    pub(super) async fn connect(
        &self,
        answer: &str,
        events: &mut mpsc::Receiver<PeerEvent>,
        limit: Duration,
    ) -> Result<HashMap<SourceMedia, LayerSender>, super::PublishError> {
        let answer = RTCSessionDescription::answer(answer.to_owned());
        let answer = answer.map_err(PeerError::new("parse the answer"))?;
        let set = self.connection.set_remote_description(answer).await;
        set.map_err(PeerError::new("apply the answer"))?;
        let connected = async {
            while let Some(event) = events.recv().await {
                match event {
                    PeerEvent::Connected => return Ok(()),
                    PeerEvent::Disconnected(why) => {
                        return Err(super::PublishError::Disconnected(why));
                    }
                    PeerEvent::KeyframeWanted(_) => {}
                }
            }
            Err(super::PublishError::NotConnected)
        };
        let connected = tokio::time::timeout(limit, connected).await;
        connected.map_err(|_| super::PublishError::NotConnected)??;
        Ok(self.senders().await?)
    }

    /// Ends the connection.
    pub(super) async fn close(&self) {
        if let Err(error) = self.connection.close().await {
            tracing::debug!(%error, "closing the peer connection");
        }
    }

    /// The media identification of a track; the library lists transceivers in no order.
    async fn mid_of(&self, track: &PeerTrack) -> Option<String> {
        for transceiver in self.connection.get_transceivers().await {
            let sender = transceiver.sender().await.ok().flatten();
            if sender.is_some_and(|sender| sender.id() == track.sender.id()) {
                return transceiver.mid().await.ok().flatten();
            }
        }
        None
    }

    async fn senders(&self) -> Result<HashMap<SourceMedia, LayerSender>, PeerError> {
        let mut senders = HashMap::new();
        for track in &self.tracks {
            let parameters = track.sender.get_parameters().await;
            let parameters = parameters
                .map_err(PeerError::new("read what was negotiated"))?
                .rtp_parameters;
            let Some(codec) = parameters.codecs.first() else {
                continue;
            };
            let mid = self.mid_of(track).await;
            for stream in &track.streams {
                let mut extensions = Vec::new();
                for extension in &parameters.header_extensions {
                    let value = match extension.uri.as_str() {
                        MID_URI => mid.clone().map(Bytes::from),
                        RID_URI if !stream.rid.is_empty() => Some(Bytes::from(stream.rid.clone())),
                        _ => None,
                    };
                    extensions.extend(value.map(|value| (extension.id as u8, value)));
                }
                let negotiated = Negotiated {
                    ssrc: stream.ssrc,
                    payload_type: codec.payload_type,
                    extensions,
                };
                let sender = LayerSender::new(Arc::clone(&track.track), negotiated, track.payload);
                senders.insert(stream.media, sender);
            }
        }
        Ok(senders)
    }
}

/// One track before it is negotiated.
struct TrackPlan {
    kind: RtpCodecKind,
    codec: RTCRtpCodec,
    payload_type: u8,
    payload: Payload,
    streams: Vec<PeerStream>,
}

fn plans(spec: &SourceSpec) -> Vec<TrackPlan> {
    let audio = spec.audio.then(|| TrackPlan {
        kind: RtpCodecKind::Audio,
        codec: RTCRtpCodec {
            mime_type: "audio/opus".to_owned(),
            clock_rate: 48_000,
            channels: 2,
            sdp_fmtp_line: "minptime=10;useinbandfec=1".to_owned(),
            rtcp_feedback: vec![],
        },
        payload_type: 111,
        payload: Payload::Opus,
        streams: vec![PeerStream {
            media: SourceMedia::Audio,
            ssrc: rand::random(),
            rid: String::new(),
        }],
    });
    let video = spec.video.as_ref().map(|video| {
        let (mime, format, payload_type, payload) = match video.codec {
            SourceCodec::H264 => (
                "video/H264",
                "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f",
                125,
                Payload::H264,
            ),
            SourceCodec::Vp8 => ("video/VP8", "", 96, Payload::Vp8),
        };
        let layers = video.layers.iter().enumerate();
        TrackPlan {
            kind: RtpCodecKind::Video,
            codec: RTCRtpCodec {
                mime_type: mime.to_owned(),
                clock_rate: 90_000,
                channels: 0,
                sdp_fmtp_line: format.to_owned(),
                rtcp_feedback: feedback(),
            },
            payload_type,
            payload,
            streams: layers
                .map(|(layer, spec)| PeerStream {
                    media: SourceMedia::Video { layer },
                    ssrc: rand::random(),
                    rid: spec.rid.clone(),
                })
                .collect(),
        }
    });
    audio.into_iter().chain(video).collect()
}

fn feedback() -> Vec<RTCPFeedback> {
    [("ccm", "fir"), ("nack", ""), ("nack", "pli")]
        .map(|(typ, parameter)| RTCPFeedback {
            typ: typ.to_owned(),
            parameter: parameter.to_owned(),
        })
        .to_vec()
}

impl TrackPlan {
    fn media_stream_track(&self) -> MediaStreamTrack {
        let encodings = self.streams.iter().map(|stream| RTCRtpEncodingParameters {
            rtp_coding_parameters: RTCRtpCodingParameters {
                ssrc: Some(stream.ssrc),
                rid: stream.rid.clone(),
                ..Default::default()
            },
            codec: self.codec.clone(),
            ..Default::default()
        });
        let name = self.kind.to_string();
        MediaStreamTrack::new(
            "proscenium".to_owned(),
            format!("proscenium-{name}"),
            name,
            self.kind,
            encodings.collect(),
        )
    }
}

/// Only the codecs in use, so that no RTX is negotiated.
fn media_engine(plans: &[TrackPlan]) -> Result<MediaEngine, PeerError> {
    let mut engine = MediaEngine::default();
    for plan in plans {
        let codec = RTCRtpCodecParameters {
            rtp_codec: plan.codec.clone(),
            payload_type: plan.payload_type,
        };
        engine
            .register_codec(codec, plan.kind)
            .map_err(PeerError::new("register a codec"))?;
        for uri in [MID_URI, RID_URI] {
            let extension = RTCRtpHeaderExtensionCapability {
                uri: uri.to_owned(),
            };
            engine
                .register_header_extension(extension, plan.kind, None)
                .map_err(PeerError::new("register a header extension"))?;
        }
    }
    Ok(engine)
}

struct Handler {
    gathered: Arc<Notify>,
    events: mpsc::Sender<PeerEvent>,
}

#[async_trait::async_trait]
impl PeerConnectionEventHandler for Handler {
    async fn on_ice_gathering_state_change(&self, state: RTCIceGatheringState) {
        if state == RTCIceGatheringState::Complete {
            self.gathered.notify_one();
        }
    }

    async fn on_connection_state_change(&self, state: RTCPeerConnectionState) {
        let event = match state {
            RTCPeerConnectionState::Connected => PeerEvent::Connected,
            RTCPeerConnectionState::Failed | RTCPeerConnectionState::Closed => {
                PeerEvent::Disconnected(state.to_string())
            }
            _ => return,
        };
        // Nobody listens once publishing is over.
        let _ = self.events.send(event).await;
    }
}

/// Turns PLI and FIR about our streams into events. The library delivers no inbound RTCP by itself.
struct KeyframeTap {
    streams: HashMap<u32, SourceMedia>,
    events: mpsc::Sender<PeerEvent>,
    reads: VecDeque<TaggedPacket>,
    writes: VecDeque<TaggedPacket>,
}

impl KeyframeTap {
    fn new(plans: &[TrackPlan], events: mpsc::Sender<PeerEvent>) -> Self {
        let streams = plans.iter().flat_map(|plan| &plan.streams);
        Self {
            streams: streams.map(|stream| (stream.ssrc, stream.media)).collect(),
            events,
            reads: VecDeque::new(),
            writes: VecDeque::new(),
        }
    }

    fn wanted(&self, ssrc: u32) {
        if let Some(media) = self.streams.get(&ssrc) {
            // When the queue is full, a keyframe has been asked for already.
            let _ = self.events.try_send(PeerEvent::KeyframeWanted(*media));
        }
    }
}

impl Protocol<TaggedPacket, TaggedPacket, ()> for KeyframeTap {
    type Rout = TaggedPacket;
    type Wout = TaggedPacket;
    type Eout = ();
    type Error = rtc::shared::error::Error;
    type Time = Instant;

    fn handle_read(&mut self, message: TaggedPacket) -> Result<(), Self::Error> {
        if let Packet::Rtcp(packets) = &message.message.packet {
            for packet in packets {
                if let Some(pli) = packet.as_any().downcast_ref::<PictureLossIndication>() {
                    self.wanted(pli.media_ssrc);
                } else if let Some(fir) = packet.as_any().downcast_ref::<FullIntraRequest>() {
                    fir.fir.iter().for_each(|entry| self.wanted(entry.ssrc));
                }
            }
        }
        self.reads.push_back(message);
        Ok(())
    }

    fn poll_read(&mut self) -> Option<TaggedPacket> {
        self.reads.pop_front()
    }

    fn handle_write(&mut self, message: TaggedPacket) -> Result<(), Self::Error> {
        self.writes.push_back(message);
        Ok(())
    }

    fn poll_write(&mut self) -> Option<TaggedPacket> {
        self.writes.pop_front()
    }
}

impl Interceptor for KeyframeTap {
    fn bind_local_stream(&mut self, _: &StreamInfo) {}
    fn unbind_local_stream(&mut self, _: &StreamInfo) {}
    fn bind_remote_stream(&mut self, _: &StreamInfo) {}
    fn unbind_remote_stream(&mut self, _: &StreamInfo) {}
}
