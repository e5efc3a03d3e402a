//! The Opus decoder: packets in, 48 kHz stereo out.

use bytes::Bytes;
use compositor_core::limits::AUDIO_SAMPLE_RATE;
use gstreamer as gst;

use super::CodecError;
use super::chain::Chain;

/// One sample of both channels, -1 to 1.
pub(crate) type StereoSample = [f32; 2];

/// A decoder of one track.
#[derive(Debug)]
pub(crate) struct OpusDecoder {
    chain: Chain,
    samples_in: u64,
}

impl OpusDecoder {
    pub(crate) fn new() -> Result<Self, CodecError> {
        let caps = gst::Caps::builder("audio/x-opus")
            .field("channel-mapping-family", 0)
            .field("channels", 2)
            .field("rate", AUDIO_SAMPLE_RATE as i32)
            .build();
        Ok(Self {
            chain: Chain::new(
                "opusdec plc=true use-inband-fec=false ! audioconvert dithering=none ! \
                 audio/x-raw,format=F32LE,rate=48000,channels=2,layout=interleaved",
                &caps,
            )?,
            samples_in: 0,
        })
    }

    /// Decodes one packet; appends its samples and returns how many.
    pub(crate) fn decode(&mut self, data: Bytes, out: &mut Vec<StereoSample>) -> usize {
        let mut buffer = gst::Buffer::from_slice(data);
        {
            let buffer = buffer.get_mut().expect("nobody else has it yet");
            buffer.set_pts(samples_to_clock(self.samples_in));
        }
        // An error of the flow shows as missing samples.
        let _ = self.chain.push(buffer);
        self.take(out)
    }

    /// Lets the decoder guess `samples` that were lost.
    pub(crate) fn conceal(&mut self, samples: usize, out: &mut Vec<StereoSample>) -> usize {
        let gap = gst::event::Gap::builder(samples_to_clock(self.samples_in))
            .duration(samples_to_clock(samples as u64))
            .build();
        self.chain.push_event(gap);
        self.take(out)
    }

    fn take(&mut self, out: &mut Vec<StereoSample>) -> usize {
        let before = out.len();
        while let Some(sample) = self.chain.answer() {
            let Some(map) = sample.buffer().and_then(|b| b.map_readable().ok()) else {
                continue;
            };
            out.extend(map.chunks_exact(8).map(stereo_sample));
        }
        let count = out.len() - before;
        self.samples_in += count as u64;
        count
    }
}

/// Eight bytes of interleaved F32LE.
pub(crate) fn stereo_sample(bytes: &[u8]) -> StereoSample {
    let channel = |at: usize| {
        f32::from_le_bytes(
            bytes[at..at + 4]
                .try_into()
                .expect("a slice of four has four bytes"),
        )
    };
    [channel(0), channel(4)]
}

pub(crate) fn samples_to_clock(samples: u64) -> gst::ClockTime {
    gst::ClockTime::from_nseconds(samples * 1_000_000_000 / u64::from(AUDIO_SAMPLE_RATE))
}
