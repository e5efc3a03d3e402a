//! The units of one segment of a composition, and the segment.

use compositor_core::time::FrameRate;

use super::units::{Unit, UnitKind};
use crate::h264;
use crate::mux::{AudioConfig, Continuity, TsMuxer, VideoSample};
use crate::segmenter::audio_pts_90k;

/// The units of one segment.
#[derive(Debug, Default)]
pub(crate) struct Content {
    /// By number.
    pub(crate) video: Vec<Unit>,
    /// By number.
    pub(crate) audio: Vec<Unit>,
}

impl Content {
    /// RFC 6381 strings of picture and sound; `None` without a keyframe.
    pub(crate) fn codecs(&self) -> Option<String> {
        let is_keyframe = |unit: &&Unit| unit.kind == UnitKind::Keyframe;
        let keyframe = self.video.iter().find(is_keyframe)?;
        let codec = h264::codec_string(&keyframe.data)?;
        let sound = AudioConfig::of_compositions().codec_string();
        Some(format!("{codec},{sound}"))
    }

    /// The transport stream of the segment: pictures and sound interleaved by time, the picture first.
    pub(crate) fn mux(&self, fps: FrameRate, continuity: Continuity) -> (Vec<u8>, Continuity) {
        let mut muxer = TsMuxer::new(AudioConfig::of_compositions(), false, continuity);
        let units = self.video.iter().chain(&self.audio);
        let payload: usize = units.map(|unit| unit.data.len()).sum();
        let mut out = Vec::with_capacity(payload + payload / 8);
        muxer.start_segment(&mut out);
        let mut audio = self.audio.iter().peekable();
        let mut write_audio = |muxer: &mut TsMuxer, out: &mut Vec<u8>, before: u64| {
            while let Some(unit) = audio.next_if(|unit| audio_pts_90k(unit.number) < before) {
                muxer
                    .audio(audio_pts_90k(unit.number), &unit.data, out)
                    .expect("its length was checked when it was taken");
            }
        };
        for unit in &self.video {
            let pts = fps.pts_90k(unit.number);
            write_audio(&mut muxer, &mut out, pts);
            let keyframe = unit.kind == UnitKind::Keyframe;
            muxer.video(
                VideoSample {
                    pts,
                    dts: pts,
                    keyframe,
                    data: &unit.data,
                },
                &mut out,
            );
        }
        write_audio(&mut muxer, &mut out, u64::MAX);
        (out, muxer.continuity())
    }
}
