//! Whose stream key is it? Answered by the API's store.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use compositor_core::id::ChannelId;

use crate::event::{IngestLimit, LimitBreach};
use crate::playback::PlaybackTerms;
use crate::slate::SlateTimes;

/// Knows the stream keys of all channels.
#[async_trait]
pub trait Directory: Send + Sync + 'static {
    /// The channel that `stream_key` belongs to (without its query), or `None` for a key that nobody owns.
    async fn channel_of(&self, stream_key: &str) -> Result<Option<ChannelGrant>, DirectoryError>;
}

/// What the owner of a stream key may do, and how its channel is called.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ChannelGrant {
    /// The channel.
    pub channel: ChannelId,
    /// Its ARN, for events.
    pub arn: String,
    /// Its name, for events; may be empty.
    pub name: String,
    /// Whether RTMP without TLS is allowed on a listener that is not loopback.
    pub insecure_ingest: bool,
    /// Its type.
    pub channel_type: ChannelType,
    /// How the stream that begins now may be played.
    pub playback: PlaybackTerms,
    /// What holds for a stream that begins now, until it ends.
    pub ingest: IngestTerms,
}

/// What holds for the ingest of a stream.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct IngestTerms {
    /// Live streams that the channel's account may have.
    pub broadcasts_max: u32,
    /// What more than is disconnected.
    pub limits: IngestLimits,
    /// The failover slate, if there is one.
    pub slate: Option<SlateTimes>,
    /// What the directory wants back with every event of the stream session: how the channel was when it began.
    pub snapshot: Snapshot,
}

/// What a directory remembers of a channel, in its own words. There are secrets in it, so `Debug` does not show it.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Snapshot(Arc<str>);

impl Snapshot {
    /// Wraps the directory's words.
    pub fn new(text: impl Into<Arc<str>>) -> Self {
        Self(text.into())
    }

    /// The words themselves.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Snapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Snapshot(..)")
    }
}

impl Default for IngestTerms {
    fn default() -> Self {
        Self {
            broadcasts_max: 100,
            limits: IngestLimits::default(),
            slate: None,
            snapshot: Snapshot::default(),
        }
    }
}

/// How much a publisher may send; the defaults are those of IVS for a STANDARD channel.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct IngestLimits {
    /// Bits per second of pictures whose shorter edge has at most 480 pixels.
    pub bitrate_up_to_480p: u64,
    /// Bits per second of larger pictures.
    pub bitrate: u64,
    /// Pixels along the longer edge.
    pub edge_pixels: u32,
    /// Pixels of a picture.
    pub total_pixels: u32,
}

impl Default for IngestLimits {
    fn default() -> Self {
        Self {
            bitrate_up_to_480p: 8_500_000,
            bitrate: 8_500_000,
            edge_pixels: 1920,
            total_pixels: 1920 * 1080,
        }
    }
}

impl IngestLimits {
    /// How pictures of this size exceed them, if they do.
    pub(crate) fn check_size(&self, width: u32, height: u32) -> Option<LimitBreach> {
        let total = u64::from(width) * u64::from(height);
        let edge = u64::from(width.max(height));
        exceeds(IngestLimit::EdgePixels, edge, self.edge_pixels.into())
            .or_else(|| exceeds(IngestLimit::TotalPixels, total, self.total_pixels.into()))
    }

    /// How this bit rate of pictures of this size exceeds them, if it does.
    pub(crate) fn check_bitrate(
        &self,
        bitrate: u64,
        (width, height): (u32, u32),
    ) -> Option<LimitBreach> {
        let limit = if width.min(height) <= 480 {
            self.bitrate_up_to_480p
        } else {
            self.bitrate
        };
        exceeds(IngestLimit::Bitrate, bitrate, limit)
    }
}

fn exceeds(limit: IngestLimit, given: u64, value: u64) -> Option<LimitBreach> {
    let exceeded_by = given.checked_sub(value).filter(|more| *more > 0)?;
    Some(LimitBreach {
        limit,
        value,
        exceeded_by,
    })
}

/// The channel types of IVS. All are served as one source rendition so far.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum ChannelType {
    /// `BASIC`: the source alone.
    Basic,
    /// `STANDARD`.
    #[default]
    Standard,
    /// `ADVANCED_SD`.
    AdvancedSd,
    /// `ADVANCED_HD`.
    AdvancedHd,
}

/// The directory could not answer.
#[derive(Debug, thiserror::Error)]
#[error("the stream key could not be looked up")]
pub struct DirectoryError(#[source] pub Box<dyn std::error::Error + Send + Sync>);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_form_hides_the_snapshot() {
        let terms = IngestTerms {
            snapshot: Snapshot::new("passphrase"),
            ..IngestTerms::default()
        };
        let shown = format!("{terms:?}");
        assert!(!shown.contains("passphrase"), "{shown}");
    }

    #[test]
    fn full_hd_is_the_largest_picture_either_way_up() {
        let limits = IngestLimits::default();
        assert_eq!(limits.check_size(1920, 1080), None);
        assert_eq!(limits.check_size(1080, 1920), None);
        let breach = |limit, value, exceeded_by| {
            Some(LimitBreach {
                limit,
                value,
                exceeded_by,
            })
        };
        assert_eq!(
            limits.check_size(720, 1965),
            breach(IngestLimit::EdgePixels, 1920, 45)
        );
        assert_eq!(
            limits.check_size(1600, 1562),
            breach(IngestLimit::TotalPixels, 2_073_600, 425_600)
        );
    }

    #[test]
    fn bit_rate_depends_on_the_size_where_the_type_says_so() {
        let limits = IngestLimits {
            bitrate_up_to_480p: 1_500_000,
            bitrate: 3_500_000,
            ..IngestLimits::default()
        };
        assert_eq!(limits.check_bitrate(1_500_000, (852, 480)), None);
        let breach = limits.check_bitrate(1_500_003, (480, 852)).unwrap();
        assert_eq!((breach.value, breach.exceeded_by), (1_500_000, 3));
        assert_eq!(limits.check_bitrate(3_500_000, (1280, 720)), None);
        assert!(limits.check_bitrate(3_500_001, (1280, 720)).is_some());
    }
}
