//! What a composition is made of, and a driver in one function.

use api::dto::composition::{CompositionState, DestinationState};
use api::store::CompositionProgress;
use compositor_core::id::CompositionId;
use serde_json::{Value, json};

use crate::world::{Answer, World, id};

/// A stage and everything a composition of it needs.
#[derive(Clone)]
pub(crate) struct Parts {
    pub(crate) stage: String,
    pub(crate) encoder: String,
    pub(crate) storage: String,
    pub(crate) channel: String,
}

impl Parts {
    pub(crate) async fn new(world: &World) -> Self {
        Self {
            stage: world.stage().await,
            encoder: world.encoder().await,
            storage: world.storage().await,
            channel: world.channel().await,
        }
    }

    pub(crate) fn s3(&self) -> Value {
        json!({"s3": {
            "storageConfigurationArn": self.storage,
            "encoderConfigurationArns": [self.encoder]
        }})
    }

    pub(crate) fn channel(&self) -> Value {
        json!({"channel": {
            "channelArn": self.channel,
            "encoderConfigurationArn": self.encoder
        }})
    }

    pub(crate) fn request(&self, destinations: Value) -> Value {
        let mut request = json!({"stageArn": self.stage});
        request["destinations"] = destinations;
        request
    }

    pub(crate) async fn start(&self, world: &World, destinations: Value) -> Answer {
        world
            .call("StartComposition", self.request(destinations))
            .await
    }
}

/// What the driver does when a composition has ended.
pub(crate) async fn finish(world: &World, arn: &str) {
    let stored = world.state.store.unfinished_compositions().await.unwrap();
    let stored = stored.into_iter().find(|c| c.spec.arn == arn).unwrap();
    let mut progress: CompositionProgress = stored.progress;
    let now = world.state.clock.now();
    progress.state = CompositionState::Stopped;
    progress.ended_at = Some(now);
    for destination in &mut progress.destinations {
        destination.state = DestinationState::Stopped;
        destination.started_at = Some(now);
        destination.ended_at = Some(now);
    }
    let kept = world
        .state
        .store
        .update_composition(&CompositionId::new(id(arn)), &progress, &[])
        .await;
    assert!(kept.unwrap());
}
