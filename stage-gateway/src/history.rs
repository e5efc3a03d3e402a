//! What a stage session remembers of its participants. Unlike [`crate::event`], nothing of it is lost.
//!
//! The session's actor numbers nothing and waits for nobody: it keeps what the listener has not taken in a backlog of its
//! own, in order. When the backlog is full the stage's door closes: offers are answered with
//! [`crate::error::OfferError::HistoryBehind`] until the listener has caught up, while media flows on and those who leave
//! are still remembered. So a backlog is bounded by [`crate::limits::HISTORY_BACKLOG_MAX`] and what the connected peers can
//! still cause.

use std::collections::BTreeMap;

use compositor_core::id::{ParticipantId, SessionId, StageId};
use compositor_core::time::WallTime;

/// One thing to remember. The events of a session come in the order in which they happened.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct HistoryEvent {
    /// On which stage.
    pub stage: StageId,
    /// In which session.
    pub session: SessionId,
    /// When it became true. For a peer that vanished this is its last packet, so it may lie some seconds back.
    pub at: WallTime,
    /// What.
    pub kind: HistoryKind,
}

/// What happened.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum HistoryKind {
    /// The session began, or goes on after a restart of the server.
    SessionStarted,
    /// The session is over; nothing follows.
    SessionEnded,
    /// A participant has its first live peer connection.
    Joined(Visitor),
    /// Its last peer connection is gone.
    Left(ParticipantId),
    /// It publishes.
    PublishStarted(ParticipantId),
    /// It publishes no more.
    PublishStopped(ParticipantId),
    /// It receives another.
    SubscribeStarted {
        /// Who receives.
        participant: ParticipantId,
        /// Whom.
        publisher: ParticipantId,
    },
    /// It receives another no more.
    SubscribeStopped {
        /// Who received.
        participant: ParticipantId,
        /// Whom.
        publisher: ParticipantId,
    },
    /// Something that it tried was refused, or ended by a limit.
    Failed {
        /// Who, perhaps never connected.
        visitor: Visitor,
        /// What was tried.
        attempt: Attempt,
        /// Why it failed.
        code: FailureCode,
    },
}

/// A participant as it introduces itself.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Visitor {
    /// The token's `jti`.
    pub participant: ParticipantId,
    /// The token's user id, empty for none.
    pub user_id: String,
    /// The token's attributes.
    pub attributes: BTreeMap<String, String>,
    /// What it says of its software.
    pub client: ClientAttributes,
}

/// A participant's software; empty where unknown. Each value fits the API's `ParticipantClientAttribute`.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct ClientAttributes {
    /// Such as `Chrome`.
    pub browser_name: String,
    /// Such as `141.0.0.0`.
    pub browser_version: String,
    /// Such as `Windows`.
    pub os_name: String,
    /// Such as `10.0`.
    pub os_version: String,
}

/// What a participant tried.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Attempt {
    /// To be on the stage at all.
    Join,
    /// To send.
    Publish,
    /// To receive this participant.
    Subscribe(ParticipantId),
}

/// Why it failed, as the IVS API names it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FailureCode {
    /// The token does not allow it.
    InsufficientCapabilities,
    /// The stage or the server is full.
    QuotaExceeded,
    /// Nobody of that id publishes.
    PublisherNotFound,
    /// More was sent than is allowed, for longer than a moment.
    BitrateExceeded,
    /// It went on for longer than is allowed.
    StreamDurationExceeded,
    /// The offer has no audio codec that is understood here.
    InvalidAudioCodec,
    /// The offer has no video codec that is understood here.
    InvalidVideoCodec,
    /// The offer is broken.
    InvalidInput,
    /// The fault is the server's.
    Internal,
}
