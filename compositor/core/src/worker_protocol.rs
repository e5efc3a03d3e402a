//! What `proscenium serve` and its child `proscenium compose` say to each other over one Unix socket.
//!
//! Each message is `length: u32 LE` and a postcard value of [`ToWorker`] or [`FromWorker`]. The worker numbers what it
//! emits: H.264 frame k per encoder, AAC frame n of the one mix, both from 0 without holes. Frame k has the PTS
//! round(k x 90000 / fps) on the 90 kHz clock, AAC frame n the PTS n x 1024 samples; both count from the same zero, the
//! job's `start`.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::id::{CompositionId, Layer, ParticipantId, TrackId};
use crate::journal::JournalSeq;
use crate::layout::LayoutSpec;
use crate::quarantine::Quarantine;
use crate::time::{FrameRate, MediaTime};

/// From the server to the worker. [`ToWorker::Job`] is first and comes once.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[expect(
    clippy::large_enum_variant,
    reason = "messages are sent as they are made; none are kept in numbers"
)]
pub enum ToWorker {
    /// What to compose.
    Job(Job),
    /// Journal records, encoded back to back.
    Records(Bytes),
    /// Compose every frame due before `at`, drain the encoders, answer [`FromWorker::Ended`] and exit.
    Stop {
        /// On the stage clock.
        at: MediaTime,
    },
}

/// From the worker to the server.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub enum FromWorker {
    /// One picture of one encoder.
    Video(VideoUnit),
    /// One AAC frame of the mix; shared by all encoders.
    Audio {
        /// Its number.
        n: u64,
        /// A raw AAC frame, without ADTS header.
        data: Bytes,
    },
    /// The picture of frame `k`, as asked by [`EncoderSpec::thumbnail_every`].
    Thumbnail {
        /// Index into [`Job::encoders`].
        encoder: u8,
        /// Which frame.
        k: u64,
        /// JPEG.
        jpeg: Bytes,
    },
    /// A decoder cannot go on without a keyframe.
    KeyframeRequest {
        /// Of which track.
        track: TrackId,
        /// Of which layer.
        layer: Layer,
    },
    /// The tallest slot that shows `track` has this height.
    HeightWish {
        /// Which track.
        track: TrackId,
        /// Pixels.
        height: u16,
    },
    /// All a successor needs to continue after the last unit sent before this message; at least once a second.
    Checkpoint(Checkpoint),
    /// Counters since the worker started; once a second.
    Stats(WorkerStats),
    /// Everything up to the stop time was sent.
    Ended,
}

/// One coded picture.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct VideoUnit {
    /// Index into [`Job::encoders`].
    pub encoder: u8,
    /// Frame number.
    pub k: u64,
    /// Whether it is an IDR picture, with SPS and PPS in front.
    pub keyframe: bool,
    /// H.264 Annex B byte stream.
    pub data: Bytes,
}

/// What to compose.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Job {
    /// For layer choices that are meant for this composition.
    pub composition: CompositionId,
    /// Where frame 0 and sample 0 are on the stage clock.
    pub start: MediaTime,
    /// The layout, fixed for the composition's life.
    pub layout: LayoutSpec,
    /// Each makes its own canvas; 1 or 2.
    pub encoders: Vec<EncoderSpec>,
    /// Present when this worker succeeds another.
    pub resume: Option<Resume>,
}

/// One encoder configuration in use.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct EncoderSpec {
    /// Canvas width, pixels, even.
    pub width: u16,
    /// Canvas height, pixels, even.
    pub height: u16,
    /// Frames per second.
    pub fps: FrameRate,
    /// Bits per second.
    pub bitrate: u32,
    /// Frame k is an IDR picture when it is a multiple of any of these.
    pub keyframe_every: Vec<u32>,
    /// A JPEG of every frame k that is a multiple of this.
    pub thumbnail_every: Option<u32>,
}

/// Where a successor continues.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Resume {
    /// The predecessor's last checkpoint; `None` if it died before the first (then records are read from the start).
    pub checkpoint: Option<Checkpoint>,
    /// Per encoder, the next frame number to send.
    pub next_k: Vec<u64>,
    /// The next AAC frame number to send.
    pub next_n: u64,
    /// What its predecessors died of.
    pub quarantine: Quarantine,
}

impl Resume {
    /// At the very beginning.
    pub fn fresh(encoders: usize) -> Self {
        Self {
            checkpoint: None,
            next_k: vec![0; encoders],
            next_n: 0,
            quarantine: Quarantine::default(),
        }
    }
}

/// A point from which the composition can be continued.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Checkpoint {
    /// Reading must start here: the oldest keyframe (audio: 1 s) that is still needed.
    pub read_from: JournalSeq,
    /// `state` holds the effect of every record before this one; earlier ones only feed decoders.
    pub state_at: JournalSeq,
    /// Roster, layer choices, slots, limiter: opaque to the server.
    pub state: Bytes,
}

/// Counters of one worker.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct WorkerStats {
    /// Frames composed.
    pub frames_composed: u64,
    /// Frames that repeat the one before: nothing changed, or the degradation ladder leaves them out.
    pub frames_repeated: u64,
    /// Access units decoded.
    pub units_decoded: u64,
    /// Access units that came too late for their frame.
    pub units_late: u64,
    /// Access units that no decoder could use.
    pub units_damaged: u64,
    /// Pixels of all pictures decoded.
    pub pixels_decoded: u64,
    /// User and system CPU time of the process, milliseconds.
    pub cpu_ms: u64,
    /// What of it went into decoding and encoding.
    pub codec_cpu: CodecCpu,
    /// How much of its time since the last report the worker did not wait for records, or for the server to take what it made.
    pub busy_percent: u8,
    /// When the last composed frame was due.
    pub composed_until: MediaTime,
    /// The step on the degradation ladder that the last frame was made on.
    pub step: u8,
    /// Steps taken on it, down and up.
    pub steps_taken: u64,
    /// Everybody who publishes now, in order of arrival.
    pub participants: Vec<ParticipantStats>,
}

/// CPU time of decoders and encoders, milliseconds.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct CodecCpu {
    /// H.264, VP8, VP9.
    pub video_decoding_ms: u64,
    /// Opus.
    pub audio_decoding_ms: u64,
    /// H.264, without helper threads, which the encoder has for pictures above 720p30.
    pub video_encoding_ms: u64,
    /// AAC.
    pub audio_encoding_ms: u64,
}

impl CodecCpu {
    /// Each part with its name in metrics.
    pub fn parts(self) -> [(&'static str, u64); 4] {
        [
            ("video_decoding", self.video_decoding_ms),
            ("audio_decoding", self.audio_decoding_ms),
            ("video_encoding", self.video_encoding_ms),
            ("audio_encoding", self.audio_encoding_ms),
        ]
    }
}

/// Counters of one participant, since its tracks began.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ParticipantStats {
    /// Who.
    pub participant: ParticipantId,
    /// How much later its sound is heard than its picture is shown, against what its clocks say, microseconds; negative when
    /// the sound is early. `None` while one of the two is missing.
    pub skew_us: Option<i32>,
    /// Of its picture.
    pub video: TrackStats,
    /// Of its sound.
    pub audio: TrackStats,
}

/// Counters of one track.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct TrackStats {
    /// How much waits to be shown or heard, milliseconds.
    pub buffered_ms: u32,
    /// Access units that came too late.
    pub late: u64,
    /// Of sound, gaps that the decoder concealed; of pictures, frames that repeated an earlier one.
    pub filled: u64,
}
