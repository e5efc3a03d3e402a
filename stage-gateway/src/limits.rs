//! The gateway's own caps, each with its reason; those shared with others are in `compositor_core::limits`.

/// Longest SDP offer or fragment: Chromium's largest, with three simulcast layers, has about 8 KB.
pub const OFFER_BYTES_MAX: usize = 64 * 1024;

/// Peer connections of the whole server; each costs a task, a DTLS session and two queues.
pub const PEERS_MAX: usize = 1_000;

/// Gateway events that a slow listener may be behind before it loses the oldest.
pub const EVENT_QUEUE: usize = 4_096;

/// Participants whose tokens are refused after DisconnectParticipant; the oldest is forgotten first. Tokens end after
/// at most 14 days anyway.
pub const REVOKED_MAX: usize = 100_000;
