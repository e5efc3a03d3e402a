//! Encoder and storage configurations.

use serde_json::json;

use crate::world::{World, text};

#[tokio::test]
async fn an_encoder_configuration_is_echoed_with_its_defaults() {
    let world = World::new().await;
    let created = world
        .call("CreateEncoderConfiguration", json!({}))
        .await
        .ok();
    let arn = text(&created["encoderConfiguration"]["arn"]);
    let expected = json!({"encoderConfiguration": {
        "arn": arn, "name": "", "tags": {},
        "video": {"width": 1280, "height": 720, "framerate": 30.0, "bitrate": 2_500_000}
    }});
    assert_eq!(created, expected);
    let got = world
        .call("GetEncoderConfiguration", json!({"arn": arn}))
        .await
        .ok();
    assert_eq!(got, expected);
    let listed = world
        .call("ListEncoderConfigurations", json!({}))
        .await
        .ok();
    let summary = json!({"arn": arn, "name": "", "tags": {}});
    assert_eq!(listed, json!({"encoderConfigurations": [summary]}));
    let deleted = world
        .call("DeleteEncoderConfiguration", json!({"arn": arn}))
        .await
        .ok();
    assert_eq!(deleted, json!({}));
    let answer = world
        .call("GetEncoderConfiguration", json!({"arn": arn}))
        .await;
    answer.err(404, "ResourceNotFoundException", &arn);
}

#[tokio::test]
async fn given_video_values_are_kept() {
    let world = World::new().await;
    let video = json!({"width": 1080, "height": 1920, "framerate": 29.97, "bitrate": 8_500_000});
    let request = json!({"name": "p-1", "video": video, "tags": {"a": ""}});
    let created = world.call("CreateEncoderConfiguration", request).await.ok();
    assert_eq!(created["encoderConfiguration"]["video"], video);
    assert_eq!(created["encoderConfiguration"]["name"], "p-1");
    let request = json!({"video": {"framerate": 60}});
    let created = world.call("CreateEncoderConfiguration", request).await.ok();
    let video = json!({"width": 1280, "height": 720, "framerate": 60.0, "bitrate": 2_500_000});
    assert_eq!(created["encoderConfiguration"]["video"], video);
}

#[tokio::test]
async fn a_bucket_with_a_name_that_s3_does_not_have_does_not_exist() {
    let world = World::new().await;
    for bucket in ["a..b", "1.2.3.4", "-ab", "xn--abc"] {
        let request = json!({"s3": {"bucketName": bucket}});
        let answer = world.call("CreateStorageConfiguration", request).await;
        let text = format!("`s3.bucketName`: bucket '{bucket}' does not exist");
        answer.err(404, "ResourceNotFoundException", &text);
    }
    assert!(world.backend.told().is_empty());
}

#[tokio::test]
async fn a_bucket_that_may_not_be_accessed_is_denied() {
    let world = World::new().await;
    let foreign = "of-somebody-else";
    world
        .backend
        .script(|script| script.foreign_buckets.insert(foreign.to_owned()));
    let request = json!({"s3": {"bucketName": foreign}});
    let answer = world.call("CreateStorageConfiguration", request).await;
    answer.err(403, "AccessDeniedException", "bucket 'of-somebody-else'");
}

#[tokio::test]
async fn a_storage_configuration_needs_its_bucket() {
    let world = World::new().await;
    let request = json!({"name": "s", "s3": {"bucketName": "recordings"}, "tags": {"k": "v"}});
    let created = world.call("CreateStorageConfiguration", request).await.ok();
    let arn = text(&created["storageConfiguration"]["arn"]);
    let expected =
        json!({"arn": arn, "name": "s", "s3": {"bucketName": "recordings"}, "tags": {"k": "v"}});
    assert_eq!(created["storageConfiguration"], expected);
    let got = world
        .call("GetStorageConfiguration", json!({"arn": arn}))
        .await
        .ok();
    assert_eq!(got["storageConfiguration"], expected);
    let listed = world
        .call("ListStorageConfigurations", json!({}))
        .await
        .ok();
    assert_eq!(listed, json!({"storageConfigurations": [expected]}));
    let request = json!({"s3": {"bucketName": "elsewhere"}});
    let answer = world.call("CreateStorageConfiguration", request).await;
    answer.err(
        404,
        "ResourceNotFoundException",
        "bucket 'elsewhere' does not exist",
    );
    world
        .call("DeleteStorageConfiguration", json!({"arn": arn}))
        .await
        .ok();
    let answer = world
        .call("DeleteStorageConfiguration", json!({"arn": arn}))
        .await;
    answer.err(404, "ResourceNotFoundException", &arn);
}

#[tokio::test]
async fn quotas_hold_under_concurrent_requests() {
    let world = World::new().await;
    let request = json!({"s3": {"bucketName": "recordings"}});
    let calls = (0..8).map(|_| world.call("CreateStorageConfiguration", request.clone()));
    let answers = futures_util::future::join_all(calls).await;
    let made = answers
        .iter()
        .filter(|answer| answer.status.is_success())
        .count();
    assert_eq!(made, 5);
    for answer in answers.iter().filter(|answer| !answer.status.is_success()) {
        answer.err(
            402,
            "ServiceQuotaExceededException",
            "storage configurations: at most 5",
        );
    }
    for _ in 0..20 {
        world.encoder().await;
    }
    let answer = world.call("CreateEncoderConfiguration", json!({})).await;
    answer.err(
        402,
        "ServiceQuotaExceededException",
        "encoder configurations: at most 20",
    );
}

#[tokio::test]
async fn an_arn_of_another_account_or_region_is_not_there() {
    let world = World::new().await;
    let arn = world.encoder().await;
    for foreign in [
        arn.replace("123456789012", "999999999999"),
        arn.replace("us-east-1", "us-west-2"),
    ] {
        let answer = world
            .call("GetEncoderConfiguration", json!({"arn": foreign}))
            .await;
        answer.err(404, "ResourceNotFoundException", &foreign);
    }
}
