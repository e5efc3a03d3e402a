//! The playlists of a recording, and how long it is.

use std::time::Duration;

use super::Spool;
use super::ledger::Extent;
use crate::key_layout::{BYTE_RANGE_PLAYLIST, ObjectName, PLAYLIST};
use crate::playlist::timed::{self, Entries, TimedSegment, span};
use crate::playlist::{RecordingPlaylist, Variant, multivariant, multivariant_of_version};
use crate::recording::Source;

/// What the sound adds to the bit rate, with ADTS and packet headers.
const AUDIO_BANDWIDTH: u64 = 200_000;

impl Spool {
    /// Length of the sealed segments.
    pub(crate) fn duration(&self) -> Duration {
        match &self.spec.source {
            Source::Composition { .. } => {
                let frames = self.frame_counts().map(u64::from).sum();
                self.spec.rendition.fps.frame_time(frames)
            }
            Source::Channel(_) => span(self.timed_segments().map(TimedSegment::ticks).sum()),
        }
    }

    /// The media playlists that name the oldest `segments` segments.
    pub(crate) fn playlists(&self, segments: u64, ended: bool) -> Vec<(ObjectName, String)> {
        let named = usize::try_from(segments).unwrap_or(usize::MAX);
        match &self.spec.source {
            Source::Composition { segment_frames, .. } => {
                let playlist = RecordingPlaylist {
                    fps: self.spec.rendition.fps,
                    segment_frames: *segment_frames,
                };
                let text = playlist.render(self.frame_counts().take(named), ended);
                vec![(ObjectName::Playlist, text)]
            }
            Source::Channel(_) => [
                (ObjectName::Playlist, Entries::Segments),
                (ObjectName::ByteRangePlaylist, Entries::ByteRanges),
            ]
            .map(|(object, entries)| {
                let segments = self.timed_segments().take(named);
                (object, timed::render(segments, entries, ended))
            })
            .into(),
        }
    }

    /// The multivariant playlists; once the recording has ended, with the true peak bit rate.
    pub(crate) fn multivariants(&self, ended: bool) -> Vec<(ObjectName, String)> {
        match &self.spec.source {
            Source::Composition { .. } => {
                let text = multivariant(&[self.variant(PLAYLIST, ended)]);
                vec![(ObjectName::Multivariant, text)]
            }
            Source::Channel(_) => [
                (ObjectName::Multivariant, 3, PLAYLIST),
                (ObjectName::ByteRangeMultivariant, 4, BYTE_RANGE_PLAYLIST),
            ]
            .map(|(object, version, playlist)| {
                let variant = self.variant(playlist, ended);
                (object, multivariant_of_version(version, &[variant]))
            })
            .into(),
        }
    }

    fn variant(&self, playlist: &str, ended: bool) -> Variant {
        let rendition = &self.spec.rendition;
        let rate =
            |bytes: u64, length: Duration| (bytes as f64 * 8.0 / length.as_secs_f64()) as u64;
        let rates = self.segments.iter().map(|segment| {
            let length = self.length(&segment.extent);
            (!length.is_zero()).then(|| rate(segment.bytes, length))
        });
        let peak = rates.flatten().max().unwrap_or(0);
        let planned = u64::from(rendition.bitrate) * 5 / 4 + AUDIO_BANDWIDTH;
        let bytes: u64 = self.segments.iter().map(|segment| segment.bytes).sum();
        let is_measured = ended && !self.duration().is_zero();
        Variant {
            uri: format!("{}/{playlist}", self.spec.key_layout().rendition()),
            bandwidth: if is_measured { peak } else { peak.max(planned) },
            average_bandwidth: is_measured.then(|| rate(bytes, self.duration())),
            codecs: self.codecs.clone(),
            resolution: (rendition.width, rendition.height),
            fps: rendition.fps,
        }
    }

    fn length(&self, extent: &Extent) -> Duration {
        match extent {
            Extent::Frames(frames) => self.spec.rendition.fps.frame_time(u64::from(*frames)),
            Extent::Timed(segment) => span(segment.ticks()),
        }
    }

    fn frame_counts(&self) -> impl Iterator<Item = u32> {
        self.segments
            .iter()
            .filter_map(|segment| match segment.extent {
                Extent::Frames(frames) => Some(frames),
                Extent::Timed(_) => None,
            })
    }

    fn timed_segments(&self) -> impl Iterator<Item = &TimedSegment> {
        self.segments
            .iter()
            .filter_map(|segment| match &segment.extent {
                Extent::Timed(segment) => Some(segment),
                Extent::Frames(_) => None,
            })
    }
}
