//! The gateway's own caps, each with its reason; those shared with others are in `compositor_core::limits`.

use std::time::Duration;

/// Longest SDP offer or fragment: Chromium's largest, with three simulcast layers, has about 8 KB.
pub const OFFER_BYTES_MAX: usize = 64 * 1024;

/// Peer connections of the whole server; each costs a task, a DTLS session and two queues.
pub const PEERS_MAX: usize = 1_000;

/// Gateway events that a slow listener may be behind before it loses the oldest.
pub const EVENT_QUEUE: usize = 4_096;

/// Participants whose tokens are refused after DisconnectParticipant; the oldest is forgotten first. Tokens end after
/// at most 14 days anyway.
pub const REVOKED_MAX: usize = 100_000;

/// History events of one session that wait for their listener; offers are refused beyond it. An hour of a stage on which
/// somebody comes or goes each second.
pub const HISTORY_BACKLOG_MAX: usize = 4_096;

/// How much a participant may send, and for how long it may send or receive.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct StreamLimits {
    /// Bits per second of all tracks and layers of a publisher together, on average over ten seconds.
    pub bitrate_max: u64,
    /// Of one peer connection.
    pub duration_max: Duration,
}

/// The IVS quotas.
impl Default for StreamLimits {
    fn default() -> Self {
        Self {
            bitrate_max: 8_500_000,
            duration_max: Duration::from_secs(24 * 60 * 60),
        }
    }
}
