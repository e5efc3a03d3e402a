//! Runs a composition and decodes what it sends.

use bytes::Bytes;
use compositor::composer::Composer;
use compositor_core::id::{Layer, TrackId};
use compositor_core::journal::Record;
use compositor_core::limits::AAC_AUDIO_SPECIFIC_CONFIG;
use compositor_core::time::MediaTime;
use compositor_core::worker_protocol::{Checkpoint, FromWorker, Job, VideoUnit, WorkerStats};
use gstreamer as gst;
use gstreamer_video as gst_video;
use gstreamer_video::prelude::*;

use super::journal::START;
use super::media::{Colour, convert};

/// Everything a worker said, by kind.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Said {
    pub(crate) video: Vec<Vec<VideoUnit>>,
    pub(crate) audio: Vec<(u64, Bytes)>,
    pub(crate) thumbnails: Vec<(u8, u64, Bytes)>,
    pub(crate) keyframe_requests: Vec<(TrackId, Layer)>,
    pub(crate) wishes: Vec<(TrackId, u16)>,
    pub(crate) checkpoint: Option<Checkpoint>,
    pub(crate) stats: WorkerStats,
    pub(crate) ended: bool,
}

impl Said {
    pub(crate) fn take(&mut self, messages: Vec<FromWorker>) {
        for message in messages {
            match message {
                FromWorker::Video(unit) => {
                    let index = usize::from(unit.encoder);
                    if self.video.len() <= index {
                        self.video.resize(index + 1, Vec::new());
                    }
                    self.video[index].push(unit);
                }
                FromWorker::Audio { n, data } => self.audio.push((n, data)),
                FromWorker::Thumbnail { encoder, k, jpeg } => {
                    self.thumbnails.push((encoder, k, jpeg));
                }
                FromWorker::KeyframeRequest { track, layer } => {
                    self.keyframe_requests.push((track, layer));
                }
                FromWorker::HeightWish { track, height } => self.wishes.push((track, height)),
                FromWorker::Checkpoint(checkpoint) => self.checkpoint = Some(checkpoint),
                FromWorker::Stats(stats) => self.stats = stats,
                FromWorker::Ended => self.ended = true,
            }
        }
    }
}

/// Runs `job` over a journal that ends at `stop` milliseconds after the start.
pub(crate) fn composed(job: Job, journal: &[Record], stop_ms: u64) -> Said {
    gst::init().expect("GStreamer starts");
    let mut composer = Composer::new(job).expect("codecs are installed");
    let mut out = Vec::new();
    composer
        .stop(MediaTime(START + stop_ms * 1_000_000), &mut out)
        .expect("it stops");
    for record in journal {
        composer
            .record(record.clone(), &mut out)
            .expect("it composes");
    }
    let mut said = Said::default();
    said.take(out);
    said
}

/// A decoded picture.
pub(crate) struct Shown {
    pub(crate) pts: u64,
    pub(crate) width: usize,
    pub(crate) height: usize,
    planes: [Vec<u8>; 3],
}

impl Shown {
    /// The colour around a luma position.
    pub(crate) fn colour(&self, x: usize, y: usize) -> Colour {
        let at = |plane: usize, shrink: usize| {
            let width = self.width / shrink;
            let (x, y) = (x / shrink, y / shrink);
            let mut sum = 0;
            let mut count = 0;
            for row in y.saturating_sub(1)..=(y + 1).min(self.height / shrink - 1) {
                for column in x.saturating_sub(1)..=(x + 1).min(width - 1) {
                    sum += u32::from(self.planes[plane][row * width + column]);
                    count += 1;
                }
            }
            (sum / count) as u8
        };
        [at(0, 1), at(1, 2), at(2, 2)]
    }

    #[track_caller]
    pub(crate) fn assert_colour(&self, x: usize, y: usize, expected: Colour) {
        let found = self.colour(x, y);
        assert!(
            is_near(found, expected),
            "({x}, {y}) at {} ms is {found:?}, expected {expected:?}",
            self.pts / 1_000_000
        );
    }
}

pub(crate) fn is_near(found: Colour, expected: Colour) -> bool {
    found
        .into_iter()
        .zip(expected)
        .all(|(f, e)| f.abs_diff(e) <= 12)
}

pub(crate) fn decode_video(units: &[VideoUnit]) -> Vec<Shown> {
    let caps = "video/x-h264,stream-format=byte-stream,alignment=au";
    let buffers = units
        .iter()
        .map(|unit| (unit.data.to_vec(), unit.k * 1_000_000_000 / 30))
        .collect();
    let elements = "h264parse ! avdec_h264 max-threads=1 ! videoconvert ! video/x-raw,format=I420";
    let samples = convert(caps, elements, buffers);
    samples.iter().map(shown).collect()
}

fn shown(sample: &gst::Sample) -> Shown {
    let info = gst_video::VideoInfo::from_caps(sample.caps().expect("it has caps")).expect("video");
    let buffer = sample.buffer_owned().expect("it holds a buffer");
    let pts = buffer.pts().map_or(0, |pts| pts.nseconds());
    let frame = gst_video::VideoFrame::from_buffer_readable(buffer, &info).expect("it maps");
    let (width, height) = (info.width() as usize, info.height() as usize);
    let plane = |index: u32, shrink: usize| {
        let stride = frame.plane_stride()[index as usize] as usize;
        let data = frame.plane_data(index).expect("three planes");
        let rows = data.chunks(stride).take(height / shrink);
        rows.flat_map(|row| row[..width / shrink].to_vec())
            .collect()
    };
    Shown {
        pts,
        width,
        height,
        planes: [plane(0, 1), plane(1, 2), plane(2, 2)],
    }
}

/// SPS and PPS of a keyframe.
pub(crate) fn headers(unit: &VideoUnit) -> Vec<Vec<u8>> {
    let nals = unit.data.as_ref();
    let mut starts: Vec<usize> = (0..nals.len().saturating_sub(3))
        .filter(|&i| nals[i..i + 3] == [0, 0, 1])
        .collect();
    starts.push(nals.len());
    starts
        .windows(2)
        .map(|pair| nals[pair[0] + 3..pair[1]].to_vec())
        .filter(|nal| matches!(nal[0] & 31, 7 | 8))
        .map(|mut nal| {
            while nal.last() == Some(&0) {
                nal.pop();
            }
            nal
        })
        .collect()
}

/// Decodes AAC frames to 48 kHz stereo; sample 0 is the first of the first frame.
pub(crate) fn decode_audio(frames: &[(u64, Bytes)]) -> Vec<[f32; 2]> {
    let [a, b] = AAC_AUDIO_SPECIFIC_CONFIG;
    let caps = format!(
        "audio/mpeg,mpegversion=4,stream-format=raw,rate=48000,channels=2,codec_data=(buffer){a:02x}{b:02x}"
    );
    let buffers = frames
        .iter()
        .map(|(n, data)| (data.to_vec(), n * 1024 * 1_000_000_000 / 48_000))
        .collect();
    let elements = "avdec_aac ! audioconvert ! audio/x-raw,format=F32LE,layout=interleaved,channels=2,rate=48000";
    let mut out = Vec::new();
    for sample in convert(&caps, elements, buffers) {
        let map = sample
            .buffer()
            .expect("a buffer")
            .map_readable()
            .expect("it maps");
        out.extend(map.chunks_exact(8).map(|bytes| {
            let value = |at: usize| f32::from_le_bytes(bytes[at..at + 4].try_into().expect("four"));
            [value(0), value(4)]
        }));
    }
    out
}

/// Loudness of each millisecond.
pub(crate) fn envelope(samples: &[[f32; 2]]) -> Vec<f32> {
    samples
        .chunks(48)
        .map(|ms| {
            let power: f32 = ms.iter().map(|s| s[0] * s[0]).sum();
            (power / ms.len() as f32).sqrt()
        })
        .collect()
}

/// The first sample from `from` on that is louder than `level`.
pub(crate) fn onset(samples: &[[f32; 2]], from: usize, level: f32) -> Option<usize> {
    let found = samples.iter().skip(from).position(|s| s[0].abs() > level);
    found.map(|index| from + index)
}
