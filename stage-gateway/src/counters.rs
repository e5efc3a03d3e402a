//! What was dropped by bounded queues, since the start.

use std::sync::atomic::{AtomicU64, Ordering};

/// Counts drops; shared by all that drop.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    datagrams: AtomicU64,
    packets_not_forwarded: AtomicU64,
}

/// Drops since the start.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Drops {
    /// Datagrams and TCP frames, in or out, that found a full queue or socket.
    pub datagrams: u64,
    /// RTP packets that a subscriber was too slow to be sent.
    pub packets_not_forwarded: u64,
}

impl Counters {
    /// A datagram or frame was dropped.
    pub(crate) fn drop_datagram(&self) {
        self.drop_datagrams(1);
    }

    /// So many datagrams or frames were dropped.
    pub(crate) fn drop_datagrams(&self, count: usize) {
        self.datagrams.fetch_add(count as u64, Ordering::Relaxed);
    }

    /// A subscriber missed so many packets.
    pub(crate) fn skip_packets(&self, count: u64) {
        self.packets_not_forwarded
            .fetch_add(count, Ordering::Relaxed);
    }

    /// What was counted so far.
    pub(crate) fn drops(&self) -> Drops {
        Drops {
            datagrams: self.datagrams.load(Ordering::Relaxed),
            packets_not_forwarded: self.packets_not_forwarded.load(Ordering::Relaxed),
        }
    }
}
