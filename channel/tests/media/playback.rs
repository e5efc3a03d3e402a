//! The routes: who may fetch what, and how it is labelled.

use crate::world::{MASTER, World, ffmpeg};

#[tokio::test(flavor = "multi_thread")]
async fn playback_answers_every_origin_and_tells_what_is_missing() {
    let world = World::start().await;
    for path in [
        MASTER,
        "/api/video/v1/x.m3u8",
        "/api/video/v1/live/st-none/0.ts",
    ] {
        let response = world.get(path).await;
        assert_eq!(response.status(), 404);
        assert_eq!(response.headers()["access-control-allow-origin"], "*");
        assert_eq!(response.headers()["content-type"], "application/json");
    }
    let _publisher = ffmpeg(&world.publish_url(), "160x120", "60", &[]);
    let playlist = world.media_playlist().await;
    let other = world.media_playlist().await;
    assert_ne!(playlist, other, "every player has its own session");
    let response = world.get(&playlist).await;
    assert_eq!(
        response.headers()["content-type"],
        "application/vnd.apple.mpegurl"
    );
    world.get(&other).await;
    assert_eq!(world.stream().unwrap().viewer_count, 2);
    let stream = playlist.rsplit_once('/').unwrap().0;
    let response = world.get(&format!("{stream}/0.ts")).await;
    assert_eq!(
        (
            response.status().as_u16(),
            &response.headers()["content-type"]
        ),
        (200, &"video/mp2t".parse().unwrap())
    );
    assert_eq!(response.headers()["access-control-allow-origin"], "*");
    for missing in ["99.ts", "x.ts", "short.m3u8", "0.mp4"] {
        assert_eq!(
            world.get(&format!("{stream}/{missing}")).await.status(),
            404
        );
    }
}
