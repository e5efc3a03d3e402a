//! Audio and video messages of one publisher become samples. Pure.

use std::time::Duration;

use bytes::Bytes;
use recorder::mux::AudioConfig;

use crate::flv::aac::{AacError, lc_config};
use crate::flv::avc::{AvcConfig, AvcError};
use crate::flv::tag::{AudioTag, TagError, VideoTag};
use crate::ingest::timeline::{PictureTime, Timeline};
use crate::limits::{FORMATS_MAX, TIMESTAMP_JUMP};
use crate::origin::MediaFormat;
use crate::sample::{CLOCK_HZ, Sample};

/// Sound frames without any picture before a publisher is refused: about ten seconds.
const SOUND_ALONE_MAX: u32 = 470;

/// What one message brought.
#[derive(Clone, PartialEq, Debug, Default)]
pub(super) struct Media {
    /// A keyframe that begins the stream, or begins it anew in another format.
    pub(super) begins: Option<MediaFormat>,
    pub(super) samples: Vec<Sample>,
    /// How far media time advanced.
    pub(super) span: Duration,
}

/// Why a publisher's media is refused.
#[derive(Debug, thiserror::Error)]
pub(super) enum MediaError {
    #[error("the media message is refused")]
    Tag(#[source] TagError),
    #[error("the H.264 stream is refused")]
    Video(#[source] AvcError),
    #[error("the AAC stream is refused")]
    Audio(#[source] AacError),
    #[error("there is sound but no video")]
    NoVideo,
    #[error("the media begins anew in another format more than {FORMATS_MAX} times")]
    Restless,
}

/// Reads one publisher's messages.
#[derive(Debug, Default)]
pub(super) struct MediaReader {
    avc: Option<AvcConfig>,
    audio: Option<AudioConfig>,
    announced_fps: Option<f64>,
    timeline: Timeline,
    begun: bool,
    /// How often it has begun.
    formats: u32,
    sound_alone: u32,
    latest: Option<u64>,
}

impl MediaReader {
    /// What the publisher's metadata says; used from the next beginning on.
    pub(super) fn announce(&mut self, fps: Option<f64>) {
        self.announced_fps = fps;
    }

    pub(super) fn video(&mut self, timestamp: u32, body: &Bytes) -> Result<Media, MediaError> {
        let (keyframe, composition_ms, nals) =
            match VideoTag::parse(body).map_err(MediaError::Tag)? {
                VideoTag::Nothing => return Ok(Media::default()),
                VideoTag::Config(record) => {
                    let config = AvcConfig::parse(&record).map_err(MediaError::Video)?;
                    if self.avc.as_ref() != Some(&config) {
                        self.begun = false;
                        self.avc = Some(config);
                    }
                    return Ok(Media::default());
                }
                VideoTag::Picture {
                    keyframe,
                    composition_ms,
                    nals,
                } => (keyframe, composition_ms, nals),
            };
        let Some(avc) = &self.avc else {
            return Ok(Media::default());
        };
        let data = avc.annexb(keyframe, &nals).map_err(MediaError::Video)?;
        let picture = *avc.picture();
        let placed = self.timeline.picture(timestamp, composition_ms);
        let mut begins = None;
        if !self.begun {
            if !keyframe {
                return Ok(Media::default());
            }
            self.begun = true;
            self.formats += 1;
            if self.formats > FORMATS_MAX {
                return Err(MediaError::Restless);
            }
            begins = Some(MediaFormat {
                picture,
                audio: self.audio,
                fps: self.announced_fps,
            });
        }
        let PictureTime { pts, dts } = placed.at;
        let sample = Sample::Video {
            pts,
            dts,
            keyframe,
            data,
        };
        Ok(self.media(begins, dts, placed.discontinuity, sample))
    }

    pub(super) fn audio(&mut self, timestamp: u32, body: &Bytes) -> Result<Media, MediaError> {
        let data = match AudioTag::parse(body).map_err(MediaError::Tag)? {
            AudioTag::Nothing => return Ok(Media::default()),
            AudioTag::Config(config) => {
                let config = lc_config(&config).map_err(MediaError::Audio)?;
                if self.audio != Some(config) {
                    self.begun = false;
                    self.audio = Some(config);
                }
                return Ok(Media::default());
            }
            AudioTag::Frame(data) => data,
        };
        if self.avc.is_none() {
            self.sound_alone += 1;
            if self.sound_alone > SOUND_ALONE_MAX {
                return Err(MediaError::NoVideo);
            }
        }
        let Some(audio) = self.audio else {
            return Ok(Media::default());
        };
        let placed = self.timeline.sound(timestamp, audio.sample_rate());
        if !self.begun {
            return Ok(Media::default());
        }
        let pts = placed.at;
        let sample = Sample::Audio { pts, data };
        Ok(self.media(None, pts, placed.discontinuity, sample))
    }

    fn media(
        &mut self,
        begins: Option<MediaFormat>,
        at: u64,
        discontinuity: bool,
        sample: Sample,
    ) -> Media {
        let latest = self.latest.filter(|_| !discontinuity).unwrap_or(at);
        self.latest = Some(latest.max(at));
        let span = Duration::from_millis(at.saturating_sub(latest) * 1000 / CLOCK_HZ);
        let broken = discontinuity.then_some(Sample::Discontinuity);
        Media {
            begins,
            samples: broken.into_iter().chain([sample]).collect(),
            span: span.min(TIMESTAMP_JUMP),
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::{BufMut, BytesMut};

    use super::*;
    use crate::flv::sps::tests::SPS_1280X720;

    fn config() -> Bytes {
        let mut annexb = BytesMut::new();
        for nal in [&SPS_1280X720[..], &[0x68, 0xEB, 0xE3, 0xCB]] {
            annexb.put_slice(&[0, 0, 0, 1]);
            annexb.put_slice(nal);
        }
        VideoTag::config(&AvcConfig::of_keyframe(&annexb.freeze()).unwrap().record())
    }

    fn picture(keyframe: bool) -> Bytes {
        VideoTag::picture(keyframe, &[0, 0, 0, 2, 0x65, 9])
    }

    fn begun() -> MediaReader {
        let mut reader = MediaReader::default();
        reader.audio(0, &AudioTag::config(&[0x11, 0x90])).unwrap();
        reader.video(0, &config()).unwrap();
        assert!(reader.video(0, &picture(true)).unwrap().begins.is_some());
        reader
    }

    #[test]
    fn stream_begins_with_the_first_keyframe_after_its_configuration() {
        let mut reader = MediaReader::default();
        assert_eq!(reader.video(0, &picture(true)).unwrap(), Media::default());
        reader.video(0, &config()).unwrap();
        assert_eq!(reader.video(0, &picture(false)).unwrap(), Media::default());
        let first = reader.video(40, &picture(true)).unwrap();
        let format = first.begins.unwrap();
        assert_eq!((format.picture.width, format.audio), (1280, None));
        assert_eq!(first.samples.len(), 1);
        let second = reader.video(80, &picture(false)).unwrap();
        assert_eq!(
            (second.begins, second.span),
            (None, Duration::from_millis(40))
        );
    }

    #[test]
    fn repeated_configuration_changes_nothing_and_another_begins_anew() {
        let mut reader = begun();
        reader.video(40, &config()).unwrap();
        reader.audio(40, &AudioTag::config(&[0x11, 0x90])).unwrap();
        assert_eq!(reader.video(40, &picture(false)).unwrap().samples.len(), 1);
        reader.audio(80, &AudioTag::config(&[0x12, 0x10])).unwrap();
        assert_eq!(
            reader.audio(80, &AudioTag::frame(&[1])).unwrap(),
            Media::default()
        );
        let anew = reader.video(80, &picture(true)).unwrap();
        let sound = anew.begins.and_then(|format| format.audio).unwrap();
        assert_eq!(sound.sample_rate(), 44_100);
    }

    #[test]
    fn formats_without_end_are_refused() {
        let mut reader = MediaReader::default();
        reader.video(0, &config()).unwrap();
        for n in 0..FORMATS_MAX {
            let rate = if n.is_multiple_of(2) { 0x90 } else { 0x10 };
            let sound = AudioTag::config(&[0x11 + u8::from(rate == 0x10), rate]);
            reader.audio(n, &sound).unwrap();
            assert!(reader.video(n, &picture(true)).unwrap().begins.is_some());
        }
        reader
            .audio(0, &AudioTag::config(&[0x11, 0x90]))
            .expect("a configuration alone begins nothing");
        let refused = reader.video(0, &picture(true));
        assert!(matches!(refused, Err(MediaError::Restless)), "{refused:?}");
    }

    #[test]
    fn timestamp_jump_is_reported_before_the_sample() {
        let mut reader = begun();
        let media = reader.video(60_000, &picture(true)).unwrap();
        assert_eq!(media.samples[0], Sample::Discontinuity);
        assert_eq!((media.samples.len(), media.span), (2, Duration::ZERO));
    }

    #[test]
    fn sound_alone_is_refused_after_a_while() {
        let mut reader = MediaReader::default();
        let refused =
            (0..=SOUND_ALONE_MAX).find_map(|n| reader.audio(n, &AudioTag::frame(&[1])).err());
        assert!(matches!(refused, Some(MediaError::NoVideo)));
    }

    #[test]
    fn other_codecs_and_broken_pictures_are_refused() {
        let mut reader = begun();
        let vp6 = Bytes::from_static(&[0x14, 0, 0]);
        assert!(matches!(reader.video(0, &vp6), Err(MediaError::Tag(_))));
        let broken = VideoTag::picture(false, &[0, 0, 9, 9, 0x41]);
        assert!(matches!(
            reader.video(0, &broken),
            Err(MediaError::Video(_))
        ));
        let he_aac = AudioTag::config(&[0x2B, 0x92]);
        assert!(matches!(
            reader.audio(0, &he_aac),
            Err(MediaError::Audio(_))
        ));
    }
}
