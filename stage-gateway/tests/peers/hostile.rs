//! Mutated offers against the whole gateway: the checks, the library behind them, and what is left of a session.

use std::sync::Arc;

use compositor_core::id::ParticipantId;
use fuzz::fuzz;

use crate::world::{World, client_attributes};

async fn offer(world: &World, input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    let grant = world.grant("mallory");
    let publisher = ParticipantId::new("ada");
    let answers = [
        world
            .gateway
            .publish(&grant, client_attributes(), &text)
            .await,
        world
            .gateway
            .subscribe(&grant, client_attributes(), &publisher, &text)
            .await,
    ];
    for answer in answers.into_iter().flatten() {
        // Refused, or trickled, or restarted.
        let _ = world
            .gateway
            .patch(&grant, &answer.resource, Some("*"), &text)
            .await;
        // The second connection may have ended the first one.
        let _ = world.gateway.delete(&grant, &answer.resource).await;
    }
    let mut remembered = world.remembered.lock().await;
    while remembered.try_recv().is_ok() {}
}

#[tokio::test(flavor = "multi_thread")]
async fn mutated_offers_are_answered_or_refused_and_others_go_on() {
    let world = Arc::new(World::new().await);
    let (fed, runtime) = (Arc::clone(&world), tokio::runtime::Handle::current());
    let corpus = "corpus/sdp";
    let body = move |input: &[u8]| runtime.block_on(offer(&fed, input));
    tokio::task::spawn_blocking(move || fuzz(corpus, 400, body))
        .await
        .unwrap();
    // Whoever comes then is served as ever.
    world.publish("ada", &["video/VP8"]).await;
}
