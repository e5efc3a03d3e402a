//! What the store has not taken yet of a composition.

use compositor_core::error_chain::error_chain;
use compositor_core::id::CompositionId;

use crate::event::NewEvent;
use crate::store::{CompositionProgress, Store};

/// Events that wait for the store: more than a composition has in the hours that a database may be away.
const EVENTS_MAX: usize = 1000;

/// The newest state of a composition, and the events that led to it.
pub(super) struct Unstored {
    composition: CompositionId,
    progress: Option<CompositionProgress>,
    events: Vec<NewEvent>,
}

impl Unstored {
    pub(super) fn of(composition: CompositionId) -> Self {
        Self {
            composition,
            progress: None,
            events: Vec::new(),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.progress.is_none() && self.events.is_empty()
    }

    pub(super) fn state(&mut self, progress: CompositionProgress) {
        self.progress = Some(progress);
    }

    /// The state that waits, if one does.
    pub(super) fn waiting_state(&mut self) -> Option<&mut CompositionProgress> {
        self.progress.as_mut()
    }

    pub(super) fn event(&mut self, event: NewEvent) {
        if self.events.len() < EVENTS_MAX {
            self.events.push(event);
        } else {
            tracing::error!(composition = %self.composition, "an event is lost: the store takes none");
        }
    }

    /// Stores all of it at once, or nothing.
    pub(super) async fn store(&mut self, store: &Store) {
        let Self {
            composition,
            progress,
            events,
        } = self;
        let stored = match progress {
            Some(progress) => (store
                .update_composition(composition, progress, events)
                .await)
                .map(drop),
            None if events.is_empty() => return,
            None => store.append_events(events).await,
        };
        match stored {
            Ok(()) => *self = Self::of(composition.clone()),
            Err(error) => {
                tracing::error!(%composition, error = %error_chain(&error), "state not stored");
            }
        }
    }
}
