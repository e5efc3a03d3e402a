//! The shape of errors, and input that no client should send.

use axum::body::Body;
use http::Request;
use serde_json::json;

use crate::world::World;

#[tokio::test]
async fn an_error_has_the_headers_and_both_messages() {
    let world = World::new().await;
    let answer = world.call("GetStage", json!({})).await;
    answer.err(400, "ValidationException", "`arn`: missing, is required");
    for (name, value) in [
        ("access-control-allow-origin", "*"),
        ("cache-control", "no-store, no-cache"),
        (
            "content-security-policy",
            "default-src 'self'; upgrade-insecure-requests;",
        ),
        (
            "strict-transport-security",
            "max-age:47304000; includeSubDomains",
        ),
        ("x-content-type-options", "nosniff"),
        ("x-frame-options", "DENY"),
        ("content-type", "application/json"),
    ] {
        assert_eq!(answer.headers[name], value, "{name}");
    }
    let exposed = answer.headers["access-control-expose-headers"]
        .to_str()
        .unwrap();
    assert!(
        exposed.contains(",x-amzn-errormessage,x-amzn-errortype,"),
        "{exposed}"
    );
    assert_eq!(answer.headers["x-amzn-requestid"].len(), 36);
}

#[tokio::test]
async fn a_body_that_is_no_object_is_refused() {
    let world = World::new().await;
    for (body, text) in [
        (&b"[]"[..], "a list given, must be a JSON object"),
        (b"null", "null given"),
        (b"\"x\"", "a string given"),
        (b"{", "not valid JSON"),
        (b"{} {}", "not valid JSON"),
        (b"\xff", "not valid JSON"),
    ] {
        world
            .post("CreateStage", body)
            .await
            .err(400, "ValidationException", text);
    }
    let deep = "[".repeat(100_000);
    world
        .post("CreateStage", deep.as_bytes())
        .await
        .err(400, "ValidationException", "JSON");
    world.post("CreateStage", b"").await.ok();
}

#[tokio::test]
async fn a_body_over_one_mebibyte_is_refused() {
    let world = World::new().await;
    let largest = format!("{{{}}}", " ".repeat(1024 * 1024 - 2));
    world.post("ListStages", largest.as_bytes()).await.ok();
    let larger = format!("{largest} ");
    let answer = world.post("ListStages", larger.as_bytes()).await;
    answer.err(
        400,
        "ValidationException",
        "body: larger than 1048576 bytes",
    );
    let announced = Request::builder()
        .method("POST")
        .uri("/ListStages")
        .header("content-length", "99999999999")
        .body(Body::empty())
        .unwrap();
    world
        .send(announced)
        .await
        .err(400, "ValidationException", "body: larger than");
}

#[tokio::test]
async fn wrong_types_name_the_member_and_the_rule() {
    let world = World::new().await;
    let stage = "arn:aws:ivs:us-east-1:123456789012:stage/abc";
    for (operation, body, text) in [
        (
            "CreateStage",
            json!({"name": 5}),
            "`name`: a number given, must be a string",
        ),
        (
            "CreateStage",
            json!({"name": "a b"}),
            "`name`: 'a b' given, must match [a-zA-Z0-9-_]*",
        ),
        (
            "CreateStage",
            json!({"name": "x".repeat(129)}),
            "129 characters long, must be 0 to 128",
        ),
        (
            "CreateStage",
            json!({"tags": []}),
            "`tags`: a list given, must be an object",
        ),
        (
            "CreateStage",
            json!({"tags": {"a": 1}}),
            "`tags.a`: a number given, must be a string",
        ),
        (
            "CreateStage",
            json!({"tags": {"": "1"}}),
            "must be 1 to 128",
        ),
        (
            "CreateStage",
            json!({"participantTokenConfigurations": [{}, {"duration": 0}]}),
            "`participantTokenConfigurations[1].duration`: 0 given, must be 1 to 20160",
        ),
        (
            "CreateStage",
            json!({"participantTokenConfigurations": vec![json!({}); 13]}),
            "`participantTokenConfigurations`: 13 given, at most 12 allowed",
        ),
        (
            "GetStage",
            json!({"arn": "abc"}),
            "`arn`: 'abc' given, must match arn:aws:ivs:",
        ),
        (
            "GetStage",
            json!({"arn": stage.replace("stage", "channel")}),
            "must match arn:aws:ivs:",
        ),
        (
            "ListStages",
            json!({"maxResults": 0}),
            "`maxResults`: 0 given, must be 1 to 100",
        ),
        ("ListStages", json!({"maxResults": 101}), "101 given"),
        ("ListStages", json!({"maxResults": -1}), "-1 given"),
        (
            "ListStages",
            json!({"maxResults": 1.5}),
            "`maxResults`: a number given, must be an integer",
        ),
        (
            "ListStages",
            json!({"maxResults": "1"}),
            "a string given, must be an integer",
        ),
        (
            "CreateParticipantToken",
            json!({"stageArn": stage, "capabilities": ["PUBLISH", "FLY"]}),
            "`capabilities[1]`: 'FLY' given, must be one of PUBLISH, SUBSCRIBE",
        ),
        (
            "CreateParticipantToken",
            json!({"stageArn": stage, "attributes": {"k": "v".repeat(1024)}}),
            "`attributes`: 1025 bytes of keys and values given, must be at most 1024",
        ),
        (
            "CreateEncoderConfiguration",
            json!({"video": {"width": 1281}}),
            "`video.width`: 1281 given, must be even",
        ),
        (
            "CreateEncoderConfiguration",
            json!({"video": {"height": 1922}}),
            "must be 2 to 1920",
        ),
        (
            "CreateEncoderConfiguration",
            json!({"video": {"framerate": 61}}),
            "must be 1 to 60",
        ),
        (
            "CreateEncoderConfiguration",
            json!({"video": {"framerate": "30"}}),
            "must be a number",
        ),
        (
            "CreateEncoderConfiguration",
            json!({"video": {"bitrate": 8500001}}),
            "must be 1 to 8500000",
        ),
        (
            "CreateEncoderConfiguration",
            json!({"video": {"width": 1920, "height": 1920}}),
            "must be at most 2073600",
        ),
        (
            "CreateStorageConfiguration",
            json!({}),
            "`s3`: missing, is required",
        ),
        (
            "CreateStorageConfiguration",
            json!({"s3": {}}),
            "`s3.bucketName`: missing",
        ),
        (
            "CreateStorageConfiguration",
            json!({"s3": {"bucketName": "Ab-c"}}),
            "must match [a-z0-9-.]+",
        ),
        (
            "CreateStorageConfiguration",
            json!({"s3": {"bucketName": "ab"}}),
            "must be 3 to 63",
        ),
        (
            "CreateChannel",
            json!({"tags": {"a": "#"}}),
            "`tags.a`: '#' given, must match",
        ),
        (
            "CreateChannel",
            json!({"type": "BEST"}),
            "`type`: 'BEST' given, must be one of BASIC",
        ),
        (
            "CreateChannel",
            json!({"authorized": "yes"}),
            "`authorized`: a string given, must be a boolean",
        ),
        (
            "CreateChannel",
            json!({"preset": "CONSTRAINED_BANDWIDTH_DELIVERY"}),
            "ADVANCED_SD",
        ),
    ] {
        world
            .call(operation, body)
            .await
            .err(400, "ValidationException", text);
    }
}

#[tokio::test]
async fn every_operation_of_the_models_is_known() {
    let world = World::new().await;
    for operation in api::model::operation_names().filter(|name| !api::ops::tag::is_one(name)) {
        let answer = world.call(operation, json!({})).await;
        assert_ne!(answer.status, 404, "{operation}");
        assert_ne!(answer.status, 500, "{operation}");
    }
}

#[tokio::test]
async fn an_unknown_path_or_method_is_no_operation() {
    let world = World::new().await;
    for (method, target) in [
        ("POST", "/DoMagic"),
        ("GET", "/CreateStage"),
        ("POST", "/"),
        ("GET", "/favicon.ico"),
        ("PUT", "/tags/abc"),
    ] {
        let request = Request::builder()
            .method(method)
            .uri(target)
            .body(Body::empty())
            .unwrap();
        let answer = world.send(request).await;
        answer.err(404, "UnknownOperationException", target);
    }
}

#[tokio::test]
async fn a_cause_inside_is_not_shown() {
    let world = World::new().await;
    world.backend.script(|script| script.broken = true);
    let request = json!({"s3": {"bucketName": "recordings"}});
    let answer = world.call("CreateStorageConfiguration", request).await;
    answer.err(500, "InternalServerException", "Service internal error");
}
