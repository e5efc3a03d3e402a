//! The machine of one destination. It never looks at other destinations.

use serde::{Deserialize, Serialize};

use crate::id::DestinationId;
use crate::time::WallTime;

use super::context::Context;
use super::input::DestinationReport;
use super::state::{
    DestinationError, DestinationKind, DestinationState, Link, PublicDestination,
    PublicDestinationState,
};

/// One destination of a composition.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(super) struct Destination {
    pub(super) id: DestinationId,
    pub(super) kind: DestinationKind,
    /// Its place in the composition; names its timers.
    pub(super) index: u8,
    /// Attempts made in its whole life; rises only, because a broadcast takes over by it.
    pub(super) attempt: u32,
    /// Failed attempts since output last reached it.
    pub(super) failures: u32,
    /// For jitter.
    pub(super) seed: u64,
    pub(super) state: DestinationState,
}

/// Everything that can happen to a destination.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum DestinationInput {
    /// The driver says so.
    Report(DestinationReport),
    /// The retry timer ran out.
    RetryDue,
    /// The retry budget is spent.
    BudgetSpent,
    /// The composition begins to stop.
    Stop,
    /// The composition has been stopping for too long.
    StopLimit,
    /// The worker is gone for good.
    WorkerFailed,
}

/// What an input meant for the composition.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[must_use]
pub(super) enum Change {
    /// Nothing.
    None,
    /// The first output of its life reached the destination.
    Started,
    /// It has ended, well or not.
    Closed,
}

impl Destination {
    /// A destination that is being opened now.
    pub(super) fn open(
        (id, kind): (DestinationId, DestinationKind),
        index: u8,
        seed: u64,
        context: &mut Context,
    ) -> Self {
        let mut destination = Self {
            id,
            kind,
            index,
            attempt: 0,
            failures: 0,
            seed: seed.wrapping_add(u64::from(index) << 32),
            state: DestinationState::Starting {
                link: Link::Connecting,
            },
        };
        destination.arm_budget(context);
        destination.open_again(context);
        destination
    }

    /// Whether it has ended.
    pub(super) fn is_closed(&self) -> bool {
        matches!(
            self.state,
            DestinationState::Stopped { .. } | DestinationState::Failed { .. }
        )
    }

    /// Why it failed, if it did.
    pub(super) fn error(&self) -> Option<DestinationError> {
        match self.state {
            DestinationState::Failed { error, .. } => Some(error),
            DestinationState::Starting { .. }
            | DestinationState::Active { .. }
            | DestinationState::Reconnecting { .. }
            | DestinationState::Stopping { .. }
            | DestinationState::Stopped { .. } => None,
        }
    }

    /// What the API shows.
    pub(super) fn public_state(&self) -> PublicDestination {
        use PublicDestinationState as Public;
        let (state, start_time, end_time) = match self.state {
            DestinationState::Starting { .. } => (Public::Starting, None, None),
            DestinationState::Active { started_at } => (Public::Active, Some(started_at), None),
            DestinationState::Reconnecting { started_at, .. } => {
                (Public::Reconnecting, Some(started_at), None)
            }
            DestinationState::Stopping { started_at } => (Public::Stopping, started_at, None),
            DestinationState::Stopped {
                started_at,
                ended_at,
            } => (Public::Stopped, started_at, Some(ended_at)),
            DestinationState::Failed {
                started_at,
                ended_at,
                ..
            } => (Public::Failed, started_at, Some(ended_at)),
        };
        PublicDestination {
            id: self.id.clone(),
            state,
            start_time,
            end_time,
        }
    }

    /// What each input does in each state, one table for each state.
    pub(super) fn handle(&mut self, input: DestinationInput, context: &mut Context) -> Change {
        match self.state {
            DestinationState::Starting {
                link: Link::Connecting,
            } => self.while_starting(input, context),
            DestinationState::Active { started_at } => {
                self.while_active(started_at, input, context)
            }
            DestinationState::Reconnecting {
                started_at,
                link: Link::Connecting,
            } => self.while_reconnecting(started_at, input, context),
            DestinationState::Starting {
                link: Link::Waiting,
            } => self.while_waiting(None, input, context),
            DestinationState::Reconnecting {
                started_at,
                link: Link::Waiting,
            } => self.while_waiting(Some(started_at), input, context),
            DestinationState::Stopping { started_at } => {
                self.while_stopping(started_at, input, context)
            }
            // Whatever still comes is an echo.
            DestinationState::Stopped { .. } | DestinationState::Failed { .. } => Change::None,
        }
    }

    /// The first attempt, or a later one, is under way and no output has ever reached the destination.
    fn while_starting(&mut self, input: DestinationInput, context: &mut Context) -> Change {
        use DestinationInput as In;
        use DestinationReport as Report;
        match (input, self.kind) {
            (In::Report(Report::FirstOutput), _) => self.start(context),
            (In::Report(Report::ConnectFailed), _)
            | (In::Report(Report::Interrupted), DestinationKind::Channel) => {
                self.retry_later(context)
            }
            // Uploads failed or work again before the first output: the uploader goes on by itself.
            (In::Report(Report::Interrupted), DestinationKind::S3)
            | (In::Report(Report::Recovered), _) => Change::None,
            (In::Report(Report::Rejected(error)), _) => self.fail(error, context),
            // It was not told to end.
            (In::Report(Report::Ended), _) => self.fail(DestinationError::Internal, context),
            (In::BudgetSpent, _) => self.fail(DestinationError::RetryBudgetSpent, context),
            (In::WorkerFailed, _) => self.fail(DestinationError::WorkerFailed, context),
            (In::Stop, DestinationKind::S3) => self.drain(None, context),
            // A broadcast that is not connected has nothing to drain.
            (In::Stop, DestinationKind::Channel) => self.end(context),
            // These timers do not run now.
            (In::RetryDue | In::StopLimit, _) => Change::None,
        }
    }

    /// Output reaches the destination.
    fn while_active(
        &mut self,
        started_at: WallTime,
        input: DestinationInput,
        context: &mut Context,
    ) -> Change {
        use DestinationInput as In;
        use DestinationReport as Report;
        match input {
            In::Report(Report::Interrupted) => self.interrupt(started_at, context),
            // Said twice, or a stale word of an attempt before.
            In::Report(Report::FirstOutput | Report::Recovered | Report::ConnectFailed) => {
                Change::None
            }
            In::Report(Report::Rejected(error)) => self.fail(error, context),
            // It was not told to end.
            In::Report(Report::Ended) => self.fail(DestinationError::Internal, context),
            In::WorkerFailed => self.fail(DestinationError::WorkerFailed, context),
            In::Stop => self.drain(Some(started_at), context),
            // These timers do not run now.
            In::RetryDue | In::BudgetSpent | In::StopLimit => Change::None,
        }
    }

    /// Output reached the destination before, and an attempt to reach it again is under way.
    fn while_reconnecting(
        &mut self,
        started_at: WallTime,
        input: DestinationInput,
        context: &mut Context,
    ) -> Change {
        use DestinationInput as In;
        use DestinationReport as Report;
        match (input, self.kind) {
            (In::Report(Report::FirstOutput | Report::Recovered), _) => {
                self.recover(started_at, context)
            }
            (In::Report(Report::ConnectFailed), _)
            | (In::Report(Report::Interrupted), DestinationKind::Channel) => {
                self.retry_later(context)
            }
            // Still: the uploader goes on by itself.
            (In::Report(Report::Interrupted), DestinationKind::S3) => Change::None,
            (In::Report(Report::Rejected(error)), _) => self.fail(error, context),
            // It was not told to end.
            (In::Report(Report::Ended), _) => self.fail(DestinationError::Internal, context),
            (In::BudgetSpent, _) => self.fail(DestinationError::RetryBudgetSpent, context),
            (In::WorkerFailed, _) => self.fail(DestinationError::WorkerFailed, context),
            (In::Stop, DestinationKind::S3) => self.drain(Some(started_at), context),
            // A broadcast that is not connected has nothing to drain.
            (In::Stop, DestinationKind::Channel) => self.end(context),
            // These timers do not run now.
            (In::RetryDue | In::StopLimit, _) => Change::None,
        }
    }

    /// The retry timer runs; nothing is connected.
    fn while_waiting(
        &mut self,
        started_at: Option<WallTime>,
        input: DestinationInput,
        context: &mut Context,
    ) -> Change {
        use DestinationInput as In;
        use DestinationReport as Report;
        match input {
            In::RetryDue => self.retry_now(context),
            // Echoes of the attempt that was given up.
            In::Report(
                Report::FirstOutput
                | Report::ConnectFailed
                | Report::Interrupted
                | Report::Recovered
                | Report::Ended,
            ) => Change::None,
            In::Report(Report::Rejected(error)) => self.fail(error, context),
            In::BudgetSpent => self.fail(DestinationError::RetryBudgetSpent, context),
            In::WorkerFailed => self.fail(DestinationError::WorkerFailed, context),
            In::Stop => match (self.kind, started_at) {
                // Nothing is connected, or was ever opened: nothing to drain.
                (DestinationKind::Channel, _) | (DestinationKind::S3, None) => self.end(context),
                (DestinationKind::S3, Some(_)) => self.drain_again(started_at, context),
            },
            // This timer does not run now.
            In::StopLimit => Change::None,
        }
    }

    /// The composition is stopping and the destination drains.
    fn while_stopping(
        &mut self,
        started_at: Option<WallTime>,
        input: DestinationInput,
        context: &mut Context,
    ) -> Change {
        use DestinationInput as In;
        use DestinationReport as Report;
        match (input, self.kind) {
            (In::Report(Report::Ended), _) => self.end(context),
            (In::Report(Report::FirstOutput), _) => match started_at {
                Some(_) => Change::None,
                None => self.start_late(context),
            },
            (In::Report(Report::Rejected(error)), _) => self.fail(error, context),
            // What the broadcast has not said by now it cannot say any more.
            (In::Report(Report::Interrupted), DestinationKind::Channel) => self.end(context),
            // The uploader goes on by itself until the stop limit.
            (In::Report(Report::Interrupted), DestinationKind::S3)
            | (In::Report(Report::Recovered), _) => Change::None,
            (In::Report(Report::ConnectFailed), _) => {
                self.fail(DestinationError::Internal, context)
            }
            (In::StopLimit, _) => self.fail(DestinationError::StopLimitReached, context),
            (In::WorkerFailed, _) => self.fail(DestinationError::WorkerFailed, context),
            (In::Stop, _) => Change::None,
            // These timers do not run now.
            (In::RetryDue | In::BudgetSpent, _) => Change::None,
        }
    }
}
