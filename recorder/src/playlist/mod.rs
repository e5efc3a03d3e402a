//! HLS text (RFC 8216): the playlist of a recording, the sliding window of a live channel, the multivariant playlist.

pub(crate) mod timed;

use std::collections::VecDeque;
use std::fmt::Write;
use std::time::Duration;

use compositor_core::time::{FrameRate, WallTime};

use crate::ad_break::AdBreak;
use crate::rfc3339::rfc3339_millis;

/// Ad breaks in a live playlist: more than can be within its window one after another.
const AD_BREAKS_MAX: usize = 64;

/// The media playlist of a recording: EVENT while it grows, VOD once it is whole. Segment `i` is `i.ts`.
#[derive(Clone, Copy, Debug)]
pub struct RecordingPlaylist {
    /// The frame grid.
    pub fps: FrameRate,
    /// Frames of every segment but the last.
    pub segment_frames: u32,
}

impl RecordingPlaylist {
    /// The text that names segments with these numbers of frames. Durations are rounded on the time line, not one by
    /// one, so that their sum does not drift.
    pub fn render(&self, segments: impl IntoIterator<Item = u32>, ended: bool) -> String {
        let mut text = header(self.target_duration());
        line(&mut text, format_args!("#EXT-X-MEDIA-SEQUENCE:0"));
        let kind = if ended { "VOD" } else { "EVENT" };
        line(&mut text, format_args!("#EXT-X-PLAYLIST-TYPE:{kind}"));
        let mut start = 0;
        for (i, frames) in segments.into_iter().enumerate() {
            let end = start + u64::from(frames);
            let micros = self.micros(end) - self.micros(start);
            let (seconds, fraction) = (micros / 1_000_000, micros % 1_000_000);
            line(
                &mut text,
                format_args!("#EXTINF:{seconds}.{fraction:06},\n{i}.ts"),
            );
            start = end;
        }
        if ended {
            line(&mut text, format_args!("#EXT-X-ENDLIST"));
        }
        text
    }

    fn target_duration(&self) -> u64 {
        rounded_seconds(self.fps.frame_time(u64::from(self.segment_frames)))
    }

    fn micros(&self, frames: u64) -> u128 {
        let time = self.fps.frame_time(frames);
        (time + Duration::from_nanos(500)).as_micros()
    }
}

/// One segment of a live playlist.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LiveSegment {
    /// How the playlist names it.
    pub uri: String,
    /// How long it plays.
    pub duration: Duration,
    /// When its first frame was on air.
    pub program_date_time: Option<WallTime>,
    /// Its timestamps or coding do not continue those of the segment before.
    pub discontinuity: bool,
}

/// The sliding window of a live channel.
#[derive(Clone, Debug)]
pub struct LivePlaylist {
    window: Duration,
    target_duration: u64,
    media_sequence: u64,
    discontinuity_sequence: u64,
    segments: VecDeque<LiveSegment>,
    ad_breaks: VecDeque<AdBreak>,
    ended: bool,
}

impl LivePlaylist {
    /// An empty playlist that keeps at least `window` of the newest segments, which are `target` long. `media_sequence`
    /// numbers the first segment.
    pub fn new(window: Duration, target: Duration, media_sequence: u64) -> Self {
        Self {
            window,
            target_duration: rounded_seconds(target),
            media_sequence,
            discontinuity_sequence: 0,
            segments: VecDeque::new(),
            ad_breaks: VecDeque::new(),
            ended: false,
        }
    }

    /// Appends a segment and returns those that left the window. Their files should stay for another window, since
    /// players may hold an older playlist (RFC 8216 6.2.2).
    pub fn push(&mut self, segment: LiveSegment) -> Vec<LiveSegment> {
        self.target_duration = self.target_duration.max(rounded_seconds(segment.duration));
        self.segments.push_back(segment);
        let mut left = Vec::new();
        let mut length: Duration = self.segments.iter().map(|segment| segment.duration).sum();
        while let Some(oldest) = self.segments.front()
            && length.saturating_sub(oldest.duration) >= self.window
        {
            length -= oldest.duration;
            self.media_sequence += 1;
            self.discontinuity_sequence += u64::from(oldest.discontinuity);
            left.extend(self.segments.pop_front());
        }
        self.forget_ad_breaks();
        left
    }

    /// Signals an ad break; one of the same id is replaced.
    pub fn set_ad_break(&mut self, ad_break: AdBreak) {
        match self
            .ad_breaks
            .iter_mut()
            .find(|known| known.id == ad_break.id)
        {
            Some(known) => *known = ad_break,
            None => self.ad_breaks.push_back(ad_break),
        }
        self.forget_ad_breaks();
    }

    /// Date ranges stay until they end before the window (RFC 8216 6.2.1).
    fn forget_ad_breaks(&mut self) {
        let times = self
            .segments
            .iter()
            .filter_map(|segment| segment.program_date_time);
        if let Some(start) = times.min() {
            self.ad_breaks
                .retain(|ad_break| ad_break.ended.is_none_or(|ended| ended >= start));
        }
        while self.ad_breaks.len() > AD_BREAKS_MAX {
            self.ad_breaks.pop_front();
        }
    }

    /// The stream is over: players shall stop after the last segment.
    pub fn end(&mut self) {
        self.ended = true;
    }

    /// Whether [`Self::end`] was called.
    pub fn is_ended(&self) -> bool {
        self.ended
    }

    /// The segments inside the window, oldest first.
    pub fn segments(&self) -> impl ExactSizeIterator<Item = &LiveSegment> {
        self.segments.iter()
    }

    /// The number of the oldest segment inside the window.
    pub fn media_sequence(&self) -> u64 {
        self.media_sequence
    }

    /// The text of the playlist.
    pub fn render(&self) -> String {
        self.render_with(|segment| segment.uri.clone())
    }

    /// The text of the playlist with other names of the segments, such as URLs that carry a viewer's token.
    pub fn render_with(&self, uri: impl Fn(&LiveSegment) -> String) -> String {
        let mut text = header(self.target_duration);
        line(
            &mut text,
            format_args!("#EXT-X-MEDIA-SEQUENCE:{}", self.media_sequence),
        );
        if self.discontinuity_sequence > 0 {
            let sequence = self.discontinuity_sequence;
            line(
                &mut text,
                format_args!("#EXT-X-DISCONTINUITY-SEQUENCE:{sequence}"),
            );
        }
        for ad_break in &self.ad_breaks {
            let tags = [Some(ad_break.out_tag()), ad_break.in_tag()];
            for tag in tags.into_iter().flatten() {
                line(&mut text, format_args!("{tag}"));
            }
        }
        for segment in &self.segments {
            if segment.discontinuity {
                line(&mut text, format_args!("#EXT-X-DISCONTINUITY"));
            }
            if let Some(time) = segment.program_date_time {
                line(
                    &mut text,
                    format_args!("#EXT-X-PROGRAM-DATE-TIME:{}", rfc3339_millis(time)),
                );
            }
            let seconds = segment.duration.as_secs_f64();
            line(
                &mut text,
                format_args!("#EXTINF:{seconds:.6},live\n{}", uri(segment)),
            );
        }
        if self.ended {
            line(&mut text, format_args!("#EXT-X-ENDLIST"));
        }
        text
    }
}

/// One rendition in a multivariant playlist.
#[derive(Clone, PartialEq, Debug)]
pub struct Variant {
    /// Where its media playlist is.
    pub uri: String,
    /// Upper bound of the bit rate of any segment, bits per second.
    pub bandwidth: u64,
    /// Bit rate over the whole presentation, when it is known.
    pub average_bandwidth: Option<u64>,
    /// RFC 6381 codec strings, such as `avc1.4D401F,mp4a.40.2`.
    pub codecs: Option<String>,
    /// Width and height in pixels.
    pub resolution: (u16, u16),
    /// Frames per second.
    pub fps: FrameRate,
}

/// The text of a multivariant playlist whose segments all begin at a keyframe.
pub fn multivariant(variants: &[Variant]) -> String {
    let head = "#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-INDEPENDENT-SEGMENTS\n";
    with_variants(head.to_owned(), variants)
}

/// The text of a multivariant playlist that makes no promise about its segments, in this version of HLS.
pub(crate) fn multivariant_of_version(version: u32, variants: &[Variant]) -> String {
    with_variants(format!("#EXTM3U\n#EXT-X-VERSION:{version}\n"), variants)
}

fn with_variants(mut text: String, variants: &[Variant]) -> String {
    for variant in variants {
        let Variant {
            uri,
            bandwidth,
            average_bandwidth,
            codecs,
            resolution,
            fps,
        } = variant;
        let mut attributes = format!("BANDWIDTH={bandwidth}");
        if let Some(average) = average_bandwidth {
            attributes += &format!(",AVERAGE-BANDWIDTH={average}");
        }
        if let Some(codecs) = codecs {
            attributes += &format!(",CODECS=\"{codecs}\"");
        }
        let (width, height) = resolution;
        let rate = fps.seconds(1).recip();
        attributes += &format!(",RESOLUTION={width}x{height},FRAME-RATE={rate:.3}");
        line(
            &mut text,
            format_args!("#EXT-X-STREAM-INF:{attributes}\n{uri}"),
        );
    }
    text
}

fn header(target_duration: u64) -> String {
    format!("#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:{target_duration}\n")
}

fn line(text: &mut String, content: std::fmt::Arguments<'_>) {
    writeln!(text, "{content}").expect("writing to a String cannot fail");
}

/// EXTINF rounded to the nearest integer must not exceed the target duration (RFC 8216 4.3.3.1).
fn rounded_seconds(duration: Duration) -> u64 {
    (duration.as_secs_f64().round() as u64).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NTSC: FrameRate = FrameRate {
        num: 30_000,
        den: 1001,
    };

    #[test]
    fn a_growing_recording_is_an_event_and_a_whole_one_a_vod() {
        let playlist = RecordingPlaylist {
            fps: NTSC,
            segment_frames: 60,
        };
        let head = "#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:2\n#EXT-X-MEDIA-SEQUENCE:0\n";
        assert_eq!(
            playlist.render([60], false),
            format!("{head}#EXT-X-PLAYLIST-TYPE:EVENT\n#EXTINF:2.002000,\n0.ts\n")
        );
        assert_eq!(
            playlist.render([60, 15], true),
            format!(
                "{head}#EXT-X-PLAYLIST-TYPE:VOD\n#EXTINF:2.002000,\n0.ts\n#EXTINF:0.500500,\n1.ts\n\
                 #EXT-X-ENDLIST\n"
            )
        );
    }

    #[test]
    fn rounded_durations_add_up_over_a_day() {
        let fps = FrameRate::whole(7);
        let playlist = RecordingPlaylist {
            fps,
            segment_frames: 13,
        };
        let segments = 24u32 * 3600 * 7 / 13;
        let text = playlist.render((0..segments).map(|_| 13), true);
        let micros: u64 = text
            .lines()
            .filter_map(|line| line.strip_prefix("#EXTINF:")?.strip_suffix(','))
            .map(|seconds| seconds.replace('.', "").parse::<u64>().expect("digits"))
            .sum();
        assert_eq!(micros, (u64::from(segments) * 13 * 1_000_000 + 3) / 7);
    }

    fn live(i: u64) -> LiveSegment {
        LiveSegment {
            uri: format!("{i}.ts"),
            duration: Duration::from_secs(2),
            program_date_time: None,
            discontinuity: i == 1,
        }
    }

    #[test]
    fn the_live_window_slides_and_counts_what_left() {
        let mut playlist = LivePlaylist::new(Duration::from_secs(4), Duration::from_secs(2), 10);
        assert!(playlist.push(live(0)).is_empty());
        assert!(playlist.push(live(1)).is_empty());
        assert_eq!(playlist.push(live(2)), [live(0)]);
        assert_eq!(playlist.push(live(3)), [live(1)]);
        playlist.end();
        assert_eq!(
            playlist.render(),
            "#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:2\n#EXT-X-MEDIA-SEQUENCE:12\n\
             #EXT-X-DISCONTINUITY-SEQUENCE:1\n#EXTINF:2.000000,live\n2.ts\n\
             #EXTINF:2.000000,live\n3.ts\n#EXT-X-ENDLIST\n"
        );
    }

    #[test]
    fn a_live_segment_tells_when_it_was_on_air() {
        let mut playlist = LivePlaylist::new(Duration::from_secs(4), Duration::from_secs(2), 0);
        playlist.push(LiveSegment {
            program_date_time: Some(WallTime(1_500_000)),
            ..live(1)
        });
        assert!(playlist.render().contains(
            "#EXT-X-DISCONTINUITY\n#EXT-X-PROGRAM-DATE-TIME:1970-01-01T00:00:01.500Z\n#EXTINF"
        ));
    }

    #[test]
    fn an_ad_break_stays_until_it_ends_before_the_window() {
        let mut playlist = LivePlaylist::new(Duration::from_secs(4), Duration::from_secs(2), 0);
        let at = |i: u64| LiveSegment {
            program_date_time: Some(WallTime(i as i64 * 2_000_000)),
            ..live(i)
        };
        playlist.push(at(0));
        let mut ad_break = AdBreak {
            id: "AAAABBBBCCCC".to_owned(),
            start: WallTime(1_000_000),
            planned: Duration::from_secs(2),
            ended: None,
        };
        playlist.set_ad_break(ad_break.clone());
        assert_eq!(playlist.render().matches("SCTE35-OUT").count(), 1);
        ad_break.ended = Some(WallTime(3_000_000));
        playlist.set_ad_break(ad_break);
        playlist.push(at(1));
        playlist.push(at(2));
        let text = playlist.render();
        assert_eq!(text.matches("SCTE35-OUT").count(), 1, "{text}");
        assert_eq!(text.matches("SCTE35-IN").count(), 1, "{text}");
        playlist.push(at(3));
        assert_eq!(playlist.render().matches("EXT-X-DATERANGE").count(), 0);
    }

    #[test]
    fn multivariant_names_what_a_player_must_know() {
        let variant = Variant {
            uri: "720p30-AAAABBBBCCCC/playlist.m3u8".to_owned(),
            bandwidth: 3_000_000,
            average_bandwidth: Some(2_700_000),
            codecs: Some("avc1.4D401F,mp4a.40.2".to_owned()),
            resolution: (1280, 720),
            fps: NTSC,
        };
        assert_eq!(
            multivariant(&[variant]),
            "#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-INDEPENDENT-SEGMENTS\n#EXT-X-STREAM-INF:\
             BANDWIDTH=3000000,AVERAGE-BANDWIDTH=2700000,CODECS=\"avc1.4D401F,mp4a.40.2\",\
             RESOLUTION=1280x720,FRAME-RATE=29.970\n720p30-AAAABBBBCCCC/playlist.m3u8\n"
        );
    }
}
