//! Media past the library: one outgoing stream is encrypted here and leaves in bursts.
//!
//! The library sends a packet for as much CPU as five cost here (`benches/RESULTS.md`): a queue, two wake-ups, a walk
//! through its handlers and a system call for each. What it goes on doing is ICE, DTLS and RTCP.

pub(crate) mod keys;
mod report;
mod sent;

use compositor_core::access_unit::{Codec, MediaKind};
use compositor_core::time::{MonotonicTime, WallTime};
use rtc::rtcp::sender_report::SenderReport;
use rtc::rtp::Header;
use rtc::shared::error::Error;
use rtc::shared::marshal::Marshal;
use rtc::srtp::context::Context;

use crate::forward::{Outgoing, clock_rate};
use crate::mux::{Burst, MediaPath};
use report::StreamReport;
use sent::SentPackets;

/// Packets that are sent again for one request; what a browser asks for at once fits several times.
const RESENT_MAX: usize = 128;

/// One outgoing stream. Nobody else encrypts its SSRC: a number that is used twice gives the key away.
pub(crate) struct Outbound {
    header: Header,
    context: Context,
    path: MediaPath,
    plain: Vec<u8>,
    burst: Burst,
    sent: Option<SentPackets>,
    report: StreamReport,
}

impl Outbound {
    /// The stream `ssrc` of `codec`, sent as `payload_type`. Video is kept for a while, to be sent again.
    pub(crate) fn new(
        ssrc: u32,
        payload_type: u8,
        codec: Codec,
        context: Context,
        path: MediaPath,
    ) -> Self {
        let sent = match codec.kind() {
            MediaKind::Audio => None,
            MediaKind::Video => Some(SentPackets::new()),
        };
        let header = Header {
            version: 2,
            payload_type,
            ssrc,
            ..Header::default()
        };
        Self {
            header,
            context,
            path,
            plain: Vec::new(),
            burst: Burst::default(),
            sent,
            report: StreamReport::new(ssrc, clock_rate(codec)),
        }
    }

    /// Puts a packet that arrived then into the burst.
    pub(crate) fn push(&mut self, packet: Outgoing, arrived: MonotonicTime) {
        if let Err(error) = self.seal(&packet) {
            tracing::debug!(%error, ssrc = self.header.ssrc, "packet not encrypted");
            return;
        }
        self.report.count(&packet, arrived);
        if let Some(sent) = &mut self.sent {
            sent.remember(packet);
        }
    }

    /// Puts packets into the burst once more, byte for byte as they were.
    pub(crate) fn push_again(&mut self, seqs: &[u16]) {
        for seq in seqs.iter().take(RESENT_MAX) {
            let packet = self.sent.as_ref().and_then(|sent| sent.get(*seq)).cloned();
            if let Some(packet) = packet
                && let Err(error) = self.seal(&packet)
            {
                tracing::debug!(%error, ssrc = self.header.ssrc, "packet not encrypted");
            }
        }
    }

    /// Sends the burst.
    pub(crate) async fn flush(&mut self) {
        self.path.send(&self.burst).await;
        self.burst.clear();
    }

    /// The sender report of `now`; none before the first packet.
    pub(crate) fn report(&self, now: MonotonicTime, wall: WallTime) -> Option<SenderReport> {
        self.report.at(now, wall)
    }

    fn seal(&mut self, packet: &Outgoing) -> Result<(), Error> {
        self.header.sequence_number = packet.seq;
        self.header.timestamp = packet.rtp_ts;
        self.header.marker = packet.marker;
        self.plain.clear();
        self.plain.extend_from_slice(&self.header.marshal()?);
        self.plain.extend_from_slice(&packet.payload);
        let sealed = self
            .context
            .encrypt_rtp_with_header(&self.plain, &self.header)?;
        self.burst.push(&sealed);
        Ok(())
    }
}
