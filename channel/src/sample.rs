//! What the ingest hands to the origin.

use bytes::Bytes;
use recorder::AdBreak;

/// Ticks per second of sample times.
pub(crate) const CLOCK_HZ: u64 = 90_000;

/// One coded picture or sound frame, or what goes between them; times on the 90 kHz clock of the publisher's connection.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Sample {
    /// An H.264 picture in Annex B form; a keyframe carries its parameter sets.
    Video {
        pts: u64,
        dts: u64,
        keyframe: bool,
        data: Bytes,
    },
    /// A raw AAC frame.
    Audio { pts: u64, data: Bytes },
    /// A whole ID3 tag, to be acted upon at `pts`.
    Metadata { pts: u64, id3: Bytes },
    /// An ad break begins here, or ends here if it says so.
    AdBreak { pts: u64, ad_break: AdBreak },
    /// The times that follow do not continue those before.
    Discontinuity,
}

impl Sample {
    /// Whether a decoder can begin here.
    pub(crate) fn is_keyframe(&self) -> bool {
        matches!(self, Self::Video { keyframe: true, .. })
    }

    /// Bytes of coded media.
    pub(crate) fn bytes(&self) -> usize {
        match self {
            Self::Video { data, .. } | Self::Audio { data, .. } => data.len(),
            Self::Metadata { .. } | Self::AdBreak { .. } | Self::Discontinuity => 0,
        }
    }
}
