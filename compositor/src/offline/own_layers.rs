//! Which simulcast layer of each track a composition shows that no server has chosen for: the smallest that is as tall as
//! its slot, else the tallest, of those that bring pictures.

use std::collections::BTreeMap;
use std::time::Duration;

use compositor_core::access_unit::MediaKind;
use compositor_core::id::{Layer, TrackId};
use compositor_core::journal::{Record, RecordBody};
use compositor_core::layer_choice::layer_for;
use compositor_core::roster::{LayerSize, Publisher, RosterChange};
use compositor_core::time::MediaTime;

/// A layer that brought nothing for so long is not chosen.
const IDLE: Duration = Duration::from_secs(1);

/// What the choice depends on.
#[derive(Debug, Default)]
pub(super) struct OwnLayers {
    sizes: BTreeMap<TrackId, Vec<LayerSize>>,
    last_units: BTreeMap<(TrackId, Layer), MediaTime>,
    heights: BTreeMap<TrackId, u16>,
    chosen: BTreeMap<TrackId, Layer>,
}

impl OwnLayers {
    /// Takes note of a record.
    pub(super) fn see(&mut self, record: &Record) {
        match &record.body {
            RecordBody::AccessUnit(unit) if unit.codec.kind() == MediaKind::Video => {
                let last = self.last_units.entry((unit.track, unit.layer)).or_default();
                *last = unit.pts.max(*last);
            }
            RecordBody::Roster(RosterChange::Snapshot(publishers)) => {
                publishers
                    .iter()
                    .for_each(|publisher| self.learn(publisher));
            }
            RecordBody::Roster(RosterChange::Updated(publisher)) => self.learn(publisher),
            _ => {}
        }
    }

    /// The tallest slot that shows `track` has this height.
    pub(super) fn wish(&mut self, track: TrackId, height: u16) {
        self.heights.insert(track, height);
    }

    /// The tracks that are to go over to another layer.
    pub(super) fn choose(&mut self, now: MediaTime) -> Vec<(TrackId, Layer)> {
        let mut changes = Vec::new();
        for (&track, &height) in &self.heights {
            let best = self.best(track, height, now);
            if let Some(layer) = best
                && self.chosen.insert(track, layer) != Some(layer)
            {
                changes.push((track, layer));
            }
        }
        changes
    }

    fn best(&self, track: TrackId, height: u16, now: MediaTime) -> Option<Layer> {
        let is_active = |size: &&LayerSize| {
            let last = self.last_units.get(&(track, size.layer));
            last.is_some_and(|last| now.since(*last) < IDLE)
        };
        let active = self.sizes.get(&track)?.iter().filter(is_active);
        let shown = self.chosen.get(&track).copied();
        layer_for(active.map(|size| (size.height, size.layer)), height, shown)
    }

    fn learn(&mut self, publisher: &Publisher) {
        for track in publisher.tracks.iter().filter(|t| !t.layers.is_empty()) {
            self.sizes.insert(track.id, track.layers.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use compositor_core::access_unit::{AccessUnit, Codec};
    use compositor_core::id::ParticipantId;
    use compositor_core::journal::JournalSeq;
    use compositor_core::roster::Track;

    use super::*;

    const TRACK: TrackId = TrackId(4);

    fn see(layers: &mut OwnLayers, time: u64, body: RecordBody) {
        layers.see(&Record {
            seq: JournalSeq(0),
            time: MediaTime(time),
            body,
        });
    }

    fn units(layers: &mut OwnLayers, pts: u64, of: &[u8]) {
        for &layer in of {
            let unit = AccessUnit {
                track: TRACK,
                layer: Layer(layer),
                pts: MediaTime(pts),
                codec: Codec::Vp8,
                keyframe: false,
                discontinuity: false,
                data: Bytes::new(),
            };
            see(layers, pts, RecordBody::AccessUnit(unit));
        }
    }

    /// Layers 0, 1, 2 are 720, 180 and 360 tall.
    fn simulcast() -> OwnLayers {
        let mut layers = OwnLayers::default();
        let sizes = [(0, 720), (1, 180), (2, 360)].map(|(layer, height)| LayerSize {
            layer: Layer(layer),
            width: height / 9 * 16,
            height,
        });
        let publisher = Publisher {
            participant: ParticipantId::new("a"),
            user_id: String::new(),
            attributes: BTreeMap::new(),
            arrival: 0,
            connected: true,
            tracks: vec![Track {
                id: TRACK,
                codec: Codec::Vp8,
                stopped: false,
                layers: sizes.to_vec(),
            }],
        };
        see(
            &mut layers,
            0,
            RecordBody::Roster(RosterChange::Updated(publisher)),
        );
        layers
    }

    #[test]
    fn the_smallest_layer_that_fills_the_slot_is_chosen_once() {
        let mut layers = simulcast();
        units(&mut layers, 1, &[0, 1, 2]);
        assert_eq!(layers.choose(MediaTime(1)), []);
        layers.wish(TRACK, 200);
        assert_eq!(layers.choose(MediaTime(1)), [(TRACK, Layer(2))]);
        assert_eq!(layers.choose(MediaTime(2)), []);
        layers.wish(TRACK, 1080);
        assert_eq!(layers.choose(MediaTime(3)), [(TRACK, Layer(0))]);
    }

    #[test]
    fn a_layer_that_brings_nothing_is_not_chosen() {
        let mut layers = simulcast();
        units(&mut layers, 1, &[0, 1, 2]);
        units(&mut layers, 1_500_000_000, &[1]);
        layers.wish(TRACK, 720);
        assert_eq!(layers.choose(MediaTime(1_500_000_000)), [(TRACK, Layer(1))]);
    }
}
