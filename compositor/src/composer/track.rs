//! One video track: access units that wait, layer by layer, and the pictures decoded of the chosen one.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use compositor_core::access_unit::{AccessUnit, Codec};
use compositor_core::bitstream::largest_side;
use compositor_core::id::{Layer, TrackId};
use compositor_core::journal::JournalSeq;
use compositor_core::quarantine::InFlight;
use compositor_core::roster::LayerSize;
use compositor_core::time::MediaTime;
use compositor_core::worker_protocol::TrackStats;
use serde::{Deserialize, Serialize};

use super::back_off::BackOff;
use super::stage::LONG_SIDE_MAX;
use super::tiles::Tiles;
use crate::codec::CodecError;
use crate::codec::picture::Picture;
use crate::codec::video::{CodedUnit, TimedPicture, VideoDecoder};
use crate::in_flight;

/// Units that wait per layer: more than 10 s at 60 fps, the longest a keyframe may lie back.
const QUEUE_MAX: usize = 1024;

/// Decoded pictures that are kept for frames still to come.
const PICTURES_MAX: usize = 8;

/// A decoder that starts may keep back this many pictures to reorder them.
const REORDER_MAX: u32 = 4;

/// A layer that brings nothing for so long is given up for another one with a keyframe.
const STARVED: Duration = Duration::from_secs(1);

#[derive(Debug)]
struct Unit {
    seq: JournalSeq,
    pts: MediaTime,
    codec: Codec,
    keyframe: bool,
    discontinuity: bool,
    data: Bytes,
}

/// A layer choice, effective from the first keyframe after `since`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
struct Choice {
    layer: Layer,
    since: JournalSeq,
}

/// Where to go over to another layer.
#[derive(Clone, Copy, Debug)]
struct Switch {
    layer: Layer,
    /// Of its keyframe.
    seq: JournalSeq,
    pts: MediaTime,
}

/// What a successor must know of a track.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(super) struct TrackState {
    current: Option<Layer>,
    choice: Option<Choice>,
}

/// What became of access units.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Counts {
    pub(super) decoded: u64,
    pub(super) late: u64,
    pub(super) damaged: u64,
    pub(super) pixels: u64,
}

/// A video track from its first access unit on.
#[derive(Debug)]
pub(super) struct VideoTrack {
    id: TrackId,
    queues: BTreeMap<Layer, VecDeque<Unit>>,
    sizes: Vec<LayerSize>,
    current: Option<Layer>,
    choice: Option<Choice>,
    decoder: Option<VideoDecoder>,
    /// The keyframe that the decoder's state goes back to.
    keyframe: Option<JournalSeq>,
    /// Nothing but a keyframe can be decoded.
    broken: bool,
    /// Units since the keyframe without an answer, while none has come; `None` once one has.
    unanswered: Option<u32>,
    pictures: VecDeque<TimedPicture>,
    tiles: Tiles,
    last_pts: MediaTime,
    /// The latest horizon: a unit that comes later with an earlier PTS missed its frame.
    fed_until: MediaTime,
    /// Since when it is known to be published, or to need a picture again.
    waiting_since: Option<MediaTime>,
    requests: BackOff,
    counts: Counts,
    /// Frames that repeated a picture.
    repeated: u64,
    /// How much earlier than its frame the picture of the last frame was due, nanoseconds; `None` if it was repeated.
    offset: Option<i64>,
}

impl VideoTrack {
    pub(super) fn new(id: TrackId, state: Option<TrackState>) -> Self {
        let state = state.unwrap_or(TrackState {
            current: None,
            choice: None,
        });
        Self {
            id,
            queues: BTreeMap::new(),
            sizes: Vec::new(),
            current: state.current,
            choice: state.choice,
            decoder: None,
            keyframe: None,
            broken: false,
            unanswered: None,
            pictures: VecDeque::new(),
            tiles: Tiles::default(),
            last_pts: MediaTime(0),
            fed_until: MediaTime(0),
            waiting_since: None,
            requests: BackOff::new(),
            counts: Counts::default(),
            repeated: 0,
            offset: None,
        }
    }

    pub(super) fn state(&self) -> TrackState {
        TrackState {
            current: self.current,
            choice: self.choice,
        }
    }

    pub(super) fn counts(&self) -> Counts {
        self.counts
    }

    /// Counters, after the frame due at `due`.
    pub(super) fn stats(&self, due: MediaTime) -> TrackStats {
        let current = self.current.and_then(|layer| self.queues.get(&layer));
        let newest = current.and_then(|queue| queue.back());
        let waiting = newest.map_or(Duration::ZERO, |unit| unit.pts.since(due));
        TrackStats {
            buffered_ms: u32::try_from(waiting.as_millis()).unwrap_or(u32::MAX),
            late: self.counts.late,
            filled: self.repeated,
        }
    }

    /// How much later than it belongs the last picture was shown, nanoseconds; `None` unless it was a new one.
    pub(super) fn offset(&self) -> Option<i64> {
        self.offset
    }

    pub(super) fn push(&mut self, seq: JournalSeq, unit: AccessUnit) {
        let queue = self.queues.entry(unit.layer).or_default();
        let mut discontinuity = unit.discontinuity;
        if queue.len() == QUEUE_MAX {
            queue.clear();
            discontinuity = true;
        }
        queue.push_back(Unit {
            seq,
            pts: unit.pts,
            codec: unit.codec,
            keyframe: unit.keyframe,
            discontinuity,
            data: unit.data,
        });
    }

    /// Shows `layer` from its next keyframe on.
    pub(super) fn choose(&mut self, layer: Layer, since: JournalSeq) {
        self.choice = (self.current != Some(layer)).then_some(Choice { layer, since });
        self.requests = BackOff::new();
    }

    pub(super) fn set_sizes(&mut self, sizes: &[LayerSize]) {
        self.sizes.clear();
        self.sizes.extend_from_slice(sizes);
    }

    /// Forgets what was shown: the camera is off.
    pub(super) fn clear_pictures(&mut self, now: MediaTime) {
        self.pictures.clear();
        self.tiles = Tiles::default();
        self.waiting_since = Some(now);
    }

    /// The roster names it.
    pub(super) fn publish(&mut self, now: MediaTime) {
        self.waiting_since.get_or_insert(now);
    }

    /// Whether the roster has named it.
    pub(super) fn is_published(&self) -> bool {
        self.waiting_since.is_some()
    }

    /// Drops what waits from before `pts`.
    pub(super) fn forget_before(&mut self, pts: MediaTime) {
        for queue in self.queues.values_mut() {
            while queue.front().is_some_and(|unit| unit.pts < pts) {
                queue.pop_front();
            }
        }
        self.queues.retain(|_, queue| !queue.is_empty());
    }

    /// Whether nothing waits, neither units nor a choice.
    pub(super) fn is_idle(&self) -> bool {
        self.choice.is_none() && self.queues.values().all(VecDeque::is_empty)
    }

    /// Decodes every unit with a PTS up to `horizon`.
    pub(super) fn advance(&mut self, horizon: MediaTime) -> Result<(), CodecError> {
        while let Some(switch) = self.next_switch(horizon) {
            // The old layer goes on until the new one can be decoded.
            self.feed_current(switch.pts.minus(Duration::from_nanos(1)))?;
            self.go_over(switch);
        }
        self.feed_current(horizon)?;
        let current = self.current;
        for (_, queue) in self
            .queues
            .iter_mut()
            .filter(|(layer, _)| Some(**layer) != current)
        {
            while queue.front().is_some_and(|unit| unit.pts <= horizon) {
                queue.pop_front();
            }
        }
        self.fed_until = self.fed_until.max(horizon);
        Ok(())
    }

    fn go_over(&mut self, switch: Switch) {
        self.current = Some(switch.layer);
        if self
            .choice
            .is_some_and(|choice| choice.layer == switch.layer)
        {
            self.choice = None;
        }
        if let Some(queue) = self.queues.get_mut(&switch.layer) {
            while queue.front().is_some_and(|unit| unit.seq < switch.seq) {
                queue.pop_front();
            }
        }
    }

    /// The layer to go over to within `horizon`, and the keyframe at which to do it.
    fn next_switch(&self, horizon: MediaTime) -> Option<Switch> {
        let keyframe_of = |layer: Layer, since: JournalSeq| {
            let queue = self.queues.get(&layer)?;
            let mut due = queue.iter().take_while(|unit| unit.pts <= horizon);
            let keyframe = due.find(|unit| unit.keyframe && unit.seq >= since)?;
            Some(Switch {
                layer,
                seq: keyframe.seq,
                pts: keyframe.pts,
            })
        };
        if let Some(choice) = self.choice
            && let Some(switch) = keyframe_of(choice.layer, choice.since)
        {
            return Some(switch);
        }
        let lacking = match self.current {
            None => true,
            Some(layer) => horizon.since(self.last_pts) > STARVED && !self.has_due(layer, horizon),
        };
        if !lacking {
            return None;
        }
        self.queues
            .keys()
            .filter(|layer| Some(**layer) != self.current)
            .filter_map(|layer| keyframe_of(*layer, JournalSeq(0)))
            .min_by_key(|switch| (self.height_of(switch.layer), switch.layer))
    }

    fn has_due(&self, layer: Layer, horizon: MediaTime) -> bool {
        let queue = self.queues.get(&layer);
        queue.is_some_and(|queue| queue.front().is_some_and(|unit| unit.pts <= horizon))
    }

    /// Layers of unknown size come last.
    fn height_of(&self, layer: Layer) -> u16 {
        let known = self.sizes.iter().find(|size| size.layer == layer);
        known.map_or(u16::MAX, |size| size.height)
    }

    /// Feeds the units of the current layer that are due.
    fn feed_current(&mut self, horizon: MediaTime) -> Result<(), CodecError> {
        let Some(current) = self.current else {
            return Ok(());
        };
        while self.has_due(current, horizon)
            && let Some(unit) = self.queues.get_mut(&current).and_then(VecDeque::pop_front)
        {
            self.feed(unit)?;
        }
        Ok(())
    }

    fn feed(&mut self, unit: Unit) -> Result<(), CodecError> {
        self.counts.late += u64::from(unit.pts <= self.fed_until);
        self.last_pts = self.last_pts.max(unit.pts);
        if unit.keyframe {
            self.broken = false;
            self.unanswered = Some(0);
            self.keyframe = Some(unit.seq);
        } else if unit.discontinuity || self.keyframe.is_none() {
            self.broken = true;
        }
        let _decoding = in_flight::decoding(InFlight {
            track: self.id,
            unit: unit.seq,
        });
        // Decoders take memory for whatever a unit claims.
        let side = largest_side(unit.codec, &unit.data);
        self.broken |= side.is_some_and(|side| side > LONG_SIDE_MAX);
        if self.broken {
            self.counts.damaged += u64::from(self.keyframe.is_some());
            return Ok(());
        }
        let decoder = match &mut self.decoder {
            Some(decoder) if decoder.codec() == unit.codec => decoder,
            other => other.insert(VideoDecoder::new(unit.codec)?),
        };
        self.counts.decoded += 1;
        let coded = CodedUnit {
            pts: unit.pts,
            keyframe: unit.keyframe,
            data: unit.data,
        };
        let known = self.pictures.len();
        let answered = decoder.decode(coded, &mut self.pictures);
        let new = self.pictures.iter().skip(known);
        self.counts.pixels += new.map(|p| p.picture.pixels()).sum::<u64>();
        while self.pictures.len() > PICTURES_MAX {
            self.pictures.pop_front();
        }
        self.unanswered = match (answered, self.unanswered) {
            (true, _) => {
                self.requests = BackOff::new();
                None
            }
            (false, Some(count)) if count < REORDER_MAX => Some(count + 1),
            (false, _) => {
                self.broken = true;
                self.counts.damaged += 1;
                None
            }
        };
        Ok(())
    }

    /// The picture for a frame due at `due`: the nearest within `half` a frame, else the last one.
    pub(super) fn picture_at(&mut self, due: MediaTime, half: Duration) -> Option<Arc<Picture>> {
        let (index, is_near) = self.index_at(due, half)?;
        self.pictures.drain(..index);
        let shown = self.pictures.front()?;
        self.offset = is_near.then(|| due.0 as i64 - shown.pts.0 as i64);
        self.repeated += u64::from(!is_near);
        Some(Arc::clone(&shown.picture))
    }

    /// Which picture [`Self::picture_at`] takes, and whether it is within `half` a frame.
    fn index_at(&self, due: MediaTime, half: Duration) -> Option<(usize, bool)> {
        let (from, to) = (due.minus(half), due.plus(half));
        let nearest = self
            .pictures
            .iter()
            .enumerate()
            .filter(|(_, p)| p.pts >= from && p.pts <= to)
            .min_by_key(|(_, p)| p.pts.0.abs_diff(due.0))
            .map(|(index, _)| index);
        let index = nearest.or_else(|| {
            // What is for later than this frame was decoded for an encoder with longer frames.
            let past = self.pictures.iter().rposition(|p| p.pts <= to);
            past.or((!self.pictures.is_empty()).then_some(0))
        })?;
        Some((index, nearest.is_some()))
    }

    /// Scales ahead what the canvas of `encoder` shows of it at `due`.
    pub(super) fn make_tile(&mut self, encoder: usize, (due, half): (MediaTime, Duration)) {
        if let Some((index, _)) = self.index_at(due, half) {
            self.tiles.make(encoder, &self.pictures[index].picture);
        }
    }

    /// What was scaled ahead.
    pub(super) fn tiles(&mut self) -> &mut Tiles {
        &mut self.tiles
    }

    /// Width times height of what it shows.
    pub(super) fn picture_pixels(&self) -> u64 {
        self.pictures.back().map_or(0, |p| p.picture.pixels())
    }

    /// Whether there is a picture to show.
    pub(super) fn has_picture(&self) -> bool {
        !self.pictures.is_empty()
    }

    /// The layer of which to ask for a keyframe now, if that is needed.
    pub(super) fn keyframe_request(&mut self, now: MediaTime, patience: Duration) -> Option<Layer> {
        let layer = if let Some(choice) = self.choice {
            choice.layer
        } else if self.broken || (!self.has_picture() && self.is_overdue(now, patience)) {
            let smallest = self.sizes.iter().min_by_key(|size| size.height);
            self.current
                .or(smallest.map(|size| size.layer))
                .unwrap_or_default()
        } else {
            return None;
        };
        self.requests.try_at(now).then_some(layer)
    }

    fn is_overdue(&self, now: MediaTime, patience: Duration) -> bool {
        self.waiting_since
            .is_some_and(|since| now >= since.plus(patience))
    }

    /// The oldest record that a successor must feed: the keyframe of what is shown, and what waits.
    pub(super) fn read_from(&self) -> Option<JournalSeq> {
        let waiting = self.queues.values().filter_map(|queue| queue.front());
        let keyframe = self.keyframe.filter(|_| self.has_picture());
        waiting.map(|unit| unit.seq).chain(keyframe).min()
    }
}
