//! What was sent lately, for those who lost it. Pure.

use crate::forward::Outgoing;

/// Packets that can be asked for again: over a second of video at 8.5 Mb/s. A power of two, so that sequence numbers go
/// round with it. The payloads are shared by all subscribers.
const SENT_MAX: u16 = 1_024;

/// Packets that may be sent again at once: half a second of video, several times what a browser asks for at once. Every packet
/// that is sent for the first time allows one more, so that no request multiplies what a subscriber gets.
const CREDIT_MAX: usize = 512;

/// Remembers packets by their sequence number; a newer one takes the place of one long gone.
#[derive(Debug)]
pub(super) struct SentPackets {
    packets: Vec<Option<(u64, Outgoing)>>,
    credit: usize,
}

impl SentPackets {
    /// Nothing yet.
    pub(super) fn new() -> Self {
        Self {
            packets: vec![None; usize::from(SENT_MAX)],
            credit: 0,
        }
    }

    /// Keeps a packet that was sealed as number `index`.
    pub(super) fn remember(&mut self, index: u64, packet: Outgoing) {
        self.credit = CREDIT_MAX.min(self.credit + 1);
        let place = usize::from(packet.seq % SENT_MAX);
        if let Some(place) = self.packets.get_mut(place) {
            *place = Some((index, packet));
        }
    }

    /// Those of these numbers that are kept, as they were sent, as many as there is credit for.
    pub(super) fn again(&mut self, seqs: &[u16]) -> Vec<&(u64, Outgoing)> {
        let packets = &self.packets;
        let kept = seqs.iter().filter_map(|seq| {
            let packet = packets.get(usize::from(seq % SENT_MAX))?.as_ref();
            packet.filter(|(_, packet)| packet.seq == *seq)
        });
        let again: Vec<_> = kept.take(self.credit).collect();
        self.credit -= again.len();
        again
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
            sent.remember(u64::from(step), packet(first.wrapping_add(step)));
        }
        let last = first.wrapping_add(1_999);
        for back in 0..SENT_MAX {
            sent.credit = 1;
            let seq = last.wrapping_sub(back);
            let kept = (u64::from(1_999 - back), packet(seq));
            assert_eq!(sent.again(&[seq]), [&kept]);
        }
        sent.credit = 1;
        assert!(sent.again(&[last.wrapping_sub(SENT_MAX)]).is_empty());
        assert!(sent.again(&[last.wrapping_add(1)]).is_empty());
    }
    #[test]
    fn no_more_is_sent_again_than_was_sent() {
        let mut sent = SentPackets::new();
        assert_eq!(sent.again(&[1, 2, 3]).len(), 0);
        (0..5).for_each(|seq| sent.remember(u64::from(seq), packet(seq)));
        assert_eq!(sent.again(&[0, 0, 0, 9, 4]).len(), 4);
        assert_eq!(sent.again(&[1, 2, 3]).len(), 1);
        assert_eq!(sent.again(&[1]).len(), 0);
        (0..2_000).for_each(|seq| sent.remember(u64::from(seq), packet(seq)));
        assert_eq!(sent.again(&[1_999; 3_000]).len(), CREDIT_MAX);
    }
}
