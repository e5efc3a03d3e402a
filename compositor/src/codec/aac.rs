//! The AAC encoder of the mix: 1024 samples in, at most one raw frame out.

use bytes::Bytes;
use compositor_core::limits::{AAC_FRAME_SAMPLES, AUDIO_SAMPLE_RATE};
use gstreamer as gst;

use super::CodecError;
use super::chain::Chain;
use super::opus::StereoSample;
use crate::spent::{self, Part};

/// Bits per second of the mix.
const BITRATE: u32 = 128_000;

/// avenc_aac delays its input by one frame (its first answer is heard before the first sample), so that answer is
/// dropped: answer j is heard with input frame j - 1. `aac_frame_n_starts_at_sample_n_times_1024` measures it.
const PRIMING_FRAMES: u64 = 1;

/// AAC-LC, 48 kHz, stereo.
#[derive(Debug)]
pub(crate) struct AacEncoder {
    chain: Chain,
    inputs: u64,
    answers: u64,
    /// Number of the first frame that was put in.
    first: u64,
}

impl AacEncoder {
    /// An encoder whose first input is frame `first` of the mix.
    pub(crate) fn new(first: u64) -> Result<Self, CodecError> {
        let caps = gst::Caps::builder("audio/x-raw")
            .field("format", "F32LE")
            .field("layout", "interleaved")
            .field("rate", 48_000)
            .field("channels", 2)
            .field("channel-mask", gst::Bitmask::new(0x3))
            .build();
        Ok(Self {
            chain: Chain::new(&format!("avenc_aac bitrate={BITRATE}"), &caps)?,
            inputs: 0,
            answers: 0,
            first,
        })
    }

    /// Number of the frame that is put in next.
    pub(crate) fn next_input(&self) -> u64 {
        self.first + self.inputs
    }

    /// Encodes the next 1024 samples; the frames that are complete now, with their numbers, go to `out`.
    pub(crate) fn encode(
        &mut self,
        samples: &[StereoSample],
        out: &mut Vec<(u64, Bytes)>,
    ) -> Result<(), CodecError> {
        assert_eq!(
            samples.len() as u64,
            AAC_FRAME_SAMPLES,
            "samples of one frame"
        );
        let bytes: Vec<u8> = samples
            .iter()
            .flatten()
            .flat_map(|channel| channel.to_le_bytes())
            .collect();
        let mut buffer = gst::Buffer::from_mut_slice(bytes);
        {
            let buffer = buffer.get_mut().expect("nobody else has it yet");
            buffer.set_pts(samples_to_clock(self.inputs * AAC_FRAME_SAMPLES));
            buffer.set_duration(samples_to_clock(AAC_FRAME_SAMPLES));
        }
        self.inputs += 1;
        spent::on(Part::AudioEncoding, || self.chain.push(buffer)).map_err(|flow| {
            CodecError::Refused {
                element: "avenc_aac",
                flow,
            }
        })?;
        while let Some(sample) = self.chain.answer() {
            let Some(map) = sample.buffer().and_then(|b| b.map_readable().ok()) else {
                continue;
            };
            if self.answers >= PRIMING_FRAMES {
                let n = self.first + self.answers - PRIMING_FRAMES;
                out.push((n, Bytes::copy_from_slice(&map)));
            }
            self.answers += 1;
        }
        Ok(())
    }
}

fn samples_to_clock(samples: u64) -> gst::ClockTime {
    gst::ClockTime::from_nseconds(samples * 1_000_000_000 / u64::from(AUDIO_SAMPLE_RATE))
}

#[cfg(test)]
mod tests {
    use compositor_core::limits::AAC_AUDIO_SPECIFIC_CONFIG;

    use super::*;

    /// Eight bytes of interleaved F32LE.
    fn stereo_sample(bytes: &[u8]) -> StereoSample {
        let channel = |at: usize| f32::from_le_bytes(bytes[at..at + 4].try_into().unwrap());
        [channel(0), channel(4)]
    }

    /// Decodes frames with nothing skipped: sample i is the i-th that the decoder gives.
    fn decoded(frames: &[(u64, Bytes)]) -> Vec<StereoSample> {
        let caps = gst::Caps::builder("audio/mpeg")
            .field("mpegversion", 4)
            .field("stream-format", "raw")
            .field("rate", 48_000)
            .field("channels", 2)
            .field(
                "codec_data",
                gst::Buffer::from_slice(AAC_AUDIO_SPECIFIC_CONFIG),
            )
            .build();
        let decoder = Chain::new(
            "avdec_aac ! audioconvert ! audio/x-raw,format=F32LE,layout=interleaved,channels=2",
            &caps,
        )
        .expect("it is installed");
        let mut out = Vec::new();
        for (_, data) in frames {
            decoder
                .push(gst::Buffer::from_slice(data.clone()))
                .expect("it decodes");
            while let Some(sample) = decoder.answer() {
                let buffer = sample.buffer().expect("it holds a buffer");
                let map = buffer.map_readable().expect("it maps");
                out.extend(map.chunks_exact(8).map(stereo_sample));
            }
        }
        out
    }

    #[test]
    fn aac_frame_n_starts_at_sample_n_times_1024() {
        gst::init().expect("GStreamer starts");
        const FRAMES: usize = 40;
        // A chirp is like itself at one offset only.
        let input: Vec<StereoSample> = (0..FRAMES * 1024)
            .map(|i| {
                let t = i as f32 / 48_000.0;
                [(t * (300.0 + 2000.0 * t) * std::f32::consts::TAU).sin() * 0.5; 2]
            })
            .collect();
        let mut encoder = AacEncoder::new(7).expect("it is installed");
        let mut frames = Vec::new();
        for chunk in input.chunks(1024) {
            encoder.encode(chunk, &mut frames).expect("it encodes");
        }
        assert_eq!(frames[0].0, 7);
        let output = decoded(&frames);
        assert_eq!(output.len(), frames.len() * 1024);
        let likeness = |lag: i64| -> f32 {
            (4096..30_000_i64)
                .map(|i| output[i as usize][0] * input[(i + lag) as usize][0])
                .sum()
        };
        let best = (-3000..3000_i64).max_by(|a, b| likeness(*a).total_cmp(&likeness(*b)));
        assert_eq!(best, Some(0));
    }
}
