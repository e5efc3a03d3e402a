//! Everything that can happen to a composition.

use crate::id::DestinationId;
use crate::time::MonotonicTime;

use super::state::DestinationError;

/// Something that happened. The driver reports it as soon as it knows.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Input {
    /// How many participants have at least one live published track, muted ones included. Report it once after the
    /// start when somebody publishes already, then at each change.
    PublishersChanged {
        /// How many.
        count: u32,
        /// Since when. A peer that vanished counts until its last packet, so this may lie before `now`.
        since: MonotonicTime,
    },
    /// StopComposition was called.
    Stop,
    /// The server is about to exit.
    ServerStopping,
    /// The stage was deleted.
    StageDeleted,
    /// The worker died more often than [`crate::restart_budget::RestartBudget`] allows, or cannot be started.
    WorkerFailed,
    /// News of a destination.
    Destination {
        /// Which destination.
        id: DestinationId,
        /// What happened to it.
        report: DestinationReport,
    },
    /// The time that `poll_timeout` named has come.
    Timeout,
}

/// News of a destination.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum DestinationReport {
    /// Output reaches it for the first time on this connection. S3: `recording-started.json` is PUT and an access unit is
    /// in the spool. Channel: the publish was accepted and a keyframe was written.
    FirstOutput,
    /// It cannot be opened for now; the machine says when to try again.
    ConnectFailed,
    /// The broadcast's connection was lost (the machine says when to connect again), or uploads fail for now (the uploader
    /// goes on trying by itself).
    Interrupted,
    /// Output reaches it again.
    Recovered,
    /// It can never work: no retry.
    Rejected(DestinationError),
    /// It has delivered everything up to the stop time.
    Ended,
}
