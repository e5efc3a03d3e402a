//! What a publisher sends, as stream sessions show it.

use crate::flv::sps::Sps;
use crate::origin::MediaFormat;

/// The ingest of a stream: what its parameter sets say, and what its metadata announced.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct IngestDescription {
    /// The pictures.
    pub video: VideoDescription,
    /// The sound, if there is any.
    pub audio: Option<AudioDescription>,
}

/// The pictures of an ingest.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct VideoDescription {
    /// Such as `High`.
    pub profile: &'static str,
    /// Such as `4.2`.
    pub level: String,
    /// RFC 6381 codec string.
    pub codec: String,
    /// What the publisher calls its encoder.
    pub encoder: Option<String>,
    /// Announced bits per second.
    pub target_bitrate: Option<u64>,
    /// Announced frames per second.
    pub target_framerate: Option<u32>,
    /// Pixels.
    pub width: u32,
    /// Pixels.
    pub height: u32,
}

/// The sound of an ingest.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AudioDescription {
    /// Channels.
    pub channels: u8,
    /// RFC 6381 codec string.
    pub codec: String,
    /// Samples per second.
    pub sample_rate: u32,
    /// Announced bits per second.
    pub target_bitrate: Option<u64>,
}

/// What a publisher's `onMetaData` announced.
#[derive(Clone, PartialEq, Debug, Default)]
pub(crate) struct Announced {
    pub(crate) fps: Option<f64>,
    pub(crate) encoder: Option<String>,
    pub(crate) video_kbps: Option<u32>,
    pub(crate) audio_kbps: Option<u32>,
}

impl IngestDescription {
    pub(crate) fn new(format: &MediaFormat, announced: &Announced) -> Self {
        let Sps { profile, level, .. } = format.picture;
        let fps = announced.fps.filter(|fps| (1.0..=240.0).contains(fps));
        let video = VideoDescription {
            profile: profile_name(profile),
            level: format!("{}.{}", level / 10, level % 10),
            codec: format.picture.codec(),
            encoder: announced.encoder.clone(),
            target_bitrate: bits(announced.video_kbps),
            target_framerate: fps.map(|fps| fps.round() as u32),
            width: format.picture.width,
            height: format.picture.height,
        };
        let audio = format.audio.map(|audio| AudioDescription {
            channels: audio.channels(),
            codec: audio.codec_string(),
            sample_rate: audio.sample_rate(),
            target_bitrate: bits(announced.audio_kbps),
        });
        Self { video, audio }
    }
}

fn bits(kbps: Option<u32>) -> Option<u64> {
    kbps.filter(|kbps| *kbps > 0)
        .map(|kbps| u64::from(kbps) * 1000)
}

/// ITU-T H.264 annex A.
fn profile_name(profile: u8) -> &'static str {
    match profile {
        66 => "Baseline",
        77 => "Main",
        88 => "Extended",
        100 => "High",
        110 => "High 10",
        122 => "High 4:2:2",
        244 => "High 4:4:4",
        _ => "Unknown",
    }
}

#[cfg(test)]
mod tests {
    use recorder::mux::AudioConfig;

    use super::*;
    use crate::flv::sps::tests::SPS_1280X720;

    #[test]
    fn parameter_sets_and_metadata_make_the_description() {
        let format = MediaFormat {
            picture: Sps::parse(&SPS_1280X720).unwrap(),
            audio: Some(AudioConfig::of_compositions()),
            fps: None,
        };
        let announced = Announced {
            fps: Some(29.97),
            encoder: Some("Lavf60".into()),
            video_kbps: Some(2500),
            audio_kbps: Some(0),
        };
        let IngestDescription { video, audio } = IngestDescription::new(&format, &announced);
        assert_eq!((video.profile, video.level.as_str()), ("High", "3.1"));
        assert_eq!(video.codec, "avc1.64001F");
        assert_eq!(
            (video.target_bitrate, video.target_framerate),
            (Some(2_500_000), Some(30))
        );
        let audio = audio.unwrap();
        assert_eq!(
            (audio.channels, audio.sample_rate, audio.target_bitrate),
            (2, 48_000, None)
        );
    }
}
