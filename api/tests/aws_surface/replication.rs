//! Replication of participants: its rules, and that it ends with the participant and its stages.

use std::time::Duration;

use api::store::ReplicaSource;
use compositor_core::id::{ParticipantId, SessionId, StageId};
use serde_json::{Value, json};

use crate::world::{Answer, World, id};

const SESSION: &str = "st-ABCDEFGHIJKLM";

/// A stage on which `ann` publishes.
async fn source(world: &World) -> String {
    let stage = world.stage().await;
    world.backend.script(|script| {
        script.sessions.insert(id(&stage), SESSION.to_owned());
        script.publishing.insert((id(&stage), "ann".to_owned()));
    });
    stage
}

fn ann_of(stage: &str, session: &str) -> ReplicaSource {
    ReplicaSource {
        stage: StageId::new(id(stage)),
        session: SessionId::new(session),
        participant: ParticipantId::new("ann"),
    }
}

async fn start(world: &World, source: &str, destination: &str) -> Answer {
    let request = json!({"sourceStageArn": source, "destinationStageArn": destination, "participantId": "ann",
        "reconnectWindowSeconds": 10});
    world.call("StartParticipantReplication", request).await
}

async fn replicas(world: &World, source: &str) -> Vec<Value> {
    let request = json!({"sourceStageArn": source, "participantId": "ann"});
    let listed = world.call("ListParticipantReplicas", request).await.ok();
    listed["replicas"].as_array().unwrap().clone()
}

#[tokio::test]
async fn a_replication_is_listed_as_stopped_until_it_is_stopped() {
    let world = World::new().await;
    let (source, destination) = (source(&world).await, world.stage().await);
    let started = start(&world, &source, &destination).await;
    assert_eq!(started.headers["x-frame-options"], "DENY");
    assert_eq!(started.ok(), json!({}));
    let mut expected = json!({
        "sourceStageArn": source, "participantId": "ann", "sourceSessionId": SESSION,
        "destinationStageArn": destination, "destinationSessionId": "st-0000000000000",
        "replicationState": "STOPPED"
    });
    assert_eq!(replicas(&world, &source).await, [expected.clone()]);
    let session = "st-ZYXWVUTSRQPON";
    world
        .backend
        .script(|script| script.sessions.insert(id(&destination), session.to_owned()));
    expected["destinationSessionId"] = session.into();
    assert_eq!(replicas(&world, &source).await, [expected]);
    let again = start(&world, &source, &destination).await;
    again.err(409, "ConflictException", "replicated to");
    let request = json!({"sourceStageArn": source, "destinationStageArn": destination, "participantId": "ann"});
    let stopped = world.call("StopParticipantReplication", request.clone());
    assert_eq!(stopped.await.ok(), json!({}));
    assert_eq!(replicas(&world, &source).await, [] as [Value; 0]);
    let answer = world.call("StopParticipantReplication", request).await;
    answer.err(404, "ResourceNotFoundException", "is not replicated");
}

#[tokio::test]
async fn only_who_publishes_is_replicated_and_to_another_stage() {
    let world = World::new().await;
    let (source, other) = (source(&world).await, world.stage().await);
    let missing = "arn:aws:ivs:us-east-1:123456789012:stage/none";
    start(&world, &source, &source)
        .await
        .err(400, "ValidationException", "must differ");
    for (from, to) in [(source.as_str(), missing), (missing, other.as_str())] {
        start(&world, from, to)
            .await
            .err(404, "ResourceNotFoundException", missing);
    }
    start(&world, &other, &source).await.err(
        404,
        "ResourceNotFoundException",
        "'ann' does not publish",
    );
    let request = json!({"sourceStageArn": source, "destinationStageArn": other, "participantId": "ann",
        "attributes": {"k": "v".repeat(1024)}});
    let answer = world.call("StartParticipantReplication", request).await;
    answer.err(400, "ValidationException", "`attributes`: 1025 bytes");
}

#[tokio::test]
async fn a_participant_has_five_replications_and_they_are_paged() {
    let world = World::new().await;
    let source = source(&world).await;
    for _ in 0..5 {
        let destination = world.stage().await;
        start(&world, &source, &destination).await.ok();
    }
    let answer = start(&world, &source, &world.stage().await).await;
    answer.err(402, "ServiceQuotaExceededException", "at most 5");
    let mut request = json!({"sourceStageArn": source, "participantId": "ann", "maxResults": 3});
    let first = world.call("ListParticipantReplicas", request.clone());
    let first = first.await.ok();
    assert_eq!(first["replicas"].as_array().unwrap().len(), 3);
    request["nextToken"] = first["nextToken"].clone();
    let second = world.call("ListParticipantReplicas", request).await.ok();
    assert_eq!(second["replicas"].as_array().unwrap().len(), 2);
    assert_eq!(second.get("nextToken"), None);
}

#[tokio::test]
async fn replications_end_when_a_stage_goes() {
    let world = World::new().await;
    let source = source(&world).await;
    let (first, second) = (world.stage().await, world.stage().await);
    for destination in [&first, &second] {
        start(&world, &source, destination).await.ok();
    }
    world.call("DeleteStage", json!({"arn": first})).await.ok();
    let left = replicas(&world, &source).await;
    assert_eq!(
        (left.len(), &left[0]["destinationStageArn"]),
        (1, &json!(second))
    );
    world.call("DeleteStage", json!({"arn": source})).await.ok();
    assert_eq!(replicas(&world, &source).await, [] as [Value; 0]);
}

#[tokio::test]
async fn replications_end_when_the_source_is_away_for_longer_than_the_window() {
    let world = World::new().await;
    let (source, destination) = (source(&world).await, world.stage().await);
    start(&world, &source, &destination).await.ok();
    let ann = ann_of(&source, SESSION);
    let store = &world.state.store;
    let left = async || {
        let now = world.state.clock.now();
        store.source_left(now, &ann).await.unwrap();
    };
    let returned = async || {
        let now = world.state.clock.now();
        store.source_returned(now, &ann).await.unwrap();
    };
    left().await;
    world.advance(Duration::from_secs(10));
    assert_eq!(replicas(&world, &source).await.len(), 1);
    returned().await;
    world.advance(Duration::from_secs(60));
    assert_eq!(replicas(&world, &source).await.len(), 1);
    left().await;
    world.advance(Duration::from_millis(10_001));
    assert_eq!(replicas(&world, &source).await.len(), 0);
    returned().await;
    assert_eq!(replicas(&world, &source).await.len(), 0);
    start(&world, &source, &destination).await.ok();
    assert_eq!(replicas(&world, &source).await.len(), 1);
}

#[tokio::test]
async fn replications_end_with_the_session_of_their_source() {
    let world = World::new().await;
    let (source, destination) = (source(&world).await, world.stage().await);
    start(&world, &source, &destination).await.ok();
    let (store, now) = (&world.state.store, world.state.clock.now());
    let earlier = ann_of(&source, "st-0000000000001");
    store.source_left(now, &earlier).await.unwrap();
    world.advance(Duration::from_secs(60));
    let ended = store.source_session_ended(&earlier.stage, &earlier.session);
    ended.await.unwrap();
    assert_eq!(replicas(&world, &source).await.len(), 1);
    let ann = ann_of(&source, SESSION);
    store
        .source_left(world.state.clock.now(), &ann)
        .await
        .unwrap();
    let later = ann_of(&source, "st-0000000000002");
    let now = world.state.clock.now();
    store.source_returned(now, &later).await.unwrap();
    let sources = store.replica_sources().await.unwrap();
    assert_eq!(sources.as_slice(), std::slice::from_ref(&ann));
    let ended = store.source_session_ended(&ann.stage, &ann.session);
    ended.await.unwrap();
    assert_eq!(store.replica_sources().await.unwrap(), []);
}
