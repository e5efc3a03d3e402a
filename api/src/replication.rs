//! Replications follow the participants that they copy: see [`crate::store`].

use compositor_core::id::{ParticipantId, StageId};
use stage_gateway::Gateway;
use stage_gateway::event::GatewayEventKind;
use tokio::sync::broadcast::error::RecvError;

use crate::clock::Clock;
use crate::store::{Store, StoreError};

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

/// Tells the store when participants stop publishing and return. Ends with the gateway.
pub(crate) async fn follow(gateway: Gateway, store: Store, clock: Clock) {
    let mut events = gateway.events();
    let mut told = note_departures(&gateway, &store, clock).await;
    loop {
        if let Err(error) = told {
            tracing::error!(%error, "replications cannot be kept up to date");
        }
        told = match events.recv().await {
            Ok(event) => match event.kind {
                GatewayEventKind::PublishStarted { participant } => {
                    let now = clock.wall();
                    store.source_returned(now, &event.stage, &participant).await
                }
                GatewayEventKind::PublishStopped { participant } => {
                    store
                        .source_left(clock.wall(), &event.stage, &participant)
                        .await
                }
                _ => Ok(()),
            },
            Err(RecvError::Lagged(_)) => note_departures(&gateway, &store, clock).await,
            Err(RecvError::Closed) => return,
        };
    }
}

/// After a start or lost events: who does not publish has left.
async fn note_departures(gateway: &Gateway, store: &Store, clock: Clock) -> Result<(), StoreError> {
    for (stage, participant) in store.replicated_participants().await? {
        if !is_publishing(gateway, &stage, &participant) {
            store
                .source_left(clock.wall(), &stage, &participant)
                .await?;
        }
    }
    Ok(())
}
