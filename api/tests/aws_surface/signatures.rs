//! Requests that are not what was signed.

use axum::body::Body;
use http::{HeaderValue, Request};
use serde_json::json;

use crate::world::{KEY, SESSION_TOKEN, Signing, TEMPORARY_KEY, World, signed};

async fn list_stages(world: &World, bend: impl FnOnce(&mut Signing)) -> crate::world::Answer {
    let mut how = world.signing();
    bend(&mut how);
    world.send(signed(&how, "POST", "/ListStages", b"{}")).await
}

#[tokio::test]
async fn a_request_of_the_sdk_signer_is_accepted() {
    let world = World::new().await;
    list_stages(&world, |_| ()).await.ok();
}

#[tokio::test]
async fn a_temporary_key_needs_its_session_token_and_others_have_none() {
    let world = World::new().await;
    for (key, token, fine) in [
        (TEMPORARY_KEY, Some(SESSION_TOKEN), true),
        (TEMPORARY_KEY, Some("another-token"), false),
        (TEMPORARY_KEY, None, false),
        (KEY, Some(SESSION_TOKEN), false),
    ] {
        let answer = list_stages(&world, |how| {
            how.key = key;
            how.session_token = token.map(str::to_owned);
        });
        let answer = answer.await;
        if fine {
            answer.ok();
        } else {
            answer.err(403, "UnrecognizedClientException", "session token");
        }
    }
}

#[tokio::test]
async fn a_double_encoded_path_and_a_query_are_accepted() {
    let world = World::new().await;
    let arn = world.stage().await;
    let target = format!("/tags/{}", arn.replace(':', "%3A").replace('/', "%2F"));
    world
        .request("POST", &target, br#"{"tags":{"a b":"1","c+d":"2"}}"#)
        .await
        .ok();
    let target_with_query = format!("{target}?tagKeys=a%20b&tagKeys=x");
    world.request("DELETE", &target_with_query, b"").await.ok();
    let left = world.request("GET", &target, b"").await.ok();
    assert_eq!(left, json!({"tags": {"c+d": "2"}}));
}

#[tokio::test]
async fn a_tampered_body_is_refused() {
    let world = World::new().await;
    let mut request = signed(&world.signing(), "POST", "/CreateStage", br#"{"name":"a"}"#);
    *request.body_mut() = Body::from(r#"{"name":"b"}"#);
    world
        .send(request)
        .await
        .err(403, "InvalidSignatureException", "does not match");
    let listed = world.call("ListStages", json!({})).await.ok();
    assert_eq!(listed["stages"], json!([]));
}

#[tokio::test]
async fn a_claimed_body_hash_must_be_true() {
    let world = World::new().await;
    let mut request = signed(&world.signing(), "POST", "/ListStages", b"{}");
    let claimed = HeaderValue::from_static("0123");
    request
        .headers_mut()
        .insert("x-amz-content-sha256", claimed);
    let answer = world.send(request).await;
    answer.err(403, "InvalidSignatureException", "x-amz-content-sha256");
}

#[tokio::test]
async fn a_payload_may_be_unsigned_over_https_alone() {
    let mut world = World::new().await;
    let how = Signing {
        unsigned_payload: true,
        ..world.signing()
    };
    let request = || signed(&how, "POST", "/ListStages", b"{}");
    let answer = world.send(request()).await;
    answer.err(403, "InvalidSignatureException", "over HTTPS only");
    let mut settings = api::state::Settings::clone(&world.state.settings);
    settings.public_url = "https://stage.example.com".to_owned();
    world.state.settings = settings.into();
    world.send(request()).await.ok();
    let mut unnamed = signed(&world.signing(), "POST", "/ListStages", b"{}");
    let claimed = HeaderValue::from_static("UNSIGNED-PAYLOAD");
    unnamed
        .headers_mut()
        .insert("x-amz-content-sha256", claimed);
    let answer = world.send(unnamed).await;
    answer.err(403, "InvalidSignatureException", "must be a signed header");
}

#[tokio::test]
async fn the_clock_may_differ_by_five_minutes_and_no_more() {
    let world = World::new().await;
    for (shift, fine) in [(-300, true), (300, true), (-301, false), (301, false)] {
        let answer = list_stages(&world, |how| how.seconds += shift).await;
        if fine {
            answer.ok();
        } else {
            answer.err(403, "InvalidSignatureException", "5 minutes");
        }
    }
}

#[tokio::test]
async fn another_region_service_key_or_secret_is_refused() {
    let world = World::new().await;
    let answer = list_stages(&world, |how| how.region = "eu-west-1").await;
    answer.err(
        403,
        "InvalidSignatureException",
        "'eu-west-1' given, must be 'us-east-1'",
    );
    let answer = list_stages(&world, |how| how.service = "s3").await;
    answer.err(
        403,
        "InvalidSignatureException",
        "'s3' given, must be 'ivs'",
    );
    let answer = list_stages(&world, |how| how.key = "NOBODY").await;
    answer.err(403, "UnrecognizedClientException", "NOBODY");
    let answer = list_stages(&world, |how| how.secret = "wrong").await;
    answer.err(403, "InvalidSignatureException", "does not match");
}

#[tokio::test]
async fn a_request_without_or_with_a_broken_authorization_is_refused() {
    let world = World::new().await;
    let bare = Request::builder()
        .method("POST")
        .uri("/ListStages")
        .body(Body::empty())
        .unwrap();
    world
        .send(bare)
        .await
        .err(403, "MissingAuthenticationTokenException", "Authorization");
    for (broken, text) in [
        ("Bearer abc", "AWS4-HMAC-SHA256"),
        ("AWS4-HMAC-SHA256 Credential=a", "Credential must be"),
        (
            "AWS4-HMAC-SHA256 Credential=a/20261120/us-east-1/ivs/aws4_request, SignedHeaders=host",
            "'Signature'",
        ),
        (
            "AWS4-HMAC-SHA256 Credential=a/20261120/us-east-1/ivs/aws4_request, SignedHeaders=x;host, Signature=00",
            "sorted",
        ),
        (
            "AWS4-HMAC-SHA256 Credential=a/20261120/us-east-1/ivs/aws4_request, SignedHeaders=host, Signature=00",
            "64 hex digits",
        ),
    ] {
        let mut request = signed(&world.signing(), "POST", "/ListStages", b"{}");
        request
            .headers_mut()
            .insert("authorization", HeaderValue::from_static(broken));
        world
            .send(request)
            .await
            .err(403, "IncompleteSignatureException", text);
    }
}

#[tokio::test]
async fn host_and_amz_headers_must_be_signed() {
    let world = World::new().await;
    let mut request = signed(&world.signing(), "POST", "/ListStages", b"{}");
    request
        .headers_mut()
        .insert("x-amz-meta", HeaderValue::from_static("smuggled"));
    let answer = world.send(request).await;
    answer.err(
        403,
        "InvalidSignatureException",
        "'x-amz-meta' must be a signed header",
    );
    let mut request = signed(&world.signing(), "POST", "/ListStages", b"{}");
    request
        .headers_mut()
        .insert("host", HeaderValue::from_static("elsewhere"));
    world
        .send(request)
        .await
        .err(403, "InvalidSignatureException", "does not match");
    let mut request = signed(&world.signing(), "POST", "/ListStages", b"{}");
    request.headers_mut().remove("content-type");
    world
        .send(request)
        .await
        .err(403, "InvalidSignatureException", "no such header");
}

#[tokio::test]
async fn another_path_or_method_is_refused() {
    let world = World::new().await;
    let mut request = signed(&world.signing(), "POST", "/ListStages", b"{}");
    *request.uri_mut() = "/ListChannels".parse().unwrap();
    world
        .send(request)
        .await
        .err(403, "InvalidSignatureException", "does not match");
    let mut request = signed(&world.signing(), "POST", "/ListStages", b"{}");
    *request.uri_mut() = "/ListStages?a=b".parse().unwrap();
    world
        .send(request)
        .await
        .err(403, "InvalidSignatureException", "does not match");
}
