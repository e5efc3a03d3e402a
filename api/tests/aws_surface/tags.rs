//! Tag operations, by ARN, for both services.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};

use crate::parts::{Parts, finish};
use crate::world::{World, text};

fn target(arn: &str) -> String {
    format!("/tags/{}", arn.replace(':', "%3A").replace('/', "%2F"))
}

async fn tags(world: &World, arn: &str) -> Value {
    world.request("GET", &target(arn), b"").await.ok()["tags"].clone()
}

#[tokio::test]
async fn tags_are_put_and_taken_on_every_kind_of_resource() {
    let world = World::new().await;
    let channel = world.channel().await;
    let keys = world
        .call("ListStreamKeys", json!({"channelArn": channel}))
        .await
        .ok();
    let key = keys["streamKeys"][0]["arn"].as_str().unwrap().to_owned();
    let arns = [
        world.stage().await,
        world.encoder().await,
        world.storage().await,
        channel,
        key,
    ];
    for arn in arns {
        assert_eq!(tags(&world, &arn).await, json!({}));
        let put = br#"{"tags":{"a":"1","b c":"2"}}"#;
        assert_eq!(
            world.request("POST", &target(&arn), put).await.ok(),
            json!({})
        );
        world
            .request("POST", &target(&arn), br#"{"tags":{"a":"3"}}"#)
            .await
            .ok();
        assert_eq!(tags(&world, &arn).await, json!({"a": "3", "b c": "2"}));
        let take = format!("{}?tagKeys=b%20c&tagKeys=never", target(&arn));
        assert_eq!(world.request("DELETE", &take, b"").await.ok(), json!({}));
        assert_eq!(tags(&world, &arn).await, json!({"a": "3"}));
    }
}

#[tokio::test]
async fn tags_keep_their_limits() {
    let world = World::new().await;
    let arn = world.stage().await;
    let many: BTreeMap<String, String> = (0..50).map(|n| (n.to_string(), String::new())).collect();
    let body = json!({"tags": many}).to_string();
    world
        .request("POST", &target(&arn), body.as_bytes())
        .await
        .ok();
    let answer = world
        .request("POST", &target(&arn), br#"{"tags":{"x":"1"}}"#)
        .await;
    answer.err(
        400,
        "ValidationException",
        "51 on the resource afterwards, at most 50",
    );
    assert_eq!(tags(&world, &arn).await.as_object().unwrap().len(), 50);
    let answer = world.request("POST", &target(&arn), b"{}").await;
    answer.err(400, "ValidationException", "`tags`: missing");
    let answer = world.request("DELETE", &target(&arn), b"").await;
    answer.err(400, "ValidationException", "`tagKeys`: missing");
    let channel = world.channel().await;
    let answer = world
        .request(
            "POST",
            &target(&channel),
            r#"{"tags":{"ä ö":"§"}}"#.as_bytes(),
        )
        .await;
    answer.err(400, "ValidationException", "'§' given, must match");
}

#[tokio::test]
async fn an_arn_is_decoded_exactly_once() {
    let world = World::new().await;
    let arn = world.stage().await;
    // The SDK signer encodes what it is given once more, so both forms are signed correctly.
    world
        .request("GET", &format!("/tags/{arn}"), b"")
        .await
        .ok();
    let twice = target(&arn).replace('%', "%25");
    let answer = world.request("GET", &twice, b"").await;
    answer.err(400, "ValidationException", "`resourceArn`");
    let answer = world.request("GET", "/tags/nothing", b"").await;
    answer.err(
        400,
        "ValidationException",
        "'nothing' given, must be arn:aws:ivs:",
    );
    let missing = target("arn:aws:ivs:us-east-1:123456789012:stage/none");
    for (method, body) in [("GET", &b""[..]), ("POST", b"{\"tags\":{}}")] {
        let answer = world.request(method, &missing, body).await;
        answer.err(404, "ResourceNotFoundException", "stage/none");
    }
    let answer = world
        .request("DELETE", &format!("{missing}?tagKeys=a"), b"")
        .await;
    answer.err(404, "ResourceNotFoundException", "stage/none");
}

#[tokio::test]
async fn the_tags_of_a_composition_go_with_it() {
    let world = World::new().await;
    let parts = Parts::new(&world).await;
    let started = parts.start(&world, json!([parts.s3()])).await.ok();
    let arn = text(&started["composition"]["arn"]);
    finish(&world, &arn).await;
    world.advance(Duration::from_secs(5 * 60) - Duration::from_micros(1));
    let path = target(&arn);
    let tagging = world.request("POST", &path, br#"{"tags":{"a":"b"}}"#);
    tagging.await.ok();
    assert_eq!(tags(&world, &arn).await, json!({"a": "b"}));
    world.advance(Duration::from_micros(1));
    let untag = format!("{path}?tagKeys=a");
    for (method, target, body) in [
        ("GET", &path, &b""[..]),
        ("POST", &path, br#"{"tags":{"a":"c"}}"#),
        ("DELETE", &untag, b""),
    ] {
        let answer = world.request(method, target, body).await;
        answer.err(404, "ResourceNotFoundException", &arn);
    }
}
