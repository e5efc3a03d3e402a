//! ADTS headers for raw AAC frames (ISO/IEC 13818-7 6.2).

use compositor_core::limits::AAC_AUDIO_SPECIFIC_CONFIG;
use serde::{Deserialize, Serialize};

/// Bytes of an ADTS header without checksum.
pub(super) const ADTS_HEADER_BYTES: usize = 7;

/// The frame length field has 13 bits.
const ADTS_FRAME_BYTES_MAX: usize = (1 << 13) - 1;

/// Sampling frequencies by index (ISO/IEC 14496-3 table 1.18).
const SAMPLE_RATES: [u32; 13] = [
    96_000, 88_200, 64_000, 48_000, 44_100, 32_000, 24_000, 22_050, 16_000, 12_000, 11_025, 8_000,
    7_350,
];

/// How an AAC stream is coded.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct AudioConfig {
    object_type: u8,
    rate_index: u8,
    channels: u8,
}

impl AudioConfig {
    /// Longest raw frame that ADTS can carry.
    pub const FRAME_BYTES_MAX: usize = ADTS_FRAME_BYTES_MAX - ADTS_HEADER_BYTES;

    /// The sound of every composition: AAC-LC, 48 kHz, stereo.
    pub fn of_compositions() -> Self {
        Self::parse(&AAC_AUDIO_SPECIFIC_CONFIG).expect("our own AudioSpecificConfig is well formed")
    }

    /// Reads an AudioSpecificConfig (ISO/IEC 14496-3 1.6.2.1). HE-AAC is carried as its AAC-LC core, which decoders
    /// extend by themselves.
    pub fn parse(config: &[u8]) -> Result<Self, AudioConfigError> {
        let &[first, second, ..] = config else {
            return Err(AudioConfigError::TooShort {
                bytes: config.len(),
            });
        };
        let rate_index = (first & 0x07) << 1 | second >> 7;
        if usize::from(rate_index) >= SAMPLE_RATES.len() {
            return Err(AudioConfigError::SampleRateIndex { index: rate_index });
        }
        let object_type = match first >> 3 {
            object_type @ 1..=4 => object_type,
            5 | 29 => 2,
            object_type => return Err(AudioConfigError::ObjectType { object_type }),
        };
        let channels = second >> 3 & 0x0F;
        if !(1..=7).contains(&channels) {
            return Err(AudioConfigError::ChannelConfiguration { channels });
        }
        Ok(Self {
            object_type,
            rate_index,
            channels,
        })
    }

    /// Channels: 1 or 2, or more.
    pub fn channels(self) -> u8 {
        self.channels
    }

    /// Samples per second.
    pub fn sample_rate(self) -> u32 {
        SAMPLE_RATES[usize::from(self.rate_index)]
    }

    /// The RFC 6381 codec string.
    pub fn codec_string(self) -> String {
        format!("mp4a.40.{}", self.object_type)
    }

    /// The header in front of a raw frame; `None` when the frame is too long for its length field.
    pub(super) fn header(self, frame_bytes: usize) -> Option<[u8; ADTS_HEADER_BYTES]> {
        let length = frame_bytes + ADTS_HEADER_BYTES;
        if length > ADTS_FRAME_BYTES_MAX {
            return None;
        }
        let profile = self.object_type - 1;
        Some([
            0xFF,
            0xF1,
            profile << 6 | self.rate_index << 2 | self.channels >> 2,
            (self.channels & 0x03) << 6 | (length >> 11) as u8,
            (length >> 3) as u8,
            (length as u8 & 0x07) << 5 | 0x1F,
            0xFC,
        ])
    }
}

/// Why an AudioSpecificConfig cannot be carried in ADTS.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum AudioConfigError {
    /// Less than its fixed part.
    #[error("AudioSpecificConfig: {bytes} bytes given, at least 2 needed")]
    TooShort {
        /// How long it is.
        bytes: usize,
    },
    /// A profile that ADTS has no code for.
    #[error("AudioSpecificConfig: audio object type {object_type} cannot be carried in ADTS")]
    ObjectType {
        /// Its number.
        object_type: u8,
    },
    /// An explicit or reserved sample rate.
    #[error("AudioSpecificConfig: sampling frequency index {index} is not one of 0 to 12")]
    SampleRateIndex {
        /// The index.
        index: u8,
    },
    /// A channel layout outside the table.
    #[error("AudioSpecificConfig: channel configuration {channels} is not one of 1 to 7")]
    ChannelConfiguration {
        /// The configuration.
        channels: u8,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn header_of_a_stereo_frame_holds_rate_channels_and_length() {
        let header = AudioConfig::of_compositions()
            .header(100)
            .expect("a short frame fits");
        assert_eq!(header, [0xFF, 0xF1, 0x4C, 0x80, 0x0D, 0x7F, 0xFC]);
    }

    #[test]
    fn a_frame_beyond_thirteen_bits_is_refused() {
        assert!(AudioConfig::of_compositions().header(8184).is_some());
        assert!(AudioConfig::of_compositions().header(8185).is_none());
    }

    #[test]
    fn configurations_that_adts_cannot_carry_are_named() {
        assert_eq!(
            AudioConfig::parse(&[0x11]),
            Err(AudioConfigError::TooShort { bytes: 1 })
        );
        assert_eq!(
            AudioConfig::parse(&[0x17, 0x90]),
            Err(AudioConfigError::SampleRateIndex { index: 15 })
        );
        assert_eq!(
            AudioConfig::parse(&[0x12, 0x10]).map(AudioConfig::sample_rate),
            Ok(44_100)
        );
    }
}
