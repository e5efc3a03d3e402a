//! Everything that a composition asks of its driver.

use serde::{Deserialize, Serialize};

use crate::id::DestinationId;

use super::state::{DestinationError, PublicState, SessionError, StopCause};

/// Something to do. All outputs of one input belong together: first at most one [`Output::StateChanged`], then the events, to be
/// written in one transaction with it, then the actions, to be performed after that.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Output {
    /// What the API shows has changed.
    StateChanged(PublicState),
    /// To be published as "IVS Composition State Change".
    Event(Event),
    /// Connect, or open the recording, for the first time in this process.
    OpenDestination {
        /// Which destination.
        id: DestinationId,
        /// Rises with each attempt from 1 and never falls: from 2 on, a broadcast sends it as `?priority=`.
        attempt: u32,
    },
    /// Connect, or open the recording, again; what was there before is gone.
    RetryDestination {
        /// Which destination.
        id: DestinationId,
        /// As in [`Output::OpenDestination`].
        attempt: u32,
    },
    /// Tell the worker to stop now on the stage clock; each destination that is open still reports
    /// [`super::DestinationReport::Ended`] once it has delivered all of it.
    BeginStop {
        /// Why.
        cause: StopCause,
    },
    /// Let go of the destination. Comes once for each destination; it gets no output after this.
    CloseDestination {
        /// Which destination.
        id: DestinationId,
        /// How it ended.
        outcome: DestinationOutcome,
    },
    /// End the worker if it still runs and detach from the journal. Comes once, when the composition has ended.
    ReleaseWorker,
    /// Remove the composition; nothing follows.
    Forget,
}

/// How a destination ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum DestinationOutcome {
    /// Complete, or cut off where it could not be completed: a broadcast that is not connected.
    Ended,
    /// Time is up: seal the recording; what is not uploaded keeps uploading from the ledger.
    Abandoned,
    /// It failed: seal what there is; what is in the spool stays for `proscenium recover`.
    Failed(DestinationError),
}

/// An EventBridge event of the type "IVS Composition State Change".
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Event {
    /// The first destination has its first output.
    SessionStart,
    /// The composition has stopped.
    SessionEnd,
    /// The composition has failed.
    SessionFailure {
        /// Why.
        error: SessionError,
    },
    /// A destination has its first output.
    DestinationStart {
        /// Which destination.
        id: DestinationId,
    },
    /// A destination has stopped.
    DestinationEnd {
        /// Which destination.
        id: DestinationId,
    },
    /// A destination was interrupted.
    DestinationReconnecting {
        /// Which destination.
        id: DestinationId,
    },
    /// A destination has failed.
    DestinationFailure {
        /// Which destination.
        id: DestinationId,
        /// Why.
        error: DestinationError,
    },
}

impl Event {
    /// The detail's `event_name`.
    pub fn name(&self) -> &'static str {
        match self {
            Self::SessionStart => "Session Start",
            Self::SessionEnd => "Session End",
            Self::SessionFailure { .. } => "Session Failure",
            Self::DestinationStart { .. } => "Destination Start",
            Self::DestinationEnd { .. } => "Destination End",
            Self::DestinationReconnecting { .. } => "Destination Reconnecting",
            Self::DestinationFailure { .. } => "Destination Failure",
        }
    }

    /// The detail's `id`: the destination, absent in session events.
    pub fn destination(&self) -> Option<&DestinationId> {
        match self {
            Self::SessionStart | Self::SessionEnd | Self::SessionFailure { .. } => None,
            Self::DestinationStart { id }
            | Self::DestinationEnd { id }
            | Self::DestinationReconnecting { id }
            | Self::DestinationFailure { id, .. } => Some(id),
        }
    }

    /// The detail's `error_code`, in failures.
    pub fn error_code(&self) -> Option<&'static str> {
        match self {
            Self::SessionFailure { error } => Some(error.code()),
            Self::DestinationFailure { error, .. } => Some(error.code()),
            Self::SessionStart
            | Self::SessionEnd
            | Self::DestinationStart { .. }
            | Self::DestinationEnd { .. }
            | Self::DestinationReconnecting { .. } => None,
        }
    }

    /// The detail's `reason`, in failures.
    pub fn reason(&self) -> Option<&'static str> {
        match self {
            Self::SessionFailure { error } => Some(error.reason()),
            Self::DestinationFailure { error, .. } => Some(error.reason()),
            Self::SessionStart
            | Self::SessionEnd
            | Self::DestinationStart { .. }
            | Self::DestinationEnd { .. }
            | Self::DestinationReconnecting { .. } => None,
        }
    }
}
