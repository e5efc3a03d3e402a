//! What happens on a stage, as the API hears of it.

use compositor_core::id::{CompositionId, ParticipantId, SessionId, StageId};
use compositor_core::journal::JournalSeq;
use compositor_core::time::MonotonicTime;

/// One thing that happened on a stage.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct GatewayEvent {
    /// Where.
    pub stage: StageId,
    /// In which session.
    pub session: SessionId,
    /// When it became true. For a peer that vanished this is its last packet, so it may lie some seconds back.
    pub at: MonotonicTime,
    /// What.
    pub kind: GatewayEventKind,
}

/// What happened.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum GatewayEventKind {
    /// The first participant joined, or a composition started on an empty stage.
    SessionStarted,
    /// Nobody has been there for a while, or the stage was deleted.
    SessionEnded,
    /// A participant has its first live peer connection.
    ParticipantJoined {
        /// Who.
        participant: ParticipantId,
        /// The token's user id, empty for none.
        user_id: String,
    },
    /// A participant's last peer connection is gone.
    ParticipantLeft {
        /// Who.
        participant: ParticipantId,
    },
    /// A participant publishes.
    PublishStarted {
        /// Who.
        participant: ParticipantId,
    },
    /// A participant publishes no more.
    PublishStopped {
        /// Who.
        participant: ParticipantId,
    },
    /// A participant receives another.
    SubscribeStarted {
        /// Who receives.
        participant: ParticipantId,
        /// Whom.
        publisher: ParticipantId,
    },
    /// A participant receives another no more.
    SubscribeStopped {
        /// Who received.
        participant: ParticipantId,
        /// Whom.
        publisher: ParticipantId,
    },
    /// The number of participants with at least one live published track changed; muted ones count.
    PublishersChanged {
        /// How many there are now.
        count: usize,
    },
    /// The disk did not keep up with the journal, and media was thrown away.
    JournalUnitsDropped {
        /// How many access units.
        units: u64,
        /// Their bytes.
        bytes: u64,
    },
    /// The disk cap took records that a composition still wanted.
    JournalCapForced {
        /// The oldest record that is left.
        oldest: JournalSeq,
        /// Whose checkpoints lie before it.
        behind: Vec<CompositionId>,
    },
    /// Writing the journal fails; it is tried again until it works.
    JournalWriteFailed {
        /// Why.
        error: String,
    },
    /// Writing the journal works again.
    JournalWriteRecovered,
}
