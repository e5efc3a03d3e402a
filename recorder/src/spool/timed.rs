//! The units of a channel, which come with their times: appending and sealing.

use compositor_core::time::WallTime;

use super::error::IoContext;
use super::ledger::{Detail, Extent, SealedSegment};
use super::units::{self, Unit, UnitKind};
use super::{Segment, Spool, SpoolError};
use crate::h264;
use crate::key_layout::ObjectName;
use crate::limits::{METADATA_BYTES_MAX, SEGMENT_PART_MIN, UNIT_BYTES_MAX};
use crate::mux::{AudioConfig, Continuity, TsMuxer, VideoSample};
use crate::playlist::timed::{SegmentPart, TimedSegment, span};
use crate::recording::TimedUnit;
use crate::time_cutter::{PICTURE_TICKS, SegmentStart, ticks};

/// A muxed segment.
struct Muxed {
    data: Vec<u8>,
    continuity: Continuity,
    segment: TimedSegment,
    codecs: Option<String>,
}

impl Spool {
    /// Appends a unit of a channel, and seals the segment that it ends.
    pub(crate) fn timed(&mut self, unit: TimedUnit) -> Result<(), SpoolError> {
        match unit {
            TimedUnit::Begin { at, audio } => {
                self.seal_timed(None)?;
                self.cutting.timed()?.begin(at, audio);
                Ok(())
            }
            TimedUnit::Break => {
                self.seal_timed(None)?;
                self.cutting.timed()?.break_off();
                Ok(())
            }
            TimedUnit::Video {
                pts,
                dts,
                keyframe,
                data,
            } => self.timed_picture(Unit {
                kind: if keyframe {
                    UnitKind::Keyframe
                } else {
                    UnitKind::Video
                },
                number: dts,
                later: u32::try_from(pts.saturating_sub(dts)).unwrap_or(u32::MAX),
                data,
            }),
            TimedUnit::Audio { pts, data } => self.timed_other(
                AudioConfig::FRAME_BYTES_MAX,
                Unit {
                    kind: UnitKind::Audio,
                    number: pts,
                    later: 0,
                    data,
                },
            ),
            TimedUnit::DateRange { pts, tag } => self.timed_other(
                METADATA_BYTES_MAX,
                Unit {
                    kind: UnitKind::DateRange,
                    number: pts,
                    later: 0,
                    data: tag.into(),
                },
            ),
            TimedUnit::Metadata { pts, id3 } => self.timed_other(
                METADATA_BYTES_MAX,
                Unit {
                    kind: UnitKind::Metadata,
                    number: pts,
                    later: 0,
                    data: id3,
                },
            ),
        }
    }

    fn timed_picture(&mut self, mut unit: Unit) -> Result<(), SpoolError> {
        self.check_size(unit.data.len(), UNIT_BYTES_MAX)?;
        let keyframe = unit.kind == UnitKind::Keyframe;
        let cutter = self.cutting.timed()?;
        let Some(place) = cutter.picture(unit.number, keyframe, unit.record_bytes()) else {
            return Ok(());
        };
        unit.number = cutter.shifted(unit.number);
        if place.ends_at.is_some() {
            self.seal_timed(place.ends_at)?;
        }
        let stretch = self.cutting.next_segment();
        if let Some(start) = place.start {
            let text =
                serde_json::to_vec(&start).expect("times and numbers can be written as JSON");
            let start = Unit {
                kind: UnitKind::Start,
                number: unit.number,
                later: 0,
                data: text.into(),
            };
            self.append_to(stretch, &start)?;
        }
        self.append_to(stretch, &unit)
    }

    /// Sound or metadata. One that is too large is left out: no player could use it, and the stream is not the recorder's.
    fn timed_other(&mut self, bytes_max: usize, mut unit: Unit) -> Result<(), SpoolError> {
        if unit.data.len() > bytes_max {
            tracing::warn!(bytes = unit.data.len(), kind = ?unit.kind, "a unit is left out of a recording");
            return Ok(());
        }
        let cutter = self.cutting.timed()?;
        if cutter.other(unit.number, unit.record_bytes()) {
            unit.number = cutter.shifted(unit.number);
            let stretch = self.cutting.next_segment();
            self.append_to(stretch, &unit)?;
        }
        Ok(())
    }

    /// Seals the open segment, which ends at `ends_at`, or when its last picture ends.
    pub(super) fn seal_timed(&mut self, ends_at: Option<u64>) -> Result<(), SpoolError> {
        for stretch in self.open.keys().copied().collect::<Vec<_>>() {
            let path = self.units_path(stretch);
            let (units, _) = units::read(&path).doing("read", &path)?;
            match self.mux_timed(&units, ends_at) {
                Some(muxed) => self.keep_timed(stretch, muxed)?,
                // Only loss of power leaves a segment without a picture.
                None => self.forget_units(stretch)?,
            }
            self.cutting.sealed(stretch);
        }
        Ok(())
    }

    fn keep_timed(&mut self, stretch: u64, muxed: Muxed) -> Result<(), SpoolError> {
        let extent = Extent::Timed(muxed.segment);
        let detail = SealedSegment {
            stretch,
            extent: extent.clone(),
            next_video: 0,
            next_audio: 0,
            continuity: muxed.continuity,
            codecs: muxed.codecs.clone(),
        };
        let object = ObjectName::Segment(self.segments.len() as u64);
        self.add_object(object, &muxed.data, Detail::Segment(detail))?;
        self.segments.push(Segment {
            extent,
            bytes: muxed.data.len() as u64,
        });
        self.continuity = muxed.continuity;
        self.codecs = self.codecs.take().or(muxed.codecs);
        self.forget_units(stretch)
    }

    /// When the last picture that is sealed or open was on air.
    pub(super) fn last_on_air(&self) -> Result<WallTime, SpoolError> {
        let sealed = self
            .segments
            .last()
            .and_then(|segment| match &segment.extent {
                Extent::Timed(segment) => Some(segment.at.plus(span(segment.ticks()))),
                Extent::Frames(_) => None,
            });
        let Some(&stretch) = self.open.keys().next_back() else {
            return Ok(sealed.unwrap_or(self.started_at));
        };
        let path = self.units_path(stretch);
        let (units, _) = units::read(&path).doing("read", &path)?;
        let open = self.mux_timed(&units, None).map(|muxed| muxed.segment);
        let open = open.map(|segment| segment.at.plus(span(segment.ticks())));
        Ok(open.or(sealed).unwrap_or(self.started_at))
    }

    /// The transport stream of a segment: its units in the order of their arrival. Program tables stand in front of each
    /// part, so that a byte range can be played by itself.
    fn mux_timed(&self, units: &[Unit], ends_at: Option<u64>) -> Option<Muxed> {
        let (first, units) = units.split_first()?;
        let start: SegmentStart = serde_json::from_slice(&first.data).ok()?;
        let sound = start.audio.map(|audio| audio.codec_string());
        let audio = start.audio.unwrap_or_else(AudioConfig::of_compositions);
        let mut muxer = TsMuxer::new(audio, true, self.continuity);
        let payload: usize = units.iter().map(|unit| unit.data.len()).sum();
        let mut data = Vec::with_capacity(payload + payload / 8);
        let mut parts = Parts::default();
        let mut codecs = None;
        let mut date_ranges = Vec::new();
        for unit in units {
            let at = unit.number;
            match unit.kind {
                UnitKind::Video | UnitKind::Keyframe => {
                    let keyframe = unit.kind == UnitKind::Keyframe;
                    if parts.picture(at, keyframe, data.len()) {
                        muxer.start_segment(&mut data);
                    }
                    if keyframe && codecs.is_none() {
                        codecs = h264::codec_string(&unit.data);
                    }
                    let sample = VideoSample {
                        pts: at + u64::from(unit.later),
                        dts: at,
                        keyframe,
                        data: &unit.data,
                    };
                    muxer.video(sample, &mut data);
                }
                UnitKind::Audio => muxer
                    .audio(at, &unit.data, &mut data)
                    .expect("its length was checked when it was taken"),
                UnitKind::Metadata => muxer.metadata(at, &unit.data, &mut data),
                UnitKind::DateRange => {
                    date_ranges.push(String::from_utf8_lossy(&unit.data).into_owned());
                }
                UnitKind::Start => {}
            }
        }
        let parts = parts.finish(ends_at, data.len())?;
        Some(Muxed {
            data,
            continuity: muxer.continuity(),
            segment: TimedSegment {
                at: start.at,
                discontinuity: start.discontinuity,
                date_ranges,
                parts,
            },
            codecs: codecs.map(|codec| match sound {
                Some(sound) => format!("{codec},{sound}"),
                None => codec,
            }),
        })
    }
}

/// Where the parts of a segment begin.
#[derive(Default)]
struct Parts {
    /// Decode time and place in the file.
    starts: Vec<(u64, usize)>,
    last: Option<u64>,
    step: Option<u64>,
}

impl Parts {
    /// Takes note of a picture that will be written at `offset`; tells whether a part begins with it.
    fn picture(&mut self, dts: u64, keyframe: bool, offset: usize) -> bool {
        let begins = match self.starts.last() {
            None => true,
            Some((start, _)) => keyframe && dts.saturating_sub(*start) >= ticks(SEGMENT_PART_MIN),
        };
        if begins {
            self.starts.push((dts, offset));
        }
        self.step = self.last.map(|last| dts.saturating_sub(last)).or(self.step);
        self.last = Some(dts);
        begins
    }

    /// The parts of a file of `bytes` bytes; `None` when it has no picture.
    fn finish(self, ends_at: Option<u64>, bytes: usize) -> Option<Vec<SegmentPart>> {
        let last_end = self.last? + self.step.unwrap_or(PICTURE_TICKS);
        let end = (ends_at.unwrap_or(last_end), bytes);
        let ends = self.starts.iter().skip(1).chain([&end]);
        let parts = self.starts.iter().zip(ends);
        Some(
            parts
                .map(|(&(start, from), &(end, to))| SegmentPart {
                    bytes: (to - from) as u64,
                    ticks: end.saturating_sub(start).max(1),
                })
                .collect(),
        )
    }
}
