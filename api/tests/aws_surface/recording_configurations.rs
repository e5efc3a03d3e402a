//! Recording configurations.

use std::time::Duration;

use api::recording_setup;
use serde_json::{Value, json};

use crate::world::{World, text};

/// How long the background may take in a test.
const SETTLED_WITHIN: Duration = Duration::from_secs(10);

async fn create(world: &World, request: Value) -> Value {
    let created = world.call("CreateRecordingConfiguration", request).await;
    created.ok()["recordingConfiguration"].take()
}

fn in_bucket(bucket: &str) -> Value {
    json!({"destinationConfiguration": {"s3": {"bucketName": bucket}}})
}

/// The configuration when it is CREATING no longer.
async fn settled(world: &World, arn: &Value) -> Value {
    let settled = async {
        loop {
            let got = world
                .call("GetRecordingConfiguration", json!({ "arn": arn }))
                .await;
            let mut got = got.ok();
            if got["recordingConfiguration"]["state"] != "CREATING" {
                return got["recordingConfiguration"].take();
            }
        }
    };
    let settled = tokio::time::timeout(SETTLED_WITHIN, settled).await;
    settled.expect("the bucket is checked within the limit")
}

#[tokio::test]
async fn a_configuration_becomes_active_when_its_bucket_can_be_written_to() {
    let world = World::new().await;
    let created = create(&world, in_bucket("recordings")).await;
    let arn = &created["arn"];
    let mut expected = json!({
        "arn": arn, "name": "", "state": "CREATING", "tags": {},
        "destinationConfiguration": {"s3": {"bucketName": "recordings"}},
        "thumbnailConfiguration":
            {"recordingMode": "INTERVAL", "targetIntervalSeconds": 60, "storage": ["SEQUENTIAL"]},
        "recordingReconnectWindowSeconds": 0,
        "renditionConfiguration": {"renditionSelection": "ALL", "renditions": []}
    });
    assert_eq!(created, expected);
    expected["state"] = json!("ACTIVE");
    assert_eq!(settled(&world, arn).await, expected);
    assert_eq!(world.backend.told(), ["write to recordings"]);
    let listed = world
        .call("ListRecordingConfigurations", json!({}))
        .await
        .ok();
    let summary = json!({
        "arn": arn, "name": "", "state": "ACTIVE", "tags": {},
        "destinationConfiguration": {"s3": {"bucketName": "recordings"}}
    });
    assert_eq!(listed, json!({"recordingConfigurations": [summary]}));
}

#[tokio::test]
async fn a_configuration_without_a_bucket_fails() {
    let world = World::new().await;
    let created = create(&world, in_bucket("nowhere")).await;
    assert_eq!(created["state"], "CREATING");
    assert_eq!(
        settled(&world, &created["arn"]).await["state"],
        "CREATE_FAILED"
    );
    let deleted = world
        .call(
            "DeleteRecordingConfiguration",
            json!({"arn": created["arn"]}),
        )
        .await;
    assert_eq!(deleted.status, 204);
    let answer = world
        .call("GetRecordingConfiguration", json!({"arn": created["arn"]}))
        .await;
    answer.err(404, "ResourceNotFoundException", &text(&created["arn"]));
}

#[tokio::test]
async fn a_check_that_a_restart_interrupted_is_made_again() {
    let world = World::new().await;
    // S3 does not answer: the first process ends while it is trying.
    world.backend.script(|script| script.broken = true);
    let created = create(&world, in_bucket("recordings")).await;
    let world = world.restarted().await;
    let got = world
        .call("GetRecordingConfiguration", json!({"arn": created["arn"]}))
        .await
        .ok();
    assert_eq!(got["recordingConfiguration"]["state"], "CREATING");
    recording_setup::resume(&world.state).await.unwrap();
    assert_eq!(settled(&world, &created["arn"]).await["state"], "ACTIVE");
    recording_setup::resume(&world.state).await.unwrap();
    assert_eq!(
        world.backend.told(),
        ["write to recordings"],
        "what is settled is left alone"
    );
}

#[tokio::test]
async fn rules_that_span_members_are_kept() {
    let world = World::new().await;
    for (member, given, text) in [
        (
            "thumbnailConfiguration",
            json!({"recordingMode": "INTERVAL"}),
            "targetIntervalSeconds`: missing",
        ),
        (
            "destinationConfiguration",
            json!({}),
            "`destinationConfiguration.s3`: missing",
        ),
        (
            "recordingReconnectWindowSeconds",
            json!(301),
            "`recordingReconnectWindowSeconds`: 301 given",
        ),
    ] {
        let mut request = in_bucket("recordings");
        request[member] = given;
        let answer = world.call("CreateRecordingConfiguration", request).await;
        answer.err(400, "ValidationException", text);
    }
}

#[tokio::test]
async fn an_account_has_as_many_as_its_quota() {
    let world = World::new().await;
    for _ in 0..20 {
        create(&world, in_bucket("recordings")).await;
    }
    let answer = world
        .call("CreateRecordingConfiguration", in_bucket("recordings"))
        .await;
    answer.err(
        402,
        "ServiceQuotaExceededException",
        "recording configurations: at most 20",
    );
    let listed = world
        .call("ListRecordingConfigurations", json!({}))
        .await
        .ok();
    assert_eq!(
        listed["recordingConfigurations"].as_array().unwrap().len(),
        20
    );
}
