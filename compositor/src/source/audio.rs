//! Sound: the pattern's tone or a file's, coded as Opus packets of 20 ms.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;
use gstreamer as gst;

use super::file::MediaFile;
use super::tone::{self, SAMPLE_RATE};
use super::{PatternSpec, SourceError, SourceMedia, SourceUnit};
use crate::codec::CodecError;
use crate::codec::chain::Chain;

/// Samples in a packet of 20 ms.
pub(super) const PACKET_SAMPLES: u64 = SAMPLE_RATE / 50;

#[derive(Debug)]
pub(super) struct AudioSource {
    sound: Sound,
    encoder: Chain,
    position: u64,
    sent: u64,
    ended: bool,
}

#[derive(Debug)]
enum Sound {
    Tone { hz: u32 },
    File(MediaFile),
}

impl AudioSource {
    pub(super) fn pattern(pattern: &PatternSpec) -> Result<Self, SourceError> {
        Self::new(Sound::Tone {
            hz: pattern.tone_hz,
        })
    }

    pub(super) fn file(file: MediaFile) -> Result<Self, SourceError> {
        Self::new(Sound::File(file))
    }

    fn new(sound: Sound) -> Result<Self, SourceError> {
        let caps = gst::Caps::builder("audio/x-raw")
            .field("format", "S16LE")
            .field("layout", "interleaved")
            .field("rate", SAMPLE_RATE as i32)
            .field("channels", 2)
            .field("channel-mask", gst::Bitmask::new(0x3))
            .build();
        let encoder = Chain::new(
            "opusenc bitrate=64000 frame-size=20 audio-type=generic",
            &caps,
        )?;
        Ok(Self {
            sound,
            encoder,
            position: 0,
            sent: 0,
            ended: false,
        })
    }

    /// When the next packet is due; `None` at the end.
    pub(super) fn due(&self) -> Option<Duration> {
        (!self.ended).then(|| time_of(self.position))
    }

    /// Makes the next packet.
    pub(super) fn make(&mut self, out: &mut VecDeque<SourceUnit>) -> Result<(), SourceError> {
        let Some(samples) = self.sound.next(self.position)? else {
            self.ended = true;
            return Ok(());
        };
        let mut buffer = gst::Buffer::from_slice(samples);
        let pts = gst::ClockTime::from_nseconds(time_of(self.position).as_nanos() as u64);
        buffer.make_mut().set_pts(pts);
        self.position += PACKET_SAMPLES;
        let refused = |flow| CodecError::Refused {
            element: "opusenc",
            flow,
        };
        self.encoder.push(buffer).map_err(refused)?;
        while let Some(sample) = self.encoder.answer() {
            let map = sample
                .buffer()
                .and_then(|buffer| buffer.map_readable().ok());
            if let Some(map) = map {
                let pts = time_of(self.sent);
                self.sent += PACKET_SAMPLES;
                out.push_back(SourceUnit {
                    media: SourceMedia::Audio,
                    pts,
                    data: Bytes::copy_from_slice(&map),
                });
            }
        }
        Ok(())
    }
}

impl Sound {
    /// 20 ms of interleaved S16LE from `position` on.
    fn next(&mut self, position: u64) -> Result<Option<Vec<u8>>, SourceError> {
        match self {
            Self::Tone { hz } => {
                let samples = (position..position + PACKET_SAMPLES).flat_map(|at| {
                    let [low, high] = tone::sample(at, *hz).to_le_bytes();
                    [low, high, low, high]
                });
                Ok(Some(samples.collect()))
            }
            Self::File(file) => file.sound(),
        }
    }
}

fn time_of(position: u64) -> Duration {
    Duration::from_nanos(position * 1_000_000_000 / SAMPLE_RATE)
}
