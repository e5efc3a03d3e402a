//! From access units to a segment.

use super::content::Content;
use super::cutting::Cutting;
use super::error::IoContext;
use super::ledger::{Detail, Extent, SealedSegment};
use super::units::{self, Unit, UnitKind};
use super::{Segment, Spool, SpoolError};
use crate::key_layout::ObjectName;
use crate::recording::Source;
use crate::segmenter::audio_pts_90k;

impl Spool {
    /// Seals every segment that is complete.
    pub(super) fn seal_complete(&mut self) -> Result<(), SpoolError> {
        while let Some(stretch) = self.cutting.complete() {
            if self.open.contains_key(&stretch) {
                let content = self.read_units(stretch)?;
                self.seal(stretch, self.segment_frames(), &content)?;
            }
            self.cutting.sealed(stretch);
        }
        Ok(())
    }

    /// Seals everything. Sound behind the last picture goes with it, so that every segment has pictures.
    pub(super) fn seal_rest(&mut self) -> Result<(), SpoolError> {
        if matches!(self.cutting, Cutting::Timed(_)) {
            return self.seal_timed(None);
        }
        let mut rest: Vec<(u64, Content)> = Vec::new();
        for stretch in self.open.keys().copied().collect::<Vec<_>>() {
            let content = self.read_units(stretch)?;
            match rest.last_mut() {
                Some((last, before)) if content.video.is_empty() => {
                    before.audio.extend(content.audio);
                    *last = stretch;
                }
                _ => rest.push((stretch, content)),
            }
        }
        let count = rest.len();
        for (i, (stretch, content)) in rest.into_iter().enumerate() {
            let is_last = i + 1 == count;
            let frames = if is_last {
                self.frames_until_end(&content)
            } else {
                self.segment_frames()
            };
            self.seal(stretch, frames, &content)?;
            self.cutting.sealed(stretch);
        }
        Ok(())
    }

    fn read_units(&self, stretch: u64) -> Result<Content, SpoolError> {
        let path = self.units_path(stretch);
        let (units, _) = units::read(&path).doing("read", &path)?;
        let mut content = Content::default();
        for unit in units {
            match unit.kind {
                UnitKind::Video | UnitKind::Keyframe => content.video.push(unit),
                UnitKind::Audio => content.audio.push(unit),
                // A composition has none.
                UnitKind::Metadata | UnitKind::Start | UnitKind::DateRange => {}
            }
        }
        Ok(content)
    }

    /// How many frames the last segment lasts: until its last picture ends, or its sound if there is no picture.
    fn frames_until_end(&self, content: &Content) -> u32 {
        let segment_frames = u64::from(self.segment_frames());
        let frames = match (content.video.last(), content.audio.len() as u64) {
            (Some(last), _) => last.number % segment_frames + 1,
            (None, frames) => {
                let fps = self.spec.rendition.fps;
                (audio_pts_90k(frames) * u64::from(fps.num)).div_ceil(90_000 * u64::from(fps.den))
            }
        };
        u32::try_from(frames).unwrap_or(u32::MAX)
    }

    fn segment_frames(&self) -> u32 {
        match self.spec.source {
            Source::Composition { segment_frames, .. } => segment_frames,
            // Its segments are not on the grid.
            Source::Channel(_) => 0,
        }
    }

    fn seal(&mut self, stretch: u64, frames: u32, content: &Content) -> Result<(), SpoolError> {
        let fps = self.spec.rendition.fps;
        let (segment, continuity) = content.mux(fps, self.continuity);
        let codecs = match &self.codecs {
            Some(_) => None,
            None => content.codecs(),
        };
        let extent = Extent::Frames(frames);
        let after = |units: &[Unit], next: u64| units.last().map_or(next, |it| it.number + 1);
        let detail = SealedSegment {
            stretch,
            extent: extent.clone(),
            next_video: after(&content.video, 0),
            next_audio: after(&content.audio, 0),
            continuity,
            codecs: codecs.clone(),
        };
        let object = ObjectName::Segment(self.segments.len() as u64);
        self.add_object(object, &segment, Detail::Segment(detail))?;
        self.segments.push(Segment {
            extent,
            bytes: segment.len() as u64,
        });
        self.continuity = continuity;
        self.codecs = self.codecs.take().or(codecs);
        self.forget_units(stretch)
    }

    /// Removes the units of a sealed segment.
    pub(super) fn forget_units(&mut self, sealed: u64) -> Result<(), SpoolError> {
        let later = self.open.split_off(&(sealed + 1));
        for stretch in std::mem::replace(&mut self.open, later).into_keys() {
            let path = self.units_path(stretch);
            std::fs::remove_file(&path).doing("remove", &path)?;
        }
        Ok(())
    }
}
