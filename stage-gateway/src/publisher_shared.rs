//! What the tracks of one publishing peer connection have in common.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use compositor_core::id::ParticipantId;
use compositor_core::time::MonotonicTime;
use parking_lot::Mutex;

use crate::feed::Feed;
use crate::rtp::ParticipantClock;
use crate::session::SessionShared;
use crate::stage::PeerId;

/// What all readers of one peer connection share.
#[derive(Debug)]
pub(crate) struct PublisherShared {
    /// Whose media it is.
    pub(crate) participant: ParticipantId,
    /// By which connection.
    pub(crate) peer: PeerId,
    /// The stage session.
    pub(crate) session: Arc<SessionShared>,
    /// Where packets go.
    pub(crate) feed: Arc<Feed>,
    /// Maps the participant's clock to the stage's.
    pub(crate) clock: Mutex<ParticipantClock>,
    last_packet: AtomicU64,
    bytes: AtomicU64,
}

impl PublisherShared {
    /// Nothing has arrived yet.
    pub(crate) fn new(
        participant: ParticipantId,
        peer: PeerId,
        session: Arc<SessionShared>,
        feed: Arc<Feed>,
    ) -> Self {
        let clock = Mutex::new(ParticipantClock::new(session.clock));
        let last_packet = AtomicU64::new(session.now().0);
        Self {
            participant,
            peer,
            session,
            feed,
            clock,
            last_packet,
            bytes: AtomicU64::new(0),
        }
    }

    /// A packet of so many bytes arrived now.
    pub(crate) fn count(&self, now: MonotonicTime, bytes: u64) {
        self.last_packet.store(now.0, Ordering::Relaxed);
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    /// The RTP bytes of all tracks and layers so far.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    /// When the last packet of any track arrived; before the first one, when the connection was made.
    pub(crate) fn last_packet(&self) -> MonotonicTime {
        MonotonicTime(self.last_packet.load(Ordering::Relaxed))
    }
}
