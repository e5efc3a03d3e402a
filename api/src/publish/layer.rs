//! One RTP stream: packetizes coded units and writes them.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use compositor::source::SourceUnit;
use rtc::rtcp::sender_report::SenderReport;
use rtc::rtp;
use rtc::rtp::codec::h264::H264Payloader;
use rtc::rtp::codec::opus::OpusPayloader;
use rtc::rtp::codec::vp8::Vp8Payloader;
use rtc::rtp::packetizer::Payloader;
use stage_gateway::rtp::NtpTime;
use webrtc::media_stream::track_local::TrackLocal;
use webrtc::media_stream::track_local::static_rtp::TrackLocalStaticRTP;

use super::peer::PeerError;

/// With all headers, extensions and SRTP's tag it fits a path of 1,200 bytes.
const PAYLOAD_BYTES_MAX: usize = 1_120;

/// How a layer's units become payloads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Payload {
    H264,
    Vp8,
    Opus,
}

/// What was negotiated for a layer.
#[derive(Debug)]
pub(super) struct Negotiated {
    pub(super) ssrc: u32,
    pub(super) payload_type: u8,
    /// Header extensions that every packet carries: mid, and rid with simulcast.
    pub(super) extensions: Vec<(u8, Bytes)>,
}

/// Sends the units of one layer.
pub(super) struct LayerSender {
    track: Arc<TrackLocalStaticRTP>,
    negotiated: Negotiated,
    payloader: Box<dyn Payloader>,
    clock_rate: u32,
    sequence_number: u16,
    first_timestamp: u32,
    packets: u32,
    octets: u32,
}

impl LayerSender {
    pub(super) fn new(
        track: Arc<TrackLocalStaticRTP>,
        negotiated: Negotiated,
        payload: Payload,
    ) -> Self {
        let (payloader, clock_rate): (Box<dyn Payloader>, u32) = match payload {
            Payload::H264 => (Box::<H264Payloader>::default(), 90_000),
            Payload::Vp8 => {
                let mut payloader = Vp8Payloader::default();
                payloader.enable_picture_id = true;
                (Box::new(payloader), 90_000)
            }
            Payload::Opus => (Box::<OpusPayloader>::default(), 48_000),
        };
        Self {
            track,
            negotiated,
            payloader,
            clock_rate,
            sequence_number: rand::random(),
            first_timestamp: rand::random(),
            packets: 0,
            octets: 0,
        }
    }

    /// Tells which media time it is now (RFC 3550 6.4.1), counted from the zero of the units' `pts`. What the library
    /// would report is wrong by as much as the last packet was late.
    pub(super) async fn report(&self, media: Duration) -> Result<(), PeerError> {
        if self.packets == 0 {
            return Ok(());
        }
        let unix = SystemTime::now().duration_since(UNIX_EPOCH);
        let report = SenderReport {
            ssrc: self.negotiated.ssrc,
            ntp_time: NtpTime::from_unix(unix.unwrap_or_default()).0,
            rtp_time: self.timestamp(media),
            packet_count: self.packets,
            octet_count: self.octets,
            ..Default::default()
        };
        let written = self.track.write_rtcp(vec![Box::new(report)]).await;
        written.map_err(PeerError::new("write RTCP"))
    }

    fn timestamp(&self, media: Duration) -> u32 {
        self.first_timestamp
            .wrapping_add(ticks(media, self.clock_rate))
    }

    /// Writes all packets of one unit; waits while the connection's queue is full.
    pub(super) async fn send(&mut self, unit: &SourceUnit) -> Result<(), PeerError> {
        let payloads = self.payloader.payload(PAYLOAD_BYTES_MAX, &unit.data);
        let payloads = payloads.map_err(PeerError::new("packetize a coded unit"))?;
        let timestamp = self.timestamp(unit.pts);
        let last = payloads.len().saturating_sub(1);
        for (index, payload) in payloads.into_iter().enumerate() {
            let mut header = rtp::Header {
                version: 2,
                marker: index == last,
                payload_type: self.negotiated.payload_type,
                sequence_number: self.sequence_number,
                timestamp,
                ssrc: self.negotiated.ssrc,
                ..Default::default()
            };
            for (id, value) in &self.negotiated.extensions {
                header
                    .set_extension(*id, value.clone())
                    .map_err(PeerError::new("set an RTP header extension"))?;
            }
            self.sequence_number = self.sequence_number.wrapping_add(1);
            self.packets = self.packets.wrapping_add(1);
            self.octets = self.octets.wrapping_add(payload.len() as u32);
            let written = self.track.write_rtp(rtp::Packet { header, payload }).await;
            written.map_err(PeerError::new("write RTP"))?;
        }
        Ok(())
    }
}

/// RTP timestamps wrap by design, so only the low 32 bits count.
fn ticks(pts: Duration, clock_rate: u32) -> u32 {
    (pts.as_nanos() * u128::from(clock_rate) / 1_000_000_000) as u32
}
