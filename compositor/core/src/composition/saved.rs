//! A composition that outlives its process. Deadlines are saved as wall-clock times, because the monotonic clock starts
//! anew with each process.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use crate::id::CompositionId;
use crate::limits::IDLE_TIMEOUT;
use crate::time::{MonotonicTime, WallTime};

use super::context::Context;
use super::destination::{Change, Destination};
use super::machine::Composition;
use super::output::{Event, Output};
use super::state::{CompositionState, DestinationKind, DestinationState, Link};
use super::timers::Timer;

/// Everything a later process needs to go on with a composition. Save it whenever outputs came, in the same transaction.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct SavedComposition {
    id: CompositionId,
    started_at: WallTime,
    state: CompositionState,
    destinations: Vec<Destination>,
    deadlines: Vec<(Timer, WallTime)>,
}

impl SavedComposition {
    /// Whether there was more to compose.
    pub fn is_running(&self) -> bool {
        match self.state {
            CompositionState::Starting | CompositionState::Active => true,
            CompositionState::Stopping { .. }
            | CompositionState::Stopped { .. }
            | CompositionState::Failed { .. }
            | CompositionState::Forgotten => false,
        }
    }
}

impl Composition {
    /// What to save. `now` and `wall` are the same instant.
    pub fn save(&self, now: MonotonicTime, wall: WallTime) -> SavedComposition {
        let deadlines = self
            .context
            .timers
            .running()
            .map(|(timer, deadline)| (timer, wall.plus(deadline.since(now))))
            .collect();
        SavedComposition {
            id: self.id.clone(),
            started_at: self.started_at,
            state: self.state,
            destinations: self.destinations.clone(),
            deadlines,
        }
    }

    /// Goes on with a composition that an earlier process left at `left_at`: the last moment at which anything is known to
    /// have been published. Nobody has published since, and every connection is gone. Destinations that are open are to be
    /// opened again ([`Output::OpenDestination`] with the next attempt number), and a stop is begun again.
    pub fn adopt(
        saved: SavedComposition,
        left_at: WallTime,
        now: MonotonicTime,
        wall: WallTime,
    ) -> Self {
        let SavedComposition {
            id,
            started_at,
            state,
            destinations,
            deadlines,
        } = saved;
        let mut context = Context::new(now, wall);
        for (timer, deadline) in deadlines {
            context.timers.arm(timer, now.plus(deadline.since(wall)));
        }
        let mut adopted = Self {
            id,
            started_at,
            state,
            destinations,
            context,
            told: None,
            outputs: VecDeque::new(),
        };
        adopted.told = adopted.public_state();
        adopted.resume(left_at);
        adopted.tell();
        adopted
    }

    fn resume(&mut self, left_at: WallTime) {
        match self.state {
            CompositionState::Starting | CompositionState::Active => {
                let Context {
                    now, wall, timers, ..
                } = &mut self.context;
                let idle = now.plus(left_at.plus(IDLE_TIMEOUT).since(*wall));
                let earlier = timers
                    .deadline(Timer::Idle)
                    .map_or(idle, |saved| saved.min(idle));
                timers.arm(Timer::Idle, earlier);
            }
            CompositionState::Stopping { cause } => {
                self.context.actions.push(Output::BeginStop { cause });
            }
            CompositionState::Stopped { .. }
            | CompositionState::Failed { .. }
            | CompositionState::Forgotten => return,
        }
        let mut closed = false;
        for destination in &mut self.destinations {
            closed |= destination.adopt(&mut self.context) == Change::Closed;
        }
        if closed {
            self.settle();
        }
    }
}

impl Destination {
    /// Takes up what an earlier process left. Its connections died with it.
    fn adopt(&mut self, context: &mut Context) -> Change {
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
}
