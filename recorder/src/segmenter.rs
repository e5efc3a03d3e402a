//! Which segment an access unit belongs to, and when a segment is complete. Pure arithmetic on frame numbers.

use compositor_core::limits::{AAC_FRAME_SAMPLES, AUDIO_SAMPLE_RATE};
use compositor_core::time::FrameRate;

/// PTS of AAC frame `n` on the 90 kHz clock; exact, since a frame is 1920 ticks.
pub fn audio_pts_90k(n: u64) -> u64 {
    n * AAC_FRAME_SAMPLES * 90_000 / u64::from(AUDIO_SAMPLE_RATE)
}

/// Where an access unit goes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Placement {
    /// It is the expected one, and belongs to this segment.
    Segment(u64),
    /// It came before: a successor of a dead worker repeats.
    Repeated,
    /// Units before it are missing. It belongs to `segment` all the same, so what follows keeps its place in time.
    AfterHole {
        /// The segment.
        segment: u64,
        /// The number that should have come.
        expected: u64,
    },
}

/// Cuts numbered access units into segments: video every `segment_frames` frames, audio where a frame starts.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Segmenter {
    fps: FrameRate,
    segment_frames: u64,
    next_video: u64,
    next_audio: u64,
    next_segment: u64,
}

impl Segmenter {
    /// A segmenter before its first unit. `segment_frames` is not 0.
    pub fn new(fps: FrameRate, segment_frames: u32) -> Self {
        assert!(segment_frames > 0, "a segment has at least one frame");
        let segment_frames = u64::from(segment_frames);
        Self {
            fps,
            segment_frames,
            next_video: 0,
            next_audio: 0,
            next_segment: 0,
        }
    }

    /// Takes note of H.264 frame `k`.
    pub fn video(&mut self, k: u64) -> Placement {
        let segment = self.segment_of_video(k);
        place(&mut self.next_video, k, segment.max(self.next_segment))
    }

    /// Takes note of AAC frame `n`.
    pub fn audio(&mut self, n: u64) -> Placement {
        let segment = self.segment_of_audio(n);
        place(&mut self.next_audio, n, segment.max(self.next_segment))
    }

    /// The oldest open segment, if it is complete: its frames are there, the sound has reached its end, and a later
    /// picture shows that it is not the last. (The last one also takes the sound behind the last picture.)
    pub fn complete(&self) -> Option<u64> {
        let end = self.next_segment + 1;
        let has_video = self.next_video > end * self.segment_frames;
        let has_audio = self.next_audio >= self.first_audio(end);
        (has_video && has_audio).then_some(self.next_segment)
    }

    /// Takes note that segment `i` was sealed, and everything before it.
    pub fn sealed(&mut self, i: u64) {
        self.next_segment = self.next_segment.max(i + 1);
    }

    /// The oldest segment that is not sealed.
    pub fn next_segment(&self) -> u64 {
        self.next_segment
    }

    /// The next H.264 frame that is expected.
    pub fn next_video(&self) -> u64 {
        self.next_video
    }

    /// The next AAC frame that is expected.
    pub fn next_audio(&self) -> u64 {
        self.next_audio
    }

    /// Continues after units that were recorded before: the next expected of each kind.
    pub fn resume(&mut self, next_video: u64, next_audio: u64) {
        self.next_video = self.next_video.max(next_video);
        self.next_audio = self.next_audio.max(next_audio);
    }

    /// The frame that segment `i` begins with.
    pub fn first_video(&self, i: u64) -> u64 {
        i * self.segment_frames
    }

    /// The first AAC frame that starts in segment `i`.
    pub fn first_audio(&self, i: u64) -> u64 {
        let frames = u128::from(i) * u128::from(self.segment_frames);
        let samples = frames * u128::from(self.fps.den) * u128::from(AUDIO_SAMPLE_RATE);
        let frame = u128::from(AAC_FRAME_SAMPLES) * u128::from(self.fps.num);
        samples.div_ceil(frame) as u64
    }

    fn segment_of_video(&self, k: u64) -> u64 {
        k / self.segment_frames
    }

    fn segment_of_audio(&self, n: u64) -> u64 {
        let start = u128::from(n) * u128::from(AAC_FRAME_SAMPLES) * u128::from(self.fps.num);
        let segment = u128::from(self.segment_frames)
            * u128::from(self.fps.den)
            * u128::from(AUDIO_SAMPLE_RATE);
        (start / segment) as u64
    }
}

fn place(next: &mut u64, number: u64, segment: u64) -> Placement {
    let expected = *next;
    if number < expected {
        return Placement::Repeated;
    }
    *next = number + 1;
    if number == expected {
        Placement::Segment(segment)
    } else {
        Placement::AfterHole { segment, expected }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATES: [FrameRate; 5] = [
        FrameRate::whole(30),
        FrameRate {
            num: 30_000,
            den: 1001,
        },
        FrameRate::whole(1),
        FrameRate {
            num: 12_345,
            den: 1000,
        },
        FrameRate::whole(60),
    ];

    #[test]
    fn every_audio_frame_belongs_to_the_segment_in_which_it_starts() {
        for fps in RATES {
            let segmenter = Segmenter::new(fps, fps.frames_in(2));
            for i in 0..500 {
                let (first, next) = (segmenter.first_audio(i), segmenter.first_audio(i + 1));
                assert!((first..next).all(|n| segmenter.segment_of_audio(n) == i));
                // In time: starts at n x 1024 / 48000 s, segment i at i x frames / fps s.
                let starts = fps.frame_time(segmenter.first_video(i)).as_nanos();
                let frame = |n: u64| u128::from(n) * 1024 * 1_000_000_000 / 48_000;
                assert!(frame(first) + 1 >= starts, "{fps:?} segment {i}");
                assert!(
                    first == 0 || frame(first - 1) < starts,
                    "{fps:?} segment {i}"
                );
            }
        }
    }

    #[test]
    fn a_segment_is_complete_when_sound_has_reached_its_end_and_another_picture_is_there() {
        let mut segmenter = Segmenter::new(FrameRate::whole(30), 60);
        for k in 0..60 {
            assert_eq!(segmenter.video(k), Placement::Segment(0));
        }
        for n in 0..93 {
            assert_eq!(segmenter.audio(n), Placement::Segment(0));
        }
        assert_eq!(segmenter.video(60), Placement::Segment(1));
        assert_eq!(segmenter.complete(), None, "frame 93 starts at 1.984 s");
        assert_eq!(segmenter.audio(93), Placement::Segment(0));
        assert_eq!(segmenter.complete(), Some(0));
        segmenter.sealed(0);
        assert_eq!(segmenter.complete(), None);
        assert_eq!(segmenter.audio(94), Placement::Segment(1));
    }

    #[test]
    fn repeated_units_are_ignored_and_a_hole_is_told() {
        let mut segmenter = Segmenter::new(FrameRate::whole(30), 60);
        assert_eq!(segmenter.video(0), Placement::Segment(0));
        assert_eq!(segmenter.video(0), Placement::Repeated);
        assert_eq!(
            segmenter.video(61),
            Placement::AfterHole {
                segment: 1,
                expected: 1
            }
        );
        assert_eq!(segmenter.video(60), Placement::Repeated);
        assert_eq!(segmenter.video(62), Placement::Segment(1));
    }
}
