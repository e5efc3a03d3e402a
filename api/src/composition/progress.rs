//! The state machine's public state in the words of the store.

use compositor_core::composition::{
    PublicCompositionState, PublicDestination, PublicDestinationState, PublicState,
};
use compositor_core::time::WallTime;

use crate::dto::composition::{CompositionState, DestinationState};
use crate::store::{CompositionProgress, DestinationProgress};

pub(super) fn progress(state: &PublicState) -> CompositionProgress {
    CompositionProgress {
        state: match state.state {
            PublicCompositionState::Starting => CompositionState::Starting,
            PublicCompositionState::Active => CompositionState::Active,
            PublicCompositionState::Stopping => CompositionState::Stopping,
            PublicCompositionState::Failed => CompositionState::Failed,
            PublicCompositionState::Stopped => CompositionState::Stopped,
        },
        ended_at: state.end_time,
        destinations: state
            .destinations
            .iter()
            .map(destination_progress)
            .collect(),
        saved: None,
    }
}

fn destination_progress(destination: &PublicDestination) -> DestinationProgress {
    DestinationProgress {
        id: destination.id.clone(),
        state: match destination.state {
            PublicDestinationState::Starting => DestinationState::Starting,
            PublicDestinationState::Active => DestinationState::Active,
            PublicDestinationState::Stopping => DestinationState::Stopping,
            PublicDestinationState::Reconnecting => DestinationState::Reconnecting,
            PublicDestinationState::Failed => DestinationState::Failed,
            PublicDestinationState::Stopped => DestinationState::Stopped,
        },
        started_at: destination.start_time,
        ended_at: destination.end_time,
    }
}

/// What is left of a composition whose server was killed: whatever was not over has failed.
pub fn ended_by_kill(progress: &CompositionProgress, now: WallTime) -> CompositionProgress {
    let destinations = progress
        .destinations
        .iter()
        .map(|destination| match destination.ended_at {
            Some(_) => destination.clone(),
            None => DestinationProgress {
                state: DestinationState::Failed,
                ended_at: Some(now),
                ..destination.clone()
            },
        });
    CompositionProgress {
        state: CompositionState::Failed,
        ended_at: Some(now),
        destinations: destinations.collect(),
        saved: None,
    }
}
