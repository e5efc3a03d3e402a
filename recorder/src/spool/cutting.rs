//! Which segment the next unit belongs to: by its number, or by its time.

use super::SpoolError;
use crate::recording::{RecordingSpec, Source};
use crate::segmenter::Segmenter;
use crate::time_cutter::TimeCutter;

/// How units are cut into segments.
#[derive(Debug)]
pub(super) enum Cutting {
    /// Of a composition: numbered frames on a grid.
    Grid(Segmenter),
    /// Of a channel.
    Timed(TimeCutter),
}

impl Cutting {
    pub(super) fn new(spec: &RecordingSpec) -> Self {
        match &spec.source {
            Source::Composition { segment_frames, .. } => {
                Self::Grid(Segmenter::new(spec.rendition.fps, *segment_frames))
            }
            Source::Channel(_) => Self::Timed(TimeCutter::default()),
        }
    }

    pub(super) fn grid(&mut self) -> Result<&mut Segmenter, SpoolError> {
        match self {
            Self::Grid(segmenter) => Ok(segmenter),
            Self::Timed(_) => Err(SpoolError::Unfit {
                given: "numbered",
                source_kind: "channel",
            }),
        }
    }

    pub(super) fn timed(&mut self) -> Result<&mut TimeCutter, SpoolError> {
        match self {
            Self::Timed(cutter) => Ok(cutter),
            Self::Grid(_) => Err(SpoolError::Unfit {
                given: "timed",
                source_kind: "composition",
            }),
        }
    }

    /// The H.264 frame of the grid that is expected next; of a channel 0.
    pub(super) fn next_video(&self) -> u64 {
        match self {
            Self::Grid(segmenter) => segmenter.next_video(),
            Self::Timed(_) => 0,
        }
    }

    /// The AAC frame of the grid that is expected next; of a channel 0.
    pub(super) fn next_audio(&self) -> u64 {
        match self {
            Self::Grid(segmenter) => segmenter.next_audio(),
            Self::Timed(_) => 0,
        }
    }

    /// The oldest segment that is not sealed.
    pub(super) fn next_segment(&self) -> u64 {
        match self {
            Self::Grid(segmenter) => segmenter.next_segment(),
            Self::Timed(cutter) => cutter.next_segment(),
        }
    }

    /// Takes note that segment `i` was sealed, and everything before it.
    pub(super) fn sealed(&mut self, i: u64) {
        match self {
            Self::Grid(segmenter) => segmenter.sealed(i),
            Self::Timed(cutter) => cutter.sealed(i),
        }
    }

    /// The oldest open segment of the grid, if it is complete.
    pub(super) fn complete(&self) -> Option<u64> {
        match self {
            Self::Grid(segmenter) => segmenter.complete(),
            Self::Timed(_) => None,
        }
    }

    /// Continues after numbered units that were recorded before.
    pub(super) fn resume(&mut self, next_video: u64, next_audio: u64) {
        if let Self::Grid(segmenter) = self {
            segmenter.resume(next_video, next_audio);
        }
    }
}
