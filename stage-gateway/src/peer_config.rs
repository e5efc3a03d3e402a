//! How peer connections are set up: codecs, ICE and DTLS settings, interceptors.

use std::sync::Arc;
use std::time::Duration;

use compositor_core::access_unit::{Codec, MediaKind};
use rtc::ice::mdns::MulticastDnsMode;
use rtc::interceptor::{NackGeneratorBuilder, ReceiverReportBuilder, Registry, Slot};
use rtc::peer_connection::configuration::interceptor_registry::{
    configure_simulcast_extension_headers, configure_twcc_receiver_only,
};
use rtc::peer_connection::configuration::media_engine::MediaEngine;
use rtc::peer_connection::configuration::setting_engine::{SettingEngine, SettingEngineBuilder};
use rtc::peer_connection::transport::RTCDtlsRole;
use rtc::rtp_transceiver::rtp_sender::{
    RTCPFeedback, RTCRtpCodec, RTCRtpCodecParameters, RtpCodecKind,
};
use rtc::shared::error::Error;

use crate::outbound::keys::{KeyTap, PROFILES};
use crate::rtcp::RtcpTap;

/// A connection without a packet for this long is shaky, and after [`ICE_FAILED_AFTER`] more it is gone. Browsers send
/// consent checks at least every 2.5 s; both together stay below the 10 s within which a vanished peer is noticed.
const ICE_DISCONNECTED_AFTER: Duration = Duration::from_secs(3);
const ICE_FAILED_AFTER: Duration = Duration::from_secs(5);
const ICE_KEEPALIVE: Duration = Duration::from_secs(1);

/// Pause between requests for the same lost packet. Of a picture that is one packet, the loss shows a frame (33 ms) later, so
/// that with 50 ms many repairs came after the jitter buffer's wait. Five fit into it.
const NACK_INTERVAL: Duration = Duration::from_millis(25);
const NACKS_PER_PACKET_MAX: u16 = 5;

/// Which way media goes, seen from here.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum MediaDirection {
    /// A publisher's.
    Received,
    /// To a subscriber.
    Sent,
}

/// Behind all of the library's interceptors, so that it sees what they saw.
const RTCP_TAP_SLOT: usize = 20_000;

/// What RTCP and NACKs of a connection pass through, the tap behind all others. For a sender that is all: its repairs and
/// reports are in `outbound`, and interceptors wake a connection many times a second, whether it receives or not.
pub(crate) fn interceptors(
    media: &mut MediaEngine,
    direction: MediaDirection,
    tap: RtcpTap,
) -> Result<Registry, Error> {
    configure_simulcast_extension_headers(media)?;
    let registry = configure_twcc_receiver_only(Registry::new(), media)?;
    if direction == MediaDirection::Sent {
        return Ok(Registry::new().with(Slot::from(RTCP_TAP_SLOT), tap));
    }
    let nacks = NackGeneratorBuilder::new()
        .with_interval(NACK_INTERVAL)
        .with_max_nacks_per_packet(NACKS_PER_PACKET_MAX)
        .build();
    let registry = registry
        .with(Slot::NackGenerator, nacks)
        .with(Slot::ReceiverReport, ReceiverReportBuilder::new().build())
        .with(Slot::from(RTCP_TAP_SLOT), tap);
    Ok(registry)
}

/// ICE-lite on shares of the one port, DTLS as server.
pub(crate) fn setting_engine(keys: Arc<KeyTap>) -> SettingEngine {
    SettingEngineBuilder::new()
        .with_lite(true)
        .with_crypto_provider(keys)
        .with_srtp_protection_profiles(PROFILES.to_vec())
        .with_multicast_dns_mode(MulticastDnsMode::Disabled)
        .with_include_loopback_candidate(true)
        .with_ice_timeouts(
            Some(ICE_DISCONNECTED_AFTER),
            Some(ICE_FAILED_AFTER),
            Some(ICE_KEEPALIVE),
        )
        // The client speaks first then, which saves a round of DTLS retransmission (measured: 200 ms to 30 ms).
        .with_answering_dtls_role(RTCDtlsRole::Server)
        .build()
}

/// Our own list of codecs: the library's default offers RTX, whose repairs its NACK generator does not recognise, so that
/// it asks for each lost packet again and again.
pub(crate) fn media_engine() -> Result<MediaEngine, Error> {
    let mut media = MediaEngine::default();
    let h264 = "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=";
    let codecs = [
        (Codec::Opus, 111, "minptime=10;useinbandfec=1".to_owned()),
        (Codec::H264, 102, format!("{h264}42001f")),
        (Codec::H264, 125, format!("{h264}42e01f")),
        (Codec::H264, 127, format!("{h264}4d001f")),
        (Codec::Vp8, 96, String::new()),
        (Codec::Vp9, 98, "profile-id=0".to_owned()),
    ];
    for (codec, payload_type, fmtp) in codecs {
        let rtp_codec = codec_parameters(codec, &fmtp);
        let kind = match codec.kind() {
            MediaKind::Audio => RtpCodecKind::Audio,
            MediaKind::Video => RtpCodecKind::Video,
        };
        media.register_codec(
            RTCRtpCodecParameters {
                rtp_codec,
                payload_type,
            },
            kind,
        )?;
    }
    Ok(media)
}

/// How the library names a codec.
pub(crate) fn codec_parameters(codec: Codec, fmtp: &str) -> RTCRtpCodec {
    let (mime_type, clock_rate, channels, rtcp_feedback) = match codec {
        Codec::Opus => ("audio/opus", 48_000, 2, Vec::new()),
        Codec::H264 => ("video/H264", 90_000, 0, video_feedback()),
        Codec::Vp8 => ("video/VP8", 90_000, 0, video_feedback()),
        Codec::Vp9 => ("video/VP9", 90_000, 0, video_feedback()),
    };
    RTCRtpCodec {
        mime_type: mime_type.to_owned(),
        clock_rate,
        channels,
        sdp_fmtp_line: fmtp.to_owned(),
        rtcp_feedback,
    }
}

fn video_feedback() -> Vec<RTCPFeedback> {
    [("ccm", "fir"), ("nack", ""), ("nack", "pli")]
        .map(|(typ, parameter)| RTCPFeedback {
            typ: typ.to_owned(),
            parameter: parameter.to_owned(),
        })
        .to_vec()
}
