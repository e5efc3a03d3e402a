//! What the recorder's tests share: input made by ffmpeg, an S3 server with scripted faults, checks of what arrived.

pub(crate) mod check;
pub(crate) mod media;
pub(crate) mod random;
pub(crate) mod server;

use std::path::Path;
use std::time::Duration;

use compositor_core::id::DestinationId;
use compositor_core::time::WallTime;
use recorder::{
    ObjectStore, Recording, RecordingEvent, RecordingSpec, RenditionSpec, Source, StoreConfig,
    StoreCredentials, Thumbnails, WallClock,
};
use tokio::sync::mpsc::Receiver;

use media::Media;

/// The bucket of all tests.
pub(crate) const BUCKET: &str = "recordings";

/// What every key begins with.
pub(crate) const PREFIX: &str = "StAgE0000001/CoMpOsItIoN1/DeStInAtIoN1/composite";

/// Longest wait for any event; far beyond what a loaded machine needs.
const EVENT_WAIT_MAX: Duration = Duration::from_secs(60);

/// The recording of some media, 2 s segments, without thumbnails.
pub(crate) fn spec(media: &Media, spool_dir: &Path) -> RecordingSpec {
    RecordingSpec {
        source: Source::Composition {
            destination: DestinationId::new("DeStInAtIoN1"),
            stage_arn: "arn:aws:ivs:us-east-1:123456789012:stage/StAgE0000001".to_owned(),
            rendition_id: "AAAABBBBCCCC".to_owned(),
            segment_frames: media.segment_frames,
        },
        bucket: BUCKET.to_owned(),
        prefix: PREFIX.to_owned(),
        rendition: RenditionSpec {
            width: media::WIDTH,
            height: media::HEIGHT,
            fps: media.fps,
            bitrate: 500_000,
        },
        thumbnails: Thumbnails::default(),
        spool_dir: spool_dir.to_owned(),
        spool_bytes_max: recorder::limits::SPOOL_BYTES_MAX,
    }
}

/// The beginning of 2026.
pub(crate) const START: WallTime = WallTime(1_767_225_600_000_000);

/// A wall clock that stands there.
pub(crate) fn clock() -> WallClock {
    WallClock::new(|| START)
}

/// A store at an endpoint of the tests.
pub(crate) async fn store(endpoint: &str) -> ObjectStore {
    ObjectStore::connect(StoreConfig {
        endpoint: Some(endpoint.to_owned()),
        region: "us-east-1".to_owned(),
        credentials: StoreCredentials::Static {
            access_key_id: server::ACCESS_KEY.to_owned(),
            secret_access_key: server::SECRET_KEY.to_owned(),
        },
        path_style: true,
    })
    .await
}

/// Hands in the units from `from` to `to` (of the video; the sound goes along), interleaved as a worker sends them.
pub(crate) async fn feed(recording: &Recording, media: &Media, frames: std::ops::Range<u64>) {
    let mut n = media
        .first_audio_of(frames.start)
        .min(recording.next_audio());
    for k in frames.clone() {
        let frame = &media.video[k as usize];
        recording
            .video(k, frame.keyframe, frame.data.clone())
            .await
            .expect("is recording");
        while n < media.first_audio_of(k + 1) {
            let data = media.audio[n as usize].clone();
            recording.audio(n, data).await.expect("is recording");
            n += 1;
        }
    }
    if frames.end == media.video.len() as u64 {
        for (n, data) in media.audio.iter().enumerate().skip(n as usize) {
            recording
                .audio(n as u64, data.clone())
                .await
                .expect("is recording");
        }
    }
}

/// The events up to and including the first that `is_last` accepts.
pub(crate) async fn events_until(
    events: &mut Receiver<RecordingEvent>,
    is_last: impl Fn(&RecordingEvent) -> bool,
) -> Vec<RecordingEvent> {
    let mut seen = Vec::new();
    loop {
        let event = tokio::time::timeout(EVENT_WAIT_MAX, events.recv())
            .await
            .unwrap_or_else(|_| panic!("nothing came after {seen:?}"))
            .unwrap_or_else(|| panic!("the recording stopped after {seen:?}"));
        seen.push(event);
        if is_last(&seen[seen.len() - 1]) {
            return seen;
        }
    }
}

/// Drops a recording as a crash would, and waits until its task has let go of the spool.
pub(crate) async fn crash(recording: Recording, mut events: Receiver<RecordingEvent>) {
    drop(recording);
    while tokio::time::timeout(EVENT_WAIT_MAX, events.recv())
        .await
        .expect("it ends")
        .is_some()
    {}
}

/// Whether an event is the last of a recording that went well.
pub(crate) fn is_finished(event: &RecordingEvent) -> bool {
    matches!(event, RecordingEvent::Finished { .. })
}
