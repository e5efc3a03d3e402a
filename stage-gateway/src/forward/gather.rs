//! Collects the packets of a frame, which go to the subscribers together. Pure.

use std::time::Duration;

use compositor_core::time::MonotonicTime;

use super::Forwarded;

/// How long the first packet waits for others. A browser spreads a frame over up to 15 ms; waiting for all of that would
/// be seen, and most of what can be saved is saved with four packets.
const WAIT: Duration = Duration::from_millis(2);

/// Packets at most; 40 KB of memory for each subscriber.
const GATHERED_MAX: usize = 32;

/// Packets that wait for the end of their frame.
#[derive(Debug, Default)]
pub(crate) struct Gather {
    packets: Vec<Forwarded>,
}

impl Gather {
    /// Adds a packet; `last` says that none will follow soon. Returns whether to [`take`](Self::take) now.
    pub(crate) fn push(&mut self, packet: Forwarded, last: bool) -> bool {
        self.packets.push(packet);
        last || self.packets.len() >= GATHERED_MAX
    }

    /// When to [`take`](Self::take) at the latest.
    pub(crate) fn poll_timeout(&self) -> Option<MonotonicTime> {
        let first = self.packets.first()?;
        Some(first.arrived.plus(WAIT))
    }

    /// What has been gathered, in order.
    pub(crate) fn take(&mut self) -> Vec<Forwarded> {
        std::mem::take(&mut self.packets)
    }
}

#[cfg(test)]
mod tests {
    use compositor_core::id::{Layer, TrackId};

    use super::*;
    use crate::forward::Source;
    use crate::rtp::RtpPacket;

    fn packet(at: u64, seq: u16) -> Forwarded {
        Forwarded {
            source: Source {
                track: TrackId(1),
                layer: Layer(0),
            },
            arrived: MonotonicTime(at),
            keyframe: false,
            packet: RtpPacket {
                payload_type: 96,
                marker: false,
                seq,
                rtp_ts: 0,
                ssrc: 7,
                abs_capture_time: None,
                payload: bytes::Bytes::new(),
            },
        }
    }

    #[test]
    fn a_frame_goes_when_its_last_packet_came() {
        let mut gather = Gather::default();
        assert!(!gather.push(packet(0, 1), false));
        assert!(gather.push(packet(5, 2), true));
        let seqs: Vec<_> = gather.take().iter().map(|taken| taken.packet.seq).collect();
        assert_eq!(seqs, [1, 2]);
        assert_eq!(gather.poll_timeout(), None);
    }

    #[test]
    fn the_first_packet_waits_two_milliseconds() {
        let mut gather = Gather::default();
        gather.push(packet(1_000, 1), false);
        gather.push(packet(900_000, 2), false);
        assert_eq!(gather.poll_timeout(), Some(MonotonicTime(2_001_000)));
    }

    #[test]
    fn no_more_than_the_limit_is_gathered() {
        let mut gather = Gather::default();
        let full = (0..).find(|seq| gather.push(packet(0, *seq), false));
        assert_eq!(full, Some(31));
        assert_eq!(gather.take().len(), GATHERED_MAX);
    }
}
