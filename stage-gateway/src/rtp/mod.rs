//! RTP in, access units on the stage clock out: pure, with the time as an argument.
//!
//! One [`TrackIngest`] per track and layer: give it a packet, a sender report or a timeout, drain
//! [`TrackIngest::poll_output`] until `None`, then wait until [`TrackIngest::poll_timeout`]. All tracks of a participant
//! share one [`ParticipantClock`].

pub mod depacketize;
pub mod ingest;
pub mod jitter;
pub mod limits;
pub mod packet;
pub mod seq;
pub mod sync;

pub use ingest::{IngestConfig, IngestOutput, IngestStats, TrackIngest};
pub use packet::{NtpTime, RtpPacket, SenderReport};
pub use sync::{ParticipantClock, StageClock};
