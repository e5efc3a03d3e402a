//! The machine of one destination. It never looks at other destinations.

use serde::{Deserialize, Serialize};

use crate::id::DestinationId;
use crate::limits::RETRY_BUDGET;

use super::backoff::retry_delay;
use super::context::Context;
use super::input::DestinationReport;
use super::output::{DestinationOutcome, Event, Output};
use super::state::{
    DestinationError, DestinationKind, DestinationState, Link, PublicDestination,
    PublicDestinationState,
};
use super::timers::Timer;

/// One destination of a composition.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(super) struct Destination {
    pub(super) id: DestinationId,
    kind: DestinationKind,
    /// Its place in the composition; names its timers.
    index: u8,
    /// Attempts made in its whole life; rises only, because a broadcast takes over by it.
    attempt: u32,
    /// Failed attempts since output last reached it.
    failures: u32,
    /// For jitter.
    seed: u64,
    state: DestinationState,
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

    /// Takes up what an earlier process left. Its connections died with it.
    pub(super) fn adopt(&mut self, context: &mut Context) -> Change {
        match (self.state, self.kind) {
            (DestinationState::Starting { .. }, _) => {
                self.state = DestinationState::Starting {
                    link: Link::Connecting,
                };
            }
            (DestinationState::Active { started_at }, _) => {
                self.state = DestinationState::Reconnecting {
                    started_at,
                    link: Link::Connecting,
                };
                self.failures = 0;
                self.arm_budget(context);
                context.events.push(Event::DestinationReconnecting {
                    id: self.id.clone(),
                });
            }
            (DestinationState::Reconnecting { started_at, .. }, _) => {
                self.state = DestinationState::Reconnecting {
                    started_at,
                    link: Link::Connecting,
                };
            }
            (DestinationState::Stopping { .. }, DestinationKind::S3) => {}
            (DestinationState::Stopping { .. }, DestinationKind::Channel) => {
                return self.end(context);
            }
            (DestinationState::Stopped { .. } | DestinationState::Failed { .. }, _) => {
                return Change::None;
            }
        }
        context.timers.disarm(Timer::Retry(self.index));
        self.open_again(context);
        Change::None
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

    /// The one table of what each input does in each state.
    pub(super) fn handle(&mut self, input: DestinationInput, context: &mut Context) -> Change {
        use DestinationInput as In;
        use DestinationKind::{Channel, S3};
        use DestinationReport as Report;
        use DestinationState as State;
        use Link::{Connecting, Waiting};

        match (self.state, input) {
            // Closed: whatever still comes is an echo.
            (State::Stopped { .. } | State::Failed { .. }, _) => Change::None,

            // The end, from anywhere.
            (_, In::Report(Report::Rejected(error))) => self.fail(error, context),
            (_, In::WorkerFailed) => self.fail(DestinationError::WorkerFailed, context),
            (State::Stopping { .. }, In::Report(Report::Ended)) => self.end(context),
            (State::Stopping { .. }, In::StopLimit) => {
                self.fail(DestinationError::StopLimitReached, context)
            }

            // While it waits for the next attempt there is no connection: reports are echoes of the last one.
            (
                State::Starting { link: Waiting } | State::Reconnecting { link: Waiting, .. },
                In::Report(
                    Report::FirstOutput
                    | Report::ConnectFailed
                    | Report::Interrupted
                    | Report::Recovered
                    | Report::Ended,
                ),
            ) => Change::None,

            // Output reaches it.
            (State::Starting { link: Connecting }, In::Report(Report::FirstOutput)) => {
                self.start(context)
            }
            (
                State::Reconnecting {
                    started_at,
                    link: Connecting,
                },
                In::Report(Report::FirstOutput | Report::Recovered),
            ) => self.recover(started_at, context),
            (State::Stopping { started_at: None }, In::Report(Report::FirstOutput)) => {
                self.state = State::Stopping {
                    started_at: Some(context.wall),
                };
                context.events.push(Event::DestinationStart {
                    id: self.id.clone(),
                });
                Change::None
            }
            // Said twice, or of an upload that failed and recovered before the first output.
            (
                State::Active { .. }
                | State::Stopping {
                    started_at: Some(_),
                },
                In::Report(Report::FirstOutput | Report::Recovered),
            )
            | (
                State::Starting { link: Connecting } | State::Stopping { started_at: None },
                In::Report(Report::Recovered),
            ) => Change::None,

            // Output does not reach it.
            (
                State::Starting { link: Connecting }
                | State::Reconnecting {
                    link: Connecting, ..
                },
                In::Report(Report::ConnectFailed),
            ) => self.retry_later(context),
            (
                State::Starting { link: Connecting }
                | State::Reconnecting {
                    link: Connecting, ..
                },
                In::Report(Report::Interrupted),
            ) => match self.kind {
                Channel => self.retry_later(context),
                // The uploader goes on by itself; the recording stays open.
                S3 => Change::None,
            },
            (State::Active { started_at }, In::Report(Report::Interrupted)) => {
                self.interrupt(started_at, context)
            }
            // It is open already: a stale word of an attempt before.
            (State::Active { .. }, In::Report(Report::ConnectFailed)) => Change::None,
            (State::Stopping { .. }, In::Report(Report::Interrupted)) => match self.kind {
                // What the broadcast has not said by now it cannot say any more.
                Channel => self.end(context),
                S3 => Change::None,
            },
            (State::Stopping { .. }, In::Report(Report::ConnectFailed)) => {
                self.fail(DestinationError::Internal, context)
            }
            // Ended without having been told to.
            (
                State::Starting { link: Connecting }
                | State::Active { .. }
                | State::Reconnecting {
                    link: Connecting, ..
                },
                In::Report(Report::Ended),
            ) => self.fail(DestinationError::Internal, context),

            // Time.
            (State::Starting { link: Waiting }, In::RetryDue) => {
                self.state = State::Starting { link: Connecting };
                self.retry_now(context)
            }
            (
                State::Reconnecting {
                    started_at,
                    link: Waiting,
                },
                In::RetryDue,
            ) => {
                self.state = State::Reconnecting {
                    started_at,
                    link: Connecting,
                };
                self.retry_now(context)
            }
            (State::Starting { .. } | State::Reconnecting { .. }, In::BudgetSpent) => {
                self.fail(DestinationError::RetryBudgetSpent, context)
            }
            // These timers do not run in these states.
            (
                State::Starting { link: Connecting }
                | State::Active { .. }
                | State::Reconnecting {
                    link: Connecting, ..
                }
                | State::Stopping { .. },
                In::RetryDue,
            )
            | (State::Active { .. } | State::Stopping { .. }, In::BudgetSpent)
            | (
                State::Starting { .. } | State::Active { .. } | State::Reconnecting { .. },
                In::StopLimit,
            ) => Change::None,

            // The composition stops.
            (State::Starting { link }, In::Stop) => match (self.kind, link) {
                (S3, Connecting) => self.drain(None, context),
                // Nothing was ever opened, so nothing is there to drain.
                (Channel, Connecting | Waiting) | (S3, Waiting) => self.end(context),
            },
            (State::Active { started_at }, In::Stop) => self.drain(Some(started_at), context),
            (State::Reconnecting { started_at, link }, In::Stop) => match (self.kind, link) {
                (Channel, Connecting | Waiting) => self.end(context),
                (S3, Connecting) => self.drain(Some(started_at), context),
                (S3, Waiting) => {
                    let change = self.drain(Some(started_at), context);
                    let _ = self.retry_now(context);
                    change
                }
            },
            (State::Stopping { .. }, In::Stop) => Change::None,
        }
    }

    fn start(&mut self, context: &mut Context) -> Change {
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

    fn recover(&mut self, started_at: crate::time::WallTime, context: &mut Context) -> Change {
        self.state = DestinationState::Active { started_at };
        self.failures = 0;
        context.timers.disarm(Timer::RetryBudget(self.index));
        Change::None
    }

    fn interrupt(&mut self, started_at: crate::time::WallTime, context: &mut Context) -> Change {
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
    fn retry_later(&mut self, context: &mut Context) -> Change {
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

    fn retry_now(&mut self, context: &mut Context) -> Change {
        self.attempt = self.attempt.saturating_add(1);
        context.actions.push(Output::RetryDestination {
            id: self.id.clone(),
            attempt: self.attempt,
        });
        Change::None
    }

    fn open_again(&mut self, context: &mut Context) {
        self.attempt = self.attempt.saturating_add(1);
        context.actions.push(Output::OpenDestination {
            id: self.id.clone(),
            attempt: self.attempt,
        });
    }

    /// A broadcast loses what it cannot send, so its retries have a budget; a recording loses nothing.
    fn arm_budget(&self, context: &mut Context) {
        match self.kind {
            DestinationKind::Channel => {
                let deadline = context.now.plus(RETRY_BUDGET);
                context.timers.arm(Timer::RetryBudget(self.index), deadline);
            }
            DestinationKind::S3 => {}
        }
    }

    fn drain(
        &mut self,
        started_at: Option<crate::time::WallTime>,
        context: &mut Context,
    ) -> Change {
        self.state = DestinationState::Stopping { started_at };
        self.disarm(context);
        Change::None
    }

    fn end(&mut self, context: &mut Context) -> Change {
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

    fn fail(&mut self, error: DestinationError, context: &mut Context) -> Change {
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

    fn close(&mut self, outcome: DestinationOutcome, context: &mut Context) -> Change {
        self.disarm(context);
        context.actions.push(Output::CloseDestination {
            id: self.id.clone(),
            outcome,
        });
        Change::Closed
    }

    fn disarm(&self, context: &mut Context) {
        context.timers.disarm(Timer::Retry(self.index));
        context.timers.disarm(Timer::RetryBudget(self.index));
    }
}
