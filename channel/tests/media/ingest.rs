//! Real publishers against the ingest, real players against the origin.

use axum::body::Body;
use axum::http::Request;
use channel::{StreamEvent, StreamHealth, TakeoverFailure};
use compositor_core::id::ChannelId;
use http_body_util::BodyExt;
use tower::ServiceExt;

use crate::world::{
    CHANNEL, KEY, MASTER, PATIENCE, World, ffmpeg, packet_times, probe, run, spawn, told, wait_for,
};

const WHOLE_LIFE: [StreamEvent; 4] = [
    StreamEvent::SessionCreated,
    StreamEvent::StreamStart,
    StreamEvent::StreamEnd,
    StreamEvent::SessionEnded,
];

/// Media times in MPEG-TS come from milliseconds.
const ROUNDING: f64 = 0.0015;

#[tokio::test(flavor = "multi_thread")]
async fn ffmpeg_with_b_frames_publishes_and_ffmpeg_plays() {
    let mut world = World::start().await;
    assert_eq!(world.get(MASTER).await.status(), 404);
    assert_eq!(world.stream(), None);
    let mut publisher = ffmpeg(&world.publish_url(), "640x360", "9", &["-bf", "2"]);

    let playlist = world.media_playlist().await;
    let master = world.text(MASTER).await.unwrap();
    assert!(
        master.contains("RESOLUTION=640x360,FRAME-RATE=30.000"),
        "{master}"
    );
    assert!(master.contains(",mp4a.40.2\""), "{master}");
    let streams = probe(&world.play_url()).await;
    assert!(streams["video"].contains("codec_name=h264"), "{streams:?}");
    assert!(streams["audio"].contains("codec_name=aac"), "{streams:?}");

    let live = world.stream().unwrap();
    assert_eq!(live.health, StreamHealth::Healthy);
    assert!(
        live.stream_id.starts_with("st-") && live.stream_id.len() == 26,
        "{live:?}"
    );
    assert_eq!(
        live.viewer_count, 1,
        "ffprobe's session; who fetched only the master does not watch"
    );

    assert!(publisher.wait().await.unwrap().success());
    assert_eq!(
        world.events_until(StreamEvent::SessionEnded).await,
        WHOLE_LIFE
    );
    assert_eq!(world.stream(), None);
    assert_eq!(world.get(MASTER).await.status(), 404);
    let text = world.text(&playlist).await.unwrap();
    assert!(text.ends_with("#EXT-X-ENDLIST\n"), "{text}");
    assert!(!text.contains("#EXT-X-DISCONTINUITY\n"), "{text}");
    let total: f64 = text
        .lines()
        .filter_map(|line| {
            line.strip_prefix("#EXTINF:")?
                .strip_suffix(",live")?
                .parse::<f64>()
                .ok()
        })
        .sum();
    assert!((total - 9.0).abs() < 0.05, "{total}: {text}");

    let url = format!("http://{}{playlist}", world.http);
    let mut pictures = packet_times(&url, "v").await;
    pictures.sort_by(f64::total_cmp);
    assert_eq!(pictures.len(), 270);
    for pair in pictures.windows(2) {
        assert!(
            (pair[1] - pair[0] - 1.0 / 30.0).abs() < ROUNDING,
            "{pair:?}"
        );
    }
    let sound = packet_times(&url, "a").await;
    for pair in sound.windows(2) {
        assert!(
            (pair[1] - pair[0] - 1024.0 / 48_000.0).abs() < ROUNDING,
            "{pair:?}"
        );
    }
    assert!(
        (sound[0] - pictures[0]).abs() < 0.05,
        "{} and {}",
        sound[0],
        pictures[0]
    );
    let decode = ["-v", "error", "-i", &url, "-f", "null", "-"];
    assert_eq!(run("ffmpeg", &decode).await, (true, String::new()));
    world.channels.shutdown().await;
}

async fn gstreamer_publishes(sink: &str) {
    let mut world = World::start().await;
    let location = format!("location={}", world.publish_url());
    let pipeline = format!(
        "videotestsrc is-live=true num-buffers=200 ! video/x-raw,width=320,height=240,framerate=30/1 \
         ! x264enc tune=zerolatency speed-preset=ultrafast key-int-max=60 ! h264parse ! queue ! mux. \
         audiotestsrc is-live=true num-buffers=290 ! audio/x-raw,rate=48000,channels=2 \
         ! avenc_aac ! aacparse ! queue ! mux. \
         flvmux name=mux streamable=true ! {sink}"
    );
    let mut args: Vec<&str> = vec!["-q"];
    args.extend(pipeline.split_whitespace());
    args.push(&location);
    let mut publisher = spawn("gst-launch-1.0", &args);
    let playlist = world.media_playlist().await;
    world.segments(&playlist, 2).await;
    let streams = probe(&world.play_url()).await;
    assert!(
        streams["video"].contains("width=320|height=240"),
        "{streams:?}"
    );
    assert!(
        streams["audio"].contains("sample_rate=48000|channels=2"),
        "{streams:?}"
    );
    tokio::time::timeout(PATIENCE, publisher.wait())
        .await
        .unwrap()
        .unwrap();
    assert_eq!(
        world.events_until(StreamEvent::SessionEnded).await,
        WHOLE_LIFE
    );
    let text = world.text(&playlist).await.unwrap();
    assert!(text.ends_with("#EXT-X-ENDLIST\n"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn gstreamer_rtmp2sink_publishes() {
    gstreamer_publishes("rtmp2sink").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn gstreamer_rtmpsink_publishes_over_librtmp() {
    gstreamer_publishes("rtmpsink").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_key_and_wrong_app_are_refused() {
    let world = World::start().await;
    for url in [
        format!("rtmp://{}/app/sk_us-east-1_wrong", world.rtmp),
        format!("rtmp://{}/live/{KEY}", world.rtmp),
        format!("rtmp://{}/app/{KEY}?priority=0", world.rtmp),
    ] {
        let mut publisher = ffmpeg(&url, "160x120", "20", &[]);
        let status = tokio::time::timeout(PATIENCE / 4, publisher.wait()).await;
        assert!(
            !status.expect("ffmpeg is told at once").unwrap().success(),
            "{url}"
        );
        assert!(world.channels.streams().is_empty());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn busy_key_is_refused_and_a_higher_priority_takes_over() {
    let mut world = World::start().await;
    let first = format!("{}?priority=5", world.publish_url());
    let mut first = ffmpeg(&first, "320x240", "60", &[]);
    let playlist = world.media_playlist().await;
    let stream_id = world.stream().unwrap().stream_id;

    for (url, size) in [
        (world.publish_url(), "320x240"),
        (format!("{}?priority=5", world.publish_url()), "320x240"),
        (format!("{}?priority=6", world.publish_url()), "160x120"),
    ] {
        let mut refused = ffmpeg(&url, size, "20", &[]);
        let status = tokio::time::timeout(PATIENCE / 2, refused.wait()).await;
        assert!(
            !status
                .expect("the second publisher is thrown out")
                .unwrap()
                .success(),
            "{url}"
        );
    }
    assert_eq!(world.stream().unwrap().stream_id, stream_id);

    let url = format!("{}?priority=6", world.publish_url());
    let mut second = ffmpeg(&url, "320x240", "6", &[]);
    tokio::time::timeout(PATIENCE, first.wait())
        .await
        .expect("the first is thrown out")
        .unwrap();
    assert_eq!(world.stream().unwrap().stream_id, stream_id);
    let seen = world.events_until(StreamEvent::StreamTakeover).await;
    assert_eq!(
        seen[2..],
        [
            StreamEvent::StreamTakeoverFailure(TakeoverFailure::InvalidPriority),
            StreamEvent::StreamTakeoverFailure(TakeoverFailure::MediaMismatch),
            StreamEvent::StreamTakeover
        ]
    );
    assert!(second.wait().await.unwrap().success());
    world.events_until(StreamEvent::SessionEnded).await;
    let text = world.text(&playlist).await.unwrap();
    assert_eq!(text.matches("#EXT-X-DISCONTINUITY\n").count(), 1, "{text}");
    assert!(text.ends_with("#EXT-X-ENDLIST\n"), "{text}");
    let url = format!("http://{}{playlist}", world.http);
    let decode = ["-v", "error", "-i", &url, "-f", "null", "-"];
    assert!(run("ffmpeg", &decode).await.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn broken_connection_of_a_prioritized_publisher_keeps_the_session_for_a_takeover() {
    let mut world = World::start().await;
    let url = format!("{}?priority=1", world.publish_url());
    let mut first = ffmpeg(&url, "320x240", "60", &[]);
    world.media_playlist().await;
    let stream_id = world.stream().unwrap().stream_id;
    first.kill().await.unwrap();
    wait_for("starvation", async || {
        (world.stream()?.health == StreamHealth::Starving).then_some(())
    })
    .await;
    let url = format!("{}?priority=2", world.publish_url());
    let _second = ffmpeg(&url, "320x240", "60", &[]);
    world.events_until(StreamEvent::StreamTakeover).await;
    assert_eq!(world.stream().unwrap().stream_id, stream_id);
}

#[tokio::test(flavor = "multi_thread")]
async fn stop_stream_ends_a_session_that_cannot_be_played_yet() {
    let mut world = World::start().await;
    let channel = ChannelId::new(CHANNEL);
    assert!(!world.channels.stop_stream(&channel));
    let mut publisher = ffmpeg(&world.publish_url(), "160x120", "60", &[]);
    world.events_until(StreamEvent::SessionCreated).await;
    assert_eq!(world.stream(), None);
    assert!(world.channels.stop_stream(&channel));
    assert!(!publisher.wait().await.unwrap().success());
    assert_eq!(
        world.events_until(StreamEvent::SessionEnded).await,
        [StreamEvent::SessionEnded]
    );
    assert!(!world.channels.stop_stream(&channel));
}

#[tokio::test(flavor = "multi_thread")]
async fn stop_stream_throws_the_publisher_out() {
    let mut world = World::start().await;
    let mut publisher = ffmpeg(&world.publish_url(), "160x120", "60", &[]);
    world.media_playlist().await;
    let channel = world.stream().unwrap().channel;
    assert!(world.channels.stop_stream(&channel));
    assert!(!world.channels.stop_stream(&channel));
    assert_eq!(world.stream(), None);
    let status = tokio::time::timeout(PATIENCE, publisher.wait()).await;
    assert!(
        !status
            .expect("the publisher sees the end")
            .unwrap()
            .success()
    );
    assert_eq!(
        world.events_until(StreamEvent::SessionEnded).await,
        WHOLE_LIFE
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn other_codecs_are_thrown_out() {
    let world = World::start().await;
    for codecs in [
        ["-c:v", "flv1", "-c:a", "aac"],
        ["-c:v", "libx264", "-c:a", "libmp3lame"],
    ] {
        let url = world.publish_url();
        let mut args = vec![
            "-v",
            "error",
            "-re",
            "-f",
            "lavfi",
            "-i",
            "testsrc2=size=160x120:rate=30",
        ];
        args.extend(["-re", "-f", "lavfi", "-i", "sine=sample_rate=44100"]);
        args.extend(codecs);
        args.extend([
            "-pix_fmt", "yuv420p", "-ar", "44100", "-t", "30", "-f", "flv", &url,
        ]);
        let mut publisher = spawn("ffmpeg", &args);
        let status = tokio::time::timeout(PATIENCE / 2, publisher.wait()).await;
        assert!(
            !status
                .expect("the publisher is thrown out")
                .unwrap()
                .success(),
            "{codecs:?}"
        );
    }
    assert!(world.channels.streams().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn shutdown_ends_streams_and_playlists_and_reports_it() {
    let world = World::start().await;
    let mut publisher = ffmpeg(&world.publish_url(), "160x120", "60", &[]);
    let playlist = world.media_playlist().await;
    let routes = world.channels.routes();
    let World {
        channels,
        mut events,
        rtmp,
        _alone,
        ..
    } = world;
    let reader = tokio::spawn(async move {
        let mut seen = Vec::new();
        while let Some(event) = events.recv().await {
            seen.extend(told(event));
        }
        seen
    });
    tokio::time::timeout(PATIENCE / 4, channels.shutdown())
        .await
        .expect("it ends in time");
    assert_eq!(reader.await.unwrap(), WHOLE_LIFE);
    tokio::time::timeout(PATIENCE, publisher.wait())
        .await
        .expect("ffmpeg ends")
        .unwrap();
    assert!(
        tokio::net::TcpStream::connect(rtmp).await.is_err(),
        "nobody listens any more"
    );
    let request = Request::get(&playlist).body(Body::empty()).unwrap();
    let body = routes
        .oneshot(request)
        .await
        .unwrap()
        .into_body()
        .collect()
        .await
        .unwrap();
    let text = String::from_utf8(body.to_bytes().to_vec()).unwrap();
    assert!(text.ends_with("#EXT-X-ENDLIST\n"), "{text}");
}
