//! Private and restricted channels: who gets in, and who is cut off. One stream for many checks.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::{Request, Response};
use channel::{
    ClientAddress, Country, PlaybackTerms, Publisher, RestrictionPolicy, SlateFormat, SlateSource,
    VideoParams,
};
use compositor_core::time::FrameRate;
use http_body_util::BodyExt;
use serde_json::{Value, json};
use tokio::sync::mpsc;

use crate::gate::{FakeGate, KeyPair, now};
use crate::world::{CHANNEL_ARN, MASTER, Slates, World, ffmpeg, probe, wait_for};

const ALLOW_ORIGIN: &str = "access-control-allow-origin";

async fn text(response: Response<Body>) -> String {
    let body = response.into_body().collect().await.unwrap().to_bytes();
    String::from_utf8(body.to_vec()).unwrap()
}

impl World {
    async fn begin(&self, token: &str, origin: Option<&str>) -> Response<Body> {
        self.fetch(&format!("{MASTER}?token={token}"), origin).await
    }

    async fn fetch(&self, path: &str, origin: Option<&str>) -> Response<Body> {
        let request = Request::get(path);
        self.send(match origin {
            Some(origin) => request.header("origin", origin),
            None => request,
        })
        .await
    }

    /// Begins, and returns the path of the media playlist.
    async fn admitted(&self, token: &str, origin: Option<&str>) -> String {
        let response = self.begin(token, origin).await;
        assert_eq!(response.status(), 200, "{token}");
        let text = text(response).await;
        format!("/api/video/v1/{}", text.lines().last().unwrap())
    }

    async fn check_refused(
        &self,
        path: &str,
        origin: Option<&str>,
        (status, code): (u16, &'static str),
    ) -> String {
        let response = self.fetch(path, origin).await;
        assert_eq!(response.status(), status, "{path}");
        assert_eq!(response.headers()["cache-control"], "no-store");
        let body: Value = serde_json::from_str(&text(response).await).unwrap();
        assert_eq!(body[0]["error_code"], code, "{body}");
        assert_eq!(body[0]["type"], "error");
        assert_eq!(body[0]["url"], path.split('?').next().unwrap());
        body[0]["error"].as_str().unwrap().to_owned()
    }

    async fn check_token_refused(&self, token: &str, code: &'static str) -> String {
        let path = format!("{MASTER}?token={token}");
        self.check_refused(&path, None, (403, code)).await
    }

    async fn until_playable(&self, token: &str) {
        wait_for("a first segment", async || {
            (self.begin(token, None).await.status() != 404).then_some(())
        })
        .await;
    }
}

/// The first segment that a media playlist names, beside it.
async fn first_segment(world: &World, playlist: &str, origin: Option<&str>) -> String {
    let text = text(world.fetch(playlist, origin).await).await;
    let name = text.lines().find(|line| line.ends_with(".ts")).unwrap();
    let folder = playlist.rsplit_once('/').unwrap().0;
    format!("{folder}/{name}")
}

#[tokio::test(flavor = "multi_thread")]
async fn private_channel_plays_with_a_valid_token_only() {
    let gate = Arc::new(FakeGate::default());
    let world = World::guarded(PlaybackTerms::Authorized, 100, &gate).await;
    let pair = KeyPair::new(1);
    *gate.keys.lock() = vec![KeyPair::new(2).public(), pair.public()];
    let _publisher = ffmpeg(&world.publish_url(), "160x120", "60", &[]);
    let token = pair.token(json!({}));
    world.until_playable(&token).await;

    let playlist = world.admitted(&token, None).await;
    let response = world.get(&playlist).await;
    assert_eq!(
        (response.status(), &response.headers()[ALLOW_ORIGIN]),
        (200.try_into().unwrap(), &"*".parse().unwrap())
    );
    let segment = first_segment(&world, &playlist, None).await;
    let response = world.get(&segment).await;
    assert_eq!(response.headers()["content-type"], "video/mp2t");
    assert_eq!(response.headers()["cache-control"], "private, max-age=60");
    let streams = probe(&format!("http://{}{MASTER}?token={token}", world.http)).await;
    assert!(streams["video"].contains("codec_name=h264"), "{streams:?}");
    assert_eq!(
        world.stream().unwrap().viewer_count,
        2,
        "this test and ffprobe"
    );

    tokens_are_refused(&world, &pair).await;
    nobody_gets_in_without_a_session(&world, &playlist, &segment).await;
    single_use_and_revocation(&world, &gate, &pair).await;

    gate.keys.lock().clear();
    world.check_token_refused(&token, "token_signature").await;
    assert_eq!(
        world.get(&playlist).await.status(),
        200,
        "who plays goes on"
    );
    *gate.is_broken.lock() = true;
    let path = format!("{MASTER}?token={token}");
    world.check_refused(&path, None, (503, "unavailable")).await;
}

async fn tokens_are_refused(world: &World, pair: &KeyPair) {
    let refused = world
        .check_refused(MASTER, None, (403, "token_missing"))
        .await;
    assert!(refused.contains("?token="), "{refused}");
    let strange = KeyPair::new(3).token(json!({}));
    world.check_token_refused(&strange, "token_signature").await;
    world
        .check_token_refused("nonsense", "token_malformed")
        .await;
    let expired = pair.token(json!({"exp": now() - 1}));
    world.check_token_refused(&expired, "token_expired").await;
    let other = pair.token(json!({"aws:channel-arn": format!("{CHANNEL_ARN}x")}));
    world.check_token_refused(&other, "token_channel").await;
    let long = json!({"aws:viewer-id": "v", "exp": now() + 700});
    let refused = world
        .check_token_refused(&pair.token(long), "token_claim")
        .await;
    assert!(refused.contains("aws:viewer-id"), "{refused}");
    let milliseconds = pair.token(json!({"exp": (now() + 60) * 1000}));
    assert_eq!(world.begin(&milliseconds, None).await.status(), 200);
    let sd = pair.token(json!({"aws:maximum-resolution": "SD"}));
    assert_eq!(
        world.begin(&sd, None).await.status(),
        200,
        "120 lines are few"
    );
}

async fn nobody_gets_in_without_a_session(world: &World, playlist: &str, segment: &str) {
    let (stream, _) = playlist
        .rsplit_once('/')
        .unwrap()
        .0
        .rsplit_once('/')
        .unwrap();
    let guessed = "A".repeat(24);
    for path in [
        format!("{stream}/{guessed}.m3u8"),
        format!("{stream}/{guessed}/live.m3u8"),
        format!("{stream}/{guessed}/0.ts"),
        format!("{stream}/0.ts"),
    ] {
        world
            .check_refused(&path, None, (403, "session_unknown"))
            .await;
    }
    let missing = segment.rsplit_once('/').unwrap().0.to_owned() + "/9999.ts";
    world
        .check_refused(&missing, None, (404, "not_found"))
        .await;
    let other_account = MASTER.replace("123456789012", "999999999999");
    world
        .check_refused(&other_account, None, (404, "not_found"))
        .await;
}

async fn single_use_and_revocation(world: &World, gate: &Arc<FakeGate>, pair: &KeyPair) {
    let once = pair.token(json!({"aws:single-use-uuid": "11111111-2222-3333-4444-555555555555"}));
    let look = world.send(Request::head(format!("{MASTER}?token={once}")));
    assert_eq!(look.await.status(), 200, "a look is no use");
    let playlist = world.admitted(&once, None).await;
    world.check_token_refused(&once, "token_used").await;
    assert_eq!(
        world.get(&playlist).await.status(),
        200,
        "its session goes on"
    );

    let token = |version: i64| {
        pair.token(json!({"aws:viewer-id": "eve", "aws:viewer-session-version": version}))
    };
    let cut = world.admitted(&token(1), None).await;
    let segment = first_segment(world, &cut, None).await;
    let newer = world.admitted(&token(2), None).await;
    gate.revoked.lock().insert("eve".to_owned(), 1);
    assert_eq!(world.channels.revoke_viewer(CHANNEL_ARN, "eve", 1), 1);
    world
        .check_refused(&cut, None, (403, "session_revoked"))
        .await;
    world
        .check_refused(&segment, None, (403, "session_revoked"))
        .await;
    world
        .check_token_refused(&token(1), "session_revoked")
        .await;
    assert_eq!(world.get(&newer).await.status(), 200);
    world.admitted(&token(2), None).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn origins_and_resolution_of_a_token_hold() {
    let gate = Arc::new(FakeGate::default());
    let world = World::guarded(PlaybackTerms::Authorized, 100, &gate).await;
    let pair = KeyPair::new(1);
    gate.keys.lock().push(pair.public());
    let _publisher = ffmpeg(&world.publish_url(), "640x500", "60", &[]);
    world.until_playable(&pair.token(json!({}))).await;
    let (good, bad) = (Some("https://x.b.com"), Some("https://evil.org"));
    let mut claims = json!({"aws:access-control-allow-origin": "https://a.com,https://*.b.com"});

    let token = pair.token(claims.clone());
    let path = format!("{MASTER}?token={token}");
    let response = world.fetch(&path, good).await;
    assert_eq!(response.headers()[ALLOW_ORIGIN], "https://x.b.com");
    assert_eq!(response.headers()["vary"], "Origin");
    let response = world.fetch(&path, bad).await;
    assert_eq!(
        (
            response.status().as_u16(),
            response.headers().get(ALLOW_ORIGIN)
        ),
        (403, None)
    );
    let playlist = world.admitted(&token, None).await;
    assert_eq!(
        world.fetch(&playlist, bad).await.headers()[ALLOW_ORIGIN],
        "*"
    );
    for (origin, allowed) in [(good, Some("https://x.b.com")), (bad, None)] {
        let request = Request::options(&path).header("origin", origin.unwrap());
        let response = world.send(request).await;
        assert_eq!(response.status(), 204);
        let given = response
            .headers()
            .get(ALLOW_ORIGIN)
            .map(|value| value.to_str().unwrap());
        assert_eq!(given, allowed);
    }

    claims["aws:strict-origin-enforcement"] = json!(true);
    let token = pair.token(claims);
    world.check_token_refused(&token, "origin_missing").await;
    let playlist = world.admitted(&token, good).await;
    let segment = first_segment(&world, &playlist, good).await;
    for path in [&playlist, &segment] {
        world
            .check_refused(path, None, (403, "origin_missing"))
            .await;
        world
            .check_refused(path, bad, (403, "origin_not_allowed"))
            .await;
        let response = world.fetch(path, good).await;
        assert_eq!(response.headers()[ALLOW_ORIGIN], "https://x.b.com");
    }

    let sd = pair.token(json!({"aws:maximum-resolution": "SD"}));
    let refused = world
        .check_token_refused(&sd, "resolution_not_allowed")
        .await;
    assert!(
        refused.contains("SD allows 480 lines") && refused.contains("500"),
        "{refused}"
    );
    let hd = pair.token(json!({"aws:maximum-resolution": "HD"}));
    assert_eq!(world.begin(&hd, None).await.status(), 200);
}

/// Two seconds of pictures again and again, so many in all.
async fn publish(
    publisher: &Publisher,
    (width, height): (u32, u32),
    numbers: std::ops::Range<usize>,
) {
    let fps = FrameRate::whole(30);
    let format = SlateFormat { width, height, fps };
    let pictures = Slates.pictures(format).await.unwrap();
    for (n, k) in numbers.enumerate() {
        let n = n % pictures.len();
        publisher.video(k as u64, n == 0, pictures[n].clone());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn resolution_of_a_token_holds_when_the_picture_grows() {
    let gate = Arc::new(FakeGate::default());
    let world = World::guarded(PlaybackTerms::Authorized, 100, &gate).await;
    let pair = KeyPair::new(1);
    gate.keys.lock().push(pair.public());
    let params = VideoParams {
        width: 320,
        height: 240,
        fps: FrameRate::whole(30),
        bitrate: 100_000,
    };
    let (events, _events) = mpsc::channel(8);
    let publisher = Publisher::start(&world.publish_url(), params, events).unwrap();
    publish(&publisher, (320, 240), 0..120).await;
    let sd = pair.token(json!({"aws:maximum-resolution": "SD"}));
    world.until_playable(&sd).await;
    let playlist = world.admitted(&sd, None).await;
    let segment = first_segment(&world, &playlist, None).await;
    assert_eq!(world.get(&segment).await.status(), 200);
    publish(&publisher, (640, 500), 120..180).await;
    wait_for("the larger picture", async || {
        (world.get(&playlist).await.status() == 403).then_some(())
    })
    .await;
    for path in [&playlist, &segment] {
        world
            .check_refused(path, None, (403, "resolution_not_allowed"))
            .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn policy_restricts_by_origin_and_country_and_viewers_are_limited() {
    let gate = Arc::new(FakeGate::default());
    let policy_arn = "arn:policy".to_owned();
    let world = World::guarded(PlaybackTerms::Restricted { policy_arn }, 1, &gate).await;
    *gate.policy.lock() = RestrictionPolicy {
        allowed_countries: vec!["SE".to_owned()],
        allowed_origins: vec!["https://a.com".to_owned()],
        strict_origin_enforcement: false,
    };
    let addresses = ["192.0.2.1", "192.0.2.2", "192.0.2.3"].map(|text| text.parse().unwrap());
    let known = [
        (addresses[0], Country::new("SE")),
        (addresses[1], Country::new("US")),
    ];
    gate.countries.lock().extend(known);
    let _publisher = ffmpeg(&world.publish_url(), "160x120", "60", &[]);
    let mut playlist = world.media_playlist().await;
    assert_eq!(
        playlist.split('/').count(),
        8,
        "bound to a session: {playlist}"
    );
    for (address, status) in addresses.into_iter().zip([200, 403, 200]) {
        let response = world
            .send(Request::get(MASTER).extension(ClientAddress(address)))
            .await;
        assert_eq!(response.status(), status, "{address}");
    }
    world
        .check_refused(MASTER, Some("https://b.com"), (403, "origin_not_allowed"))
        .await;
    assert_eq!(
        world.fetch(MASTER, Some("https://a.com")).await.status(),
        200
    );
    assert_eq!(
        world.fetch(&playlist, Some("https://b.com")).await.status(),
        200
    );

    // The policy changes: at once for who comes then.
    gate.policy.lock().strict_origin_enforcement = true;
    world
        .check_refused(MASTER, None, (403, "origin_missing"))
        .await;
    assert_eq!(world.get(&playlist).await.status(), 200);
    *gate.policy.lock() = RestrictionPolicy::default();

    // The one view is taken.
    let refused = world
        .check_refused(MASTER, None, (429, "viewer_limit"))
        .await;
    assert!(refused.contains("1 concurrent views"), "{refused}");
    world
        .check_refused(MASTER, None, (429, "viewer_limit"))
        .await;
    {
        let breaches = gate.breaches.lock();
        assert_eq!(breaches.len(), 1, "{breaches:?}");
        assert_eq!((breaches[0].limit, breaches[0].exceeded_by), (1, 1));
    }
    let left = std::time::Instant::now();
    playlist = wait_for("the viewer to be gone", async || {
        let response = world.get(MASTER).await;
        (response.status() == 200).then_some(())?;
        Some(text(response).await)
    })
    .await;
    assert!(
        left.elapsed() < Duration::from_secs(20),
        "{:?}",
        left.elapsed()
    );
    assert!(playlist.contains("/live.m3u8"), "{playlist}");
}
