//! Stages, participant tokens, disconnecting.

use std::time::Duration;

use api::arn::Arn;
use compositor_core::id::ParticipantId;
use serde_json::json;

use crate::stage_history::happened;
use crate::world::{World, id, text};
use stage_gateway::history::HistoryKind;

#[tokio::test]
async fn a_stage_is_echoed_with_every_default() {
    let world = World::new().await;
    let created = world
        .call("CreateStage", json!({"name": "demo", "tags": {"a": "1"}}))
        .await
        .ok();
    let arn = text(&created["stage"]["arn"]);
    assert_eq!(id(&arn).len(), 12);
    assert_eq!(
        created,
        json!({
            "participantTokens": [],
            "stage": {
                "arn": arn,
                "name": "demo",
                "tags": {"a": "1"},
                "autoParticipantRecordingConfiguration": {
                    "storageConfigurationArn": "",
                    "mediaTypes": ["AUDIO_VIDEO"],
                    "thumbnailConfiguration": {
                        "targetIntervalSeconds": 60,
                        "storage": ["SEQUENTIAL"],
                        "recordingMode": "DISABLED"
                    },
                    "recordingReconnectWindowSeconds": 0,
                    "hlsConfiguration": {"targetSegmentDurationSeconds": 6},
                    "recordParticipantReplicas": true
                },
                "endpoints": {
                    "events": "ws://127.0.0.1:8080/events",
                    "whip": "http://127.0.0.1:8080/whip",
                    "rtmp": "rtmp://127.0.0.1:1936/app/",
                    "rtmps": "rtmps://127.0.0.1:443/app/"
                }
            }
        })
    );
    let got = world.call("GetStage", json!({"arn": arn})).await.ok();
    assert_eq!(got["stage"], created["stage"]);
    let listed = world.call("ListStages", json!({})).await.ok();
    assert_eq!(
        listed,
        json!({"stages": [{"arn": arn, "name": "demo", "tags": {"a": "1"}}]})
    );
}

#[tokio::test]
async fn a_live_session_is_shown() {
    let world = World::new().await;
    let arn = world.stage().await;
    let session = "st-ABCDEFGHIJKLM";
    let started = happened(&arn, session, 0, HistoryKind::SessionStarted);
    world
        .state
        .store
        .record_stage_history(&[started])
        .await
        .unwrap();
    let got = world.call("GetStage", json!({"arn": arn})).await.ok();
    assert_eq!(got["stage"]["activeSessionId"], session);
    let listed = world.call("ListStages", json!({})).await.ok();
    assert_eq!(listed["stages"][0]["activeSessionId"], session);
}

#[tokio::test]
async fn tokens_come_with_a_stage_in_order() {
    let world = World::new().await;
    let tokens = json!([
        {"userId": "u1", "attributes": {"role": "host"}, "duration": 60},
        {"capabilities": ["SUBSCRIBE"]},
        {"capabilities": []},
    ]);
    let request = json!({"participantTokenConfigurations": tokens});
    let created = world.call("CreateStage", request).await.ok();
    let made = created["participantTokens"].as_array().unwrap();
    let participant = text(&made[0]["participantId"]);
    assert_eq!(participant.len(), 12);
    assert_eq!(
        made[0],
        json!({
            "participantId": participant,
            "token": format!("token-of-{participant}"),
            "userId": "u1",
            "attributes": {"role": "host"},
            "capabilities": ["PUBLISH", "SUBSCRIBE"],
            "expirationTime": "2026-11-20T13:00:00Z"
        })
    );
    assert_eq!(made[1]["capabilities"], json!(["SUBSCRIBE"]));
    assert_eq!(made[1].get("userId"), None);
    assert_eq!(made[2]["capabilities"], json!([]));
    let minted = world.backend.script(|script| script.minted.clone());
    assert!(minted[0].allow_publish && minted[0].allow_subscribe);
    assert!(!minted[1].allow_publish && minted[1].allow_subscribe);
    assert!(!minted[2].allow_publish && !minted[2].allow_subscribe);
    assert_eq!(minted[0].stage.to_string(), text(&created["stage"]["arn"]));
    assert_eq!(
        minted[0].expires_at.0 - minted[0].issued_at.0,
        3_600_000_000
    );
}

#[tokio::test]
async fn a_token_needs_its_stage() {
    let world = World::new().await;
    let arn = world.stage().await;
    let made = world
        .call("CreateParticipantToken", json!({"stageArn": arn}))
        .await
        .ok();
    let expires = text(&made["participantToken"]["expirationTime"]);
    assert_eq!(
        expires, "2026-11-21T00:00:00Z",
        "12 hours without a duration"
    );
    let missing = json!({"stageArn": "arn:aws:ivs:us-east-1:123456789012:stage/none"});
    let answer = world.call("CreateParticipantToken", missing).await;
    answer.err(
        404,
        "ResourceNotFoundException",
        "stage/none does not exist",
    );
}

#[tokio::test]
async fn a_disconnected_participant_stays_out() {
    let world = World::new().await;
    let arn = world.stage().await;
    let other = world.stage().await;
    let made = world
        .call("CreateParticipantToken", json!({"stageArn": arn}))
        .await
        .ok();
    let participant = text(&made["participantToken"]["participantId"]);
    for (stage, who) in [(&arn, "nobody"), (&other, participant.as_str())] {
        let request = json!({"stageArn": stage, "participantId": who});
        let answer = world.call("DisconnectParticipant", request).await;
        answer.err(404, "ResourceNotFoundException", who);
    }
    let request = json!({"stageArn": arn, "participantId": participant, "reason": "rude"});
    assert_eq!(
        world.call("DisconnectParticipant", request).await.ok(),
        json!({})
    );
    let told = world.backend.told();
    let last = format!("disconnect {} {participant} 'rude'", id(&arn));
    assert_eq!(told.last(), Some(&last));
    let world = world.restarted().await;
    let jti = ParticipantId::new(&participant);
    let stage = Arn::parse(&arn).unwrap();
    let known = world.state.store.token(&stage, &jti).await.unwrap();
    assert!(known.unwrap().revoked);
    world.advance(Duration::from_secs(13 * 3600));
    let request = json!({"stageArn": arn, "participantId": participant});
    let answer = world.call("DisconnectParticipant", request).await;
    answer.err(404, "ResourceNotFoundException", &participant);
}

#[tokio::test]
async fn who_is_connected_is_disconnected_also_when_the_token_has_expired() {
    let world = World::new().await;
    let arn = world.stage().await;
    let request = json!({"stageArn": arn, "duration": 1});
    let made = world.call("CreateParticipantToken", request).await.ok();
    let participant = text(&made["participantToken"]["participantId"]);
    let who = (id(&arn), participant.clone());
    world
        .backend
        .script(|script| script.connected.insert(who.clone()));
    world.advance(Duration::from_secs(61));
    let request = json!({"stageArn": arn, "participantId": participant});
    let answer = world.call("DisconnectParticipant", request.clone()).await;
    assert_eq!(answer.ok(), json!({}));
    assert!(
        !world
            .backend
            .script(|script| script.connected.contains(&who))
    );
    let answer = world.call("DisconnectParticipant", request).await;
    answer.err(404, "ResourceNotFoundException", &participant);
}

#[tokio::test]
async fn a_deleted_stage_is_gone() {
    let world = World::new().await;
    let arn = world.stage().await;
    assert_eq!(
        world.call("DeleteStage", json!({"arn": arn})).await.ok(),
        json!({})
    );
    assert_eq!(
        world.backend.told(),
        [format!("stage deleted {}", id(&arn))]
    );
    for operation in ["GetStage", "DeleteStage"] {
        let answer = world.call(operation, json!({"arn": arn})).await;
        answer.err(404, "ResourceNotFoundException", &arn);
    }
}

#[tokio::test]
async fn the_recording_of_participants_is_kept_with_defaults() {
    let world = World::new().await;
    let storage = world.storage().await;
    let recording = json!({"storageConfigurationArn": storage, "mediaTypes": [],
        "thumbnailConfiguration": {"recordingMode": "INTERVAL"}, "recordParticipantReplicas": false});
    let request = json!({"name": "a", "autoParticipantRecordingConfiguration": recording});
    let created = world.call("CreateStage", request).await.ok()["stage"].clone();
    let expected = json!({
        "storageConfigurationArn": storage,
        "mediaTypes": ["AUDIO_VIDEO"],
        "thumbnailConfiguration": {
            "targetIntervalSeconds": 60, "storage": ["SEQUENTIAL"], "recordingMode": "INTERVAL"
        },
        "recordingReconnectWindowSeconds": 0,
        "hlsConfiguration": {"targetSegmentDurationSeconds": 6},
        "recordParticipantReplicas": false
    });
    assert_eq!(created["autoParticipantRecordingConfiguration"], expected);
    let got = world.call("GetStage", json!({"arn": created["arn"]})).await;
    assert_eq!(got.ok()["stage"], created);
    let answer = world.call("DeleteStorageConfiguration", json!({"arn": storage}));
    answer
        .await
        .err(409, "ConflictException", &text(&created["arn"]));
}

#[tokio::test]
async fn a_stage_keeps_what_an_update_leaves_out() {
    let world = World::new().await;
    let (stage, storage) = (world.stage().await, world.storage().await);
    let update = async |mut change: serde_json::Value| {
        change["arn"] = stage.clone().into();
        world.call("UpdateStage", change).await
    };
    let recording = json!({"storageConfigurationArn": storage, "mediaTypes": ["AUDIO_ONLY"]});
    let updated = update(json!({"autoParticipantRecordingConfiguration": recording})).await;
    let kept = &updated.ok()["stage"]["autoParticipantRecordingConfiguration"];
    assert_eq!(kept["mediaTypes"], json!(["AUDIO_ONLY"]));
    let updated = update(json!({"name": "b"})).await.ok()["stage"].clone();
    assert_eq!(updated["name"], "b");
    assert_eq!(updated["autoParticipantRecordingConfiguration"], *kept);
    let missing = "arn:aws:ivs:us-east-1:123456789012:storage-configuration/none";
    let recording = json!({"storageConfigurationArn": missing});
    let change = json!({"name": "c", "autoParticipantRecordingConfiguration": recording});
    update(change.clone())
        .await
        .err(404, "ResourceNotFoundException", missing);
    let answer = world.call("CreateStage", change).await;
    answer.err(400, "ValidationException", "storageConfigurationArn`: ");
    let off = json!({"storageConfigurationArn": "", "mediaTypes": ["AUDIO_ONLY"]});
    let updated = update(json!({"autoParticipantRecordingConfiguration": off})).await;
    let stage = updated.ok()["stage"].clone();
    assert_eq!(stage["name"], "b", "the refused update changed nothing");
    let recording = &stage["autoParticipantRecordingConfiguration"];
    assert_eq!(recording["mediaTypes"], json!(["AUDIO_VIDEO"]));
    let delete = world.call("DeleteStorageConfiguration", json!({"arn": storage}));
    delete.await.ok();
    let answer = world
        .call("UpdateStage", json!({"arn": missing_stage()}))
        .await;
    answer.err(404, "ResourceNotFoundException", "stage/none");
    let unset = json!({"autoParticipantRecordingConfiguration": {}});
    let answer = world.call("CreateStage", unset).await;
    answer.err(
        400,
        "ValidationException",
        "storageConfigurationArn`: missing",
    );
}

#[tokio::test]
async fn attributes_of_a_token_have_one_kilobyte_together() {
    let world = World::new().await;
    let stage = world.stage().await;
    let tokens = |bytes: usize| json!({"attributes": {"k": "v".repeat(bytes)}});
    let mut request = tokens(1024);
    request["stageArn"] = stage.into();
    let answer = world.call("CreateParticipantToken", request).await;
    answer.err(400, "ValidationException", "`attributes`: 1025 bytes");
    let request = json!({"participantTokenConfigurations": [tokens(1023), tokens(1024)]});
    let answer = world.call("CreateStage", request).await;
    let member = "`participantTokenConfigurations[1].attributes`: 1025 bytes";
    answer.err(400, "ValidationException", member);
}

fn missing_stage() -> &'static str {
    "arn:aws:ivs:us-east-1:123456789012:stage/none"
}

#[tokio::test]
async fn the_thousand_and_first_stage_exceeds_the_quota() {
    let world = World::new().await;
    let (first, rest) = (world.stage().await, 999);
    for _ in 0..rest {
        world.stage().await;
    }
    let answer = world.call("CreateStage", json!({})).await;
    answer.err(
        402,
        "ServiceQuotaExceededException",
        "stages: at most 1000 allowed",
    );
    world.call("DeleteStage", json!({"arn": first})).await.ok();
    world.stage().await;
}
