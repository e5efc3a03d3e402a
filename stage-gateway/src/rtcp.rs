//! RTCP: what arrives, told to the peer's task, and the keyframe requests that are sent.

use std::collections::VecDeque;
use std::time::Instant;

use rtc::interceptor::{Interceptor, Packet, StreamInfo, TaggedPacket};
use rtc::rtcp::Packet as RtcpPacket;
use rtc::rtcp::goodbye::Goodbye;
use rtc::rtcp::payload_feedbacks::full_intra_request::FullIntraRequest;
use rtc::rtcp::payload_feedbacks::picture_loss_indication::PictureLossIndication;
use rtc::rtcp::receiver_report::ReceiverReport;
use rtc::rtcp::sender_report::SenderReport as RtcpSenderReport;
use rtc::rtcp::transport_feedbacks::transport_layer_nack::TransportLayerNack;
use rtc::sansio::Protocol;
use rtc::shared::error::Error;
use tokio::sync::mpsc;

use crate::rtp::{NtpTime, SenderReport};

/// What an RTCP packet said.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum RtcpFact {
    /// A sender tied its two clocks together.
    SenderReport {
        /// Of which stream.
        ssrc: u32,
        /// The tie.
        report: SenderReport,
    },
    /// A receiver needs a keyframe (PLI or FIR).
    KeyframeWanted {
        /// Of which stream, by our SSRC.
        ssrc: u32,
    },
    /// A receiver reported its loss.
    Loss {
        /// Of which stream, by our SSRC.
        ssrc: u32,
        /// Lost since its last report, in 1/256.
        fraction: u8,
    },
    /// A receiver wants packets again (RFC 4585 section 6.2.1).
    Lost {
        /// Of which stream, by our SSRC.
        ssrc: u32,
        /// Their sequence numbers.
        seqs: Vec<u16>,
    },
    /// A sender left.
    Goodbye,
}

impl RtcpFact {
    /// The SSRC of the stream that it is about.
    pub(crate) fn about(&self) -> Option<u32> {
        match self {
            Self::SenderReport { ssrc, .. }
            | Self::KeyframeWanted { ssrc }
            | Self::Loss { ssrc, .. }
            | Self::Lost { ssrc, .. } => Some(*ssrc),
            Self::Goodbye => None,
        }
    }
}

/// Sequence numbers that one request may hold: thirty pairs of a packet and the sixteen after it.
const LOST_MAX: usize = 512;

/// Listens to all RTCP that arrives. A full queue loses the newest fact: reports repeat, and so do requests.
pub(crate) struct RtcpTap {
    facts: mpsc::Sender<RtcpFact>,
    read: VecDeque<TaggedPacket>,
    written: VecDeque<TaggedPacket>,
}

impl RtcpTap {
    /// A tap that tells `facts`.
    pub(crate) fn new(facts: mpsc::Sender<RtcpFact>) -> Self {
        Self {
            facts,
            read: VecDeque::new(),
            written: VecDeque::new(),
        }
    }

    /// Tells what one packet says.
    pub(crate) fn tell(&self, packet: &dyn RtcpPacket) {
        let packet = packet.as_any();
        if let Some(report) = packet.downcast_ref::<RtcpSenderReport>() {
            let tie = SenderReport {
                ntp: NtpTime(report.ntp_time),
                rtp_ts: report.rtp_time,
            };
            let _ = self.facts.try_send(RtcpFact::SenderReport {
                ssrc: report.ssrc,
                report: tie,
            });
            self.tell_loss(&report.reports);
        } else if let Some(report) = packet.downcast_ref::<ReceiverReport>() {
            self.tell_loss(&report.reports);
        } else if let Some(request) = packet.downcast_ref::<PictureLossIndication>() {
            let _ = self.facts.try_send(RtcpFact::KeyframeWanted {
                ssrc: request.media_ssrc,
            });
        } else if let Some(request) = packet.downcast_ref::<FullIntraRequest>() {
            for entry in &request.fir {
                let _ = self
                    .facts
                    .try_send(RtcpFact::KeyframeWanted { ssrc: entry.ssrc });
            }
        } else if let Some(request) = packet.downcast_ref::<TransportLayerNack>() {
            let seqs = request.nacks.iter().flat_map(|pair| pair.into_iter());
            let _ = self.facts.try_send(RtcpFact::Lost {
                ssrc: request.media_ssrc,
                seqs: seqs.take(LOST_MAX).collect(),
            });
        } else if packet.is::<Goodbye>() {
            let _ = self.facts.try_send(RtcpFact::Goodbye);
        }
    }

    fn tell_loss(&self, reports: &[rtc::rtcp::reception_report::ReceptionReport]) {
        for report in reports {
            let (ssrc, fraction) = (report.ssrc, report.fraction_lost);
            let _ = self.facts.try_send(RtcpFact::Loss { ssrc, fraction });
        }
    }
}

impl Protocol<TaggedPacket, TaggedPacket, ()> for RtcpTap {
    type Rout = TaggedPacket;
    type Wout = TaggedPacket;
    type Eout = ();
    type Error = Error;
    type Time = Instant;

    fn handle_read(&mut self, message: TaggedPacket) -> Result<(), Error> {
        if let Packet::Rtcp(packets) = &message.message.packet {
            packets.iter().for_each(|packet| self.tell(packet.as_ref()));
        }
        self.read.push_back(message);
        Ok(())
    }

    fn poll_read(&mut self) -> Option<TaggedPacket> {
        self.read.pop_front()
    }

    fn handle_write(&mut self, message: TaggedPacket) -> Result<(), Error> {
        self.written.push_back(message);
        Ok(())
    }

    fn poll_write(&mut self) -> Option<TaggedPacket> {
        self.written.pop_front()
    }
}

impl Interceptor for RtcpTap {
    fn bind_local_stream(&mut self, _info: &StreamInfo) {}
    fn unbind_local_stream(&mut self, _info: &StreamInfo) {}
    fn bind_remote_stream(&mut self, _info: &StreamInfo) {}
    fn unbind_remote_stream(&mut self, _info: &StreamInfo) {}
}

/// A keyframe request for the stream that the publisher sends as `ssrc`.
pub(crate) fn keyframe_request(ssrc: u32) -> Vec<Box<dyn RtcpPacket>> {
    vec![Box::new(PictureLossIndication {
        sender_ssrc: 0,
        media_ssrc: ssrc,
    })]
}
