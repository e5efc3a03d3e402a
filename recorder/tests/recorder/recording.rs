//! Whole recordings against an S3 server on loopback: what arrives plays, and the rules hold when requests fail.

use std::time::Duration;

use crate::support::check::check_recording;
use crate::support::media::Media;
use crate::support::random::Random;
use crate::support::server::{Fault, Server};
use crate::support::{BUCKET, PREFIX, clock, crash, events_until, feed, is_finished, spec, store};
use bytes::Bytes;
use compositor_core::access_unit::MediaKind;
use compositor_core::time::FrameRate;
use recorder::{
    Recording, RecordingError, RecordingEvent, RecordingOutcome, Rejection, SpoolError, StoreFault,
    Thumbnails, recover,
};

const NTSC: FrameRate = FrameRate {
    num: 30_000,
    den: 1001,
};

/// Folders, media and a server for one test.
struct World {
    dir: tempfile::TempDir,
    media: Media,
    server: Server,
}

impl World {
    async fn new(fps: FrameRate, frames: u32) -> Self {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let media = Media::make(dir.path(), fps, frames);
        let server = Server::start(&dir.path().join("buckets")).await;
        Self { dir, media, server }
    }

    fn spool(&self) -> std::path::PathBuf {
        self.dir.path().join("spools").join("one")
    }

    async fn start(&self) -> (Recording, tokio::sync::mpsc::Receiver<RecordingEvent>) {
        self.start_with(|_| {}).await
    }

    async fn start_with(
        &self,
        change: impl FnOnce(&mut recorder::RecordingSpec),
    ) -> (Recording, tokio::sync::mpsc::Receiver<RecordingEvent>) {
        let mut spec = spec(&self.media, &self.spool());
        change(&mut spec);
        let store = store(&self.server.endpoint).await;
        Recording::start(spec, store, clock())
            .await
            .expect("it begins")
    }

    async fn resume(&self) -> (Recording, tokio::sync::mpsc::Receiver<RecordingEvent>) {
        let store = store(&self.server.endpoint).await;
        let resuming = async {
            loop {
                match Recording::resume(self.spool(), store.clone(), clock()).await {
                    // Programs that other tests start hold on to our locks until they run.
                    Err(RecordingError::Spool(SpoolError::InUse { .. })) => {
                        tokio::task::yield_now().await;
                    }
                    resumed => return resumed.expect("it continues"),
                }
            }
        };
        let limit = Duration::from_secs(60);
        let resumed = tokio::time::timeout(limit, resuming).await;
        resumed.expect("the spool becomes free")
    }

    fn frames(&self) -> u64 {
        self.media.video.len() as u64
    }

    fn document(&self, name: &str) -> serde_json::Value {
        let path = self.server.path(&format!("{PREFIX}/events/{name}"));
        serde_json::from_slice(&std::fs::read(path).expect("is there")).expect("is JSON")
    }
}

#[tokio::test]
async fn a_recording_arrives_whole_and_plays() {
    let world = World::new(NTSC, 200).await;
    let (recording, mut events) = world.start().await;
    feed(&recording, &world.media, 0..world.frames()).await;
    recording
        .finish(RecordingOutcome::Ended)
        .await
        .expect("is recording");
    let events = events_until(&mut events, is_finished).await;
    let duration = NTSC.frame_time(200);
    assert_eq!(
        events,
        [
            RecordingEvent::FirstOutput,
            RecordingEvent::Finished {
                objects: 8,
                duration
            }
        ]
    );
    check_recording(&world.server, &world.media);
    let ended = world.document("recording-ended.json");
    assert_eq!(ended["media"]["hls"]["duration_ms"], 6673);
    assert_eq!(ended["recording_status"], "RECORDING_ENDED");
    assert_eq!(
        world.document("recording-started.json")["recording_status"],
        "RECORDING_STARTED"
    );
    assert!(!world.spool().exists(), "nothing stays in the spool");
    assert_eq!(world.server.puts(".ts"), 4);
}

#[tokio::test]
async fn objects_carry_their_types_and_thumbnails_their_names() {
    let world = World::new(FrameRate::whole(15), 60).await;
    let (recording, mut events) = world
        .start_with(|spec| {
            spec.thumbnails = Thumbnails {
                sequential: true,
                latest: true,
            }
        })
        .await;
    for (j, k) in [0, 30, 30, 59].into_iter().enumerate() {
        let jpeg = Bytes::from(format!("picture {j}"));
        recording.thumbnail(k, jpeg).await.expect("is recording");
    }
    feed(&recording, &world.media, 0..60).await;
    recording
        .finish(RecordingOutcome::Ended)
        .await
        .expect("is recording");
    events_until(&mut events, is_finished).await;
    check_recording(&world.server, &world.media);
    let read = |name: &str| {
        let path = world.server.path(&format!("{PREFIX}/media/{name}"));
        std::fs::read_to_string(path).ok()
    };
    let jpeg = |j: u32| read(&format!("thumbnails/320x180/{j}.jpg"));
    assert_eq!(
        [jpeg(0), jpeg(1), jpeg(2), jpeg(3)].map(Option::unwrap_or_default),
        ["picture 0", "picture 1", "picture 3", ""]
    );
    assert_eq!(
        read("latest_thumbnail/320x180/thumb.jpg").as_deref(),
        Some("picture 3")
    );
    for seen in world.server.seen() {
        let (content_type, cache_control) = match seen.key.rsplit('.').next() {
            Some("ts") => ("video/mp2t", "public, max-age=31536000, immutable"),
            Some("m3u8") => ("application/vnd.apple.mpegurl", "no-cache"),
            Some("json") => ("application/json", "no-cache"),
            _ if seen.key.contains("latest") => ("image/jpeg", "no-cache"),
            _ => ("image/jpeg", "public, max-age=31536000, immutable"),
        };
        assert_eq!(
            seen.content_type.as_deref(),
            Some(content_type),
            "{}",
            seen.key
        );
        assert_eq!(
            seen.cache_control.as_deref(),
            Some(cache_control),
            "{}",
            seen.key
        );
    }
}

#[tokio::test]
async fn failed_requests_are_repeated_and_what_arrived_is_not_sent_twice() {
    let world = World::new(FrameRate::whole(30), 300).await;
    world
        .server
        .fail_put("recording-started.json", Fault::Unavailable);
    world.server.fail_put("/0.ts", Fault::CutAfterBody);
    world.server.fail_put("/1.ts", Fault::Cut);
    world.server.fail_put("playlist.m3u8", Fault::Unavailable);
    world.server.fail_put("/3.ts", Fault::Unavailable);
    world
        .server
        .fail_put("recording-ended.json", Fault::CutAfterBody);
    let (recording, mut events) = world.start().await;
    feed(&recording, &world.media, 0..world.frames()).await;
    recording
        .finish(RecordingOutcome::Ended)
        .await
        .expect("is recording");
    let events = events_until(&mut events, is_finished).await;
    assert!(
        !events.contains(&RecordingEvent::Recovered),
        "single failures are no outage"
    );
    check_recording(&world.server, &world.media);
    assert_eq!(world.server.puts("/0.ts"), 1, "HEAD confirmed it");
    assert_eq!(world.server.puts("/1.ts"), 2);
    assert_eq!(world.server.puts("/3.ts"), 2);
    assert_eq!(world.server.puts("recording-ended.json"), 1);
}

#[tokio::test]
async fn a_recording_goes_on_in_the_spool_while_the_store_is_away() {
    let world = World::new(FrameRate::whole(30), 360).await;
    let (recording, mut events) = world.start().await;
    feed(&recording, &world.media, 0..100).await;
    events_until(&mut events, |event| *event == RecordingEvent::FirstOutput).await;
    world.server.fail_all(Some(Fault::Cut));
    feed(&recording, &world.media, 100..250).await;
    events_until(&mut events, |event| {
        matches!(event, RecordingEvent::Interrupted { .. })
    })
    .await;
    feed(&recording, &world.media, 250..300).await;
    world.server.fail_all(None);
    events_until(&mut events, |event| *event == RecordingEvent::Recovered).await;
    feed(&recording, &world.media, 300..360).await;
    recording
        .finish(RecordingOutcome::Ended)
        .await
        .expect("is recording");
    events_until(&mut events, is_finished).await;
    check_recording(&world.server, &world.media);
}

#[tokio::test]
async fn a_refused_recording_stays_in_its_spool_and_is_recovered() {
    let world = World::new(FrameRate::whole(30), 150).await;
    let (recording, mut events) = world.start().await;
    feed(&recording, &world.media, 0..110).await;
    events_until(&mut events, |event| *event == RecordingEvent::FirstOutput).await;
    world.server.fail_all(Some(Fault::AccessDenied));
    // The rest completes a segment, whose upload is refused; the recording may stop before it has taken everything.
    for (k, frame) in world.media.video.iter().enumerate().skip(110) {
        let _ = recording
            .video(k as u64, frame.keyframe, frame.data.clone())
            .await;
    }
    for (n, data) in world.media.audio.iter().enumerate() {
        let _ = recording.audio(n as u64, data.clone()).await;
    }
    let seen = events_until(&mut events, |_| true).await;
    assert!(
        matches!(
            seen[0],
            RecordingEvent::Rejected {
                reason: Rejection::AccessDenied,
                ..
            }
        ),
        "{seen:?}"
    );
    crash(recording, events).await;
    world.server.fail_all(None);
    let store = store(&world.server.endpoint).await;
    let root = world.dir.path().join("spools");
    let outcome = RecordingOutcome::Failed {
        message: Some("AccessDenied".to_owned()),
    };
    let mut recoveries = recover(&root, &store, |_| outcome.clone())
        .await
        .expect("readable");
    let mut recovery = recoveries.remove(0).expect("is whole");
    events_until(&mut recovery.events, is_finished).await;
    world.server.check_rules();
    let failed = world.document("recording-failed.json");
    assert_eq!(failed["recording_status"], "RECORDING_ENDED_WITH_FAILURE");
    assert_eq!(failed["recording_status_message"], "AccessDenied");
}

#[tokio::test]
async fn a_missing_bucket_is_told_at_once() {
    let world = World::new(FrameRate::whole(30), 60).await;
    world.server.fail_all(Some(Fault::NoSuchBucket));
    let (recording, mut events) = world.start().await;
    let events = events_until(&mut events, |_| true).await;
    assert!(
        matches!(
            events[0],
            RecordingEvent::Rejected {
                reason: Rejection::BucketNotFound,
                ..
            }
        ),
        "{events:?}"
    );
    world.server.fail_all(None);
    let store = store(&world.server.endpoint).await;
    let error = store
        .head_bucket("nobodys-bucket")
        .await
        .expect_err("is not there");
    assert_eq!(error.fault, StoreFault::BucketNotFound);
    store
        .create_bucket("nobodys-bucket")
        .await
        .expect("may be made");
    store.head_bucket("nobodys-bucket").await.expect("is there");
    drop(recording);
}

#[tokio::test]
async fn a_full_spool_stops_the_recording_and_keeps_what_it_has() {
    let world = World::new(FrameRate::whole(30), 60).await;
    world.server.fail_all(Some(Fault::Cut));
    let (recording, mut events) = world.start_with(|spec| spec.spool_bytes_max = 20_000).await;
    for k in 0..60 {
        let frame = &world.media.video[k as usize];
        if recording
            .video(k, frame.keyframe, frame.data.clone())
            .await
            .is_err()
        {
            break;
        }
    }
    let seen = events_until(&mut events, |event| {
        matches!(event, RecordingEvent::SpoolFull { .. })
    })
    .await;
    let told = |bytes: &u64| (16_000..=20_000).contains(bytes);
    let is_told = |event: &&RecordingEvent| matches!(event, RecordingEvent::SpoolFilling { bytes } if told(bytes));
    assert_eq!(seen.iter().filter(is_told).count(), 1, "{seen:?}");
    assert!(
        recording
            .audio(0, Bytes::from_static(b"late"))
            .await
            .is_err()
    );
    assert!(world.spool().join("open/0.units").exists());
    crash(recording, events).await;
    world.server.fail_all(None);
    let root = world.dir.path().join("spools");
    let cut_short = RecordingOutcome::Failed { message: None };
    let store = store(&world.server.endpoint).await;
    let recoveries = recover(&root, &store, |_| cut_short.clone()).await;
    let mut recovery = recoveries.expect("readable").remove(0).expect("is whole");
    events_until(&mut recovery.events, is_finished).await;
    world.server.check_rules();
    let failed = world.document("recording-failed.json");
    assert!(
        failed["media"]["hls"]["duration_ms"].as_u64() > Some(0),
        "{failed}"
    );
}

#[tokio::test]
async fn repeated_units_are_ignored_and_a_hole_is_told() {
    let world = World::new(FrameRate::whole(30), 150).await;
    let (recording, mut events) = world.start().await;
    feed(&recording, &world.media, 0..70).await;
    for k in 50..70 {
        let frame = &world.media.video[k as usize];
        recording
            .video(k, frame.keyframe, frame.data.clone())
            .await
            .expect("is recording");
    }
    recording
        .audio(3, world.media.audio[3].clone())
        .await
        .expect("is recording");
    feed(&recording, &world.media, 70..150).await;
    recording
        .video(155, false, world.media.video[149].data.clone())
        .await
        .expect("is recording");
    let hole = RecordingEvent::Hole {
        kind: MediaKind::Video,
        expected: 150,
        got: 155,
    };
    events_until(&mut events, |event| *event == hole).await;
    crash(recording, events).await;
}

#[tokio::test]
async fn a_recording_without_units_ends_as_an_empty_one() {
    let world = World::new(FrameRate::whole(30), 30).await;
    let (recording, mut events) = world.start().await;
    let message = Some("InternalServerException".to_owned());
    recording
        .finish(RecordingOutcome::Failed { message })
        .await
        .expect("is recording");
    let events = events_until(&mut events, is_finished).await;
    assert_eq!(
        events,
        [RecordingEvent::Finished {
            objects: 4,
            duration: Duration::ZERO
        }]
    );
    let failed = world.document("recording-failed.json");
    assert_eq!(failed["recording_status"], "RECORDING_START_FAILED");
    assert_eq!(failed["media"]["hls"]["duration_ms"], 0);
    world.server.check_rules();
}

#[tokio::test]
async fn every_frame_rate_keeps_its_grid() {
    for fps in [
        FrameRate::whole(2),
        FrameRate {
            num: 12_345,
            den: 1000,
        },
        FrameRate::whole(60),
    ] {
        let world = World::new(fps, fps.frames_in(5)).await;
        let (recording, mut events) = world.start().await;
        feed(&recording, &world.media, 0..world.frames()).await;
        recording
            .finish(RecordingOutcome::Ended)
            .await
            .expect("is recording");
        events_until(&mut events, is_finished).await;
        check_recording(&world.server, &world.media);
    }
}

#[tokio::test]
async fn a_finished_recording_is_sealed_before_it_is_uploaded() {
    let world = World::new(FrameRate::whole(30), 90).await;
    world.server.fail_all(Some(Fault::Cut));
    let (recording, events) = world.start().await;
    feed(&recording, &world.media, 0..90).await;
    recording
        .finish(RecordingOutcome::Ended)
        .await
        .expect("is recording");
    for object in ["0.ts", "1.ts", "ended.json"] {
        assert!(
            world.spool().join("objects").join(object).exists(),
            "{object}"
        );
    }
    // Nobody needs to listen.
    drop(events);
    world.server.fail_all(None);
    wait_for("the spool to be emptied", || !world.spool().exists()).await;
    check_recording(&world.server, &world.media);
}

#[tokio::test]
async fn crashes_at_random_points_lose_nothing_and_double_nothing() {
    let world = World::new(NTSC, 450).await;
    let mut random = Random::new(0x5EED_1234_5678_9ABC);
    let (mut recording, mut events) = world.start().await;
    let mut k = 0;
    for crashes in 0..12 {
        let until = (k + random.below(60)).min(world.frames() - 1);
        feed(&recording, &world.media, k..until).await;
        if random.below(3) == 0 {
            world.server.fail_put(".ts", Fault::CutAfterBody);
        }
        crash(recording, events).await;
        (recording, events) = world.resume().await;
        k = recording.next_video();
        assert!(k <= until, "crash {crashes}");
    }
    feed(&recording, &world.media, k..world.frames()).await;
    recording
        .finish(RecordingOutcome::Ended)
        .await
        .expect("is recording");
    events_until(&mut events, is_finished).await;
    check_recording(&world.server, &world.media);
}

#[tokio::test]
async fn a_recording_whose_process_died_is_finished_at_the_next_start() {
    let mut world = World::new(FrameRate::whole(30), 135).await;
    let (recording, mut events) = world.start().await;
    feed(&recording, &world.media, 0..135).await;
    events_until(&mut events, |event| *event == RecordingEvent::FirstOutput).await;
    crash(recording, events).await;
    let store = store(&world.server.endpoint).await;
    let root = world.dir.path().join("spools");
    let mut recoveries = recover(&root, &store, |_| RecordingOutcome::Ended)
        .await
        .expect("readable");
    assert_eq!(recoveries.len(), 1);
    let mut recovery = recoveries.remove(0).expect("is whole");
    assert_eq!(recovery.spec.prefix, PREFIX);
    let again = recover(&root, &store, |_| RecordingOutcome::Ended)
        .await
        .expect("readable");
    assert!(again.is_empty(), "it is being worked on");
    events_until(&mut recovery.events, is_finished).await;
    // Commands that were still in the channel when the handle was dropped are not in the spool.
    let playlist = world.server.path(&format!(
        "{PREFIX}/media/hls/180p30-AAAABBBBCCCC/playlist.m3u8"
    ));
    let playlist = std::fs::read_to_string(playlist).expect("is there");
    let frames: f64 = playlist
        .lines()
        .filter_map(|line| line.strip_prefix("#EXTINF:")?.strip_suffix(','))
        .map(|seconds| seconds.parse::<f64>().expect("a number") * 30.0)
        .sum();
    let frames = frames.round() as usize;
    world.media.video.truncate(frames);
    world.server.check_rules();
    assert!(playlist.ends_with("#EXT-X-ENDLIST\n"));
    let ended = world.document("recording-ended.json");
    assert_eq!(
        ended["media"]["hls"]["duration_ms"],
        frames as u64 * 1000 / 30
    );
    assert!(
        store
            .head(BUCKET, &format!("{PREFIX}/media/hls/multivariant.m3u8"))
            .await
            .expect("the store answers")
            .is_some()
    );
}

/// Waits for what a background task brings about.
async fn wait_for(what: &str, condition: impl Fn() -> bool) {
    let waiting = async {
        while !condition() {
            tokio::task::yield_now().await;
        }
    };
    let limit = Duration::from_secs(60);
    let waited = tokio::time::timeout(limit, waiting).await;
    waited.unwrap_or_else(|_| panic!("no longer waiting for {what}"));
}
