//! Accounts, permissions and request rates.

use std::time::Duration;

use serde_json::json;

use crate::world::{OTHER_KEY, READER_KEY, World, text};

#[tokio::test]
async fn an_account_does_not_see_the_resources_of_another() {
    let world = World::new().await;
    let stage = world.stage().await;
    for (operation, body) in [
        ("GetStage", json!({"arn": stage})),
        ("DeleteStage", json!({"arn": stage})),
        ("CreateParticipantToken", json!({"stageArn": stage})),
    ] {
        let answer = world.call_as(OTHER_KEY, operation, body).await;
        answer.err(404, "ResourceNotFoundException", &stage);
    }
    let listed = world.call_as(OTHER_KEY, "ListStages", json!({})).await;
    assert_eq!(listed.ok(), json!({"stages": []}));
    let own = world
        .call_as(OTHER_KEY, "CreateStage", json!({}))
        .await
        .ok();
    assert!(text(&own["stage"]["arn"]).contains(":210987654321:"));
    world.call("GetStage", json!({"arn": stage})).await.ok();
}

#[tokio::test]
async fn what_another_account_uses_is_missing_and_not_in_use() {
    let world = World::new().await;
    let (storage, channel) = (world.storage().await, world.channel().await);
    let request =
        json!({"autoParticipantRecordingConfiguration": {"storageConfigurationArn": storage}});
    world.call("CreateStage", request).await.ok();
    let request = json!({"arn": storage});
    let own = world.call("DeleteStorageConfiguration", request.clone());
    own.await.err(409, "ConflictException", "stage/");
    let answer = world.call_as(OTHER_KEY, "DeleteStorageConfiguration", request);
    let answer = answer.await;
    answer.err(404, "ResourceNotFoundException", &storage);
    assert!(!answer.message().contains("stage/"), "{answer:?}");
    let answer = world.call_as(OTHER_KEY, "DeleteChannel", json!({"arn": channel}));
    answer.await.err(404, "ResourceNotFoundException", &channel);
}

#[tokio::test]
async fn what_the_policy_does_not_allow_is_denied_by_name() {
    let world = World::new().await;
    let stage = world.stage().await;
    let ask = |operation, body| world.call_as(READER_KEY, operation, body);
    ask("GetStage", json!({"arn": stage})).await.ok();
    ask("ListStages", json!({})).await.ok();
    for (operation, body, resource) in [
        ("DeleteStage", json!({"arn": stage}), stage.as_str()),
        (
            "CreateStage",
            json!({}),
            "arn:aws:ivs:us-east-1:123456789012:stage/*",
        ),
        (
            "ListChannels",
            json!({}),
            "arn:aws:ivs:us-east-1:123456789012:channel/*",
        ),
    ] {
        let answer = ask(operation, body).await;
        answer.err(
            403,
            "AccessDeniedException",
            &format!("to perform ivs:{operation} on resource {resource}"),
        );
    }
    let target = format!("/tags/{}", stage.replace(':', "%3A").replace('/', "%2F"));
    let how = crate::world::Signing {
        key: READER_KEY,
        ..world.signing()
    };
    let tagging = crate::world::signed(&how, "POST", &target, br#"{"tags":{"a":"b"}}"#);
    let answer = world.send(tagging).await;
    answer.err(403, "AccessDeniedException", "ivs:TagResource");
    let listing = crate::world::signed(&how, "GET", &target, b"");
    world.send(listing).await.ok();
}

#[tokio::test]
async fn the_rates_of_the_service_can_be_turned_on() {
    let mut world = World::new().await;
    world.state.throttle = Some(Default::default());
    for _ in 0..5 {
        world.call("ListStages", json!({})).await.ok();
    }
    let refused = world.call("ListStages", json!({})).await;
    refused.err(429, "ThrottlingException", "ListStages: rate exceeded");
    assert_eq!(refused.headers["retry-after"], "1");
    world.call("ListChannels", json!({})).await.ok();
    world.call_as(OTHER_KEY, "ListStages", json!({})).await.ok();
    world.advance(Duration::from_secs(1));
    world.call("ListStages", json!({})).await.ok();
}
