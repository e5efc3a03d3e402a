//! What sender reports say of an outgoing stream (RFC 3550 section 6.4.1). Pure.

use std::time::Duration;

use compositor_core::time::{MonotonicTime, WallTime};
use rtc::rtcp::sender_report::SenderReport;

use crate::forward::Outgoing;
use crate::rtp::NtpTime;

/// Counts a stream and knows what its clock showed.
#[derive(Debug)]
pub(super) struct StreamReport {
    ssrc: u32,
    clock_rate: u32,
    packets: u32,
    octets: u32,
    newest: Option<(u32, MonotonicTime)>,
}

impl StreamReport {
    /// Nothing was sent yet; `clock_rate` in Hz.
    pub(super) fn new(ssrc: u32, clock_rate: u32) -> Self {
        Self {
            ssrc,
            clock_rate,
            packets: 0,
            octets: 0,
            newest: None,
        }
    }

    /// A packet is sent that arrived then.
    pub(super) fn count(&mut self, packet: &Outgoing, arrived: MonotonicTime) {
        self.packets = self.packets.wrapping_add(1);
        self.octets = self.octets.wrapping_add(packet.payload.len() as u32);
        // The first packet of a picture has its time; the others waited for it.
        if self.newest.is_none_or(|(rtp_ts, _)| {
            let ahead = packet.rtp_ts.wrapping_sub(rtp_ts);
            ahead != 0 && ahead < 1 << 31
        }) {
            self.newest = Some((packet.rtp_ts, arrived));
        }
    }

    /// The report of `now`, which is `wall` on the wall clock; none before the first packet.
    pub(super) fn at(&self, now: MonotonicTime, wall: WallTime) -> Option<SenderReport> {
        let (rtp_ts, arrived) = self.newest?;
        let passed = now.since(arrived).as_nanos() * u128::from(self.clock_rate) / 1_000_000_000;
        let since_1970 = Duration::from_micros(u64::try_from(wall.0).unwrap_or(0));
        Some(SenderReport {
            ssrc: self.ssrc,
            ntp_time: NtpTime::from_unix(since_1970).0,
            rtp_time: rtp_ts.wrapping_add(passed as u32),
            packet_count: self.packets,
            octet_count: self.octets,
            ..Default::default()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;

    fn packet(rtp_ts: u32) -> Outgoing {
        Outgoing {
            seq: 0,
            rtp_ts,
            marker: false,
            payload: bytes::Bytes::from_static(&[0; 100]),
        }
    }

    #[test]
    fn a_report_goes_on_from_the_first_packet_of_the_newest_picture() {
        let mut report = StreamReport::new(7, 90_000);
        let wall = WallTime(1_500_000);
        assert_eq!(report.at(MonotonicTime(SECOND), wall), None);
        report.count(&packet(u32::MAX), MonotonicTime(SECOND));
        report.count(&packet(2_999), MonotonicTime(SECOND + SECOND / 30));
        report.count(&packet(2_999), MonotonicTime(2 * SECOND));
        report.count(&packet(5), MonotonicTime(2 * SECOND));
        let now = MonotonicTime(SECOND + SECOND / 30 + SECOND);
        let said = report.at(now, wall).unwrap();
        assert_eq!(said.rtp_time, 92_999);
        assert_eq!((said.packet_count, said.octet_count), (4, 400));
        assert_eq!(said.ntp_time, (2_208_988_801 << 32) | (1 << 31));
        assert_eq!(said.ssrc, 7);
    }
}
