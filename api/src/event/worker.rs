//! Proscenium Composition Worker Change.

use compositor_core::time::WallTime;
use serde::Serialize;

use crate::arn::Arn;
use crate::backend::CompositionSpec;
use crate::event::{DetailType, NewEvent};

#[derive(Serialize)]
struct Detail<'a> {
    event_name: &'static str,
    stage_arn: &'a str,
    reason: &'a str,
}

/// The worker of a composition died, and a successor continues.
pub fn worker_died_event(spec: &CompositionSpec, at: WallTime, cause: &str) -> NewEvent {
    let detail = Detail {
        event_name: "Worker Died",
        stage_arn: &spec.stage_arn,
        reason: cause,
    };
    let arn = Arn::parse(&spec.arn).expect("a composition's ARN was made by `Arn::new`");
    NewEvent::about(&arn, DetailType::CompositionWorkerChange, at, &detail)
}
