//! A composition as it is kept: what was asked for, what the driver works from, and how far it is.

use compositor_core::composition::SavedComposition;
use compositor_core::id::DestinationId;
use compositor_core::time::WallTime;
use serde::{Deserialize, Serialize};

use crate::arn::Arn;
use crate::backend::CompositionSpec;
use crate::dto::Tags;
use crate::dto::composition::{CompositionState, DestinationConfiguration, DestinationState};
use crate::dto::layout::LayoutConfiguration;

/// What the caller asked for, defaults filled in; echoed as it is.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Requested {
    /// The layout.
    pub layout: LayoutConfiguration,
    /// In the order of the spec's destinations.
    pub destinations: Vec<DestinationConfiguration>,
}

/// How far a composition is; written by its driver.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct CompositionProgress {
    /// Where it is in its life.
    pub state: CompositionState,
    /// Set in FAILED and STOPPED.
    pub ended_at: Option<WallTime>,
    /// In the order of the spec's destinations.
    pub destinations: Vec<DestinationProgress>,
    /// What a later run of the server goes on with.
    #[serde(default)]
    pub saved: Option<SavedComposition>,
}

/// How far a destination is.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct DestinationProgress {
    /// Which.
    pub id: DestinationId,
    /// Where it is in its life.
    pub state: DestinationState,
    /// When it became ACTIVE first.
    pub started_at: Option<WallTime>,
    /// Set in FAILED and STOPPED.
    pub ended_at: Option<WallTime>,
}

/// A composition about to start.
#[derive(Debug)]
pub struct NewComposition<'a> {
    /// For the driver.
    pub spec: &'a CompositionSpec,
    /// For answers.
    pub requested: &'a Requested,
    /// Its tags.
    pub tags: &'a Tags,
    /// Resources that must exist and must not be deleted while it runs.
    pub uses: &'a [Arn],
    /// The channel among them that nobody else may broadcast to.
    pub channel: Option<&'a Arn>,
    /// Of the request, when given.
    pub idempotency_token: Option<&'a str>,
    /// Equal for equal requests.
    pub request_digest: &'a str,
}

/// What came of a start.
#[derive(Debug)]
pub enum StartOutcome {
    /// It is kept in STARTING; the driver may begin.
    Started(Box<StoredComposition>),
    /// The same request came before with the same token.
    Repeated(Box<StoredComposition>),
    /// Another request came before with the same token.
    TokenReused,
    /// This resource is gone.
    Missing(String),
    /// The channel is the target of this unfinished composition.
    ChannelTaken(String),
}

/// A composition as it is kept.
#[derive(Clone, PartialEq, Debug)]
pub struct StoredComposition {
    /// Its place in lists.
    pub seq: i64,
    /// What the driver works from.
    pub spec: CompositionSpec,
    /// What was asked for.
    pub requested: Requested,
    /// How far it is.
    pub progress: CompositionProgress,
    /// Its tags.
    pub tags: Tags,
}

/// Which compositions to list.
#[derive(Clone, Copy, Debug, Default)]
pub struct CompositionFilter<'a> {
    /// Of this stage.
    pub stage: Option<&'a Arn>,
    /// With this encoder configuration in any destination.
    pub encoder_configuration: Option<&'a Arn>,
}

impl CompositionProgress {
    /// Everything in STARTING.
    pub fn starting(spec: &CompositionSpec) -> Self {
        let destinations = spec
            .destinations
            .iter()
            .map(|destination| DestinationProgress {
                id: destination.id.clone(),
                state: DestinationState::Starting,
                started_at: None,
                ended_at: None,
            });
        Self {
            state: CompositionState::Starting,
            ended_at: None,
            destinations: destinations.collect(),
            saved: None,
        }
    }
}
