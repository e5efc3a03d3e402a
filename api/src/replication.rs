//! Replications follow the participants that they copy: see [`crate::store`].

use compositor_core::id::{ParticipantId, StageId};
use compositor_core::time::WallTime;
use stage_gateway::Gateway;
use stage_gateway::event::{GatewayEvent, GatewayEventKind};
use tokio::sync::broadcast::error::RecvError;

use crate::clock::Clock;
use crate::store::{ReplicaSource, Store, StoreError};

/// Whether the participant publishes now.
pub(crate) fn is_publishing(
    gateway: &Gateway,
    stage: &StageId,
    participant: &ParticipantId,
) -> bool {
    let publishers = gateway.publishers(stage);
    publishers.iter().any(|publisher| {
        publisher.participant == *participant && publisher.connected && !publisher.tracks.is_empty()
    })
}

/// Tells the store when participants stop publishing and return, and when their sessions end. Ends with the gateway.
pub(crate) async fn follow(gateway: Gateway, store: Store, clock: Clock) {
    let mut events = gateway.events();
    let mut told = catch_up(&gateway, &store, clock).await;
    loop {
        if let Err(error) = told {
            tracing::error!(%error, "replications cannot be kept up to date");
        }
        told = match events.recv().await {
            Ok(event) => tell(&store, clock.wall(), event).await,
            Err(RecvError::Lagged(_)) => catch_up(&gateway, &store, clock).await,
            Err(RecvError::Closed) => return,
        };
    }
}

async fn tell(store: &Store, now: WallTime, event: GatewayEvent) -> Result<(), StoreError> {
    let source = |participant| ReplicaSource {
        stage: event.stage.clone(),
        session: event.session.clone(),
        participant,
    };
    match event.kind {
        GatewayEventKind::PublishStarted { participant } => {
            store.source_returned(now, &source(participant)).await
        }
        GatewayEventKind::PublishStopped { participant } => {
            store.source_left(now, &source(participant)).await
        }
        GatewayEventKind::SessionEnded => {
            store
                .source_session_ended(&event.stage, &event.session)
                .await
        }
        _ => Ok(()),
    }
}

/// After a start or lost events: sessions that are not there have ended, who does not publish has left.
async fn catch_up(gateway: &Gateway, store: &Store, clock: Clock) -> Result<(), StoreError> {
    for source in store.replica_sources().await? {
        let ReplicaSource {
            stage,
            session,
            participant,
        } = &source;
        if gateway.active_session(stage).as_ref() != Some(session) {
            store.source_session_ended(stage, session).await?;
        } else if !is_publishing(gateway, stage, participant) {
            store.source_left(clock.wall(), &source).await?;
        }
    }
    Ok(())
}
