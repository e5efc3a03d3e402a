//! The machine of a composition: the only place that decides what an input does to it.

use std::collections::VecDeque;
use std::time::Duration;

use crate::id::{CompositionId, DestinationId};
use crate::limits::{
    COMPOSITION_LIFETIME_MAX, FORGET_AFTER, IDLE_TIMEOUT, SERVER_STOP_DURATION_MAX,
    STOP_DURATION_MAX,
};
use crate::time::{MonotonicTime, WallTime};

use super::context::Context;
use super::destination::{Change, Destination, DestinationInput};
use super::input::Input;
use super::output::{Event, Output};
use super::spec::StartSpec;
use super::state::{
    CompositionState, DestinationError, PublicCompositionState, PublicState, SessionError,
    StopCause,
};
use super::timers::Timer;

/// One composition, from StartComposition until it is forgotten. See the [module](super) for the contract.
#[derive(Clone, Debug)]
pub struct Composition {
    pub(super) id: CompositionId,
    pub(super) started_at: WallTime,
    pub(super) state: CompositionState,
    pub(super) destinations: Vec<Destination>,
    pub(super) context: Context,
    /// What the driver was last told.
    pub(super) told: Option<PublicState>,
    pub(super) outputs: VecDeque<Output>,
}

impl Composition {
    /// Starts a composition; its first outputs are waiting.
    pub fn new(spec: StartSpec, now: MonotonicTime, wall: WallTime) -> Self {
        let StartSpec {
            composition,
            destinations,
            retry_seed,
        } = spec;
        let mut context = Context::new(now, wall);
        context.timers.arm(Timer::Idle, now.plus(IDLE_TIMEOUT));
        context
            .timers
            .arm(Timer::Lifetime, now.plus(COMPOSITION_LIFETIME_MAX));
        let destinations = (0..)
            .zip(destinations)
            .map(|(index, spec)| Destination::open(spec, index, retry_seed, &mut context))
            .collect();
        let mut started = Self {
            id: composition,
            started_at: wall,
            state: CompositionState::Starting,
            destinations,
            context,
            told: None,
            outputs: VecDeque::new(),
        };
        started.tell();
        started
    }

    /// Lets `input` happen at `now`, which is `wall` on the wall clock. Timers that have run out by `now` come first, so an
    /// input that arrives at a deadline is too late to prevent what the deadline brings.
    pub fn handle_input(&mut self, now: MonotonicTime, wall: WallTime, input: Input) {
        self.context.now = now;
        self.context.wall = wall;
        while let Some(timer) = self.context.timers.pop_due(now) {
            tracing::debug!(composition = %self.id, ?timer, "timer ran out");
            self.handle_timer(timer);
        }
        self.handle(input);
        self.tell();
    }

    /// The next thing to do; `None` when there is nothing until the next input.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// When to report [`Input::Timeout`], if nothing else happens before.
    pub fn poll_timeout(&self) -> Option<MonotonicTime> {
        self.context.timers.next()
    }

    /// What the API shows; `None` once the composition is forgotten.
    pub fn public_state(&self) -> Option<PublicState> {
        use PublicCompositionState as Public;
        let (state, end_time) = match self.state {
            CompositionState::Starting => (Public::Starting, None),
            CompositionState::Active => (Public::Active, None),
            CompositionState::Stopping { .. } => (Public::Stopping, None),
            CompositionState::Stopped { ended_at } => (Public::Stopped, Some(ended_at)),
            CompositionState::Failed { ended_at } => (Public::Failed, Some(ended_at)),
            CompositionState::Forgotten => return None,
        };
        let destinations = self
            .destinations
            .iter()
            .map(Destination::public_state)
            .collect();
        Some(PublicState {
            state,
            start_time: self.started_at,
            end_time,
            destinations,
        })
    }

    /// The one table of what each input does in each state.
    fn handle(&mut self, input: Input) {
        use CompositionState as State;

        match (self.state, input) {
            (_, Input::Timeout) => {} // Timers are handled before every input.

            (State::Starting | State::Active, Input::PublishersChanged { count, since }) => {
                self.note_publishers(count, since);
            }
            (State::Starting | State::Active, Input::Stop) => {
                self.begin_stop(StopCause::Requested);
            }
            (State::Starting | State::Active, Input::ServerStopping) => {
                self.begin_stop(StopCause::ServerStopping);
            }
            (State::Starting | State::Active, Input::StageDeleted) => {
                self.begin_stop(StopCause::StageDeleted);
            }
            (State::Starting | State::Active | State::Stopping { .. }, Input::WorkerFailed) => {
                self.worker_failed();
            }
            (
                State::Starting | State::Active | State::Stopping { .. },
                Input::Destination { id, report },
            ) => self.destination_reported(&id, DestinationInput::Report(report)),

            // It stops for one reason only, and nobody has to be there for it.
            (
                State::Stopping { .. },
                Input::PublishersChanged { .. } | Input::Stop | Input::StageDeleted,
            ) => {}
            // But there is less time left.
            (State::Stopping { .. }, Input::ServerStopping) => {
                self.limit_stop(SERVER_STOP_DURATION_MAX);
            }

            // It is over.
            (
                State::Stopped { .. } | State::Failed { .. } | State::Forgotten,
                Input::PublishersChanged { .. }
                | Input::Stop
                | Input::ServerStopping
                | Input::StageDeleted
                | Input::WorkerFailed
                | Input::Destination { .. },
            ) => {}
        }
    }

    fn handle_timer(&mut self, timer: Timer) {
        match timer {
            Timer::Idle => self.begin_stop(StopCause::Idle),
            Timer::Lifetime => self.begin_stop(StopCause::LifetimeReached),
            Timer::StopLimit => self.all_destinations(DestinationInput::StopLimit),
            Timer::Forget => {
                self.state = CompositionState::Forgotten;
                self.context.actions.push(Output::Forget);
            }
            Timer::Retry(index) => self.destination_input(index.into(), DestinationInput::RetryDue),
            Timer::RetryBudget(index) => {
                self.destination_input(index.into(), DestinationInput::BudgetSpent);
            }
        }
    }

    /// The idle timer runs exactly while nobody publishes.
    fn note_publishers(&mut self, count: u32, since: MonotonicTime) {
        let timers = &mut self.context.timers;
        if count > 0 {
            timers.disarm(Timer::Idle);
        } else if timers.deadline(Timer::Idle).is_none() {
            timers.arm(Timer::Idle, since.min(self.context.now).plus(IDLE_TIMEOUT));
        }
    }

    fn begin_stop(&mut self, cause: StopCause) {
        match self.state {
            CompositionState::Starting | CompositionState::Active => {}
            CompositionState::Stopping { .. }
            | CompositionState::Stopped { .. }
            | CompositionState::Failed { .. }
            | CompositionState::Forgotten => return,
        }
        self.state = CompositionState::Stopping { cause };
        self.context.timers.disarm(Timer::Idle);
        self.context.timers.disarm(Timer::Lifetime);
        self.limit_stop(match cause {
            StopCause::ServerStopping => SERVER_STOP_DURATION_MAX,
            StopCause::Requested
            | StopCause::Idle
            | StopCause::LifetimeReached
            | StopCause::StageDeleted => STOP_DURATION_MAX,
        });
        self.context.actions.push(Output::BeginStop { cause });
        self.all_destinations(DestinationInput::Stop);
    }

    /// What has not drained `limit` from now is let go, unless that is to happen earlier anyway.
    fn limit_stop(&mut self, limit: Duration) {
        let deadline = self.context.now.plus(limit);
        let timers = &mut self.context.timers;
        let known = timers.deadline(Timer::StopLimit);
        timers.arm(
            Timer::StopLimit,
            known.map_or(deadline, |known| known.min(deadline)),
        );
    }

    fn worker_failed(&mut self) {
        for destination in &mut self.destinations {
            let _ = destination.handle(DestinationInput::WorkerFailed, &mut self.context);
        }
        self.fail(SessionError::WorkerFailed);
    }

    fn destination_reported(&mut self, id: &DestinationId, input: DestinationInput) {
        match self
            .destinations
            .iter()
            .position(|destination| destination.id == *id)
        {
            Some(index) => self.destination_input(index, input),
            None => {
                tracing::warn!(composition = %self.id, destination = %id, "unknown destination")
            }
        }
    }

    fn all_destinations(&mut self, input: DestinationInput) {
        for index in 0..self.destinations.len() {
            self.destination_input(index, input);
        }
    }

    fn destination_input(&mut self, index: usize, input: DestinationInput) {
        match self.destinations[index].handle(input, &mut self.context) {
            Change::None => {}
            Change::Started => self.destination_started(),
            Change::Closed => self.settle(),
        }
    }

    fn destination_started(&mut self) {
        if self.state == CompositionState::Starting {
            self.state = CompositionState::Active;
            self.context.events.push(Event::SessionStart);
        }
    }

    /// Ends the composition when its last destination has ended.
    pub(super) fn settle(&mut self) {
        if !self.destinations.iter().all(Destination::is_closed) {
            return;
        }
        match self.state {
            CompositionState::Starting | CompositionState::Active => {
                self.fail(SessionError::DestinationFailure);
            }
            CompositionState::Stopping {
                cause: StopCause::StageDeleted,
            } => {
                self.fail(SessionError::StageDeleted);
            }
            CompositionState::Stopping {
                cause:
                    StopCause::Requested
                    | StopCause::Idle
                    | StopCause::LifetimeReached
                    | StopCause::ServerStopping,
            } => {
                // A destination that only ran out of time keeps uploading: that is a stop, not a failure.
                let failed = |error| error != DestinationError::StopLimitReached;
                if self
                    .destinations
                    .iter()
                    .all(|d| d.error().is_some_and(failed))
                {
                    self.fail(SessionError::DestinationFailure);
                } else {
                    self.stopped();
                }
            }
            CompositionState::Stopped { .. }
            | CompositionState::Failed { .. }
            | CompositionState::Forgotten => {}
        }
    }

    fn stopped(&mut self) {
        self.state = CompositionState::Stopped {
            ended_at: self.context.wall,
        };
        self.context.events.push(Event::SessionEnd);
        self.release();
    }

    fn fail(&mut self, error: SessionError) {
        self.state = CompositionState::Failed {
            ended_at: self.context.wall,
        };
        self.context.events.push(Event::SessionFailure { error });
        self.release();
    }

    fn release(&mut self) {
        let Context {
            now,
            timers,
            actions,
            ..
        } = &mut self.context;
        timers.disarm_all();
        timers.arm(Timer::Forget, now.plus(FORGET_AFTER));
        actions.push(Output::ReleaseWorker);
    }

    /// Queues what this input brought: the new public state, then events, then actions.
    pub(super) fn tell(&mut self) {
        let public = self.public_state();
        if let Some(state) = public.as_ref().filter(|_| public != self.told) {
            self.outputs.push_back(Output::StateChanged(state.clone()));
        }
        self.told = public;
        self.outputs
            .extend(self.context.events.drain(..).map(Output::Event));
        self.outputs.extend(self.context.actions.drain(..));
    }
}
