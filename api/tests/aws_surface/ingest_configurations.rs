//! Ingest configurations.

use serde_json::json;

use crate::world::{World, id, text};

const MISSING_STAGE: &str = "arn:aws:ivs:us-east-1:123456789012:stage/none";

#[tokio::test]
async fn an_ingest_configuration_is_echoed_with_its_defaults() {
    let world = World::new().await;
    let request = json!({"ingestProtocol": "RTMPS"});
    let created = world.call("CreateIngestConfiguration", request).await.ok();
    let made = &created["ingestConfiguration"];
    let (arn, key) = (text(&made["arn"]), text(&made["streamKey"]));
    let prefix = format!("rt_123456789012_us-east-1_{}_", id(&arn));
    assert!(key.starts_with(&prefix) && key.len() >= prefix.len() + 32);
    let participant = text(&made["participantId"]);
    assert_eq!(participant.len(), 12);
    assert_eq!(
        *made,
        json!({
            "arn": arn, "name": "", "ingestProtocol": "RTMPS", "stageArn": "", "streamKey": key,
            "participantId": participant, "state": "INACTIVE", "userId": "", "redundantIngest": false,
            "attributes": {}, "tags": {}
        })
    );
    let got = world.call("GetIngestConfiguration", json!({"arn": arn}));
    assert_eq!(got.await.ok(), created);
    let listed = world.call("ListIngestConfigurations", json!({})).await.ok();
    let summary = json!({
        "arn": arn, "name": "", "ingestProtocol": "RTMPS", "stageArn": "",
        "participantId": participant, "state": "INACTIVE", "userId": "", "redundantIngest": false
    });
    assert_eq!(listed, json!({"ingestConfigurations": [summary]}));
    let request = json!({"arn": arn, "force": true});
    let deleted = world.call("DeleteIngestConfiguration", request).await;
    assert_eq!(deleted.ok(), json!({}));
    let answer = world.call("GetIngestConfiguration", json!({"arn": arn}));
    answer.await.err(404, "ResourceNotFoundException", &arn);
}

#[tokio::test]
async fn rtmp_without_tls_must_be_asked_for() {
    let world = World::new().await;
    for request in [
        json!({"ingestProtocol": "RTMP"}),
        json!({"ingestProtocol": "RTMP", "insecureIngest": false}),
    ] {
        let answer = world.call("CreateIngestConfiguration", request).await;
        answer.err(400, "ValidationException", "`insecureIngest`");
    }
    let request = json!({"ingestProtocol": "RTMP", "insecureIngest": true});
    world.call("CreateIngestConfiguration", request).await.ok();
}

#[tokio::test]
async fn redundant_ingest_has_two_credentials_of_its_own() {
    let world = World::new().await;
    let request = json!({"ingestProtocol": "RTMPS", "redundantIngest": true});
    let created = world.call("CreateIngestConfiguration", request).await.ok();
    let made = &created["ingestConfiguration"];
    let credentials = made["redundantIngestCredentials"].as_array().unwrap();
    let mut keys: Vec<_> = credentials.iter().map(|c| text(&c["streamKey"])).collect();
    let mut people: Vec<_> = credentials
        .iter()
        .map(|c| text(&c["participantId"]))
        .collect();
    keys.push(text(&made["streamKey"]));
    people.push(text(&made["participantId"]));
    for mut all in [keys, people] {
        all.sort();
        all.dedup();
        assert_eq!(all.len(), 3);
    }
    let update = async |redundant: bool| {
        let request = json!({"arn": made["arn"], "redundantIngest": redundant});
        let updated = world.call("UpdateIngestConfiguration", request).await.ok();
        updated["ingestConfiguration"].clone()
    };
    assert_eq!(update(true).await, *made, "it has them already");
    let single = update(false).await;
    assert_eq!(single.get("redundantIngestCredentials"), None);
    assert_eq!(single["redundantIngest"], false);
    let again = update(true).await["redundantIngestCredentials"].clone();
    assert_eq!(again.as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn a_configuration_loses_its_stage_when_that_goes() {
    let world = World::new().await;
    let (stage, other) = (world.stage().await, world.stage().await);
    let request = json!({"ingestProtocol": "RTMPS", "stageArn": stage, "attributes": {"k": "v"}});
    let created = world.call("CreateIngestConfiguration", request).await.ok();
    let arn = text(&created["ingestConfiguration"]["arn"]);
    let stage_of = async |arn: &str| {
        let got = world.call("GetIngestConfiguration", json!({"arn": arn}));
        text(&got.await.ok()["ingestConfiguration"]["stageArn"])
    };
    let update = |stage: &str| {
        let request = json!({"arn": arn, "stageArn": stage});
        world.call("UpdateIngestConfiguration", request)
    };
    assert_eq!(stage_of(&arn).await, stage);
    update("").await.ok();
    assert_eq!(stage_of(&arn).await, "");
    update(&other).await.ok();
    let delete = async |stage: &str| {
        world.call("DeleteStage", json!({"arn": stage})).await.ok();
    };
    delete(&stage).await;
    assert_eq!(stage_of(&arn).await, other);
    delete(&other).await;
    assert_eq!(stage_of(&arn).await, "");
    update(&other)
        .await
        .err(404, "ResourceNotFoundException", &other);
    assert_eq!(stage_of(&arn).await, "");
    let request = json!({"ingestProtocol": "RTMPS", "stageArn": MISSING_STAGE});
    let answer = world.call("CreateIngestConfiguration", request).await;
    answer.err(400, "ValidationException", "`stageArn`: ");
}

#[tokio::test]
async fn configurations_are_filtered_by_stage_or_by_state() {
    let world = World::new().await;
    let stage = world.stage().await;
    for stage in [stage.as_str(), ""] {
        let request = json!({"ingestProtocol": "RTMPS", "stageArn": stage});
        world.call("CreateIngestConfiguration", request).await.ok();
    }
    for (filter, count) in [
        (json!({"filterByStageArn": stage}), 1),
        (json!({"filterByStageArn": MISSING_STAGE}), 0),
        (json!({"filterByState": "INACTIVE"}), 2),
        (json!({"filterByState": "ACTIVE"}), 0),
    ] {
        let listed = world.call("ListIngestConfigurations", filter.clone());
        let listed = listed.await.ok()["ingestConfigurations"].clone();
        assert_eq!(listed.as_array().unwrap().len(), count, "{filter}");
    }
    let both = json!({"filterByStageArn": stage, "filterByState": "ACTIVE"});
    let answer = world.call("ListIngestConfigurations", both).await;
    answer.err(400, "ValidationException", "at most one of them");
}

#[tokio::test]
async fn attributes_have_one_kilobyte_together() {
    let world = World::new().await;
    for (bytes, taken) in [(1023, true), (1024, false)] {
        let attributes = json!({"k": "v".repeat(bytes)});
        let request = json!({"ingestProtocol": "RTMPS", "attributes": attributes});
        let answer = world.call("CreateIngestConfiguration", request).await;
        if taken {
            answer.ok();
        } else {
            answer.err(400, "ValidationException", "`attributes`: 1025 bytes");
        }
    }
}
