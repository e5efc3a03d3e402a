//! Builds journals.

use std::collections::BTreeMap;

use compositor_core::access_unit::{AccessUnit, Codec};
use compositor_core::id::{CompositionId, Layer, ParticipantId, TrackId};
use compositor_core::journal::{Degradation, JournalSeq, LayerChoice, Record, RecordBody};
use compositor_core::layout::{GridSpec, LayoutSpec, VideoAspectRatio};
use compositor_core::limits::COMPOSITION_DELAY;
use compositor_core::roster::{LayerSize, Publisher, RosterChange, Track};
use compositor_core::time::{FrameRate, MediaTime};
use compositor_core::worker_protocol::{EncoderSpec, Job};

use super::media::Coded;

pub(crate) const MS: u64 = 1_000_000;

/// Where frame 0 is in these tests: not at zero and not on a multiple of anything.
pub(crate) const START: u64 = 5_003 * MS;

/// How long a unit takes from its PTS into the journal.
const TRANSIT: u64 = 35 * MS;

/// What is written when.
#[derive(Default)]
pub(crate) struct Script {
    entries: Vec<(u64, RecordBody)>,
}

impl Script {
    /// Writes a record at a time on the stage clock.
    pub(crate) fn at(&mut self, time: u64, body: RecordBody) {
        self.entries.push((time, body));
    }

    pub(crate) fn roster(&mut self, time: u64, change: RosterChange) {
        self.at(time, RecordBody::Roster(change));
    }

    pub(crate) fn choose(&mut self, time: u64, track: u32, layer: u8) {
        self.at(
            time,
            RecordBody::LayerChoice(LayerChoice {
                composition: composition(),
                track: TrackId(track),
                layer: Layer(layer),
            }),
        );
    }

    /// Takes a step on the degradation ladder from a frame on: it is composed at the first watermark that is a composition
    /// delay after its time.
    pub(crate) fn step(&mut self, (frame, step): (u64, u8)) {
        let due = START + frame * 1_000 * MS / 30;
        let composition = composition();
        self.at(
            due + COMPOSITION_DELAY.as_nanos() as u64,
            RecordBody::Degradation(Degradation { composition, step }),
        );
    }

    /// Sends units of a layer from `from` on; `keep` may alter or drop each.
    pub(crate) fn units(
        &mut self,
        (track, layer, codec): (u32, u8, Codec),
        from: u64,
        units: &[Coded],
        keep: impl Fn(usize, AccessUnit) -> Option<AccessUnit>,
    ) {
        for (index, unit) in units.iter().enumerate() {
            let pts = from + unit.pts;
            let unit = AccessUnit {
                track: TrackId(track),
                layer: Layer(layer),
                pts: MediaTime(pts),
                codec,
                keyframe: unit.keyframe,
                discontinuity: false,
                data: unit.data.clone(),
            };
            if let Some(unit) = keep(index, unit) {
                self.at(pts + TRANSIT, RecordBody::AccessUnit(unit));
            }
        }
    }

    pub(crate) fn all(&mut self, (track, codec): (u32, Codec), from: u64, units: &[Coded]) {
        self.units((track, 0, codec), from, units, |_, unit| Some(unit));
    }

    /// The journal up to `until`, with a watermark every 20 ms.
    pub(crate) fn journal(mut self, until: u64) -> Vec<Record> {
        for tick in 0..=until / (20 * MS) {
            self.at(tick * 20 * MS, RecordBody::Watermark);
        }
        self.entries.sort_by_key(|(time, _)| *time);
        self.entries
            .into_iter()
            .filter(|(time, _)| *time <= until)
            .enumerate()
            .map(|(seq, (time, body))| Record {
                seq: JournalSeq(seq as u64),
                time: match &body {
                    RecordBody::AccessUnit(unit) => unit.pts,
                    _ => MediaTime(time),
                },
                body,
            })
            .collect()
    }
}

pub(crate) fn composition() -> CompositionId {
    CompositionId::new("composition1")
}

/// A participant `name` with a picture track `2 x arrival` and a sound track after it.
pub(crate) fn publisher(
    name: &str,
    arrival: u32,
    codec: Codec,
    layers: &[(u16, u16)],
) -> Publisher {
    let layers = layers.iter().enumerate();
    let video = Track {
        id: TrackId(2 * arrival),
        codec,
        stopped: false,
        layers: layers
            .map(|(layer, &(width, height))| LayerSize {
                layer: Layer(layer as u8),
                width,
                height,
            })
            .collect(),
    };
    let audio = Track {
        id: TrackId(2 * arrival + 1),
        codec: Codec::Opus,
        stopped: false,
        layers: Vec::new(),
    };
    Publisher {
        participant: ParticipantId::new(name),
        user_id: String::new(),
        attributes: BTreeMap::new(),
        arrival,
        connected: true,
        tracks: vec![video, audio],
    }
}

pub(crate) fn encoder(width: u16, height: u16) -> EncoderSpec {
    EncoderSpec {
        width,
        height,
        fps: FrameRate::whole(30),
        bitrate: 2_500_000,
        keyframe_every: vec![60],
        thumbnail_every: None,
    }
}

pub(crate) fn grid() -> GridSpec {
    GridSpec {
        featured_participant_attribute: String::new(),
        grid_gap: 0,
        omit_stopped_video: false,
        participant_order_attribute: String::new(),
        video_aspect_ratio: VideoAspectRatio::Video,
        video_fill_mode: None,
    }
}

pub(crate) fn job(encoders: Vec<EncoderSpec>) -> Job {
    Job {
        composition: composition(),
        start: MediaTime(START),
        layout: LayoutSpec::Grid(grid()),
        encoders,
        resume: None,
    }
}
