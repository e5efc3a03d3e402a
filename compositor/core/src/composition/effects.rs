//! What the decisions of a destination do.

use crate::limits::RETRY_BUDGET;
use crate::time::WallTime;

use super::backoff::retry_delay;
use super::context::Context;
use super::destination::{Change, Destination};
use super::output::{DestinationOutcome, Event, Output};
use super::state::{DestinationError, DestinationKind, DestinationState, Link};
use super::timers::Timer;

impl Destination {
    pub(super) fn start(&mut self, context: &mut Context) -> Change {
        self.state = DestinationState::Active {
            started_at: context.wall,
        };
        self.failures = 0;
        context.timers.disarm(Timer::RetryBudget(self.index));
        context.events.push(Event::DestinationStart {
            id: self.id.clone(),
        });
        Change::Started
    }

    pub(super) fn recover(&mut self, started_at: WallTime, context: &mut Context) -> Change {
        self.state = DestinationState::Active { started_at };
        self.failures = 0;
        context.timers.disarm(Timer::RetryBudget(self.index));
        Change::None
    }

    pub(super) fn interrupt(&mut self, started_at: WallTime, context: &mut Context) -> Change {
        self.state = DestinationState::Reconnecting {
            started_at,
            link: Link::Connecting,
        };
        self.failures = 0;
        context.events.push(Event::DestinationReconnecting {
            id: self.id.clone(),
        });
        self.arm_budget(context);
        match self.kind {
            DestinationKind::Channel => self.retry_later(context),
            DestinationKind::S3 => Change::None,
        }
    }

    /// Gives up the attempt under way and waits for the next one.
    pub(super) fn retry_later(&mut self, context: &mut Context) -> Change {
        match &mut self.state {
            DestinationState::Starting { link } | DestinationState::Reconnecting { link, .. } => {
                *link = Link::Waiting;
            }
            DestinationState::Active { .. }
            | DestinationState::Stopping { .. }
            | DestinationState::Stopped { .. }
            | DestinationState::Failed { .. } => return Change::None,
        }
        self.failures = self.failures.saturating_add(1);
        let delay = retry_delay(
            self.failures,
            self.seed.wrapping_add(u64::from(self.attempt)),
        );
        context
            .timers
            .arm(Timer::Retry(self.index), context.now.plus(delay));
        Change::None
    }

    /// Makes the next attempt.
    pub(super) fn retry_now(&mut self, context: &mut Context) -> Change {
        if let DestinationState::Starting { link } | DestinationState::Reconnecting { link, .. } =
            &mut self.state
        {
            *link = Link::Connecting;
        }
        self.attempt = self.attempt.saturating_add(1);
        context.actions.push(Output::RetryDestination {
            id: self.id.clone(),
            attempt: self.attempt,
        });
        Change::None
    }

    pub(super) fn open_again(&mut self, context: &mut Context) {
        self.attempt = self.attempt.saturating_add(1);
        context.actions.push(Output::OpenDestination {
            id: self.id.clone(),
            attempt: self.attempt,
        });
    }

    /// The recording is not open, but there is something in its spool: opens it once more to drain it.
    pub(super) fn drain_again(
        &mut self,
        started_at: Option<WallTime>,
        context: &mut Context,
    ) -> Change {
        let _ = self.retry_now(context);
        self.drain(started_at, context)
    }

    /// The first output came just after the stop: the destination did start, and is about to end.
    pub(super) fn start_late(&mut self, context: &mut Context) -> Change {
        self.state = DestinationState::Stopping {
            started_at: Some(context.wall),
        };
        context.events.push(Event::DestinationStart {
            id: self.id.clone(),
        });
        Change::None
    }

    /// A broadcast loses what it cannot send, so its retries have a budget; a recording loses nothing.
    pub(super) fn arm_budget(&self, context: &mut Context) {
        match self.kind {
            DestinationKind::Channel => {
                let deadline = context.now.plus(RETRY_BUDGET);
                context.timers.arm(Timer::RetryBudget(self.index), deadline);
            }
            DestinationKind::S3 => {}
        }
    }

    pub(super) fn drain(&mut self, started_at: Option<WallTime>, context: &mut Context) -> Change {
        self.state = DestinationState::Stopping { started_at };
        self.disarm(context);
        Change::None
    }

    pub(super) fn end(&mut self, context: &mut Context) -> Change {
        let started_at = self.public_state().start_time;
        self.state = DestinationState::Stopped {
            started_at,
            ended_at: context.wall,
        };
        context.events.push(Event::DestinationEnd {
            id: self.id.clone(),
        });
        self.close(DestinationOutcome::Ended, context)
    }

    pub(super) fn fail(&mut self, error: DestinationError, context: &mut Context) -> Change {
        let started_at = self.public_state().start_time;
        self.state = DestinationState::Failed {
            started_at,
            ended_at: context.wall,
            error,
        };
        context.events.push(Event::DestinationFailure {
            id: self.id.clone(),
            error,
        });
        let outcome = match error {
            DestinationError::StopLimitReached => DestinationOutcome::Abandoned,
            DestinationError::BucketNotFound
            | DestinationError::AccessDenied
            | DestinationError::StreamExists
            | DestinationError::SpoolFull
            | DestinationError::RetryBudgetSpent
            | DestinationError::WorkerFailed
            | DestinationError::Internal => DestinationOutcome::Failed(error),
        };
        self.close(outcome, context)
    }

    pub(super) fn close(&mut self, outcome: DestinationOutcome, context: &mut Context) -> Change {
        self.disarm(context);
        context.actions.push(Output::CloseDestination {
            id: self.id.clone(),
            outcome,
        });
        Change::Closed
    }

    pub(super) fn disarm(&self, context: &mut Context) {
        context.timers.disarm(Timer::Retry(self.index));
        context.timers.disarm(Timer::RetryBudget(self.index));
    }
}
