//! Four seconds of one participant's media, coded once and repeated as often as wanted.

use std::time::Duration;

use bytes::Bytes;
use compositor::source::{
    LayerSpec, PatternSpec, Picture, Source, SourceCodec, SourceMedia, SourceSpec, VideoSpec,
};
use compositor_core::access_unit::Codec;

use crate::BenchError;

/// The test pattern's disc circles once in this time, and a keyframe comes as often: a clip can be repeated.
pub const LENGTH: Duration = Duration::from_secs(4);

/// Pictures per second.
pub const FPS: u32 = 30;

/// Simulcast layers from small to large: rid, width, height, bits per second.
const LAYERS: [(&str, u16, u16, u32); 3] = [
    ("q", 320, 180, 250_000),
    ("h", 640, 360, 800_000),
    ("f", 1280, 720, 2_500_000),
];

/// The index of the only layer of a participant without simulcast.
pub const FULL: usize = LAYERS.len() - 1;

/// One coded picture, or 20 ms of sound.
#[derive(Clone, Debug)]
pub struct Unit {
    /// From the start of the clip.
    pub pts: Duration,
    /// Whether a decoder can start here.
    pub keyframe: bool,
    /// The coded bytes.
    pub data: Bytes,
}

/// What one participant sends.
#[derive(Clone, Debug)]
pub struct Clip {
    /// Of the picture.
    pub codec: Codec,
    /// Layer by layer, from small to large.
    pub layers: Vec<Layer>,
    /// Opus.
    pub sound: Vec<Unit>,
}

/// One layer of the picture.
#[derive(Clone, Debug)]
pub struct Layer {
    /// Pixels.
    pub width: u16,
    /// Pixels.
    pub height: u16,
    /// In decode order, which is the order in which they are shown.
    pub units: Vec<Unit>,
}

/// Different pictures that a stage has; more participants than that share them.
const CLIPS: u32 = 4;

/// What the participants of a stage send: with simulcast, and the same with the full layer alone.
pub fn simulcast_and_single(codec: SourceCodec) -> Result<(Vec<Clip>, Vec<Clip>), BenchError> {
    let simulcast: Vec<Clip> = (0..CLIPS)
        .map(|number| Clip::code(number, codec))
        .collect::<Result<_, _>>()?;
    let single = simulcast.iter().map(Clip::single_layer).collect();
    Ok((simulcast, single))
}

impl Clip {
    /// Codes the test pattern as participant `number` would look and sound.
    pub fn code(number: u32, codec: SourceCodec) -> Result<Self, BenchError> {
        let layers = LAYERS.map(|(rid, width, height, bitrate)| LayerSpec {
            rid: rid.to_owned(),
            width,
            height,
            bitrate,
        });
        let spec = SourceSpec {
            picture: Picture::Pattern(PatternSpec {
                name: format!("participant {number}"),
                color: [
                    60 + 40 * (number % 4) as u8,
                    110,
                    190 - 40 * (number % 4) as u8,
                ],
                tone_hz: 300 + 70 * number,
            }),
            video: Some(VideoSpec {
                codec,
                fps: FPS,
                layers: layers.to_vec(),
            }),
            audio: true,
        };
        let codec = match codec {
            SourceCodec::H264 => Codec::H264,
            SourceCodec::Vp8 => Codec::Vp8,
        };
        let mut clip = Self {
            codec,
            layers: LAYERS
                .map(|(_, width, height, _)| Layer {
                    width,
                    height,
                    units: Vec::new(),
                })
                .to_vec(),
            sound: Vec::new(),
        };
        let mut source = Source::open(spec)?;
        while let Some(unit) = source.next_unit()?.filter(|unit| unit.pts < LENGTH) {
            let (units, keyframe) = match unit.media {
                SourceMedia::Audio => (&mut clip.sound, true),
                SourceMedia::Video { layer } => (
                    &mut clip.layers[layer].units,
                    is_keyframe(codec, &unit.data),
                ),
            };
            units.push(Unit {
                pts: unit.pts,
                keyframe,
                data: unit.data,
            });
        }
        Ok(clip)
    }

    /// The same participant without simulcast.
    pub fn single_layer(&self) -> Self {
        Self {
            layers: vec![self.layers[FULL].clone()],
            ..self.clone()
        }
    }

    /// Bits per second of all layers together, without sound.
    pub fn bitrate(&self) -> f64 {
        let units = self.layers.iter().flat_map(|layer| &layer.units);
        let bytes: usize = units.map(|unit| unit.data.len()).sum();
        bytes as f64 * 8.0 / LENGTH.as_secs_f64()
    }
}

/// `units` over and over, until `end`.
pub fn repeated(units: &[Unit], end: Duration) -> impl Iterator<Item = Unit> + '_ {
    let rounds = (0..).map(|round| LENGTH * round);
    rounds
        .flat_map(|offset| {
            units.iter().map(move |unit| Unit {
                pts: unit.pts + offset,
                ..unit.clone()
            })
        })
        .take_while(move |unit| unit.pts < end)
}

fn is_keyframe(codec: Codec, data: &[u8]) -> bool {
    /// ITU-T H.264 table 7-1: a slice of an IDR picture.
    const IDR_SLICE: u8 = 5;
    match codec {
        Codec::H264 => data
            .windows(4)
            .any(|w| w[..3] == [0, 0, 1] && w[3] & 0x1f == IDR_SLICE),
        // RFC 6386 9.1: the lowest bit is 0 in keyframes.
        Codec::Vp8 => data.first().is_some_and(|first| first & 1 == 0),
        Codec::Vp9 | Codec::Opus => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clip_starts_with_a_keyframe_and_repeats_in_time() {
        let clip = Clip::code(0, SourceCodec::H264).expect("it codes");
        let pictures = LENGTH.as_secs() as usize * FPS as usize;
        for layer in &clip.layers {
            assert_eq!(layer.units.len(), pictures);
            assert!(layer.units[0].keyframe && !layer.units[1].keyframe);
        }
        let twice: Vec<Unit> = repeated(&clip.layers[0].units, LENGTH * 2).collect();
        assert_eq!(twice.len(), 2 * pictures);
        assert!(twice.is_sorted_by(|a, b| a.pts < b.pts));
    }
}
