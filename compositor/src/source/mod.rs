//! Media to publish: a test pattern with a flash and a beep each second, or a file, coded as a browser would.

mod audio;
mod file;
mod pattern;
mod tone;
mod video;

use std::path::PathBuf;
use std::time::Duration;

use bytes::Bytes;

use self::audio::AudioSource;
use self::file::MediaFile;
use self::video::VideoSource;
use crate::codec::CodecError;

/// What to publish.
#[derive(Clone, Debug)]
pub struct SourceSpec {
    /// Where pictures and sound come from.
    pub picture: Picture,
    /// How pictures are coded; `None` for sound only.
    pub video: Option<VideoSpec>,
    /// Whether there is sound.
    pub audio: bool,
}

/// Where pictures and sound come from.
#[derive(Clone, Debug)]
pub enum Picture {
    /// Drawn and played here.
    Pattern(PatternSpec),
    /// Anything that GStreamer decodes.
    File(PathBuf),
}

/// The test pattern: a disc that circles once in four seconds, a name, a timecode, a white flash in the middle in the
/// first tenth of each second, a quiet tone and with the flash a loud one.
#[derive(Clone, Debug)]
pub struct PatternSpec {
    /// Burnt into the picture.
    pub name: String,
    /// Background, RGB.
    pub color: [u8; 3],
    /// Frequency of the tone.
    pub tone_hz: u32,
}

/// How pictures are coded.
#[derive(Clone, Debug)]
pub struct VideoSpec {
    /// By which codec.
    pub codec: SourceCodec,
    /// Frames per second.
    pub fps: u32,
    /// One, or the simulcast layers from small to large.
    pub layers: Vec<LayerSpec>,
}

/// One simulcast layer.
#[derive(Clone, Debug)]
pub struct LayerSpec {
    /// The restriction identifier (RFC 8851); empty without simulcast.
    pub rid: String,
    /// Pixels, even.
    pub width: u16,
    /// Pixels, even.
    pub height: u16,
    /// Bits per second.
    pub bitrate: u32,
}

/// Codecs that browsers publish and this source can make.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SourceCodec {
    /// H.264, constrained baseline.
    H264,
    /// VP8.
    Vp8,
}

/// Which stream a coded unit belongs to.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum SourceMedia {
    /// Opus.
    Audio,
    /// A layer of the picture, by its index in [`VideoSpec::layers`].
    Video {
        /// The index.
        layer: usize,
    },
}

/// One coded picture, or 20 ms of sound.
#[derive(Clone, Debug)]
pub struct SourceUnit {
    /// Its stream.
    pub media: SourceMedia,
    /// When it is due, counted from the first.
    pub pts: Duration,
    /// H.264 Annex B, a VP8 frame or an Opus packet.
    pub data: Bytes,
}

/// Why media cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// GStreamer does not start.
    #[error("cannot start GStreamer")]
    Init(#[from] gstreamer::glib::Error),
    /// A coder failed.
    #[error("cannot code the source")]
    Codec(#[from] CodecError),
    /// The file cannot be played.
    #[error("cannot play {file}: {reason}")]
    File {
        /// Which file.
        file: PathBuf,
        /// What GStreamer says.
        reason: String,
    },
}

/// Makes the units of [`SourceSpec`] in the order in which they are due.
#[derive(Debug)]
pub struct Source {
    video: Option<VideoSource>,
    audio: Option<AudioSource>,
    made: std::collections::VecDeque<SourceUnit>,
}

impl Source {
    /// Opens the file, or prepares the pattern.
    pub fn open(spec: SourceSpec) -> Result<Self, SourceError> {
        gstreamer::init()?;
        let SourceSpec {
            picture,
            video,
            audio,
        } = spec;
        let (video, audio) = match picture {
            Picture::Pattern(pattern) => (
                video
                    .as_ref()
                    .map(|spec| VideoSource::pattern(&pattern, spec))
                    .transpose()?,
                audio.then(|| AudioSource::pattern(&pattern)).transpose()?,
            ),
            Picture::File(path) => {
                let file = MediaFile::open(path, video.as_ref(), audio)?;
                (
                    video
                        .as_ref()
                        .map(|spec| VideoSource::file(file.clone(), spec))
                        .transpose()?,
                    audio.then(|| AudioSource::file(file)).transpose()?,
                )
            }
        };
        Ok(Self {
            video,
            audio,
            made: std::collections::VecDeque::new(),
        })
    }

    /// The next unit; `None` when the source has ended.
    pub fn next_unit(&mut self) -> Result<Option<SourceUnit>, SourceError> {
        while self.made.is_empty() {
            let video_due = self.video.as_ref().and_then(VideoSource::due);
            let audio_due = self.audio.as_ref().and_then(AudioSource::due);
            match (&mut self.video, &mut self.audio) {
                (Some(video), _) if video_due.is_some_and(|v| audio_due.is_none_or(|a| v <= a)) => {
                    video.make(&mut self.made)?;
                }
                (_, Some(audio)) if audio_due.is_some() => audio.make(&mut self.made)?,
                _ => return Ok(None),
            }
        }
        Ok(self.made.pop_front())
    }

    /// Codes the next picture of that layer as a keyframe.
    pub fn request_keyframe(&mut self, media: SourceMedia) {
        if let (SourceMedia::Video { layer }, Some(video)) = (media, &mut self.video) {
            video.request_keyframe(layer);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pattern(codec: SourceCodec) -> SourceSpec {
        let layer = |rid: &str, width, height| LayerSpec {
            rid: rid.into(),
            width,
            height,
            bitrate: 300_000,
        };
        SourceSpec {
            picture: Picture::Pattern(PatternSpec {
                name: "Ada \"the\" first".into(),
                color: [200, 40, 40],
                tone_hz: 440,
            }),
            video: Some(VideoSpec {
                codec,
                fps: 30,
                layers: vec![layer("q", 160, 90), layer("f", 320, 180)],
            }),
            audio: true,
        }
    }

    #[test]
    fn units_come_in_order_with_every_stream_complete() {
        for codec in [SourceCodec::H264, SourceCodec::Vp8] {
            let mut source = Source::open(pattern(codec)).unwrap();
            let mut last = Duration::ZERO;
            let mut counts = [0; 3];
            while counts[0] < 50 {
                let unit = source.next_unit().unwrap().expect("the pattern never ends");
                assert!(unit.pts >= last && !unit.data.is_empty());
                last = unit.pts;
                match unit.media {
                    SourceMedia::Audio => counts[0] += 1,
                    SourceMedia::Video { layer } => counts[layer + 1] += 1,
                }
            }
            // 49 x 20 ms of sound lie before the 30th picture (at 966 ms) and the 50th packet (at 980 ms).
            assert_eq!(counts, [50, 30, 30]);
        }
    }

    #[test]
    fn a_requested_keyframe_comes_with_the_next_picture() {
        let mut source = Source::open(pattern(SourceCodec::H264)).unwrap();
        let media = SourceMedia::Video { layer: 1 };
        let mut keyframes = Vec::new();
        for picture in 0..30 {
            if [7, 20].contains(&picture) {
                source.request_keyframe(media);
            }
            let unit = loop {
                let unit = source.next_unit().unwrap().expect("the pattern never ends");
                if unit.media == media {
                    break unit;
                }
            };
            // NAL unit type 5 is a slice of an IDR picture (ISO/IEC 14496-10 table 7-1).
            if unit
                .data
                .windows(4)
                .any(|nal| nal[..3] == [0, 0, 1] && nal[3] & 0x1f == 5)
            {
                keyframes.push(picture);
            }
        }
        assert_eq!(keyframes, [0, 7, 20]);
    }
}
