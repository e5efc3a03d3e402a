//! The media playlists of a channel's recording: whole segments, and parts of them that begin at keyframes.

use std::time::Duration;

use compositor_core::time::WallTime;
use serde::{Deserialize, Serialize};

use super::{line, rounded_seconds};
use crate::limits::TIMED_SEGMENT_MAX;
use crate::rfc3339::rfc3339_millis;

/// One segment with its times.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) struct TimedSegment {
    /// When its first picture was on air.
    pub(crate) at: WallTime,
    /// It does not continue the segment before.
    pub(crate) discontinuity: bool,
    /// Lines in front of it in the playlists.
    #[serde(default)]
    pub(crate) date_ranges: Vec<String>,
    /// Its parts, in order; at least one.
    pub(crate) parts: Vec<SegmentPart>,
}

/// A part of a segment's file that can be played by itself.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) struct SegmentPart {
    /// Its length in the file.
    pub(crate) bytes: u64,
    /// How long it plays, on the 90 kHz clock.
    pub(crate) ticks: u64,
}

impl TimedSegment {
    /// How long it plays, on the 90 kHz clock.
    pub(crate) fn ticks(&self) -> u64 {
        self.parts.iter().map(|part| part.ticks).sum()
    }
}

/// Which entries a playlist has.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Entries {
    /// One for each segment: HLS version 3.
    Segments,
    /// One for each part: HLS version 4.
    ByteRanges,
}

/// The text that names these segments: EVENT while the recording grows, VOD once it is whole. Segment `i` is `i.ts`.
/// Durations are rounded on the time line, not one by one, so that their sum does not drift.
pub(crate) fn render<'a>(
    segments: impl IntoIterator<Item = &'a TimedSegment>,
    entries: Entries,
    ended: bool,
) -> String {
    let version = match entries {
        Entries::Segments => 3,
        Entries::ByteRanges => 4,
    };
    let kind = if ended { "VOD" } else { "EVENT" };
    let target = rounded_seconds(TIMED_SEGMENT_MAX);
    let mut text = format!(
        "#EXTM3U\n#EXT-X-VERSION:{version}\n#EXT-X-TARGETDURATION:{target}\n#EXT-X-MEDIA-SEQUENCE:0\n\
         #EXT-X-PLAYLIST-TYPE:{kind}\n"
    );
    let mut clock = TimeLine::default();
    for (i, segment) in segments.into_iter().enumerate() {
        if segment.discontinuity {
            line(&mut text, format_args!("#EXT-X-DISCONTINUITY"));
        }
        for tag in &segment.date_ranges {
            line(&mut text, format_args!("{tag}"));
        }
        match entries {
            Entries::Segments => {
                stamp(&mut text, segment.at);
                let length = clock.pass(segment.ticks());
                line(&mut text, format_args!("#EXTINF:{length},\n{i}.ts"));
            }
            Entries::ByteRanges => write_parts(&mut text, &mut clock, i, segment),
        }
    }
    if ended {
        line(&mut text, format_args!("#EXT-X-ENDLIST"));
    }
    text
}

fn write_parts(text: &mut String, clock: &mut TimeLine, i: usize, segment: &TimedSegment) {
    let (mut offset, mut ticks) = (0, 0);
    for part in &segment.parts {
        stamp(text, segment.at.plus(span(ticks)));
        let length = clock.pass(part.ticks);
        let bytes = part.bytes;
        line(
            text,
            format_args!("#EXTINF:{length},\n#EXT-X-BYTERANGE:{bytes}@{offset}\n{i}.ts"),
        );
        offset += part.bytes;
        ticks += part.ticks;
    }
}

fn stamp(text: &mut String, at: WallTime) {
    let at = rfc3339_millis(at);
    line(text, format_args!("#EXT-X-PROGRAM-DATE-TIME:{at}"));
}

/// Ticks of the 90 kHz clock as time.
pub(crate) fn span(ticks: u64) -> Duration {
    Duration::from_nanos(ticks * 100_000 / 9)
}

/// Rounds to microseconds without drift.
#[derive(Default)]
struct TimeLine {
    ticks: u64,
}

impl TimeLine {
    /// The length of the next entry, in seconds with six decimals.
    fn pass(&mut self, ticks: u64) -> String {
        let micros = |ticks: u64| (u128::from(ticks) * 100 + 4) / 9;
        let before = micros(self.ticks);
        self.ticks += ticks;
        let length = micros(self.ticks) - before;
        format!("{}.{:06}", length / 1_000_000, length % 1_000_000)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn segments() -> Vec<TimedSegment> {
        let part = |bytes, ticks| SegmentPart { bytes, ticks };
        let start = 1_767_225_600_000_000;
        vec![
            TimedSegment {
                at: WallTime(start),
                discontinuity: false,
                date_ranges: Vec::new(),
                parts: vec![part(1880, 180_000), part(376, 183_003)],
            },
            TimedSegment {
                at: WallTime(start + 60_500_000),
                discontinuity: true,
                date_ranges: Vec::new(),
                parts: vec![part(188, 90_000)],
            },
        ]
    }

    #[test]
    fn date_ranges_stand_in_front_of_the_segment_in_which_they_came() {
        let mut segments = segments();
        segments[1].date_ranges = vec!["#EXT-X-DATERANGE:ID=\"a\"".to_owned()];
        for entries in [Entries::Segments, Entries::ByteRanges] {
            let text = render(&segments, entries, false);
            let place =
                "#EXT-X-DISCONTINUITY\n#EXT-X-DATERANGE:ID=\"a\"\n#EXT-X-PROGRAM-DATE-TIME:";
            assert!(text.contains(place), "{text}");
        }
    }

    #[test]
    fn each_segment_tells_when_it_was_on_air_and_merged_streams_are_discontinuous() {
        assert_eq!(
            render(&segments(), Entries::Segments, false),
            "#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:12\n#EXT-X-MEDIA-SEQUENCE:0\n\
             #EXT-X-PLAYLIST-TYPE:EVENT\n#EXT-X-PROGRAM-DATE-TIME:2026-01-01T00:00:00.000Z\n\
             #EXTINF:4.033367,\n0.ts\n#EXT-X-DISCONTINUITY\n\
             #EXT-X-PROGRAM-DATE-TIME:2026-01-01T00:01:00.500Z\n#EXTINF:1.000000,\n1.ts\n"
        );
    }

    #[test]
    fn byte_ranges_follow_each_other_within_a_segment() {
        assert_eq!(
            render(&segments(), Entries::ByteRanges, true),
            "#EXTM3U\n#EXT-X-VERSION:4\n#EXT-X-TARGETDURATION:12\n#EXT-X-MEDIA-SEQUENCE:0\n\
             #EXT-X-PLAYLIST-TYPE:VOD\n#EXT-X-PROGRAM-DATE-TIME:2026-01-01T00:00:00.000Z\n\
             #EXTINF:2.000000,\n#EXT-X-BYTERANGE:1880@0\n0.ts\n\
             #EXT-X-PROGRAM-DATE-TIME:2026-01-01T00:00:02.000Z\n#EXTINF:2.033367,\n\
             #EXT-X-BYTERANGE:376@1880\n0.ts\n#EXT-X-DISCONTINUITY\n\
             #EXT-X-PROGRAM-DATE-TIME:2026-01-01T00:01:00.500Z\n#EXTINF:1.000000,\n\
             #EXT-X-BYTERANGE:188@0\n1.ts\n#EXT-X-ENDLIST\n"
        );
    }
}
