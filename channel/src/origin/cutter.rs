//! Samples into segments. Pure: a segment begins with a keyframe and ends before the first keyframe at least the target
//! length later. Sound goes where it arrives, never dropped.

use bytes::Bytes;
use recorder::mux::{AudioConfig, Continuity, TsMuxer, VideoSample};

use crate::limits::{METADATA_PENDING_MAX, OPEN_SEGMENT_BYTES_MAX, SEGMENT_MAX, SEGMENT_TARGET};
use crate::sample::{CLOCK_HZ, Sample};

/// A finished segment.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Segment {
    /// Whole transport packets.
    pub(crate) data: Bytes,
    /// DTS of its first picture.
    pub(crate) start: u64,
    /// Ticks of the 90 kHz clock that it plays.
    pub(crate) duration: u64,
    /// Pictures in it.
    pub(crate) pictures: u32,
    /// It does not continue the segment before.
    pub(crate) discontinuity: bool,
}

/// Cuts one stream, over all its publishers.
#[derive(Debug)]
pub(crate) struct Cutter {
    muxer: TsMuxer,
    open: Option<Open>,
    /// Tags that came while no segment was open.
    pending: Vec<Bytes>,
    began: bool,
    awaits_keyframe: bool,
    next_is_discontinuous: bool,
}

/// How long the last picture of a segment plays when nothing before it tells.
const LAST_PICTURE_TICKS: u64 = CLOCK_HZ / 25;

#[derive(Debug)]
struct Open {
    data: Vec<u8>,
    start: u64,
    last_dts: u64,
    last_step: Option<u64>,
    pictures: u32,
    discontinuity: bool,
}

impl Cutter {
    pub(crate) fn new(audio: Option<AudioConfig>) -> Self {
        let audio = audio.unwrap_or_else(AudioConfig::of_compositions);
        let muxer = TsMuxer::new(audio, true, Continuity::default());
        Self {
            muxer,
            open: None,
            pending: Vec::new(),
            began: false,
            awaits_keyframe: true,
            next_is_discontinuous: false,
        }
    }

    /// The sound is coded differently from now on. Returns the segment that this ends.
    pub(crate) fn set_audio(&mut self, audio: AudioConfig) -> Option<Segment> {
        let finished = self.break_off();
        self.muxer = TsMuxer::new(audio, true, self.muxer.continuity());
        finished
    }

    /// Takes the next sample. Returns the segment that it ends.
    pub(crate) fn push(&mut self, sample: &Sample) -> Option<Segment> {
        match *sample {
            Sample::Discontinuity => self.break_off(),
            Sample::AdBreak { .. } => None,
            Sample::Metadata { pts, ref id3 } => {
                self.write_metadata(pts, id3);
                None
            }
            Sample::Audio { pts, ref data } => {
                if let Some(open) = &mut self.open
                    && let Err(error) = self.muxer.audio(pts, data, &mut open.data)
                {
                    tracing::warn!(%error, "an audio frame is left out");
                }
                None
            }
            Sample::Video {
                pts,
                dts,
                keyframe,
                ref data,
            } => {
                let finished = if self.must_cut(dts, keyframe) {
                    self.finish(Some(dts))
                } else {
                    None
                };
                self.write_picture(VideoSample {
                    pts,
                    dts,
                    keyframe,
                    data,
                });
                finished
            }
        }
    }

    /// Ends the open segment; the next one begins at a keyframe and is marked as discontinuous.
    pub(crate) fn break_off(&mut self) -> Option<Segment> {
        self.awaits_keyframe = true;
        self.next_is_discontinuous |= self.began;
        self.finish(None)
    }

    /// Whether there is room for metadata: a segment to be in, or a place to wait for one.
    pub(crate) fn takes_metadata(&self) -> bool {
        self.open.is_some() || self.pending.len() < METADATA_PENDING_MAX
    }

    fn write_metadata(&mut self, pts: u64, id3: &Bytes) {
        match &mut self.open {
            Some(open) => self.muxer.metadata(pts, id3, &mut open.data),
            None if self.pending.len() < METADATA_PENDING_MAX => self.pending.push(id3.clone()),
            None => tracing::warn!("metadata without a segment to be in is left out"),
        }
    }

    fn must_cut(&self, dts: u64, keyframe: bool) -> bool {
        let Some(open) = &self.open else { return false };
        let length = dts.saturating_sub(open.start);
        // A tenth of tolerance: keyframes every 2 s whose times are rounded to milliseconds.
        let long_enough = length >= ticks(SEGMENT_TARGET) - ticks(SEGMENT_TARGET) / 10;
        let too_long = length >= ticks(SEGMENT_MAX) || open.data.len() >= OPEN_SEGMENT_BYTES_MAX;
        keyframe && long_enough || too_long
    }

    fn write_picture(&mut self, sample: VideoSample<'_>) {
        let VideoSample { dts, keyframe, .. } = sample;
        if self.open.is_none() {
            if !keyframe && self.awaits_keyframe {
                return;
            }
            self.awaits_keyframe = false;
            self.began = true;
            let mut data = Vec::new();
            self.muxer.start_segment(&mut data);
            let discontinuity = std::mem::take(&mut self.next_is_discontinuous);
            let (start, last_dts) = (dts, dts);
            self.open = Some(Open {
                data,
                start,
                last_dts,
                last_step: None,
                pictures: 0,
                discontinuity,
            });
        }
        let Some(open) = &mut self.open else { return };
        self.muxer.video(sample, &mut open.data);
        open.pictures += 1;
        if open.pictures > 1 {
            open.last_step = Some(dts.saturating_sub(open.last_dts));
        }
        open.last_dts = dts;
        for id3 in std::mem::take(&mut self.pending) {
            self.muxer.metadata(sample.pts, &id3, &mut open.data);
        }
    }

    fn finish(&mut self, next_dts: Option<u64>) -> Option<Segment> {
        let open = self.open.take()?;
        let end = next_dts.unwrap_or(open.last_dts + open.last_step.unwrap_or(LAST_PICTURE_TICKS));
        Some(Segment {
            duration: end.saturating_sub(open.start).max(1),
            start: open.start,
            pictures: open.pictures,
            discontinuity: open.discontinuity,
            data: open.data.into(),
        })
    }
}

fn ticks(duration: std::time::Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX) * CLOCK_HZ / 1000
}

#[cfg(test)]
mod tests {
    use super::*;

    const FRAME: u64 = CLOCK_HZ / 25;

    fn picture(n: u64, gop: u64) -> Sample {
        let data = Bytes::from_static(&[0, 0, 0, 1, 0x65, 1]);
        Sample::Video {
            pts: n * FRAME,
            dts: n * FRAME,
            keyframe: n.is_multiple_of(gop),
            data,
        }
    }

    fn cut(gop: u64, pictures: std::ops::Range<u64>) -> Vec<Segment> {
        let mut cutter = Cutter::new(None);
        pictures
            .filter_map(|n| cutter.push(&picture(n, gop)))
            .collect()
    }

    #[test]
    fn segments_are_cut_at_the_first_keyframe_after_the_target() {
        let durations: Vec<u64> = cut(25, 0..200)
            .iter()
            .map(|segment| segment.duration / FRAME)
            .collect();
        assert_eq!(durations, [50, 50, 50]);
        assert_eq!(cut(60, 0..200)[0].duration, 60 * FRAME);
    }

    #[test]
    fn stream_that_begins_without_a_keyframe_waits_for_one() {
        assert_eq!(cut(50, 10..200)[0].start, 50 * FRAME);
    }

    #[test]
    fn stream_without_keyframes_is_cut_at_the_limit() {
        assert_eq!(cut(10_000, 0..400)[0].duration, 12 * CLOCK_HZ);
    }

    #[test]
    fn after_a_discontinuity_the_next_segment_is_marked_and_begins_at_a_keyframe() {
        let mut cutter = Cutter::new(None);
        for n in 0..10 {
            assert_eq!(cutter.push(&picture(n, 50)), None);
        }
        let first = cutter.push(&Sample::Discontinuity).unwrap();
        assert_eq!(
            (first.pictures, first.duration, first.discontinuity),
            (10, 10 * FRAME, false)
        );
        for n in 60..110 {
            assert_eq!(cutter.push(&picture(n, 50)), None);
        }
        let second = cutter.break_off().unwrap();
        assert_eq!(
            (second.start, second.pictures, second.discontinuity),
            (100 * FRAME, 10, true)
        );
        assert_eq!(cutter.break_off(), None);
    }

    #[test]
    fn metadata_without_an_open_segment_goes_into_the_next() {
        let mut cutter = Cutter::new(None);
        let tag = Sample::Metadata {
            pts: 0,
            id3: Bytes::from_static(b"ID3"),
        };
        assert_eq!(cutter.push(&tag), None);
        cutter.push(&picture(0, 50));
        cutter.push(&tag);
        let segment = cutter.break_off().unwrap();
        let tags = segment.data.windows(3).filter(|bytes| *bytes == b"ID3");
        // The program map says twice what kind of stream it is, before the map of the program and in it.
        assert_eq!(tags.count(), 2 + 4);
    }

    #[test]
    fn sound_before_the_first_picture_is_left_out_and_later_sound_is_kept() {
        let mut cutter = Cutter::new(None);
        let sound = Sample::Audio {
            pts: 0,
            data: Bytes::from_static(&[1; 20]),
        };
        assert_eq!(cutter.push(&sound), None);
        cutter.push(&picture(0, 50));
        let before = cutter.open.as_ref().unwrap().data.len();
        cutter.push(&sound);
        assert_eq!(cutter.open.as_ref().unwrap().data.len(), before + 188);
    }
}
