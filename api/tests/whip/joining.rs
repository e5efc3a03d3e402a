use std::time::{Duration, Instant};

use api::store::Deletion;
use compositor_core::id::{ParticipantId, StageId};

use crate::world::{ACCOUNT, STAGE, World};

/// Longest wait for what should take milliseconds. A connection that nobody ends fails by itself, 5 s after the last
/// that was heard of its peer.
const SOON: Duration = Duration::from_secs(4);

/// A token of the application's own is written into the store before its bearer joins, so it waits for what is being
/// written: most of these are lost by whoever joins.
const RACES: usize = 20;

#[tokio::test]
async fn what_cannot_be_a_participant_does_not_publish() {
    let world = World::new().await;
    let token = world.token("bob", 60);
    // A session, without which nobody publishes anyway.
    assert_eq!(world.publish(&world.token("ann", 60)).await.status, 201);
    let long = "a".repeat(65);
    for publisher in ["a%00b", "a%20b", "a%2Fb", "%C3%A4", long.as_str()] {
        let refused = world.subscribe(&token, publisher).await;
        let refused = (refused.status.as_u16(), refused.code.as_str());
        assert_eq!(refused, (404, "PublisherNotFound"), "{publisher}");
    }
    let refused = world.subscribe(&token, "ann").await;
    assert_ne!(
        refused.code, "PublisherNotFound",
        "her codecs are not known yet"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_is_on_a_stage_that_was_deleted_meanwhile() {
    let stage = StageId::new(STAGE);
    for _ in 0..RACES {
        let world = World::new().await;
        let token = world.self_signed(&world.import_key().await, "ann");
        let delete = async {
            let deleted = world.store.delete(ACCOUNT, &world.stage()).await;
            assert_eq!(deleted.unwrap(), Deletion::Deleted);
            world.gateway.delete_stage(&stage).await;
        };
        let ((), answer) = tokio::join!(delete, world.publish(&token));
        assert!(matches!(answer.status.as_u16(), 201 | 404), "{answer:?}");
        assert_eq!(world.gateway.active_session(&stage), None, "{answer:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_stays_who_was_disconnected_meanwhile() {
    let (stage, ann) = (StageId::new(STAGE), ParticipantId::new("ann"));
    for _ in 0..RACES {
        let world = World::new().await;
        let key = world.import_key().await;
        let token = world.self_signed(&key, "ann");
        // Known since a visit; the token of now is good for longer, which is written down when it is shown.
        assert_eq!(world.publish(&token).await.status, 201);
        world.gateway.delete_stage(&stage).await;
        world.elapse_minutes(1);
        let token = world.self_signed(&key, "ann");
        let disconnect = async {
            assert!(world.revoke("ann").await);
            world.gateway.disconnect_participant(&stage, &ann).await;
        };
        let ((), answer) = tokio::join!(disconnect, world.publish(&token));
        assert!(matches!(answer.status.as_u16(), 201 | 401), "{answer:?}");
        let start = Instant::now();
        while !answer.location.is_empty() && world.is_there(&answer.location, &token).await {
            assert!(start.elapsed() < SOON, "ann is there after {answer:?}");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        assert_eq!(world.publish(&token).await.code, "RevokedToken");
    }
}
