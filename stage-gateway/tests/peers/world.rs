//! A gateway on loopback, and clients made of the webrtc crate: full ICE, default codecs, packets made by hand.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use bytes::Bytes;
use compositor_core::id::{ParticipantId, StageId};
use compositor_core::journal::{Record, RecordBody};
use compositor_core::sink::JournalReader;
use compositor_core::time::WallTime;
use parking_lot::Mutex;
use rtc::media_stream::MediaStreamTrack;
use rtc::peer_connection::configuration::RTCConfigurationBuilder;
use rtc::peer_connection::configuration::interceptor_registry::register_default_interceptors;
use rtc::peer_connection::configuration::media_engine::MediaEngine;
use rtc::peer_connection::configuration::setting_engine::SettingEngineBuilder;
use rtc::peer_connection::sdp::RTCSessionDescription;
use rtc::rtp_transceiver::rtp_sender::{
    RTCRtpCodec, RTCRtpCodingParameters, RTCRtpEncodingParameters, RtpCodecKind,
};
use rtc::rtp_transceiver::{RTCRtpTransceiverDirection, RTCRtpTransceiverInit};
use stage_gateway::history::{ClientAttributes, HistoryEvent, HistoryKind};
use stage_gateway::kept::KeptJournals;
use stage_gateway::limits::StreamLimits;
use stage_gateway::token::{Grant, TokenIssuer, TokenSpec};
use stage_gateway::{Answer, Gateway, GatewayConfig};
use tokio::sync::{Mutex as AsyncMutex, mpsc, watch};
use webrtc::media_stream::track_local::TrackLocal;
use webrtc::media_stream::track_local::static_rtp::TrackLocalStaticRTP;
use webrtc::media_stream::track_remote::{TrackRemote, TrackRemoteEvent};
use webrtc::peer_connection::{
    PeerConnection, PeerConnectionBuilder, PeerConnectionEventHandler, RTCIceGatheringState,
    RTCPeerConnectionState,
};
use webrtc::rtp_transceiver::RtpSender;

/// Longest wait for anything that should take milliseconds.
pub(crate) const SOON: Duration = Duration::from_secs(10);

/// Longest wait for the next thing that a session remembers: the bitrate window is 10 s.
const REMEMBERED_WAIT: Duration = Duration::from_secs(20);

/// History that a test may leave unread.
const HISTORY_QUEUE: usize = 256;

/// Wall time of all tests.
pub(crate) const NOW: WallTime = WallTime(1_800_000_000_000_000);

/// A gateway with its own folder.
pub(crate) struct World {
    pub(crate) gateway: Gateway,
    pub(crate) folder: tempfile::TempDir,
    pub(crate) stage: StageId,
    /// What sessions remember.
    pub(crate) remembered: AsyncMutex<mpsc::Receiver<HistoryEvent>>,
}

impl World {
    pub(crate) async fn new() -> Self {
        Self::in_folder(tempfile::tempdir().unwrap()).await
    }

    pub(crate) async fn in_folder(folder: tempfile::TempDir) -> Self {
        Self::with_limits(folder, StreamLimits::default()).await
    }

    pub(crate) async fn with_limits(folder: tempfile::TempDir, limits: StreamLimits) -> Self {
        let (history, remembered) = mpsc::channel(HISTORY_QUEUE);
        let config = GatewayConfig {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            advertised: None,
            journal_dir: folder.path().join("journal"),
            kept_journals: KeptJournals {
                dir: folder.path().join("kept-journals"),
                keep: Duration::ZERO,
            },
            token_key_file: folder.path().join("token.pem"),
            issuer: TokenIssuer {
                region: "us-east-1".into(),
                whip_url: "http://127.0.0.1/whip".into(),
                events_url: "ws://127.0.0.1/events".into(),
            },
            process_start: Instant::now(),
            history: Some(history),
            limits,
        };
        let gateway = Gateway::start(config).await.unwrap();
        Self {
            gateway,
            folder,
            stage: StageId::new("AbCdEf123456"),
            remembered: AsyncMutex::new(remembered),
        }
    }

    pub(crate) fn token(&self, participant: &str) -> String {
        self.gateway.mint_token(&TokenSpec {
            account: "123456789012".into(),
            stage: self.stage.clone(),
            participant: ParticipantId::new(participant),
            user_id: String::new(),
            attributes: BTreeMap::new(),
            allow_publish: true,
            allow_subscribe: true,
            issued_at: NOW,
            expires_at: WallTime(NOW.0 + 60_000_000),
        })
    }

    pub(crate) fn grant(&self, participant: &str) -> Grant {
        self.gateway
            .verify_token(NOW, &self.token(participant), None)
            .unwrap()
    }

    /// What was remembered from now until `last` is, both included.
    pub(crate) async fn remembered_until(
        &self,
        mut last: impl FnMut(&HistoryKind) -> bool,
    ) -> Vec<HistoryEvent> {
        let mut remembered = self.remembered.lock().await;
        let mut events = Vec::new();
        loop {
            let next = tokio::time::timeout(REMEMBERED_WAIT, remembered.recv()).await;
            let Ok(Some(event)) = next else {
                panic!("nothing more was remembered after {events:?}");
            };
            events.push(event);
            if last(&events[events.len() - 1].kind) {
                return events;
            }
        }
    }

    /// Connects a publisher of `codecs`.
    pub(crate) async fn publish(&self, participant: &str, codecs: &[&str]) -> (Client, Answer) {
        let client = Client::publisher(codecs).await;
        let offer = client.offer().await;
        let answer = self
            .gateway
            .publish(&self.grant(participant), client_attributes(), &offer)
            .await
            .unwrap();
        client.accept(&answer.sdp).await;
        client.connected().await;
        (client, answer)
    }

    /// Connects a subscriber of `publisher`.
    pub(crate) async fn subscribe(&self, participant: &str, publisher: &str) -> (Client, Answer) {
        let client = Client::subscriber().await;
        let offer = client.offer().await;
        let publisher = ParticipantId::new(publisher);
        let grant = self.grant(participant);
        let answer = self
            .gateway
            .subscribe(&grant, client_attributes(), &publisher, &offer)
            .await
            .unwrap();
        client.accept(&answer.sdp).await;
        client.connected().await;
        (client, answer)
    }
}

/// What every client says of itself.
pub(crate) fn client_attributes() -> ClientAttributes {
    ClientAttributes {
        browser_name: "Tester".into(),
        ..ClientAttributes::default()
    }
}

/// Waits until `condition` holds.
pub(crate) async fn until(what: &str, limit: Duration, mut condition: impl FnMut() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(
            start.elapsed() < limit,
            "{what} did not come true within {limit:?}"
        );
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Reads records until `enough` says so of all that were read.
pub(crate) async fn read_records<R: JournalReader>(
    reader: &mut R,
    mut enough: impl FnMut(&[Record]) -> bool,
) -> Vec<Record> {
    let mut records = Vec::new();
    let reading = async {
        while !enough(&records) {
            let mut batch = reader.next_batch().await.unwrap();
            while let Some(record) = Record::decode(&mut batch).unwrap() {
                records.push(record);
            }
        }
    };
    let read = tokio::time::timeout(SOON, reading).await;
    assert!(
        read.is_ok(),
        "the journal did not get there; it has {:?}",
        kinds(&records)
    );
    records
}

fn kinds(records: &[Record]) -> Vec<String> {
    let told = records
        .iter()
        .filter(|record| record.body != RecordBody::Watermark);
    told.map(|record| format!("{:.80?}", record.body)).collect()
}

/// A WebRTC client. Its connection has a runtime of its own, so that it can vanish with it.
pub(crate) struct Client {
    runtime: Option<tokio::runtime::Runtime>,
    pub(crate) connection: Arc<dyn PeerConnection>,
    tracks: Vec<Sending>,
    state: watch::Receiver<RTCPeerConnectionState>,
    gathered: watch::Receiver<bool>,
    /// Packets of all remote tracks.
    pub(crate) packets: Mutex<mpsc::Receiver<(RtpCodecKind, rtc::rtp::Packet)>>,
}

struct Sending {
    track: Arc<TrackLocalStaticRTP>,
    sender: Arc<dyn RtpSender>,
    ssrc: u32,
    mime_type: String,
}

struct Handler {
    state: watch::Sender<RTCPeerConnectionState>,
    gathered: watch::Sender<bool>,
    packets: mpsc::Sender<(RtpCodecKind, rtc::rtp::Packet)>,
}

#[async_trait]
impl PeerConnectionEventHandler for Handler {
    async fn on_ice_gathering_state_change(&self, state: RTCIceGatheringState) {
        self.gathered
            .send_replace(state == RTCIceGatheringState::Complete);
    }

    async fn on_connection_state_change(&self, state: RTCPeerConnectionState) {
        self.state.send_replace(state);
    }

    async fn on_track(&self, track: Arc<dyn TrackRemote>) {
        let packets = self.packets.clone();
        tokio::spawn(async move {
            let kind = track.kind().await;
            while let Some(event) = track.poll().await {
                if let TrackRemoteEvent::OnRtpPacket(packet) = event {
                    let _ = packets.try_send((kind, packet));
                }
            }
        });
    }
}

impl Client {
    pub(crate) async fn publisher(codecs: &[&str]) -> Self {
        let mut client = Self::new().await;
        for codec in codecs {
            client.add_track(codec).await;
        }
        client
    }

    pub(crate) async fn subscriber() -> Self {
        let client = Self::new().await;
        for kind in [RtpCodecKind::Audio, RtpCodecKind::Video] {
            let init = RTCRtpTransceiverInit {
                direction: RTCRtpTransceiverDirection::Recvonly,
                ..Default::default()
            };
            client
                .connection
                .add_transceiver_from_kind(kind, Some(init))
                .await
                .unwrap();
        }
        client
    }

    async fn new() -> Self {
        Self::over(vec!["127.0.0.1:0"], Vec::new()).await
    }

    /// A publisher that has TCP only.
    pub(crate) async fn tcp_publisher(codecs: &[&str]) -> Self {
        let mut client = Self::over(Vec::new(), vec!["127.0.0.1:0"]).await;
        for codec in codecs {
            client.add_track(codec).await;
        }
        client
    }

    async fn over(udp: Vec<&'static str>, tcp: Vec<&'static str>) -> Self {
        let (state_tx, state) = watch::channel(RTCPeerConnectionState::New);
        let (gathered_tx, gathered) = watch::channel(false);
        let (packets_tx, packets) = mpsc::channel(4_096);
        let handler = Handler {
            state: state_tx,
            gathered: gathered_tx,
            packets: packets_tx,
        };
        let mut media = MediaEngine::default();
        media.register_default_codecs().unwrap();
        let registry = register_default_interceptors(Default::default(), &mut media).unwrap();
        let settings = SettingEngineBuilder::new()
            .with_multicast_dns_mode(rtc::ice::mdns::MulticastDnsMode::Disabled)
            .with_include_loopback_candidate(true)
            .build();
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let building = PeerConnectionBuilder::new()
            .with_configuration(RTCConfigurationBuilder::new().build())
            .with_media_engine(media)
            .with_setting_engine(settings)
            .with_interceptor_registry(registry)
            .with_handler(Arc::new(handler))
            .with_udp_addrs(udp)
            .with_tcp_addrs(tcp);
        let building =
            async move { Arc::new(building.build().await.unwrap()) as Arc<dyn PeerConnection> };
        let connection = runtime.spawn(building).await.unwrap();
        let runtime = Some(runtime);
        Self {
            runtime,
            connection,
            tracks: Vec::new(),
            state,
            gathered,
            packets: Mutex::new(packets),
        }
    }

    /// Goes away without a word, as a machine that loses its power.
    pub(crate) fn vanish(mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }

    async fn add_track(&mut self, mime_type: &str) {
        let audio = mime_type.starts_with("audio/");
        let (kind, name) = if audio {
            (RtpCodecKind::Audio, "audio")
        } else {
            (RtpCodecKind::Video, "video")
        };
        let ssrc: u32 = rand::random();
        let sdp_fmtp_line = match mime_type {
            "audio/opus" => "minptime=10;useinbandfec=1",
            "video/H264" => {
                "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f"
            }
            "video/VP9" => "profile-id=0",
            _ => "",
        };
        let codec = RTCRtpCodec {
            mime_type: mime_type.into(),
            clock_rate: if audio { 48_000 } else { 90_000 },
            channels: if audio { 2 } else { 0 },
            sdp_fmtp_line: sdp_fmtp_line.into(),
            rtcp_feedback: vec![],
        };
        let encoding = RTCRtpEncodingParameters {
            rtp_coding_parameters: RTCRtpCodingParameters {
                ssrc: Some(ssrc),
                ..Default::default()
            },
            codec,
            ..Default::default()
        };
        let stream =
            MediaStreamTrack::new("s".into(), name.into(), name.into(), kind, vec![encoding]);
        let track = Arc::new(TrackLocalStaticRTP::new(stream));
        let sender = self
            .connection
            .add_track(track.clone() as Arc<dyn TrackLocal>)
            .await
            .unwrap();
        let mime_type = mime_type.to_owned();
        self.tracks.push(Sending {
            track,
            sender,
            ssrc,
            mime_type,
        });
    }

    pub(crate) async fn offer(&self) -> String {
        let offer = self.connection.create_offer(None).await.unwrap();
        self.connection.set_local_description(offer).await.unwrap();
        let mut gathered = self.gathered.clone();
        tokio::time::timeout(SOON, gathered.wait_for(|done| *done))
            .await
            .unwrap()
            .unwrap();
        self.connection.local_description().await.unwrap().sdp
    }

    pub(crate) async fn accept(&self, answer: &str) {
        let answer = RTCSessionDescription::answer(answer.to_owned()).unwrap();
        self.connection
            .set_remote_description(answer)
            .await
            .unwrap();
    }

    pub(crate) async fn connected(&self) {
        let mut state = self.state.clone();
        let connected = state.wait_for(|state| *state == RTCPeerConnectionState::Connected);
        tokio::time::timeout(SOON, connected)
            .await
            .expect("connects in time")
            .unwrap();
    }

    /// Sends a packet on track `index`.
    pub(crate) async fn send(&self, index: usize, seq: u16, rtp_ts: u32, payload: &[u8]) {
        let Sending {
            track,
            sender,
            ssrc,
            mime_type,
        } = &self.tracks[index];
        let parameters = sender.get_parameters().await.unwrap();
        let negotiated = parameters
            .rtp_parameters
            .codecs
            .iter()
            .find(|known| known.rtp_codec.mime_type.eq_ignore_ascii_case(mime_type))
            .unwrap();
        let header = rtc::rtp::Header {
            version: 2,
            marker: true,
            payload_type: negotiated.payload_type,
            sequence_number: seq,
            timestamp: rtp_ts,
            ssrc: *ssrc,
            ..Default::default()
        };
        let packet = rtc::rtp::Packet {
            header,
            payload: Bytes::copy_from_slice(payload),
        };
        track.write_rtp(packet).await.unwrap();
    }

    /// The next packet of `kind` that arrives.
    pub(crate) async fn receive(&self, kind: RtpCodecKind) -> rtc::rtp::Packet {
        let start = Instant::now();
        loop {
            let next = self.packets.lock().try_recv();
            match next {
                Ok((found, packet)) if found == kind => return packet,
                Ok(_) => {}
                Err(_) => {
                    assert!(start.elapsed() < SOON, "no {kind:?} packet arrived");
                    tokio::time::sleep(Duration::from_millis(2)).await;
                }
            }
        }
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// One VP8 frame in one packet: descriptor without extension, then the frame header.
pub(crate) fn vp8(keyframe: bool, width: u16, height: u16, filler: u8) -> Vec<u8> {
    let mut payload = vec![0x10];
    if keyframe {
        payload.extend([0x10, 0x02, 0x00, 0x9d, 0x01, 0x2a]);
        payload.extend(width.to_le_bytes());
        payload.extend(height.to_le_bytes());
    } else {
        payload.extend([0x11, 0x02, 0x00]);
    }
    payload.extend([filler; 40]);
    payload
}
