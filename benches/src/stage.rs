//! A stage with participants, as its journal would tell it.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use compositor_core::access_unit::{AccessUnit, Codec};
use compositor_core::id::{CompositionId, Layer as LayerId, ParticipantId, TrackId};
use compositor_core::journal::{Degradation, JournalSeq, LayerChoice, Record, RecordBody};
use compositor_core::layout::{
    Candidate, Canvas, GridSpec, LayoutSpec, Slot, VideoAspectRatio, layout,
};
use compositor_core::limits::WATERMARK_INTERVAL;
use compositor_core::roster::{LayerSize, Publisher, RosterChange, Track};
use compositor_core::time::{FrameRate, MediaTime};
use compositor_core::worker_protocol::{EncoderSpec, Job};

use crate::clip::{Clip, FPS, Unit, repeated};

/// Media flows this long before frame 0.
pub const LEAD: Duration = Duration::from_secs(1);

/// From its PTS to the journal: the network and the jitter buffer.
const TRANSIT: Duration = Duration::from_millis(35);

/// The journal goes on this long after the stop, so that everything due becomes composed.
const TAIL: Duration = Duration::from_secs(1);

/// The canvas of all measurements, and its bits per second.
const CANVAS: (u16, u16, u32) = (1280, 720, 2_500_000);

/// Participants; several may send the same clip.
#[derive(Debug)]
pub struct Stage<'a> {
    /// What each sends.
    pub clips: Vec<&'a Clip>,
    /// On the degradation ladder.
    pub step: u8,
}

impl Stage<'_> {
    /// Composes everybody in a grid at 720p30.
    pub fn job(&self) -> Job {
        let (width, height, bitrate) = CANVAS;
        Job {
            composition: composition(),
            start: time(LEAD),
            layout: grid(),
            encoders: vec![EncoderSpec {
                width,
                height,
                fps: FrameRate::whole(FPS),
                bitrate,
                keyframe_every: vec![2 * FPS],
                thumbnail_every: None,
            }],
            resume: None,
        }
    }

    /// The slot of each participant.
    pub fn slots(&self) -> Vec<Slot> {
        let publishers = self.publishers();
        let candidates: Vec<Candidate<'_>> = publishers
            .iter()
            .map(|publisher| Candidate {
                participant: &publisher.participant,
                attributes: &publisher.attributes,
                has_video: true,
                video_size: Some((u32::from(CANVAS.0), u32::from(CANVAS.1))),
            })
            .collect();
        let canvas = Canvas {
            width: u32::from(CANVAS.0),
            height: u32::from(CANVAS.1),
        };
        layout(&grid(), canvas, &candidates)
    }

    /// For each participant, the smallest layer that is as tall as its slot: what the gateway chooses, too.
    pub fn shown_layers(&self) -> Vec<usize> {
        let slots = self.slots();
        let pairs = self.clips.iter().zip(&slots);
        pairs
            .map(|(clip, slot)| {
                let tall_enough = |height: u16| u32::from(height) >= slot.rect.height;
                let found = clip.layers.iter().position(|l| tall_enough(l.height));
                found.unwrap_or(clip.layers.len() - 1)
            })
            .collect()
    }

    /// The whole journal of a composition of `length`, in batches as they come from disk, one for each watermark.
    pub fn journal(&self, length: Duration) -> Vec<Bytes> {
        let end = LEAD + length + TAIL;
        let mut entries: Vec<(Duration, RecordBody)> = Vec::new();
        let snapshot = RosterChange::Snapshot(self.publishers());
        entries.push((Duration::ZERO, RecordBody::Roster(snapshot)));
        let step = Degradation {
            composition: composition(),
            step: self.step,
        };
        entries.push((Duration::ZERO, RecordBody::Degradation(step)));
        for (arrival, layer) in (0..).zip(self.shown_layers()) {
            let choice = LayerChoice {
                composition: composition(),
                track: video_track(arrival),
                layer: LayerId(layer as u8),
            };
            entries.push((Duration::ZERO, RecordBody::LayerChoice(choice)));
        }
        for (arrival, clip) in (0..).zip(&self.clips) {
            for (index, layer) in (0..).zip(&clip.layers) {
                let units = repeated(&layer.units, end);
                let track = (video_track(arrival), LayerId(index), clip.codec);
                entries.extend(units.map(|unit| access_unit(track, unit)));
            }
            let units = repeated(&clip.sound, end);
            let track = (sound_track(arrival), LayerId(0), Codec::Opus);
            entries.extend(units.map(|unit| access_unit(track, unit)));
        }
        let ticks = end.as_nanos() / WATERMARK_INTERVAL.as_nanos();
        let ticks = (0..=u32::try_from(ticks).unwrap_or(u32::MAX)).map(|n| WATERMARK_INTERVAL * n);
        entries.extend(ticks.map(|tick| (tick, RecordBody::Watermark)));
        entries.sort_by_key(|(written, _)| *written);
        batches(entries)
    }

    fn publishers(&self) -> Vec<Publisher> {
        let clips = (0..).zip(&self.clips);
        clips
            .map(|(arrival, clip)| publisher(arrival, clip))
            .collect()
    }
}

fn batches(entries: Vec<(Duration, RecordBody)>) -> Vec<Bytes> {
    let mut batches = Vec::new();
    let mut batch = BytesMut::new();
    for (seq, (written, body)) in (0..).zip(entries) {
        let record = Record {
            seq: JournalSeq(seq),
            time: match &body {
                RecordBody::AccessUnit(unit) => unit.pts,
                _ => time(written),
            },
            body,
        };
        record.encode(&mut batch);
        if record.body == RecordBody::Watermark {
            batches.push(batch.split().freeze());
        }
    }
    batches
}

fn access_unit(
    (track, layer, codec): (TrackId, LayerId, Codec),
    unit: Unit,
) -> (Duration, RecordBody) {
    let Unit {
        pts,
        keyframe,
        data,
    } = unit;
    let body = RecordBody::AccessUnit(AccessUnit {
        track,
        layer,
        pts: time(pts),
        codec,
        keyframe,
        discontinuity: false,
        data,
    });
    (pts + TRANSIT, body)
}

fn publisher(arrival: u32, clip: &Clip) -> Publisher {
    let layers = (0..).zip(&clip.layers).map(|(layer, size)| LayerSize {
        layer: LayerId(layer),
        width: size.width,
        height: size.height,
    });
    let track = |id, codec, layers| Track {
        id,
        codec,
        stopped: false,
        layers,
    };
    Publisher {
        participant: ParticipantId::new(format!("participant{arrival}")),
        user_id: String::new(),
        attributes: BTreeMap::new(),
        arrival,
        connected: true,
        tracks: vec![
            track(video_track(arrival), clip.codec, layers.collect()),
            track(sound_track(arrival), Codec::Opus, Vec::new()),
        ],
    }
}

fn grid() -> LayoutSpec {
    LayoutSpec::Grid(GridSpec {
        featured_participant_attribute: String::new(),
        grid_gap: 2,
        omit_stopped_video: false,
        participant_order_attribute: String::new(),
        video_aspect_ratio: VideoAspectRatio::Video,
        video_fill_mode: None,
    })
}

fn composition() -> CompositionId {
    CompositionId::new("bench")
}

fn video_track(arrival: u32) -> TrackId {
    TrackId(2 * arrival)
}

fn sound_track(arrival: u32) -> TrackId {
    TrackId(2 * arrival + 1)
}

fn time(since_start: Duration) -> MediaTime {
    MediaTime(0).plus(since_start)
}
