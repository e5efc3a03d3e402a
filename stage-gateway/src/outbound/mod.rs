//! Media past the library: one outgoing stream is encrypted here and leaves in bursts.
//!
//! The library sends a packet for as much CPU as three cost here (`benches/RESULTS.md`): a queue, two wake-ups, a walk
//! through its handlers and a system call for each. What it goes on doing is ICE, DTLS and RTCP.

pub(crate) mod keys;
mod report;
mod seal;
mod sent;

use compositor_core::access_unit::{Codec, MediaKind};
use compositor_core::time::{MonotonicTime, WallTime};
use rtc::rtcp::sender_report::SenderReport;

use crate::forward::{Outgoing, clock_rate};
use crate::mux::MediaPath;
use report::StreamReport;
pub(crate) use seal::Sealer;
use sent::SentPackets;

/// One outgoing stream. Nobody else encrypts its SSRC: a number that is used twice gives the key away.
pub(crate) struct Outbound {
    payload_type: u8,
    sealer: Sealer,
    path: MediaPath,
    sent: Option<SentPackets>,
    report: StreamReport,
}

impl Outbound {
    /// The stream `ssrc` of `codec`, sent as `payload_type`. Video is kept for a while, to be sent again.
    pub(crate) fn new(
        ssrc: u32,
        payload_type: u8,
        codec: Codec,
        sealer: Sealer,
        path: MediaPath,
    ) -> Self {
        let sent = match codec.kind() {
            MediaKind::Audio => None,
            MediaKind::Video => Some(SentPackets::new()),
        };
        Self {
            payload_type,
            sealer,
            path,
            sent,
            report: StreamReport::new(ssrc, clock_rate(codec)),
        }
    }

    /// Sends packets, each with the time of its arrival.
    pub(crate) async fn send(&mut self, packets: impl Iterator<Item = (Outgoing, MonotonicTime)>) {
        let mut burst = self.path.burst();
        for (packet, arrived) in packets {
            let sealed = burst.push(|out| self.sealer.seal(&packet, self.payload_type, out));
            let index = match sealed {
                Ok(index) => index,
                Err(error) => {
                    tracing::debug!(%error, "packet not encrypted");
                    continue;
                }
            };
            self.report.count(&packet, arrived);
            if let Some(sent) = &mut self.sent {
                sent.remember(index, packet);
            }
        }
        self.path.send(burst).await;
    }

    /// Sends packets once more, byte for byte as they were; not more of them than were sent for the first time.
    pub(crate) async fn send_again(&mut self, seqs: &[u16]) {
        let Some(sent) = &mut self.sent else { return };
        let mut burst = self.path.burst();
        for (index, packet) in sent.again(seqs) {
            let sealed = burst.push(|out| {
                self.sealer
                    .seal_again(*index, packet, self.payload_type, out)
            });
            if let Err(error) = sealed {
                tracing::debug!(%error, "packet not encrypted again");
            }
        }
        self.path.send(burst).await;
    }

    /// The sender report of `now`; none before the first packet.
    pub(crate) fn report(&self, now: MonotonicTime, wall: WallTime) -> Option<SenderReport> {
        self.report.at(now, wall)
    }
}
