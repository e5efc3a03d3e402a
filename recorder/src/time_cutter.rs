//! Where the segments of a channel's recording begin and end. Pure arithmetic on the 90 kHz clock.
//!
//! A segment begins with a keyframe and ends before the first keyframe at which it is long enough, or after which it would
//! become too long if the next keyframe is as far away as the last one was.

use std::time::Duration;

use compositor_core::time::WallTime;
use serde::{Deserialize, Serialize};

use crate::limits::{
    TIMED_SEGMENT_BYTES_MAX, TIMED_SEGMENT_MAX, TIMED_SEGMENT_TARGET, TIMED_SEGMENT_TOLERANCE,
};
use crate::mux::AudioConfig;
use crate::playlist::timed::span;

/// How a segment begins: the first record of its units on disk.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) struct SegmentStart {
    /// When its first picture was on air.
    pub(crate) at: WallTime,
    /// It does not continue the segment before.
    pub(crate) discontinuity: bool,
    /// How its sound is coded.
    pub(crate) audio: Option<AudioConfig>,
}

/// How long the last picture of a stream is shown when nothing before it tells: 40 ms.
pub(crate) const PICTURE_TICKS: u64 = 3600;

/// Between streams on the time line: sound may begin a little before the first picture.
const SEAM_TICKS: u64 = 9000;

/// Where a picture goes.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Place {
    /// The open segment ends here, at this decode time of the recording.
    pub(crate) ends_at: Option<u64>,
    /// A segment begins with this picture.
    pub(crate) start: Option<SegmentStart>,
}

/// Cuts one recording, over all its streams.
#[derive(Debug, Default)]
pub(crate) struct TimeCutter {
    next_segment: u64,
    stretch: Option<Stretch>,
    open: Option<Open>,
    /// What is added to the times of this stretch, so that those of the recording never go back.
    shift: i64,
    /// When the last unit ends, about.
    end: u64,
}

/// Since the last beginning.
#[derive(Debug)]
struct Stretch {
    /// When its first keyframe was on air.
    at: WallTime,
    audio: Option<AudioConfig>,
    /// The decode time of that keyframe.
    zero: Option<u64>,
    /// Its first segment is still to come, and does not continue what was before.
    discontinuity: bool,
}

#[derive(Debug)]
struct Open {
    start: u64,
    last_keyframe: u64,
    bytes: u64,
}

impl TimeCutter {
    /// Other times follow. The open segment must have been ended.
    pub(crate) fn begin(&mut self, at: WallTime, audio: Option<AudioConfig>) {
        self.open = None;
        self.stretch = Some(Stretch {
            at,
            audio,
            zero: None,
            discontinuity: self.next_segment > 0,
        });
    }

    /// Takes note of a picture; `None` when it cannot be decoded: no keyframe came since the beginning.
    pub(crate) fn picture(&mut self, dts: u64, keyframe: bool, bytes: u64) -> Option<Place> {
        let stretch = self.stretch.as_mut()?;
        if stretch.zero.is_none() {
            if !keyframe {
                return None;
            }
            self.shift = match self.end {
                0 => 0,
                end => (end + SEAM_TICKS)
                    .cast_signed()
                    .saturating_sub(dts.cast_signed()),
            };
        }
        let dts = dts.saturating_add_signed(self.shift);
        self.end = self.end.max(dts + PICTURE_TICKS);
        let zero = *stretch.zero.get_or_insert(dts);
        let mut place = Place::default();
        if self
            .open
            .as_ref()
            .is_some_and(|open| open.must_end(dts, keyframe))
        {
            self.open = None;
            place.ends_at = Some(dts);
        }
        match &mut self.open {
            Some(open) => open.add(dts, keyframe, bytes),
            None => {
                place.start = Some(SegmentStart {
                    at: stretch.at.plus(span(dts.saturating_sub(zero))),
                    discontinuity: std::mem::take(&mut stretch.discontinuity),
                    audio: stretch.audio,
                });
                self.open = Some(Open::new(dts, bytes));
            }
        }
        Some(place)
    }

    /// A time of this stretch on the time line of the recording; after [`Self::picture`] of its first picture.
    pub(crate) fn shifted(&self, time: u64) -> u64 {
        time.saturating_add_signed(self.shift)
    }

    /// Takes note of sound or metadata; false when there is no segment that it could belong to.
    pub(crate) fn other(&mut self, time: u64, bytes: u64) -> bool {
        let end = self.shifted(time) + PICTURE_TICKS;
        match &mut self.open {
            Some(open) => {
                open.bytes += bytes;
                self.end = self.end.max(end);
                true
            }
            None => false,
        }
    }

    /// No more units come until the next beginning.
    pub(crate) fn break_off(&mut self) {
        self.open = None;
        self.stretch = None;
    }

    /// Takes note that segment `i` was sealed.
    pub(crate) fn sealed(&mut self, i: u64) {
        self.next_segment = self.next_segment.max(i + 1);
    }

    /// The number of the open segment, or of the next one.
    pub(crate) fn next_segment(&self) -> u64 {
        self.next_segment
    }
}

impl Open {
    fn new(start: u64, bytes: u64) -> Self {
        Self {
            start,
            last_keyframe: start,
            bytes,
        }
    }

    fn add(&mut self, dts: u64, keyframe: bool, bytes: u64) {
        self.bytes += bytes;
        if keyframe {
            self.last_keyframe = dts;
        }
    }

    fn must_end(&self, dts: u64, keyframe: bool) -> bool {
        let length = dts.saturating_sub(self.start);
        if length >= ticks(TIMED_SEGMENT_MAX) || self.bytes >= TIMED_SEGMENT_BYTES_MAX {
            return true;
        }
        let distance = dts.saturating_sub(self.last_keyframe);
        keyframe
            && (length >= ticks(TIMED_SEGMENT_TARGET - TIMED_SEGMENT_TOLERANCE)
                || length + distance > ticks(TIMED_SEGMENT_MAX))
    }
}

/// Time as ticks of the 90 kHz clock.
pub(crate) fn ticks(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX) * 90
}

#[cfg(test)]
mod tests {
    use super::*;

    const FRAME: u64 = 3600;

    /// Lengths of the segments, in pictures of 40 ms, of a stream with a keyframe every `gop`.
    fn lengths(gop: u64, pictures: u64) -> Vec<u64> {
        let mut cutter = TimeCutter::default();
        cutter.begin(WallTime(0), None);
        let starts: Vec<u64> = (0..pictures)
            .filter(|n| {
                let place = cutter.picture(n * FRAME, n.is_multiple_of(gop), 1000);
                place.is_some_and(|place| place.start.is_some())
            })
            .collect();
        starts.windows(2).map(|pair| pair[1] - pair[0]).collect()
    }

    #[test]
    fn segments_are_about_ten_seconds_and_never_longer_than_twelve() {
        assert_eq!(lengths(50, 800), [250, 250, 250]);
        assert_eq!(lengths(1, 500), [249, 249]);
        assert_eq!(lengths(75, 1000), [300, 300, 300]);
        assert_eq!(lengths(175, 600), [175, 175, 175]);
        assert_eq!(lengths(10_000, 700), [300, 300]);
    }

    #[test]
    fn a_large_segment_is_cut_at_once() {
        let mut cutter = TimeCutter::default();
        cutter.begin(WallTime(0), None);
        cutter.picture(0, true, TIMED_SEGMENT_BYTES_MAX - 10);
        assert!(cutter.other(0, 10));
        let place = cutter.picture(FRAME, false, 1).expect("it is recorded");
        assert_eq!(place.ends_at, Some(FRAME));
    }

    #[test]
    fn units_are_ignored_until_a_keyframe_comes() {
        let mut cutter = TimeCutter::default();
        assert_eq!(cutter.picture(0, true, 1), None, "nothing has begun");
        cutter.begin(WallTime(5_000_000), None);
        assert!(!cutter.other(0, 1));
        assert_eq!(cutter.picture(FRAME, false, 1), None);
        let place = cutter.picture(2 * FRAME, true, 1).expect("a keyframe");
        let start = place.start.expect("of a segment");
        assert_eq!(
            (start.at, start.discontinuity),
            (WallTime(5_000_000), false)
        );
        assert!(cutter.other(0, 1));
    }

    #[test]
    fn times_on_air_follow_the_decode_times_and_a_new_beginning_is_a_discontinuity() {
        let mut cutter = TimeCutter::default();
        cutter.begin(WallTime(0), None);
        cutter.picture(900_000, true, 1);
        let place = cutter
            .picture(900_000 + 900_000, true, 1)
            .expect("it is recorded");
        assert_eq!(place.ends_at, Some(1_800_000));
        let start = place.start.expect("of a segment");
        assert_eq!(
            (start.at, start.discontinuity),
            (WallTime(10_000_000), false)
        );
        cutter.sealed(0);
        cutter.break_off();
        assert_eq!(cutter.picture(2_000_000, true, 1), None);
        cutter.sealed(1);
        cutter.begin(WallTime(60_000_000), None);
        let place = cutter.picture(1000, true, 1).expect("a keyframe");
        assert_eq!(
            cutter.shifted(1000),
            1_800_000 + PICTURE_TICKS + SEAM_TICKS,
            "times never go back"
        );
        let start = place.start.expect("of a segment");
        assert_eq!(
            (start.at, start.discontinuity),
            (WallTime(60_000_000), true)
        );
    }
}
