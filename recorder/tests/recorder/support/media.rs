//! Coded pictures and sound, made by ffmpeg and cut into access units.

use std::path::{Path, PathBuf};
use std::process::Command;

use bytes::Bytes;
use compositor_core::time::FrameRate;

/// Pixels.
pub(crate) const WIDTH: u16 = 320;

/// Pixels.
pub(crate) const HEIGHT: u16 = 180;

const ADTS_HEADER_BYTES: usize = 7;

/// One coded picture.
pub(crate) struct Frame {
    pub(crate) keyframe: bool,
    pub(crate) data: Bytes,
}

/// A test pattern with a tone.
pub(crate) struct Media {
    pub(crate) fps: FrameRate,
    pub(crate) segment_frames: u32,
    pub(crate) video: Vec<Frame>,
    pub(crate) audio: Vec<Bytes>,
    /// The Annex B file that the frames were cut from.
    pub(crate) video_file: PathBuf,
    /// The ADTS file that the sound was cut from.
    pub(crate) audio_file: PathBuf,
}

impl Media {
    /// `frames` pictures, with sound as long, as files in `dir`.
    pub(crate) fn make(dir: &Path, fps: FrameRate, frames: u32) -> Self {
        let segment_frames = fps.frames_in(2);
        let video_file = dir.join("input.h264");
        let audio_file = dir.join("input.aac");
        let rate = format!("{}/{}", fps.num, fps.den);
        let pictures = format!("testsrc2=size={WIDTH}x{HEIGHT}:rate={rate}");
        let seconds = format!("{:.6}", fps.seconds(u64::from(frames)));
        let every = segment_frames.to_string();
        let status = Command::new("ffmpeg")
            .args(["-v", "error", "-y", "-f", "lavfi", "-i", &pictures])
            .args(["-f", "lavfi", "-i", "sine=frequency=440:sample_rate=48000"])
            .args([
                "-map",
                "0:v",
                "-frames:v",
                &frames.to_string(),
                "-c:v",
                "libx264",
            ])
            .args([
                "-preset",
                "ultrafast",
                "-threads",
                "1",
                "-pix_fmt",
                "yuv420p",
                "-bf",
                "0",
            ])
            .args([
                "-g",
                &every,
                "-keyint_min",
                &every,
                "-sc_threshold",
                "0",
                "-b:v",
                "500k",
            ])
            .args(["-f", "h264"])
            .arg(&video_file)
            .args([
                "-map", "1:a", "-t", &seconds, "-ac", "2", "-c:a", "aac", "-b:a", "128k",
            ])
            .args(["-f", "adts"])
            .arg(&audio_file)
            .status()
            .expect("ffmpeg is installed");
        assert!(status.success());
        Self::read(dir, fps)
    }

    /// Media that was made before.
    pub(crate) fn read(dir: &Path, fps: FrameRate) -> Self {
        let video_file = dir.join("input.h264");
        let audio_file = dir.join("input.aac");
        let video = pictures(&std::fs::read(&video_file).expect("was made"));
        let audio = sounds(&std::fs::read(&audio_file).expect("was made"));
        let segment_frames = fps.frames_in(2);
        Self {
            fps,
            segment_frames,
            video,
            audio,
            video_file,
            audio_file,
        }
    }

    /// The first AAC frame that starts when frame `k` does or later.
    pub(crate) fn first_audio_of(&self, k: u64) -> u64 {
        let samples = u128::from(k) * u128::from(self.fps.den) * 48_000;
        let n = samples.div_ceil(1024 * u128::from(self.fps.num)) as u64;
        n.min(self.audio.len() as u64)
    }
}

/// Cuts an Annex B stream behind each slice; x264 with one thread makes one slice a picture.
fn pictures(stream: &[u8]) -> Vec<Frame> {
    let starts: Vec<usize> = (0..stream.len() - 3)
        .filter(|&at| stream[at..at + 3] == [0, 0, 1])
        .map(|at| {
            if at > 0 && stream[at - 1] == 0 {
                at - 1
            } else {
                at
            }
        })
        .collect();
    let mut frames = Vec::new();
    let mut begin = 0;
    for (i, &at) in starts.iter().enumerate() {
        let head = at + if stream[at + 2] == 1 { 3 } else { 4 };
        let nal_type = stream[head] & 0x1F;
        if nal_type == 1 || nal_type == 5 {
            let end = starts.get(i + 1).copied().unwrap_or(stream.len());
            let data = Bytes::copy_from_slice(&stream[begin..end]);
            frames.push(Frame {
                keyframe: nal_type == 5,
                data,
            });
            begin = end;
        }
    }
    frames
}

/// Raw AAC frames, without their ADTS headers.
fn sounds(stream: &[u8]) -> Vec<Bytes> {
    let mut frames = Vec::new();
    let mut rest = stream;
    while rest.len() > ADTS_HEADER_BYTES {
        let length =
            usize::from(rest[3] & 3) << 11 | usize::from(rest[4]) << 3 | usize::from(rest[5] >> 5);
        frames.push(Bytes::copy_from_slice(&rest[ADTS_HEADER_BYTES..length]));
        rest = &rest[length..];
    }
    frames
}
