//! What was sent lately, for those who lost it. Pure.

use crate::forward::Outgoing;

/// Packets that can be asked for again: over a second of video at 8.5 Mb/s. A power of two, so that sequence numbers go
/// round with it. The payloads are shared by all subscribers.
const SENT_MAX: u16 = 1_024;

/// Remembers packets by their sequence number; a newer one takes the place of one long gone.
#[derive(Debug)]
pub(super) struct SentPackets {
    packets: Vec<Option<Outgoing>>,
}

impl SentPackets {
    /// Nothing yet.
    pub(super) fn new() -> Self {
        Self {
            packets: vec![None; usize::from(SENT_MAX)],
        }
    }

    /// Keeps a packet.
    pub(super) fn remember(&mut self, packet: Outgoing) {
        let place = usize::from(packet.seq % SENT_MAX);
        if let Some(place) = self.packets.get_mut(place) {
            *place = Some(packet);
        }
    }

    /// The packet of that number, as it was sent.
    pub(super) fn get(&self, seq: u16) -> Option<&Outgoing> {
        let packet = self.packets.get(usize::from(seq % SENT_MAX))?.as_ref();
        packet.filter(|packet| packet.seq == seq)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(seq: u16) -> Outgoing {
        Outgoing {
            seq,
            rtp_ts: 90 * u32::from(seq),
            marker: false,
            payload: bytes::Bytes::from_static(b"payload"),
        }
    }

    #[test]
    fn the_last_thousand_are_there_across_the_wrap_and_older_ones_are_not() {
        let mut sent = SentPackets::new();
        let first = u16::MAX - 500;
        for step in 0..2_000 {
            sent.remember(packet(first.wrapping_add(step)));
        }
        let last = first.wrapping_add(1_999);
        for back in 0..SENT_MAX {
            let seq = last.wrapping_sub(back);
            assert_eq!(sent.get(seq), Some(&packet(seq)));
        }
        assert_eq!(sent.get(last.wrapping_sub(SENT_MAX)), None);
        assert_eq!(sent.get(last.wrapping_add(1)), None);
    }
}
