//! What happened, in the form in which EventBridge delivers it.

mod composition;
pub mod feed;
mod quality;
pub mod recording;
mod retention;
mod spool;
pub(crate) mod stage_update;
pub mod stream;
mod worker;

use compositor_core::time::WallTime;
use serde::Serialize;

use crate::arn::Arn;
use crate::config::REGION;
use crate::ids;
use crate::wall_clock::iso8601_seconds;

pub use crate::event::composition::{composition_event, killed_composition_events};
pub use crate::event::quality::{QualityChange, quality_event};
pub use crate::event::retention::{keep_retention, removed_before};
pub use crate::event::spool::{SpoolChange, spool_event};
pub use crate::event::worker::worker_died_event;

/// What an event is about, in the words of EventBridge.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum DetailType {
    /// A composition or a destination began, ended, failed.
    CompositionStateChange,
    /// A participant published, stopped publishing, was replicated.
    StageUpdate,
    /// The recording of one participant began, ended, failed.
    ParticipantRecordingStateChange,
    /// A broadcast to a channel began, ended, was taken over.
    StreamStateChange,
    /// A broadcast starves or recovered.
    StreamHealthChange,
    /// More than the service allows.
    LimitBreach,
    /// The recording of a channel began, ended, failed.
    RecordingStateChange,
    /// An ad break was inserted.
    AdBreakStateChange,
    /// A composition took a step on the degradation ladder. Not of IVS.
    CompositionQualityChange,
    /// What waits to be uploaded fills its spool. Not of IVS.
    RecordingSpoolChange,
    /// The worker of a composition died and was replaced. Not of IVS.
    CompositionWorkerChange,
}

impl DetailType {
    /// Every one.
    pub const ALL: [Self; 11] = [
        Self::CompositionStateChange,
        Self::StageUpdate,
        Self::ParticipantRecordingStateChange,
        Self::StreamStateChange,
        Self::StreamHealthChange,
        Self::LimitBreach,
        Self::RecordingStateChange,
        Self::AdBreakStateChange,
        Self::CompositionQualityChange,
        Self::RecordingSpoolChange,
        Self::CompositionWorkerChange,
    ];

    /// As it stands in `detail-type`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::CompositionStateChange => "IVS Composition State Change",
            Self::StageUpdate => "IVS Stage Update",
            Self::ParticipantRecordingStateChange => "IVS Participant Recording State Change",
            Self::StreamStateChange => "IVS Stream State Change",
            Self::StreamHealthChange => "IVS Stream Health Change",
            Self::LimitBreach => "IVS Limit Breach",
            Self::RecordingStateChange => "IVS Recording State Change",
            Self::AdBreakStateChange => "IVS Ad Break State Change",
            Self::CompositionQualityChange => "Proscenium Composition Quality Change",
            Self::RecordingSpoolChange => "Proscenium Recording Spool Change",
            Self::CompositionWorkerChange => "Proscenium Composition Worker Change",
        }
    }

    /// As it stands in `source`; EventBridge keeps `aws.` to AWS.
    fn source(self) -> &'static str {
        match self {
            Self::CompositionStateChange
            | Self::StageUpdate
            | Self::ParticipantRecordingStateChange
            | Self::StreamStateChange
            | Self::StreamHealthChange
            | Self::LimitBreach
            | Self::RecordingStateChange
            | Self::AdBreakStateChange => "aws.ivs",
            Self::CompositionQualityChange
            | Self::RecordingSpoolChange
            | Self::CompositionWorkerChange => "proscenium",
        }
    }
}

/// An event about to be kept; `store::events::append` gives it its number.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NewEvent {
    pub(crate) account: String,
    pub(crate) at: WallTime,
    pub(crate) detail_type: DetailType,
    pub(crate) resource: String,
    pub(crate) envelope: String,
}

/// The fields and their order are EventBridge's.
#[derive(Serialize)]
struct Envelope<'a, D> {
    version: &'static str,
    id: String,
    #[serde(rename = "detail-type")]
    detail_type: &'static str,
    source: &'static str,
    account: &'a str,
    time: String,
    region: &'a str,
    resources: &'a [&'a str],
    detail: &'a D,
}

impl NewEvent {
    /// What happened at `at` to `resource`; `detail` is a struct whose members stand in the documented order.
    pub fn about(
        resource: &Arn,
        detail_type: DetailType,
        at: WallTime,
        detail: &impl Serialize,
    ) -> Self {
        let text = resource.to_string();
        Self::new(
            resource.account(),
            resource.region(),
            &[&text],
            (detail_type, at),
            detail,
        )
    }

    /// What happened to an account and to none of its resources.
    pub fn about_account(
        account: &str,
        detail_type: DetailType,
        at: WallTime,
        detail: &impl Serialize,
    ) -> Self {
        Self::new(account, REGION, &[], (detail_type, at), detail)
    }

    fn new(
        account: &str,
        region: &str,
        resources: &[&str],
        (detail_type, at): (DetailType, WallTime),
        detail: &impl Serialize,
    ) -> Self {
        let envelope = Envelope {
            version: "0",
            id: ids::event_id(),
            detail_type: detail_type.as_str(),
            source: detail_type.source(),
            account,
            time: iso8601_seconds(at),
            region,
            resources,
            detail,
        };
        Self {
            account: account.to_owned(),
            at,
            detail_type,
            resource: resources.first().copied().unwrap_or_default().to_owned(),
            envelope: serde_json::to_string(&envelope)
                .expect("a detail is a struct with plain members"),
        }
    }
}

#[cfg(test)]
mod tests;
