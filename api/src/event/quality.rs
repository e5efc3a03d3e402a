//! Proscenium Composition Quality Change: IVS has no such event.

use compositor_core::time::WallTime;
use serde::Serialize;

use crate::arn::Arn;
use crate::backend::CompositionSpec;
use crate::event::{DetailType, NewEvent};

/// A step on the degradation ladder.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct QualityChange {
    /// Where it was.
    pub from: u8,
    /// Where it is; 0 is full quality.
    pub step: u8,
}

#[derive(Serialize)]
struct Detail<'a> {
    event_name: &'static str,
    stage_arn: &'a str,
    step: u8,
}

/// A composition took a step on the degradation ladder.
pub fn quality_event(spec: &CompositionSpec, at: WallTime, change: QualityChange) -> NewEvent {
    let detail = Detail {
        event_name: if change.step > change.from {
            "Quality Reduced"
        } else {
            "Quality Raised"
        },
        stage_arn: &spec.stage_arn,
        step: change.step,
    };
    let arn = Arn::parse(&spec.arn).expect("a composition's ARN was made by `Arn::new`");
    NewEvent::about(&arn, DetailType::CompositionQualityChange, at, &detail)
}
