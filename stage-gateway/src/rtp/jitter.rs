//! Puts packets back in order, waits a bounded time for a missing one, then declares it lost.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use compositor_core::time::MonotonicTime;

use super::limits::{JITTER_PACKETS_MAX, LOST_SEQS_REMEMBERED, SEQ_DROPOUT_MAX};

/// What happened to a packet that was put in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Inserted {
    /// Kept; the newest so far.
    Newest,
    /// Kept; it fills a hole.
    Filled,
    /// Thrown away: it was there already.
    Duplicate,
    /// Thrown away: it had been declared lost.
    Late,
}

/// What comes out, in order.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Popped<T> {
    /// The next packet.
    Packet(T),
    /// So many packets are missing before the next one, for good.
    Lost(u64),
}

/// A reorder buffer over unwrapped sequence numbers. Packets in order pass at once.
#[derive(Debug)]
pub struct JitterBuffer<T> {
    wait: Duration,
    next: Option<u64>,
    highest: u64,
    held: BTreeMap<u64, (MonotonicTime, T)>,
    lost: BTreeSet<u64>,
}

impl<T> JitterBuffer<T> {
    /// A buffer that waits at most `wait` for a missing packet.
    pub fn new(wait: Duration) -> Self {
        Self {
            wait,
            next: None,
            highest: 0,
            held: BTreeMap::new(),
            lost: BTreeSet::new(),
        }
    }

    /// Takes in one packet.
    pub fn insert(&mut self, now: MonotonicTime, seq: u64, packet: T) -> Inserted {
        let next = *self.next.get_or_insert(seq);
        if seq < next {
            let late = self.lost.remove(&seq);
            return if late {
                Inserted::Late
            } else {
                Inserted::Duplicate
            };
        }
        if self.held.contains_key(&seq) {
            return Inserted::Duplicate;
        }
        self.held.insert(seq, (now, packet));
        if seq < self.highest {
            return Inserted::Filled;
        }
        self.highest = seq;
        Inserted::Newest
    }

    /// The next packet in order, or the verdict that it is lost; `None` while it is worth waiting.
    pub fn pop(&mut self, now: MonotonicTime) -> Option<Popped<T>> {
        let next = self.next?;
        let (&seq, _) = self.held.first_key_value()?;
        if seq == next {
            let (_, (_, packet)) = self.held.pop_first()?;
            self.next = Some(next + 1);
            return Some(Popped::Packet(packet));
        }
        let overfull = self.held.len() > JITTER_PACKETS_MAX || seq - next > SEQ_DROPOUT_MAX;
        if !overfull && self.deadline().is_some_and(|deadline| now < deadline) {
            return None;
        }
        self.remember_lost(next, seq);
        self.next = Some(seq);
        Some(Popped::Lost(seq - next))
    }

    /// When the packet that is waited for will be declared lost.
    pub fn deadline(&self) -> Option<MonotonicTime> {
        let next = self.next?;
        let (&seq, _) = self.held.first_key_value()?;
        if seq == next {
            return None;
        }
        // The hole was noticed with the earliest arrival behind it, which need not be the lowest number.
        let noticed = self.held.values().map(|(arrival, _)| *arrival).min()?;
        Some(noticed.plus(self.wait))
    }

    fn remember_lost(&mut self, from: u64, to: u64) {
        let from = from.max(to.saturating_sub(LOST_SEQS_REMEMBERED as u64));
        self.lost.extend(from..to);
        while self.lost.len() > LOST_SEQS_REMEMBERED {
            self.lost.pop_first();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WAIT: Duration = Duration::from_millis(150);

    fn at(ms: u64) -> MonotonicTime {
        MonotonicTime(ms * 1_000_000)
    }

    fn drain(buffer: &mut JitterBuffer<u64>, now: MonotonicTime) -> Vec<Popped<u64>> {
        std::iter::from_fn(|| buffer.pop(now)).collect()
    }

    #[test]
    fn packets_in_order_pass_at_once() {
        let mut buffer = JitterBuffer::new(WAIT);
        for seq in 100..110 {
            assert_eq!(buffer.insert(at(0), seq, seq), Inserted::Newest);
            assert_eq!(drain(&mut buffer, at(0)), vec![Popped::Packet(seq)]);
            assert_eq!(buffer.deadline(), None);
        }
    }

    #[test]
    fn a_hole_is_filled_in_order() {
        let mut buffer = JitterBuffer::new(WAIT);
        buffer.insert(at(0), 1, 1);
        drain(&mut buffer, at(0));
        buffer.insert(at(1), 4, 4);
        buffer.insert(at(2), 3, 3);
        assert_eq!(drain(&mut buffer, at(2)), vec![]);
        assert_eq!(buffer.insert(at(3), 2, 2), Inserted::Filled);
        let order = vec![Popped::Packet(2), Popped::Packet(3), Popped::Packet(4)];
        assert_eq!(drain(&mut buffer, at(3)), order);
    }

    #[test]
    fn a_packet_is_lost_exactly_at_its_deadline() {
        let mut buffer = JitterBuffer::new(WAIT);
        buffer.insert(at(0), 1, 1);
        drain(&mut buffer, at(0));
        buffer.insert(at(10), 5, 5);
        buffer.insert(at(20), 4, 4);
        let deadline = at(10).plus(WAIT);
        assert_eq!(buffer.deadline(), Some(deadline));
        assert_eq!(drain(&mut buffer, MonotonicTime(deadline.0 - 1)), vec![]);
        let out = vec![Popped::Lost(2), Popped::Packet(4), Popped::Packet(5)];
        assert_eq!(drain(&mut buffer, deadline), out);
        assert_eq!(buffer.insert(deadline, 3, 3), Inserted::Late);
        assert_eq!(buffer.insert(deadline, 3, 3), Inserted::Duplicate);
        assert_eq!(buffer.insert(deadline, 1, 1), Inserted::Duplicate);
    }

    #[test]
    fn each_hole_waits_for_itself() {
        let mut buffer = JitterBuffer::new(WAIT);
        buffer.insert(at(0), 1, 1);
        drain(&mut buffer, at(0));
        buffer.insert(at(0), 3, 3);
        buffer.insert(at(100), 5, 5);
        let first = drain(&mut buffer, at(150));
        assert_eq!(first, vec![Popped::Lost(1), Popped::Packet(3)]);
        assert_eq!(buffer.deadline(), Some(at(250)));
    }

    #[test]
    fn a_restarted_source_is_not_waited_for() {
        let mut buffer = JitterBuffer::new(WAIT);
        buffer.insert(at(0), 1, 1);
        drain(&mut buffer, at(0));
        buffer.insert(at(0), 9000, 9000);
        assert_eq!(
            drain(&mut buffer, at(0)),
            vec![Popped::Lost(8998), Popped::Packet(9000)]
        );
    }

    #[test]
    fn the_number_of_held_packets_is_bounded() {
        let mut buffer = JitterBuffer::new(WAIT);
        buffer.insert(at(0), 1, 1);
        drain(&mut buffer, at(0));
        for n in 0..5000 {
            buffer.insert(at(0), 3 + 2 * n, 0);
            drain(&mut buffer, at(0));
            assert!(buffer.held.len() <= JITTER_PACKETS_MAX + 1);
            assert!(buffer.lost.len() <= LOST_SEQS_REMEMBERED);
        }
    }
}
