//! The states of a composition and its destinations, and what the API shows of them.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::id::DestinationId;
use crate::time::WallTime;

/// What a destination is.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub enum DestinationKind {
    /// A broadcast to a channel over RTMP: retries have a budget.
    Channel,
    /// A recording: interruptions lose nothing while the spool has room.
    S3,
}

/// Where a composition stands, with what only that state knows.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(super) enum CompositionState {
    /// No destination has had output yet.
    Starting,
    /// At least one destination has had output.
    Active,
    /// Draining up to the stop time.
    Stopping { cause: StopCause },
    /// Ended as asked.
    Stopped { ended_at: WallTime },
    /// Ended otherwise.
    Failed { ended_at: WallTime },
    /// Gone from Get and List.
    Forgotten,
}

/// Where a destination stands, with what only that state knows.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(super) enum DestinationState {
    /// No output yet.
    Starting { link: Link },
    /// Output reaches it.
    Active { started_at: WallTime },
    /// Output reached it and does not now.
    Reconnecting { started_at: WallTime, link: Link },
    /// Draining.
    Stopping { started_at: Option<WallTime> },
    /// Ended as asked.
    Stopped {
        started_at: Option<WallTime>,
        ended_at: WallTime,
    },
    /// Ended otherwise.
    Failed {
        started_at: Option<WallTime>,
        ended_at: WallTime,
        error: DestinationError,
    },
}

/// What is being done about a destination without output.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(super) enum Link {
    /// An attempt is under way.
    Connecting,
    /// The retry timer runs.
    Waiting,
}

/// Why a composition stops.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub enum StopCause {
    /// StopComposition.
    Requested,
    /// Nobody was publishing for [`crate::limits::IDLE_TIMEOUT`].
    Idle,
    /// It is [`crate::limits::COMPOSITION_LIFETIME_MAX`] old.
    LifetimeReached,
    /// The server exits.
    ServerStopping,
    /// The stage is gone.
    StageDeleted,
}

/// Why a composition failed.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub enum SessionError {
    /// The stage was deleted while it was composed.
    StageDeleted,
    /// Every destination failed.
    DestinationFailure,
    /// The worker died too often.
    WorkerFailed,
}

impl SessionError {
    /// The event's `error_code`.
    pub fn code(self) -> &'static str {
        match self {
            Self::StageDeleted => "StageDeleted",
            Self::DestinationFailure => "DestinationFailure",
            Self::WorkerFailed => "InternalServerException",
        }
    }

    /// The event's `reason`, word for word as IVS sends it.
    pub fn reason(self) -> &'static str {
        match self {
            Self::StageDeleted => "Stage has been deleted",
            Self::DestinationFailure => "One or more outputs failed",
            Self::WorkerFailed => "Service internal error",
        }
    }
}

/// Why a destination failed. IVS has four codes; the ones without their own are InternalServerException.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub enum DestinationError {
    /// S3 answered that there is no such bucket.
    BucketNotFound,
    /// S3 refused the credentials.
    AccessDenied,
    /// Somebody else broadcasts to the channel.
    StreamExists,
    /// The spool's limit is reached.
    SpoolFull,
    /// Retries went on for [`crate::limits::RETRY_BUDGET`] in vain.
    RetryBudgetSpent,
    /// It had not drained [`crate::limits::STOP_DURATION_MAX`] after the stop, or
    /// [`crate::limits::SERVER_STOP_DURATION_MAX`] when the server exits.
    StopLimitReached,
    /// The worker died too often.
    WorkerFailed,
    /// Anything else; also a channel that refuses the stream key, for which IVS has no code.
    Internal,
}

impl DestinationError {
    /// The event's `error_code`.
    pub fn code(self) -> &'static str {
        match self {
            Self::BucketNotFound => "ResourceNotFoundException",
            Self::AccessDenied => "AccessDeniedException",
            Self::StreamExists => "ConflictException",
            Self::SpoolFull
            | Self::RetryBudgetSpent
            | Self::StopLimitReached
            | Self::WorkerFailed
            | Self::Internal => "InternalServerException",
        }
    }

    /// The event's `reason`, word for word as IVS sends it.
    pub fn reason(self) -> &'static str {
        match self {
            Self::BucketNotFound => "S3 bucket not found. Please verify your bucket exists.",
            Self::AccessDenied => "Access denied to S3 bucket. Please verify your bucket policy.",
            Self::StreamExists => "Stream already exists",
            Self::SpoolFull
            | Self::RetryBudgetSpent
            | Self::StopLimitReached
            | Self::WorkerFailed
            | Self::Internal => "Service internal error",
        }
    }
}

/// A composition as the API shows it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct PublicState {
    /// Its state.
    pub state: PublicCompositionState,
    /// When StartComposition was called.
    pub start_time: WallTime,
    /// When it ended.
    pub end_time: Option<WallTime>,
    /// In the order in which they were given.
    pub destinations: Vec<PublicDestination>,
}

/// A destination as the API shows it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct PublicDestination {
    /// Which destination.
    pub id: DestinationId,
    /// Its state.
    pub state: PublicDestinationState,
    /// When its first output reached it.
    pub start_time: Option<WallTime>,
    /// When it ended.
    pub end_time: Option<WallTime>,
}

/// The API's CompositionState.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub enum PublicCompositionState {
    /// STARTING.
    Starting,
    /// ACTIVE.
    Active,
    /// STOPPING.
    Stopping,
    /// FAILED.
    Failed,
    /// STOPPED.
    Stopped,
}

impl PublicCompositionState {
    /// The word on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Starting => "STARTING",
            Self::Active => "ACTIVE",
            Self::Stopping => "STOPPING",
            Self::Failed => "FAILED",
            Self::Stopped => "STOPPED",
        }
    }

    /// Whether it has ended.
    pub fn is_terminal(self) -> bool {
        matches!(self, Self::Failed | Self::Stopped)
    }
}

impl fmt::Display for PublicCompositionState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The API's DestinationState.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub enum PublicDestinationState {
    /// STARTING.
    Starting,
    /// ACTIVE.
    Active,
    /// STOPPING.
    Stopping,
    /// RECONNECTING.
    Reconnecting,
    /// FAILED.
    Failed,
    /// STOPPED.
    Stopped,
}

impl PublicDestinationState {
    /// The word on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Starting => "STARTING",
            Self::Active => "ACTIVE",
            Self::Stopping => "STOPPING",
            Self::Reconnecting => "RECONNECTING",
            Self::Failed => "FAILED",
            Self::Stopped => "STOPPED",
        }
    }

    /// Whether it has ended.
    pub fn is_terminal(self) -> bool {
        matches!(self, Self::Failed | Self::Stopped)
    }
}

impl fmt::Display for PublicDestinationState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
