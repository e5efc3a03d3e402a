//! IVS Composition State Change.

use compositor_core::composition::{DestinationError, Event, SessionError};
use compositor_core::id::DestinationId;
use compositor_core::time::WallTime;
use serde::Serialize;

use crate::arn::Arn;
use crate::backend::CompositionSpec;
use crate::event::{DetailType, NewEvent};
use crate::store::CompositionProgress;

#[derive(Serialize)]
struct Detail<'a> {
    event_name: &'static str,
    stage_arn: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error_code: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
}

/// What the state machine of this composition reported.
pub fn composition_event(spec: &CompositionSpec, at: WallTime, event: &Event) -> NewEvent {
    let detail = Detail {
        event_name: event.name(),
        stage_arn: &spec.stage_arn,
        id: event.destination().map(DestinationId::as_str),
        error_code: event.error_code(),
        reason: event.reason(),
    };
    let arn = Arn::parse(&spec.arn).expect("a composition's ARN was made by `Arn::new`");
    NewEvent::about(&arn, DetailType::CompositionStateChange, at, &detail)
}

/// What is to be told of a composition whose server was killed in this state.
pub fn killed_composition_events(
    spec: &CompositionSpec,
    progress: &CompositionProgress,
    at: WallTime,
) -> Vec<NewEvent> {
    let running = progress
        .destinations
        .iter()
        .filter(|d| d.ended_at.is_none());
    let failures = running.map(|destination| Event::DestinationFailure {
        id: destination.id.clone(),
        error: DestinationError::Internal,
    });
    let session = Event::SessionFailure {
        error: SessionError::WorkerFailed,
    };
    failures
        .chain([session])
        .map(|event| composition_event(spec, at, &event))
        .collect()
}
