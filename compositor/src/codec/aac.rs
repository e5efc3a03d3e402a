//! The AAC encoder of the mix: 1024 samples in, at most one raw frame out.

use bytes::Bytes;
use compositor_core::limits::AAC_FRAME_SAMPLES;
use gstreamer as gst;

use super::CodecError;
use super::chain::Chain;
use super::opus::{StereoSample, samples_to_clock};

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
        self.chain
            .push(buffer)
            .map_err(|flow| CodecError::Refused {
                element: "avenc_aac",
                flow,
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
