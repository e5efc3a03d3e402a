//! Subscribers in a process of their own: `subscribe N` prints an offer, reads its answer, each a JSON string on a line,
//! and prints `CONNECTED`, N times; then every further line is answered with what has arrived so far. `forward.py` talks to it.

use std::io::{self, BufRead};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use benches::BenchError;
use rtc::peer_connection::configuration::RTCConfigurationBuilder;
use rtc::peer_connection::configuration::interceptor_registry::register_default_interceptors;
use rtc::peer_connection::configuration::media_engine::MediaEngine;
use rtc::peer_connection::configuration::setting_engine::SettingEngineBuilder;
use rtc::peer_connection::sdp::RTCSessionDescription;
use rtc::rtp_transceiver::rtp_sender::{
    RTCPFeedback, RTCRtpCodec, RTCRtpCodecParameters, RtpCodecKind,
};
use rtc::rtp_transceiver::{RTCRtpTransceiverDirection, RTCRtpTransceiverInit};
use tokio::sync::watch;
use webrtc::media_stream::track_remote::{TrackRemote, TrackRemoteEvent};
use webrtc::peer_connection::{
    PeerConnection, PeerConnectionBuilder, PeerConnectionEventHandler, RTCIceGatheringState,
    RTCPeerConnectionState,
};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

#[derive(Default)]
struct Arrived {
    packets: AtomicU64,
    bytes: AtomicU64,
}

struct Subscriber {
    connection: Arc<dyn PeerConnection>,
    state: watch::Receiver<RTCPeerConnectionState>,
    gathered: watch::Receiver<bool>,
}

struct Handler {
    state: watch::Sender<RTCPeerConnectionState>,
    gathered: watch::Sender<bool>,
    arrived: Arc<Arrived>,
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
        let arrived = Arc::clone(&self.arrived);
        tokio::spawn(async move {
            while let Some(event) = track.poll().await {
                if let TrackRemoteEvent::OnRtpPacket(packet) = event {
                    let bytes = packet.payload.len() as u64;
                    arrived.packets.fetch_add(1, Ordering::Relaxed);
                    arrived.bytes.fetch_add(bytes, Ordering::Relaxed);
                }
            }
        });
    }
}

#[tokio::main]
async fn main() -> Result<(), BenchError> {
    let count: usize = match std::env::args().nth(1) {
        Some(count) => count.parse()?,
        None => return Err("how many subscribers?".into()),
    };
    let arrived = Arc::new(Arrived::default());
    let mut subscribers = Vec::new();
    let mut lines = io::stdin().lock().lines();
    for _ in 0..count {
        let subscriber = Subscriber::new(&arrived).await?;
        let offer = subscriber.offer().await?;
        println!("{}", serde_json::Value::String(offer));
        let answer = lines.next().ok_or("an offer has no answer")??;
        subscriber.accept(serde_json::from_str(&answer)?).await?;
        println!("CONNECTED");
        subscribers.push(subscriber);
    }
    for line in lines {
        line?;
        let (packets, bytes) = (&arrived.packets, &arrived.bytes);
        let (packets, bytes) = (
            packets.load(Ordering::Relaxed),
            bytes.load(Ordering::Relaxed),
        );
        println!(
            "{}",
            serde_json::json!({ "packets": packets, "bytes": bytes })
        );
    }
    for subscriber in &subscribers {
        subscriber.connection.close().await?;
    }
    Ok(())
}

impl Subscriber {
    async fn new(arrived: &Arc<Arrived>) -> Result<Self, BenchError> {
        let mut media = media_engine()?;
        let registry = register_default_interceptors(Default::default(), &mut media)?;
        let settings = SettingEngineBuilder::new()
            .with_multicast_dns_mode(rtc::ice::mdns::MulticastDnsMode::Disabled)
            .with_include_loopback_candidate(true)
            .build();
        let (state_tx, state) = watch::channel(RTCPeerConnectionState::New);
        let (gathered_tx, gathered) = watch::channel(false);
        let handler = Handler {
            state: state_tx,
            gathered: gathered_tx,
            arrived: Arc::clone(arrived),
        };
        let connection = PeerConnectionBuilder::new()
            .with_configuration(RTCConfigurationBuilder::new().build())
            .with_media_engine(media)
            .with_setting_engine(settings)
            .with_interceptor_registry(registry)
            .with_handler(Arc::new(handler))
            .with_udp_addrs(vec!["127.0.0.1:0"])
            .build()
            .await?;
        let connection: Arc<dyn PeerConnection> = Arc::new(connection);
        for kind in [RtpCodecKind::Audio, RtpCodecKind::Video] {
            let init = RTCRtpTransceiverInit {
                direction: RTCRtpTransceiverDirection::Recvonly,
                ..Default::default()
            };
            connection
                .add_transceiver_from_kind(kind, Some(init))
                .await?;
        }
        Ok(Self {
            connection,
            state,
            gathered,
        })
    }

    async fn offer(&self) -> Result<String, BenchError> {
        let offer = self.connection.create_offer(None).await?;
        self.connection.set_local_description(offer).await?;
        let mut gathered = self.gathered.clone();
        tokio::time::timeout(CONNECT_TIMEOUT, gathered.wait_for(|done| *done)).await??;
        let local = self.connection.local_description().await;
        Ok(local.ok_or("there is no local description")?.sdp)
    }

    async fn accept(&self, answer: String) -> Result<(), BenchError> {
        let answer = RTCSessionDescription::answer(answer)?;
        self.connection.set_remote_description(answer).await?;
        let mut state = self.state.clone();
        let connected = state.wait_for(|state| *state == RTCPeerConnectionState::Connected);
        tokio::time::timeout(CONNECT_TIMEOUT, connected).await??;
        Ok(())
    }
}

/// What `proscenium publish` sends by default, without RTX.
fn media_engine() -> Result<MediaEngine, BenchError> {
    let codec = |mime_type: &str, clock_rate, channels, format: &str, feedback: &[(&str, &str)]| {
        let feedback = feedback.iter().map(|(typ, parameter)| RTCPFeedback {
            typ: (*typ).to_owned(),
            parameter: (*parameter).to_owned(),
        });
        RTCRtpCodec {
            mime_type: mime_type.to_owned(),
            clock_rate,
            channels,
            sdp_fmtp_line: format.to_owned(),
            rtcp_feedback: feedback.collect(),
        }
    };
    let opus = codec("audio/opus", 48_000, 2, "minptime=10;useinbandfec=1", &[]);
    let h264 = codec(
        "video/H264",
        90_000,
        0,
        "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f",
        &[("ccm", "fir"), ("nack", ""), ("nack", "pli")],
    );
    let mut media = MediaEngine::default();
    for (rtp_codec, payload_type, kind) in [
        (opus, 111, RtpCodecKind::Audio),
        (h264, 125, RtpCodecKind::Video),
    ] {
        let parameters = RTCRtpCodecParameters {
            rtp_codec,
            payload_type,
        };
        media.register_codec(parameters, kind)?;
    }
    Ok(media)
}
