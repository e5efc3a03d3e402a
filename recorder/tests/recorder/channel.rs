//! Recordings of channels: what arrives plays as whole segments and as byte ranges, and streams are merged.

use std::path::Path;

use crate::support::check::{framemd5, output};
use crate::support::media::Media;
use crate::support::server::{Fault, Server};
use crate::support::{BUCKET, START, clock, crash, events_until, is_finished, spec, store};
use bytes::Bytes;
use compositor_core::time::{FrameRate, WallTime};
use recorder::mux::AudioConfig;
use recorder::{
    ChannelSource, Recording, RecordingEvent, RecordingOutcome, RecordingSpec, Rejection, Source,
    Thumbnails, TimedUnit, recover,
};
use tokio::sync::mpsc::Receiver;

/// What every key begins with.
const PREFIX: &str = "ivs/v1/123456789012/ChAnNeL00001/2026/1/1/0/0/ReCoRdInG001";

const FPS: FrameRate = FrameRate::whole(25);

/// Where the times of a publisher's connection begin.
const ZERO: u64 = 900_000;

struct World {
    dir: tempfile::TempDir,
    media: Media,
    server: Server,
}

impl World {
    async fn new(frames: u32) -> Self {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let media = Media::make(dir.path(), FPS, frames);
        let server = Server::start(&dir.path().join("buckets")).await;
        Self { dir, media, server }
    }

    fn spec(&self) -> RecordingSpec {
        let spool = self.dir.path().join("spools").join("one");
        RecordingSpec {
            source: Source::Channel(ChannelSource {
                session_id: "SeSsIoN000000001".to_owned(),
                channel_arn: "arn:aws:ivs:us-east-1:123456789012:channel/ChAnNeL00001".to_owned(),
                has_rendition: true,
                thumbnail_size: (160, 90),
            }),
            prefix: PREFIX.to_owned(),
            ..spec(&self.media, &spool)
        }
    }

    async fn start(&self, spec: RecordingSpec) -> (Recording, Receiver<RecordingEvent>) {
        let store = store(&self.server.endpoint).await;
        Recording::start(spec, store, clock())
            .await
            .expect("it begins")
    }

    fn hls(&self, name: &str) -> std::path::PathBuf {
        self.server.path(&format!("{PREFIX}/media/hls/{name}"))
    }

    fn text(&self, name: &str) -> String {
        std::fs::read_to_string(self.hls(name)).expect("is there")
    }

    fn document(&self, name: &str) -> serde_json::Value {
        let path = self.server.path(&format!("{PREFIX}/events/{name}"));
        serde_json::from_slice(&std::fs::read(path).expect("is there")).expect("is JSON")
    }

    /// One stream: it begins `seconds` after the recording did and brings all of the media.
    async fn stream(&self, recording: &Recording, seconds: i64) {
        begin(recording, seconds).await;
        self.units(recording, 0..self.media.video.len() as u64)
            .await;
        recording
            .timed(TimedUnit::Break)
            .await
            .expect("is recording");
    }

    async fn units(&self, recording: &Recording, frames: std::ops::Range<u64>) {
        let mut n = self.media.first_audio_of(frames.start);
        for k in frames {
            let frame = &self.media.video[k as usize];
            let dts = ZERO + FPS.pts_90k(k);
            // As an encoder with B-frames does it: shown two pictures later than decoded.
            let unit = TimedUnit::Video {
                pts: dts + 2 * FPS.pts_90k(1),
                dts,
                keyframe: frame.keyframe,
                data: frame.data.clone(),
            };
            recording.timed(unit).await.expect("is recording");
            while n < self.media.first_audio_of(k + 1) {
                let data = self.media.audio[n as usize].clone();
                let unit = TimedUnit::Audio {
                    pts: ZERO + n * 1920,
                    data,
                };
                recording.timed(unit).await.expect("is recording");
                n += 1;
            }
        }
    }
}

async fn begin(recording: &Recording, seconds: i64) {
    let at = WallTime(START.0 + seconds * 1_000_000);
    let audio = Some(AudioConfig::of_compositions());
    recording
        .timed(TimedUnit::Begin { at, audio })
        .await
        .expect("is recording");
}

/// Plays without a warning, and shows exactly these pictures.
#[track_caller]
fn check_plays(playlist: &Path, expected: &[String]) {
    let playlist = playlist.to_str().expect("a plain path");
    let args = [
        "-v", "warning", "-i", playlist, "-map", "0:v", "-map", "0:a",
    ];
    let said = output("ffmpeg", &[&args[..], &["-f", "null", "-"]].concat());
    assert_eq!(said, (String::new(), String::new()), "{playlist}");
    assert!(
        framemd5(Path::new(playlist)) == expected,
        "every picture of {playlist} is there once"
    );
}

fn entries(playlist: &str, tag: &str) -> Vec<String> {
    let values = playlist.lines().filter_map(|line| line.strip_prefix(tag));
    values.map(str::to_owned).collect()
}

#[tokio::test]
async fn a_channel_plays_as_segments_and_as_byte_ranges() {
    let world = World::new(25 * 25).await;
    let (recording, mut events) = world.start(world.spec()).await;
    world.stream(&recording, 0).await;
    recording
        .finish(RecordingOutcome::Ended)
        .await
        .expect("is recording");
    let events = events_until(&mut events, is_finished).await;
    let duration = FPS.frame_time(625);
    let finished = RecordingEvent::Finished {
        objects: 9,
        duration,
    };
    assert_eq!(events, [RecordingEvent::FirstOutput, finished]);
    world.server.check_rules();

    let pictures = framemd5(&world.media.video_file);
    check_plays(&world.hls("master.m3u8"), &pictures);
    check_plays(&world.hls("byte-range-multivariant.m3u8"), &pictures);

    let playlist = world.text("180p25/playlist.m3u8");
    assert_eq!(
        entries(&playlist, "#EXTINF:"),
        ["10.000000,", "10.000000,", "5.000000,"]
    );
    let times = entries(&playlist, "#EXT-X-PROGRAM-DATE-TIME:2026-01-01T00:00:");
    assert_eq!(times, ["00.000Z", "10.000Z", "20.000Z"]);
    assert!(
        playlist.contains("#EXT-X-PLAYLIST-TYPE:VOD\n"),
        "{playlist}"
    );

    let ranges = world.text("180p25/byte-range-variant.m3u8");
    assert!(
        ranges.starts_with("#EXTM3U\n#EXT-X-VERSION:4\n"),
        "{ranges}"
    );
    assert_eq!(
        entries(&ranges, "#EXTINF:").len(),
        13,
        "a keyframe every 2 s, and the rest"
    );
    check_ranges(&world, &ranges);

    let master = world.text("master.m3u8");
    assert!(master.contains("CODECS=\"avc1.42C0"), "{master}");
    let known = ",mp4a.40.2\",RESOLUTION=320x180,FRAME-RATE=25.000\n";
    assert!(master.contains(known), "{master}");
    let ended = world.document("recording-ended.json");
    assert_eq!(ended["media"]["hls"]["duration_ms"], 25_000);
    assert_eq!(ended["media"]["hls"]["renditions"][0]["path"], "180p25");
}

/// Each range begins with program tables and a keyframe, and together they are the whole file.
#[track_caller]
fn check_ranges(world: &World, playlist: &str) {
    let mut next = (String::new(), 0);
    let mut lines = playlist.lines();
    while let Some(line) = lines.next() {
        let Some(range) = line.strip_prefix("#EXT-X-BYTERANGE:") else {
            continue;
        };
        let (length, offset) = range.split_once('@').expect("both");
        let (length, offset): (usize, usize) = (
            length.parse().expect("digits"),
            offset.parse().expect("digits"),
        );
        let name = lines.next().expect("a file").to_owned();
        let file = std::fs::read(world.hls(&format!("180p25/{name}"))).expect("is there");
        if next.0 != name {
            next = (name, 0);
        }
        assert_eq!(offset, next.1, "ranges follow each other");
        next.1 += length;
        let range = &file[offset..next.1];
        let pid = |packet: usize| {
            u16::from_be_bytes([range[packet * 188 + 1], range[packet * 188 + 2]]) & 0x1FFF
        };
        assert_eq!(
            (pid(0), pid(1), pid(2)),
            (0, 0x1000, 0x100),
            "tables, then a picture"
        );
        assert_eq!(range[2 * 188 + 5] & 0x40, 0x40, "a keyframe");
        assert!(next.1 <= file.len());
    }
}

#[tokio::test]
async fn a_second_stream_continues_the_recording_after_a_discontinuity() {
    let world = World::new(100).await;
    let (recording, mut events) = world.start(world.spec()).await;
    world.stream(&recording, 0).await;
    world.stream(&recording, 60).await;
    recording
        .finish(RecordingOutcome::Ended)
        .await
        .expect("is recording");
    events_until(&mut events, is_finished).await;
    world.server.check_rules();
    let playlist = world.text("180p25/playlist.m3u8");
    assert!(
        playlist.ends_with(
            "#EXTINF:4.000000,\n0.ts\n#EXT-X-DISCONTINUITY\n\
             #EXT-X-PROGRAM-DATE-TIME:2026-01-01T00:01:00.000Z\n#EXTINF:4.000000,\n1.ts\n#EXT-X-ENDLIST\n"
        ),
        "{playlist}"
    );
    let pictures = framemd5(&world.media.video_file);
    let twice = [&pictures[..], &pictures].concat();
    check_plays(&world.hls("master.m3u8"), &twice);
    check_plays(&world.hls("byte-range-multivariant.m3u8"), &twice);
}

#[tokio::test]
async fn metadata_is_in_the_segment_at_its_time() {
    let world = World::new(60).await;
    let (recording, mut events) = world.start(world.spec()).await;
    begin(&recording, 0).await;
    world.units(&recording, 0..30).await;
    let id3 = Bytes::from_static(
        b"ID3\x04\x00\x00\x00\x00\x00\x10TXXX\x00\x00\x00\x06\x00\x00\x03\x00goal",
    );
    let pts = ZERO + 90_000;
    recording
        .timed(TimedUnit::Metadata { pts, id3 })
        .await
        .expect("is recording");
    world.units(&recording, 30..60).await;
    recording
        .finish(RecordingOutcome::Ended)
        .await
        .expect("is recording");
    events_until(&mut events, is_finished).await;
    let segment = world.hls("180p25/0.ts");
    let segment = segment.to_str().expect("a plain path");
    let args = [
        "-v",
        "error",
        "-select_streams",
        "d",
        "-show_entries",
        "stream=codec_name:packet=pts",
        "-of",
        "csv=p=0",
        segment,
    ];
    let (said, _) = output("ffprobe", &args);
    assert!(said.contains(&format!("{}", pts + 90_000)), "{said}");
    assert!(said.contains("timed_id3"), "{said}");
}

#[tokio::test]
async fn thumbnails_alone_make_a_recording_without_playlists() {
    let world = World::new(10).await;
    let mut spec = world.spec();
    spec.thumbnails = Thumbnails {
        sequential: true,
        latest: true,
    };
    if let Source::Channel(source) = &mut spec.source {
        source.has_rendition = false;
    }
    let (recording, mut events) = world.start(spec).await;
    events_until(&mut events, |event| *event == RecordingEvent::FirstOutput).await;
    for k in 0..2 {
        recording
            .thumbnail(k, Bytes::from(format!("picture {k}")))
            .await
            .expect("is recording");
    }
    recording
        .finish(RecordingOutcome::Ended)
        .await
        .expect("is recording");
    let events = events_until(&mut events, is_finished).await;
    let duration = std::time::Duration::ZERO;
    assert_eq!(
        events,
        [RecordingEvent::Finished {
            objects: 5,
            duration
        }]
    );
    let read =
        |name| std::fs::read_to_string(world.server.path(&format!("{PREFIX}/media/{name}"))).ok();
    assert_eq!(read("thumbnails/thumb1.jpg").as_deref(), Some("picture 1"));
    assert_eq!(
        read("latest_thumbnail/thumb.jpg").as_deref(),
        Some("picture 1")
    );
    assert!(!world.hls("master.m3u8").exists());
    assert!(
        world.document("recording-ended.json")["media"]
            .get("hls")
            .is_none()
    );
}

#[tokio::test]
async fn a_recording_whose_process_died_is_sealed_and_told_as_failed() {
    let world = World::new(25 * 14).await;
    let (recording, events) = world.start(world.spec()).await;
    begin(&recording, 0).await;
    world.units(&recording, 0..25 * 14).await;
    crash(recording, events).await;
    let store = store(&world.server.endpoint).await;
    let root = world.dir.path().join("spools");
    let failed = RecordingOutcome::Failed {
        message: Some("InternalServerException".to_owned()),
    };
    let recoveries = recover(&root, &store, |_| failed.clone())
        .await
        .expect("readable");
    let mut recovery = recoveries.into_iter().next().expect("one").expect("whole");
    assert_eq!(
        (recovery.spec.source.id(), &recovery.outcome),
        ("SeSsIoN000000001", &failed)
    );
    events_until(&mut recovery.events, is_finished).await;
    world.server.check_rules();
    let document = world.document("recording-failed.json");
    assert_eq!(document["recording_status"], "RECORDING_ENDED_WITH_FAILURE");
    assert_eq!(document["recording_ended_at"], "2026-01-01T00:00:14Z");
    assert_eq!(document["media"]["hls"]["duration_ms"], 14_000);
    let pictures = framemd5(&world.media.video_file);
    check_plays(&world.hls("master.m3u8"), &pictures);
    check_plays(&world.hls("byte-range-multivariant.m3u8"), &pictures);
}

#[tokio::test]
async fn a_bucket_that_is_gone_rejects_a_channel_at_its_start() {
    let world = World::new(10).await;
    world.server.fail_all(Some(Fault::NoSuchBucket));
    let (recording, mut events) = world.start(world.spec()).await;
    begin(&recording, 0).await;
    let events = events_until(&mut events, |event| {
        matches!(event, RecordingEvent::Rejected { .. })
    })
    .await;
    assert!(
        matches!(
            events[..],
            [RecordingEvent::Rejected {
                reason: Rejection::BucketNotFound,
                ..
            }]
        ),
        "{BUCKET}: {events:?}"
    );
}
