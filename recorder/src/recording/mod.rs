//! One recording: access units in, objects in a bucket out.

mod actor;
mod error_chain;
mod event_queue;

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use compositor_core::access_unit::MediaKind;
use compositor_core::id::DestinationId;
use compositor_core::time::{FrameRate, WallTime};
use serde::{Deserialize, Serialize};
use tokio::sync::{mpsc, oneshot};

use crate::key_layout::KeyLayout;
use crate::limits::{COMMANDS_MAX, EVENTS_MAX, SPOOL_BYTES_MAX, TIMED_SEGMENT_TARGET};
use crate::mux::AudioConfig;
use crate::s3::ObjectStore;
use crate::spool::{Spool, SpoolError};

use actor::Actor;

/// What to record, and where.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct RecordingSpec {
    /// What is recorded; decides the layout of keys and documents, and how segments are cut.
    pub source: Source,
    /// Where the objects go.
    pub bucket: String,
    /// What every key begins with, without slashes at its ends.
    pub prefix: String,
    /// How the picture is coded.
    pub rendition: RenditionSpec,
    /// Which thumbnails are stored.
    pub thumbnails: Thumbnails,
    /// Folder of its own for what is not uploaded yet.
    #[serde(skip)]
    pub spool_dir: PathBuf,
    /// What the spool may take on disk, bytes; see [`SPOOL_BYTES_MAX`].
    #[serde(default = "spool_bytes_max")]
    pub spool_bytes_max: u64,
}

impl RecordingSpec {
    /// Where the objects of this recording are in the bucket.
    pub fn key_layout(&self) -> KeyLayout {
        KeyLayout::new(self)
    }

    /// How long a segment is meant to be.
    pub(crate) fn segment_duration(&self) -> Duration {
        match &self.source {
            Source::Composition { segment_frames, .. } => {
                self.rendition.fps.frame_time(u64::from(*segment_frames))
            }
            Source::Channel(_) => TIMED_SEGMENT_TARGET,
        }
    }
}

/// What is recorded.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// A composition: frames come by number ([`Recording::video`], [`Recording::audio`]) and lie on a grid.
    Composition {
        /// The destination that the recording is; for logs.
        destination: DestinationId,
        /// For the metadata documents.
        stage_arn: String,
        /// 12 characters that make the rendition's folder unique.
        rendition_id: String,
        /// Frames of a segment; not 0.
        segment_frames: u32,
    },
    /// A channel: units come with their times ([`Recording::timed`]).
    Channel(ChannelSource),
}

impl Source {
    /// The id of the recording among those of its kind: a destination's, or a recording session's.
    pub fn id(&self) -> &str {
        match self {
            Self::Composition { destination, .. } => destination.as_str(),
            Self::Channel(source) => &source.session_id,
        }
    }
}

/// A channel's recording.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ChannelSource {
    /// The recording session; for logs, and for whoever finishes it after a crash.
    pub session_id: String,
    /// For the metadata documents.
    pub channel_arn: String,
    /// Whether pictures and sound are recorded, or thumbnails alone.
    pub has_rendition: bool,
    /// Width and height of thumbnails.
    pub thumbnail_size: (u16, u16),
}

/// How the picture of a recording is coded.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct RenditionSpec {
    /// Pixels.
    pub width: u16,
    /// Pixels.
    pub height: u16,
    /// The frame grid.
    pub fps: FrameRate,
    /// Of the picture, bits per second.
    pub bitrate: u32,
}

/// Which thumbnails are stored.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Thumbnails {
    /// Each under a number of its own.
    pub sequential: bool,
    /// The newest, always under the same name.
    pub latest: bool,
}

/// How a recording ends.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RecordingOutcome {
    /// As planned.
    Ended,
    /// Because of a failure; what was recorded until then is kept.
    Failed {
        /// For `recording_status_message`.
        message: Option<String>,
    },
}

/// What a recording tells its driver.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum RecordingEvent {
    /// `recording-started.json` is in the bucket and an access unit in the spool.
    FirstOutput,
    /// The store does not answer as it should; the recording goes on in the spool.
    Interrupted {
        /// What happened, with its causes.
        error: String,
    },
    /// The store answers again.
    Recovered,
    /// The store refuses us for good. The recording has stopped; its spool stays for [`crate::recover()`].
    Rejected {
        /// Why.
        reason: Rejection,
        /// What happened, with its causes.
        error: String,
    },
    /// The spool holds [`crate::limits::SPOOL_FILLING_PERCENT`] of what it may.
    SpoolFilling {
        /// Bytes in the spool.
        bytes: u64,
    },
    /// The spool has reached its limit or the disk is full. The recording has stopped; its spool stays.
    SpoolFull {
        /// Bytes in the spool.
        bytes: u64,
    },
    /// The spool cannot be written or read. The recording has stopped; its spool stays.
    SpoolFailed {
        /// What happened, with its causes.
        error: String,
    },
    /// Access units are missing; those that follow keep their place in time.
    Hole {
        /// Of which kind.
        kind: MediaKind,
        /// The number that should have come.
        expected: u64,
        /// The number that came.
        got: u64,
    },
    /// Everything is in the bucket, the closing document too, and the spool is gone. The last event.
    Finished {
        /// How many objects the recording has.
        objects: u64,
        /// Length of the recording.
        duration: Duration,
    },
}

/// Why a store refuses us for good.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Rejection {
    /// Our key may not write there.
    AccessDenied,
    /// There is no such bucket.
    BucketNotFound,
    /// Somebody else's object is under one of our keys; it is not overwritten.
    KeyTaken,
}

/// The wall clock, handed in so that recordings can be tested in any time.
#[derive(Clone)]
pub struct WallClock(Arc<dyn Fn() -> WallTime + Send + Sync>);

impl WallClock {
    /// A clock that asks `now`.
    pub fn new(now: impl Fn() -> WallTime + Send + Sync + 'static) -> Self {
        Self(Arc::new(now))
    }

    /// The time.
    pub fn now(&self) -> WallTime {
        (self.0)()
    }
}

impl fmt::Debug for WallClock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WallClock")
    }
}

/// The handle of a running recording. Dropping it without [`Self::finish`] leaves the recording as a crash would: the
/// spool stays, for [`Self::resume`] or [`crate::recover()`].
#[derive(Debug)]
pub struct Recording {
    commands: mpsc::Sender<Command>,
    next_video: u64,
    next_audio: u64,
    is_sealed: bool,
}

impl Recording {
    /// Begins a recording in an empty or missing spool folder.
    pub async fn start(
        spec: RecordingSpec,
        store: ObjectStore,
        clock: WallClock,
    ) -> Result<(Self, mpsc::Receiver<RecordingEvent>), RecordingError> {
        let started_at = clock.now();
        let spool = blocking(move || Spool::begin(spec, started_at)).await?;
        Ok(Self::run(spool, store, clock))
    }

    /// Continues the recording whose process died: what is left is uploaded, and units are taken from
    /// [`Self::next_video`] and [`Self::next_audio`] on. A recording that was finished takes no more.
    pub async fn resume(
        spool_dir: PathBuf,
        store: ObjectStore,
        clock: WallClock,
    ) -> Result<(Self, mpsc::Receiver<RecordingEvent>), RecordingError> {
        let spool = blocking(move || Spool::resume(&spool_dir)).await?;
        Ok(Self::run(spool, store, clock))
    }

    fn run(
        spool: Spool,
        store: ObjectStore,
        clock: WallClock,
    ) -> (Self, mpsc::Receiver<RecordingEvent>) {
        let (commands, command_rx) = mpsc::channel(COMMANDS_MAX);
        let (event_tx, events) = mpsc::channel(EVENTS_MAX);
        let (next_video, next_audio) = (spool.next_video(), spool.next_audio());
        let is_sealed = spool.is_closed();
        let intake = (!is_sealed).then_some((command_rx, clock));
        tokio::spawn(Actor::new(spool, store, intake, event_tx).run());
        (
            Self {
                commands,
                next_video,
                next_audio,
                is_sealed,
            },
            events,
        )
    }

    /// The H.264 frame that was expected next when the handle was made.
    pub fn next_video(&self) -> u64 {
        self.next_video
    }

    /// The AAC frame that was expected next when the handle was made.
    pub fn next_audio(&self) -> u64 {
        self.next_audio
    }

    /// Whether the recording was finished before it was resumed: it takes no more units, and only its uploads go on.
    pub fn is_sealed(&self) -> bool {
        self.is_sealed
    }

    /// Whether it takes no more, because it has failed; its last event tells why, or will.
    pub fn is_stopped(&self) -> bool {
        self.commands.is_closed()
    }

    /// Records H.264 frame `k`. Frames that came before are ignored, a hole is an event.
    pub async fn video(&self, k: u64, keyframe: bool, data: Bytes) -> Result<(), RecordingClosed> {
        self.send(Command::Video { k, keyframe, data }).await
    }

    /// Records raw AAC frame `n`. Frames that came before are ignored, a hole is an event.
    pub async fn audio(&self, n: u64, data: Bytes) -> Result<(), RecordingClosed> {
        self.send(Command::Audio { n, data }).await
    }

    /// Stores the picture of frame `k`, a JPEG, as the specification's [`Thumbnails`] say.
    pub async fn thumbnail(&self, k: u64, jpeg: Bytes) -> Result<(), RecordingClosed> {
        self.send(Command::Thumbnail { k, jpeg }).await
    }

    /// Records a unit of a channel, in the order of arrival.
    pub async fn timed(&self, unit: TimedUnit) -> Result<(), RecordingClosed> {
        self.send(Command::Timed(unit)).await
    }

    /// Seals what there is, and returns when that is on disk. Uploading goes on; [`RecordingEvent::Finished`] tells when it
    /// is over.
    pub async fn finish(self, outcome: RecordingOutcome) -> Result<(), RecordingClosed> {
        let (sealed, is_sealed) = oneshot::channel();
        self.send(Command::Finish { outcome, sealed }).await?;
        is_sealed.await.map_err(|_| RecordingClosed)
    }

    async fn send(&self, command: Command) -> Result<(), RecordingClosed> {
        self.commands
            .send(command)
            .await
            .map_err(|_| RecordingClosed)
    }
}

/// What the handle asks of the recording's task.
#[derive(Debug)]
pub(crate) enum Command {
    Video {
        k: u64,
        keyframe: bool,
        data: Bytes,
    },
    Audio {
        n: u64,
        data: Bytes,
    },
    Thumbnail {
        k: u64,
        jpeg: Bytes,
    },
    Timed(TimedUnit),
    Finish {
        outcome: RecordingOutcome,
        sealed: oneshot::Sender<()>,
    },
}

/// What a channel's recording is made of; times on the 90 kHz clock of the publisher's connection.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum TimedUnit {
    /// What follows does not continue what came before: other times, perhaps another publisher. Units are ignored until the
    /// first keyframe behind it.
    Begin {
        /// When that keyframe was on air.
        at: WallTime,
        /// How the sound is coded, if there is any.
        audio: Option<AudioConfig>,
    },
    /// An H.264 picture in Annex B form; a keyframe carries its parameter sets.
    Video {
        /// When it is shown.
        pts: u64,
        /// When it is decoded.
        dts: u64,
        /// Whether a decoder can start here.
        keyframe: bool,
        /// The picture.
        data: Bytes,
    },
    /// A raw AAC frame.
    Audio {
        /// When it is heard.
        pts: u64,
        /// The frame.
        data: Bytes,
    },
    /// A line for the playlists, in front of the segment that is open at its time.
    DateRange {
        /// When.
        pts: u64,
        /// An EXT-X-DATERANGE tag.
        tag: String,
    },
    /// An ID3 tag, to be acted upon at its time.
    Metadata {
        /// When.
        pts: u64,
        /// The tag.
        id3: Bytes,
    },
    /// Nothing more comes for now: what there is becomes a segment. [`Self::Begin`] must follow before other units.
    Break,
}

/// The recording has stopped; its last event tells why.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("the recording has stopped")]
pub struct RecordingClosed;

/// Why a recording cannot begin or continue.
#[derive(Debug, thiserror::Error)]
pub enum RecordingError {
    /// The spool cannot be used.
    #[error("the spool of the recording cannot be opened")]
    Spool(#[from] SpoolError),
    /// The thread that worked on the spool died.
    #[error("the recording was interrupted")]
    Interrupted(#[from] tokio::task::JoinError),
}

/// Uploads what is left in a spool that takes no more units.
pub(crate) fn drain(spool: Spool, store: ObjectStore) -> mpsc::Receiver<RecordingEvent> {
    let (event_tx, events) = mpsc::channel(EVENTS_MAX);
    tokio::spawn(Actor::new(spool, store, None, event_tx).run());
    events
}

/// Runs file work on a thread that may block.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, SpoolError> + Send + 'static,
) -> Result<T, RecordingError> {
    Ok(tokio::task::spawn_blocking(work).await??)
}

fn spool_bytes_max() -> u64 {
    SPOOL_BYTES_MAX
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A 720p30 recording with both kinds of thumbnails.
    pub(crate) fn spec(spool_dir: impl Into<PathBuf>) -> RecordingSpec {
        RecordingSpec {
            source: Source::Composition {
                destination: DestinationId::new("DeStInAtIoN1"),
                stage_arn: "arn:aws:ivs:us-east-1:123456789012:stage/StAgE0000001".to_owned(),
                rendition_id: "AAAABBBBCCCC".to_owned(),
                segment_frames: 60,
            },
            bucket: "recordings".to_owned(),
            prefix: "StAgE0000001/CoMpOsItIoN1/DeStInAtIoN1/composite".to_owned(),
            rendition: RenditionSpec {
                width: 1280,
                height: 720,
                fps: FrameRate::whole(30),
                bitrate: 2_500_000,
            },
            thumbnails: Thumbnails {
                sequential: true,
                latest: true,
            },
            spool_dir: spool_dir.into(),
            spool_bytes_max: SPOOL_BYTES_MAX,
        }
    }

    /// A 720p30 recording of a channel with small thumbnails of both kinds.
    pub(crate) fn channel_spec(spool_dir: impl Into<PathBuf>) -> RecordingSpec {
        RecordingSpec {
            source: Source::Channel(ChannelSource {
                session_id: "SeSsIoN000000001".to_owned(),
                channel_arn: "arn:aws:ivs:us-east-1:123456789012:channel/ChAnNeL00001".to_owned(),
                has_rendition: true,
                thumbnail_size: (640, 360),
            }),
            prefix: "ivs/v1/123456789012/ChAnNeL00001/2026/1/1/0/0/ReCoRdInG001".to_owned(),
            ..spec(spool_dir)
        }
    }
}
