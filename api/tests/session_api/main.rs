//! The routes of the page's session API, and who may use them.

#![expect(clippy::unwrap_used, reason = "helpers of tests may panic")]

mod world;

use api::backend::DestinationTarget;
use axum::body::Body;
use serde_json::json;

use world::{HOST, World};

#[tokio::test]
async fn the_page_learns_where_it_is() {
    let world = World::new(None).await;
    let config = world.get("/session/config").await.ok(200);
    assert_eq!(
        config,
        json!({"region": "us-east-1", "accountId": "123456789012", "whipUrl": "http://127.0.0.1:8080/whip",
               "loginRequired": false, "loggedIn": true})
    );
}

#[tokio::test]
async fn stages_are_made_and_listed() {
    let world = World::new(None).await;
    assert_eq!(
        world.get("/session/stages").await.ok(200),
        json!({ "stages": [] })
    );
    let stage = world.stage().await;
    let listed = world.get("/session/stages").await.ok(200);
    assert_eq!(
        listed["stages"][0],
        json!({"stageId": stage, "arn": format!("arn:aws:ivs:us-east-1:123456789012:stage/{stage}"),
               "name": "rehearsal"})
    );
    let unnamed = world
        .send(
            world
                .request("POST", "/session/stages")
                .body(Body::empty())
                .unwrap(),
        )
        .await;
    assert_eq!(unnamed.ok(201)["stage"]["name"], json!(null));
}

#[tokio::test]
async fn a_token_comes_with_what_whip_needs() {
    let world = World::new(None).await;
    let stage = world.stage().await;
    let wanted = json!({"userId": "ada", "attributes": {"featured": "true"}, "capabilities": ["PUBLISH"],
                        "durationMinutes": 5});
    let token = world
        .post(&format!("/session/stages/{stage}/tokens"), &wanted)
        .await
        .ok(201);
    assert_eq!(token["token"], "token-of-ada");
    assert_eq!(token["whipUrl"], "http://127.0.0.1:8080/whip");
    assert!(token["participantId"].is_string() && token["expirationTime"].is_string());
    let wrong = json!({ "durationMinutes": 0 });
    let message = world
        .post(&format!("/session/stages/{stage}/tokens"), &wrong)
        .await
        .err(400, "ValidationException");
    assert!(message.contains("duration"), "{message}");
}

#[tokio::test]
async fn participants_are_those_who_publish() {
    let world = World::new(None).await;
    let stage = world.stage().await;
    let listed = world
        .get(&format!("/session/stages/{stage}/participants"))
        .await
        .ok(200);
    assert_eq!(
        listed["participants"],
        json!([{"participantId": "Ada123456789", "userId": "ada", "attributes": {"featured": "true"},
                "hasAudio": true, "hasVideo": false, "joinedAt": "2026-11-20T12:00:00Z"}])
    );
    world
        .get("/session/stages/absent000000/participants")
        .await
        .err(404, "ResourceNotFoundException");
}

#[tokio::test]
async fn a_composition_starts_with_everything_it_needs_and_is_stopped() {
    let world = World::new(None).await;
    let stage = world.stage().await;
    let started = world
        .post("/session/compositions", &json!({ "stageId": stage }))
        .await
        .ok(201);
    let composition = &started["composition"];
    assert_eq!(
        (
            composition["state"].as_str(),
            composition["stageId"].as_str()
        ),
        (Some("STARTING"), Some(&*stage))
    );
    let id = composition["compositionId"].as_str().unwrap();
    let channel = &composition["destinations"][0];
    assert_eq!(channel["kind"], "channel");
    let playback = channel["channel"]["playbackUrl"].as_str().unwrap();
    assert!(
        playback.starts_with("http://127.0.0.1:8080/api/video/v1/us-east-1.123456789012.channel."),
        "{playback}"
    );
    let recording = &composition["destinations"][1];
    assert_eq!(recording["kind"], "recording");
    let prefix = format!(
        "{stage}/{id}/{}/composite",
        recording["id"].as_str().unwrap()
    );
    assert_eq!(
        recording["recording"],
        json!({"bucket": "proscenium-page-recordings", "prefix": prefix,
               "uri": format!("s3://proscenium-page-recordings/{prefix}"),
               "playbackUrl": format!(
                   "http://127.0.0.1:9000/proscenium-page-recordings/{prefix}/media/hls/multivariant.m3u8")})
    );
    assert_eq!(
        *world.backend.buckets.lock(),
        ["proscenium-page-recordings"]
    );
    let spec = world.backend.started.lock()[0].clone();
    assert_eq!(spec.destinations.len(), 2);
    assert_eq!(
        (
            spec.destinations[0].video.width,
            spec.destinations[0].video.bitrate
        ),
        (1280, 2_500_000)
    );

    let path = format!("/session/compositions/{id}");
    assert_eq!(
        world.get(&path).await.ok(200)["composition"]["compositionId"],
        json!(id)
    );
    let listed = world
        .get(&format!("/session/compositions?stageId={stage}"))
        .await
        .ok(200);
    assert_eq!(listed["compositions"].as_array().unwrap().len(), 1);
    world
        .post(&format!("{path}/stop"), &json!({}))
        .await
        .ok(200);
    assert_eq!(world.backend.stopped.lock()[0].as_str(), id);
    world
        .get("/session/compositions/absent000000")
        .await
        .err(404, "ResourceNotFoundException");
}

#[tokio::test]
async fn resources_of_the_page_are_made_once_for_all_its_compositions() {
    let world = World::new(None).await;
    let (first, second) = (world.stage().await, world.stage().await);
    let small = |stage| json!({"stageId": stage, "width": 640, "height": 360, "framerate": 29.97, "channel": false});
    world
        .post("/session/compositions", &small(first))
        .await
        .ok(201);
    world
        .post("/session/compositions", &small(second))
        .await
        .ok(201);
    assert_eq!(world.backend.buckets.lock().len(), 1);
    let started = world.backend.started.lock();
    let buckets: Vec<_> = started
        .iter()
        .map(|spec| format!("{:?}", spec.destinations[0].target))
        .collect();
    assert!(
        buckets
            .iter()
            .all(|target| target.contains("proscenium-page-recordings"))
    );
    assert!(matches!(
        started[0].destinations[0].target,
        DestinationTarget::S3 { .. }
    ));
    assert_eq!(started[0].destinations.len(), 1);
}

#[tokio::test]
async fn what_an_operation_refuses_reaches_the_page_with_its_code() {
    let world = World::new(None).await;
    let stage = world.stage().await;
    let absent = json!({ "stageId": "absent000000" });
    world
        .post("/session/compositions", &absent)
        .await
        .err(404, "ResourceNotFoundException");
    assert!(world.backend.buckets.lock().is_empty());
    let nowhere = json!({"stageId": stage, "channel": false, "recording": false});
    world
        .post("/session/compositions", &nowhere)
        .await
        .err(400, "ValidationException");
    let odd = json!({"stageId": stage, "layout": {"pip": {"pipPosition": "MIDDLE"}}});
    world
        .post("/session/compositions", &odd)
        .await
        .err(400, "ValidationException");
    let unknown = json!({"stageId": stage, "colour": "red"});
    world
        .post("/session/compositions", &unknown)
        .await
        .err(400, "BodyInvalid");
    world
        .post("/session/stages", &json!([1]))
        .await
        .err(400, "BodyInvalid");
    world.get("/session/nothing").await.err(404, "NotFound");
    world
        .post("/session/config", &json!({}))
        .await
        .err(404, "NotFound");
}

#[tokio::test]
async fn a_body_must_be_declared_as_json_and_be_small() {
    let world = World::new(None).await;
    let form = world
        .request("POST", "/session/stages")
        .header("content-type", "text/plain");
    world
        .send(form.body(Body::from("{}")).unwrap())
        .await
        .err(400, "BodyInvalid");
    let large = json!({ "name": "x".repeat(70_000) });
    world
        .post("/session/stages", &large)
        .await
        .err(400, "BodyInvalid");
}

#[tokio::test]
async fn other_hosts_other_pages_and_other_tokens_are_refused() {
    let world = World::new(None).await;
    let ask = |host: &str, origin: &str, token: &str| {
        let request = http::Request::builder()
            .uri("/session/stages")
            .header("host", host);
        let request = request
            .header("origin", origin)
            .header("x-session-token", token);
        world.send(request.body(Body::empty()).unwrap())
    };
    let own = format!("http://{HOST}");
    ask("evil.example:8080", &own, &world.token)
        .await
        .err(403, "HostNotAllowed");
    ask(HOST, "http://evil.example", &world.token)
        .await
        .err(403, "OriginNotAllowed");
    ask(HOST, "null", &world.token)
        .await
        .err(403, "OriginNotAllowed");
    ask(HOST, &own, "guess")
        .await
        .err(403, "SessionTokenMismatch");
    let answer = ask(HOST, &own, &world.token).await;
    assert!(
        answer
            .headers
            .keys()
            .all(|name| !name.as_str().starts_with("access-control"))
    );
    assert_eq!(answer.headers["cache-control"], "no-store");
    answer.ok(200);
}

#[tokio::test]
async fn a_preflight_is_answered_without_cors() {
    let world = World::new(None).await;
    let request = http::Request::builder()
        .method("OPTIONS")
        .uri("/session/stages")
        .header("host", HOST);
    let request = request
        .header("origin", "http://evil.example")
        .header("access-control-request-method", "POST");
    let answer = world.send(request.body(Body::empty()).unwrap()).await;
    assert!(!answer.headers.contains_key("access-control-allow-origin"));
    answer.err(403, "OriginNotAllowed");
}

#[tokio::test]
async fn with_an_admin_password_the_cookie_of_a_login_opens() {
    let mut world = World::new(Some("open sesame")).await;
    assert_eq!(
        world.get("/session/config").await.ok(200)["loggedIn"],
        json!(false)
    );
    world.get("/session/stages").await.err(401, "LoginRequired");
    world
        .post("/session/login", &json!({ "password": "guess" }))
        .await
        .err(401, "PasswordWrong");
    let answer = world
        .post("/session/login", &json!({ "password": "open sesame" }))
        .await;
    assert_eq!(answer.status.as_u16(), 204);
    let cookie = answer.headers["set-cookie"].to_str().unwrap();
    assert!(
        cookie.contains("HttpOnly") && cookie.contains("SameSite=Strict"),
        "{cookie}"
    );
    world.cookie = cookie.split(';').next().map(str::to_owned);
    assert_eq!(
        world.get("/session/config").await.ok(200)["loggedIn"],
        json!(true)
    );
    world.get("/session/stages").await.ok(200);
}
