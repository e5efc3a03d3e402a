//! What is put into a live stream, what ends it, and what is shown when its publisher is gone.

use std::time::Duration;

use channel::{
    AdBreakRefusal, AdBreakRequest, IngestLimit, IngestLimits, IngestTerms, LimitBreach, Report,
    SlateTimes, StreamEvent, StreamHealth,
};
use compositor_core::id::ChannelId;
use http_body_util::BodyExt;

use crate::world::{CHANNEL, PATIENCE, World, ffmpeg, probe, run, wait_for};

fn channel() -> ChannelId {
    ChannelId::new(CHANNEL)
}

#[tokio::test(flavor = "multi_thread")]
async fn metadata_is_in_a_segment_as_timed_id3() {
    let world = World::start().await;
    assert!(!world.channels.put_metadata(&channel(), "too early"));
    let _publisher = ffmpeg(&world.publish_url(), "160x120", "60", &[]);
    let playlist = world.media_playlist().await;
    assert!(world.channels.put_metadata(&channel(), "héllo"));
    let folder = playlist.rsplit_once('/').unwrap().0;
    let number = wait_for("the segment with the tag", async || {
        let count = world.text(&playlist).await?.matches("#EXTINF").count();
        for number in 0..count {
            let body = world
                .get(&format!("{folder}/{number}.ts"))
                .await
                .into_body();
            let data = body.collect().await.unwrap().to_bytes();
            let tag = "TXXX\0\0\0\u{8}\0\0\u{3}\0héllo";
            if data.windows(tag.len()).any(|bytes| bytes == tag.as_bytes()) {
                return Some(number);
            }
        }
        None
    })
    .await;
    let url = format!("http://{}{folder}/{number}.ts", world.http);
    let streams = probe(&url).await;
    assert!(
        streams["data"].contains("codec_name=timed_id3"),
        "{streams:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn ad_break_is_signalled_in_the_playlist_out_and_in() {
    let mut world = World::start().await;
    let request = AdBreakRequest {
        id: "AAAABBBBCCCC".to_owned(),
        start: None,
        duration: Duration::from_secs(2),
    };
    let refused = world.channels.insert_ad_break(&channel(), request.clone());
    assert_eq!(refused, Err(AdBreakRefusal::NotLive));
    let _publisher = ffmpeg(&world.publish_url(), "160x120", "60", &[]);
    let playlist = world.media_playlist().await;
    let inserted = world.channels.insert_ad_break(&channel(), request.clone());
    let inserted = inserted.unwrap();
    let out = format!("{}\n", inserted.out_tag());
    let text = world.text(&playlist).await.unwrap();
    assert!(text.contains(&out), "{text}");
    assert!(!text.contains("SCTE35-IN"), "{text}");
    assert_eq!(
        world.channels.insert_ad_break(&channel(), request),
        Ok(inserted.clone())
    );
    let text = wait_for("the way in", async || {
        let text = world.text(&playlist).await?;
        text.contains("SCTE35-IN").then_some(text)
    })
    .await;
    assert!(text.contains(&out), "{text}");
    assert!(text.contains(",DURATION=2.000,SCTE35-IN=0xFC30"), "{text}");
    let inserted = StreamEvent::AdBreakInserted(inserted);
    assert_eq!(world.events_until(inserted).await.len(), 3);
}

fn with_limits(limits: IngestLimits) -> IngestTerms {
    IngestTerms {
        limits,
        ..IngestTerms::default()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn sustained_bit_rate_over_the_limit_is_thrown_out() {
    let limits = IngestLimits {
        bitrate_up_to_480p: 100_000,
        ..IngestLimits::default()
    };
    let mut world = World::with_terms(with_limits(limits)).await;
    let mut publisher = ffmpeg(&world.publish_url(), "320x240", "60", &[]);
    let seen = world.events_until(StreamEvent::SessionEnded).await;
    assert!(!publisher.wait().await.unwrap().success());
    assert_eq!(seen.len(), 5, "{seen:?}");
    let breach = &seen[2];
    let StreamEvent::LimitBreach(LimitBreach { limit, value, .. }) = breach else {
        panic!("{seen:?}");
    };
    assert_eq!((*limit, *value), (IngestLimit::Bitrate, 100_000));
}

#[tokio::test(flavor = "multi_thread")]
async fn picture_over_the_limit_is_refused_at_once() {
    let limits = IngestLimits {
        edge_pixels: 300,
        ..IngestLimits::default()
    };
    let mut world = World::with_terms(with_limits(limits)).await;
    let mut publisher = ffmpeg(&world.publish_url(), "320x240", "60", &[]);
    assert!(!publisher.wait().await.unwrap().success());
    let breach = StreamEvent::LimitBreach(LimitBreach {
        limit: IngestLimit::EdgePixels,
        value: 300,
        exceeded_by: 20,
    });
    assert_eq!(
        world.events_until(StreamEvent::SessionEnded).await,
        [
            StreamEvent::SessionCreated,
            breach,
            StreamEvent::SessionEnded
        ]
    );
    assert_eq!(world.stream(), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn account_with_as_many_streams_as_it_may_have_gets_no_other() {
    let mut world = World::with_terms(IngestTerms {
        broadcasts_max: 0,
        ..IngestTerms::default()
    })
    .await;
    let mut publisher = ffmpeg(&world.publish_url(), "160x120", "60", &[]);
    assert!(!publisher.wait().await.unwrap().success());
    let report = tokio::time::timeout(PATIENCE, world.events.recv()).await;
    let report = report.unwrap().unwrap();
    assert!(
        matches!(&report, Report::BroadcastRefused { account, limit: 0, .. } if account == "123456789012"),
        "{report:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn lost_publisher_blocks_its_key_for_whoever_does_not_take_over() {
    let mut world = World::start().await;
    let mut first = ffmpeg(&world.publish_url(), "160x120", "60", &[]);
    world.media_playlist().await;
    let stream_id = world.stream().unwrap().stream_id;
    first.kill().await.unwrap();
    world.events_until(StreamEvent::StarvationStart).await;
    let mut second = ffmpeg(&world.publish_url(), "160x120", "60", &[]);
    assert!(!second.wait().await.unwrap().success());
    let url = format!("{}?priority=1", world.publish_url());
    let _third = ffmpeg(&url, "160x120", "60", &[]);
    world.events_until(StreamEvent::StreamTakeover).await;
    assert_eq!(world.stream().unwrap().stream_id, stream_id);
}

/// The mean colour of the first picture of a segment, red, green and blue.
async fn colour(url: &str) -> [u8; 3] {
    let args = [
        "-v",
        "error",
        "-i",
        url,
        "-frames:v",
        "1",
        "-vf",
        "scale=1:1",
    ];
    let raw = ["-pix_fmt", "rgb24", "-f", "rawvideo", "-"];
    let child = crate::world::spawn("ffmpeg", &[&args[..], &raw].concat());
    let output = child.wait_with_output().await.unwrap().stdout;
    [output[0], output[1], output[2]]
}

#[tokio::test(flavor = "multi_thread")]
async fn slate_is_shown_while_the_publisher_is_away_and_goes_when_it_is_back() {
    let mut world = World::with_terms(IngestTerms {
        slate: Some(SlateTimes {
            activation: Duration::from_secs(3),
            min_display: Duration::from_secs(3),
            max_display: Duration::from_secs(60),
        }),
        ..IngestTerms::default()
    })
    .await;
    let mut first = ffmpeg(&world.publish_url(), "160x120", "60", &[]);
    let playlist = world.media_playlist().await;
    let stream_id = world.stream().unwrap().stream_id;
    first.kill().await.unwrap();

    let slate = wait_for("the slate", async || {
        let text = world.text(&playlist).await?;
        let after = text.split_once("#EXT-X-DISCONTINUITY\n")?.1;
        after
            .lines()
            .find(|line| line.ends_with(".ts"))
            .map(str::to_owned)
    })
    .await;
    let folder = playlist.rsplit_once('/').unwrap().0;
    let [red, green, blue] = colour(&format!("http://{}{folder}/{slate}", world.http)).await;
    assert!(red > 200 && green < 50 && blue < 50, "{red} {green} {blue}");
    assert_eq!(world.stream().unwrap().health, StreamHealth::Starving);

    let mut second = ffmpeg(&world.publish_url(), "160x120", "12", &[]);
    wait_for("the publisher's return", async || {
        let text = world.text(&playlist).await?;
        (text.matches("#EXT-X-DISCONTINUITY\n").count() == 2).then_some(())
    })
    .await;
    assert_eq!(world.stream().unwrap().stream_id, stream_id);
    assert!(second.wait().await.unwrap().success());
    let seen = world.events_until(StreamEvent::SessionEnded).await;
    assert_eq!(
        seen,
        [
            StreamEvent::SessionCreated,
            StreamEvent::StreamStart,
            StreamEvent::StarvationStart,
            StreamEvent::StarvationEnd,
            StreamEvent::StreamEnd,
            StreamEvent::SessionEnded
        ]
    );
    let text = world.text(&playlist).await.unwrap();
    assert_eq!(text.matches("#EXT-X-DISCONTINUITY\n").count(), 2, "{text}");
    let url = format!("http://{}{playlist}", world.http);
    let decode = ["-v", "error", "-i", &url, "-f", "null", "-"];
    let (ok, said) = run("ffmpeg", &decode).await;
    assert!(ok, "{said}");
}
