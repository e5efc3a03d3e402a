//! The origin of one stream session: cutter, playlist, the bytes of its segments, its viewers. Pure.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;
use compositor_core::time::{FrameRate, WallTime};
use recorder::AdBreak;
use recorder::mux::AudioConfig;
use recorder::playlist::{LivePlaylist, LiveSegment, Variant, multivariant};

use crate::flv::sps::Sps;
use crate::limits::{ORIGIN_BYTES_MAX, SEGMENT_TARGET, SEGMENTS_BEHIND_MAX, WINDOW};
use crate::origin::cutter::{Cutter, Segment};
use crate::sample::{CLOCK_HZ, Sample};
use crate::tap::{StreamFormat, TapSender};

/// What a stream is made of; a takeover must bring the same.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) struct MediaFormat {
    pub(crate) picture: Sps,
    pub(crate) audio: Option<AudioConfig>,
    /// What the publisher announced, if anything.
    pub(crate) fps: Option<f64>,
}

impl MediaFormat {
    /// Width and height.
    pub(crate) fn size(&self) -> (u32, u32) {
        (self.picture.width, self.picture.height)
    }

    /// Whether `other` may continue this stream: same resolution, same codecs, same tracks.
    pub(crate) fn continued_by(&self, other: &Self) -> bool {
        self.size() == other.size() && self.audio == other.audio
    }

    /// The same for whoever records the stream.
    pub(crate) fn describe(&self) -> StreamFormat {
        StreamFormat {
            width: self.picture.width,
            height: self.picture.height,
            video_codec: self.picture.codec(),
            audio: self.audio,
            fps: self.fps,
        }
    }
}

/// One stream session's live window.
#[derive(Debug)]
pub(crate) struct LiveOrigin {
    /// The connection that may push.
    owner: u64,
    format: MediaFormat,
    cutter: Cutter,
    playlist: LivePlaylist,
    segments: VecDeque<(u64, Bytes)>,
    segments_bytes: usize,
    next_number: u64,
    anchor: Option<Anchor>,
    /// DTS of the last picture.
    latest: u64,
    peak_bits_per_second: u64,
    measured_fps: Option<f64>,
    /// Where everything goes besides, until the stream ends.
    tap: Option<TapSender>,
}

/// A media time whose wall time is known; program date times follow from it without drift.
#[derive(Clone, Copy, Debug)]
struct Anchor {
    dts: u64,
    wall: WallTime,
}

impl LiveOrigin {
    pub(crate) fn new(owner: u64, format: MediaFormat) -> Self {
        Self {
            owner,
            format,
            cutter: Cutter::new(format.audio),
            playlist: LivePlaylist::new(WINDOW, SEGMENT_TARGET, 0),
            segments: VecDeque::new(),
            segments_bytes: 0,
            next_number: 0,
            anchor: None,
            latest: 0,
            peak_bits_per_second: 0,
            measured_fps: None,
            tap: None,
        }
    }

    /// Passes everything that comes from now on to `tap`, too.
    pub(crate) fn set_tap(&mut self, tap: TapSender) {
        self.tap = Some(tap);
    }

    /// Another connection continues the stream, or the same one in another format.
    pub(crate) fn hand_over(&mut self, owner: u64, format: MediaFormat) {
        self.owner = owner;
        self.break_off();
        if let Some(audio) = format.audio {
            self.set_audio(owner, audio);
        }
        self.format = format;
    }

    /// No more samples come for now: what there is becomes a segment.
    pub(crate) fn break_off(&mut self) {
        let finished = self.cutter.break_off();
        self.keep(finished);
        self.anchor = None;
        if let Some(tap) = &mut self.tap {
            tap.break_off();
        }
    }

    /// The stream is over.
    pub(crate) fn end(&mut self) {
        self.break_off();
        self.playlist.end();
        self.tap = None;
    }

    /// Takes a sample, unless `owner` no longer publishes.
    pub(crate) fn push(&mut self, wall: WallTime, owner: u64, sample: &Sample) {
        if owner != self.owner || self.playlist.is_ended() {
            return;
        }
        self.take(wall, sample);
    }

    /// Timed metadata at the point that the stream has reached. `false` when too much waits for media already.
    pub(crate) fn put_metadata(&mut self, wall: WallTime, id3: Bytes) -> bool {
        let has_room = self.cutter.takes_metadata();
        if has_room {
            let pts = self.latest;
            self.take(wall, &Sample::Metadata { pts, id3 });
        }
        has_room
    }

    /// An ad break that begins or ends now.
    pub(crate) fn put_ad_break(&mut self, wall: WallTime, ad_break: AdBreak) {
        let pts = self.latest;
        self.take(wall, &Sample::AdBreak { pts, ad_break });
    }

    /// Tells players of an ad break, before it begins.
    pub(crate) fn announce(&mut self, ad_break: AdBreak) {
        self.playlist.set_ad_break(ad_break);
    }

    /// Everything that is in the stream comes through here, in order.
    fn take(&mut self, wall: WallTime, sample: &Sample) {
        if let Some(tap) = &mut self.tap {
            tap.sample(wall, &self.format, sample);
        }
        match sample {
            Sample::Discontinuity => return self.break_off(),
            Sample::AdBreak { ad_break, .. } => self.playlist.set_ad_break(ad_break.clone()),
            Sample::Video { dts, .. } => self.latest = *dts,
            Sample::Audio { .. } | Sample::Metadata { .. } => {}
        }
        if let Sample::Video {
            dts,
            keyframe: true,
            ..
        } = sample
            && self.anchor.is_none()
        {
            self.anchor = Some(Anchor { dts: *dts, wall });
        }
        let finished = self.cutter.push(sample);
        self.keep(finished);
    }

    /// The publisher changed how its sound is coded.
    pub(crate) fn set_audio(&mut self, owner: u64, audio: AudioConfig) {
        if owner == self.owner && self.format.audio != Some(audio) {
            self.format.audio = Some(audio);
            let finished = self.cutter.set_audio(audio);
            self.keep(finished);
        }
    }

    /// DTS of the last picture.
    pub(crate) fn latest(&self) -> u64 {
        self.latest
    }

    /// Whether there is a segment to play.
    pub(crate) fn is_playable(&self) -> bool {
        self.playlist.segments().len() > 0
    }

    pub(crate) fn format(&self) -> &MediaFormat {
        &self.format
    }

    /// The master playlist, once there is something to play.
    pub(crate) fn master(&self, variant_uri: String) -> Option<String> {
        if !self.is_playable() {
            return None;
        }
        let (width, height) = self.resolution();
        let audio = self
            .format
            .audio
            .map(|audio| format!(",{}", audio.codec_string()));
        let fps = self
            .format
            .fps
            .filter(|fps| (1.0..=120.0).contains(fps))
            .or(self.measured_fps);
        Some(multivariant(&[Variant {
            uri: variant_uri,
            bandwidth: self.peak_bits_per_second.max(1),
            average_bandwidth: None,
            codecs: Some(self.format.picture.codec() + audio.as_deref().unwrap_or_default()),
            resolution: (
                u16::try_from(width).unwrap_or(u16::MAX),
                u16::try_from(height).unwrap_or(u16::MAX),
            ),
            fps: FrameRate::from_api(fps.unwrap_or(30.0)),
        }]))
    }

    /// Whether the playlist will not go on; who fetches it no longer watches.
    pub(crate) fn is_ended(&self) -> bool {
        self.playlist.is_ended()
    }

    /// Width and height of the only rendition.
    pub(crate) fn resolution(&self) -> (u32, u32) {
        let Sps { width, height, .. } = self.format.picture;
        (width, height)
    }

    /// The media playlist.
    pub(crate) fn media(&self) -> String {
        self.playlist.render()
    }

    /// One segment.
    pub(crate) fn segment(&self, number: u64) -> Option<Bytes> {
        let (oldest, _) = self.segments.front()?;
        let index = usize::try_from(number.checked_sub(*oldest)?).ok()?;
        self.segments.get(index).map(|(_, data)| data.clone())
    }

    /// Bytes of all segments.
    pub(crate) fn bytes(&self) -> usize {
        self.segments_bytes
    }

    fn keep(&mut self, finished: Option<Segment>) {
        let Some(Segment {
            data,
            start,
            duration,
            pictures,
            discontinuity,
        }) = finished
        else {
            return;
        };
        let bits = data.len() as u64 * 8 * CLOCK_HZ / duration;
        // A tail of a few pictures says nothing about the rate of the stream.
        if duration >= CLOCK_HZ || self.peak_bits_per_second == 0 {
            self.peak_bits_per_second = self.peak_bits_per_second.max(bits);
        }
        if self.measured_fps.is_none() {
            let fps = f64::from(pictures) * CLOCK_HZ as f64 / duration as f64;
            self.measured_fps = Some(fps.round().clamp(1.0, 120.0));
        }
        let number = self.next_number;
        self.next_number += 1;
        self.playlist.push(LiveSegment {
            uri: format!("{number}.ts"),
            duration: span(duration),
            program_date_time: self.anchor.map(|anchor| anchor.wall_of(start)),
            discontinuity,
        });
        self.segments_bytes += data.len();
        self.segments.push_back((number, data));
        self.forget();
    }

    fn forget(&mut self) {
        let kept = self.playlist.segments().len() + SEGMENTS_BEHIND_MAX;
        while self.segments.len() > kept
            || self.segments_bytes > ORIGIN_BYTES_MAX && self.segments.len() > 1
        {
            if let Some((_, data)) = self.segments.pop_front() {
                self.segments_bytes -= data.len();
            }
        }
    }
}

impl Anchor {
    fn wall_of(self, dts: u64) -> WallTime {
        let since = span(dts.saturating_sub(self.dts));
        WallTime(self.wall.0 + i64::try_from(since.as_micros()).unwrap_or(0))
    }
}

/// Ticks of the 90 kHz clock as time.
pub(crate) fn span(ticks: u64) -> Duration {
    Duration::from_nanos(ticks * 100_000 / 9)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flv::sps::tests::SPS_1280X720;
    use crate::limits::METADATA_PENDING_MAX;

    const FRAME: u64 = CLOCK_HZ / 25;

    fn origin() -> LiveOrigin {
        let picture = Sps::parse(&SPS_1280X720).unwrap();
        let audio = Some(AudioConfig::of_compositions());
        LiveOrigin::new(
            1,
            MediaFormat {
                picture,
                audio,
                fps: Some(25.0),
            },
        )
    }

    fn push(origin: &mut LiveOrigin, owner: u64, pictures: std::ops::Range<u64>) {
        for n in pictures {
            let data = Bytes::from(vec![0x65; 1000]);
            let keyframe = n.is_multiple_of(50);
            let sample = Sample::Video {
                pts: n * FRAME,
                dts: n * FRAME,
                keyframe,
                data,
            };
            origin.push(WallTime(n as i64 * 40_000), owner, &sample);
        }
    }

    #[test]
    fn there_is_nothing_to_play_before_the_first_whole_segment() {
        let mut origin = origin();
        push(&mut origin, 1, 0..50);
        assert_eq!(origin.master("v".into()), None);
        push(&mut origin, 1, 50..51);
        let master = origin.master("v.m3u8".into()).unwrap();
        assert!(
            master.contains("CODECS=\"avc1.64001F,mp4a.40.2\""),
            "{master}"
        );
        assert!(
            master.contains("RESOLUTION=1280x720,FRAME-RATE=25.000\nv.m3u8"),
            "{master}"
        );
    }

    #[test]
    fn window_is_thirty_seconds_and_old_segments_go() {
        let mut origin = origin();
        push(&mut origin, 1, 0..50 * 40 + 1);
        let text = origin.media();
        assert_eq!(text.matches("#EXTINF:2.000000").count(), 15);
        assert!(text.contains("#EXT-X-MEDIA-SEQUENCE:25\n"), "{text}");
        assert!(
            text.contains("#EXT-X-PROGRAM-DATE-TIME:1970-01-01T00:00:50.000Z"),
            "{text}"
        );
        assert_eq!(origin.segments.len(), 15 + SEGMENTS_BEHIND_MAX);
        assert!(origin.segment(21).is_some() && origin.segment(20).is_none());
        assert!(origin.segment(39).is_some() && origin.segment(40).is_none());
    }

    #[test]
    fn who_was_taken_over_can_push_no_more_and_the_seam_is_marked() {
        let mut origin = origin();
        push(&mut origin, 1, 0..75);
        let format = *origin.format();
        origin.hand_over(2, format);
        push(&mut origin, 1, 75..200);
        push(&mut origin, 2, 1000..1051);
        origin.end();
        push(&mut origin, 2, 1051..1200);
        let text = origin.media();
        let durations: Vec<&str> = text
            .lines()
            .filter_map(|line| line.strip_prefix("#EXTINF:"))
            .collect();
        assert_eq!(
            durations,
            [
                "2.000000,live",
                "1.000000,live",
                "2.000000,live",
                "0.040000,live"
            ]
        );
        assert_eq!(text.matches("#EXT-X-DISCONTINUITY\n").count(), 1);
        assert!(text.ends_with("#EXT-X-ENDLIST\n"), "{text}");
    }

    #[test]
    fn metadata_waits_for_media_up_to_a_limit() {
        let mut origin = origin();
        push(&mut origin, 1, 0..75);
        origin.break_off();
        let mut put = || origin.put_metadata(WallTime(0), Bytes::from_static(b"ID3"));
        for _ in 0..METADATA_PENDING_MAX {
            assert!(put());
        }
        assert!(!put());
        push(&mut origin, 1, 100..101);
        assert!(origin.put_metadata(WallTime(0), Bytes::from_static(b"ID3")));
    }

    #[test]
    fn takeover_must_bring_the_same_media() {
        let format = *origin().format();
        assert!(format.continued_by(&MediaFormat {
            fps: None,
            ..format
        }));
        assert!(!format.continued_by(&MediaFormat {
            audio: None,
            ..format
        }));
        let picture = Sps {
            width: 640,
            ..format.picture
        };
        assert!(!format.continued_by(&MediaFormat { picture, ..format }));
    }
}
