//! Who publishes on a stage, decided without a clock or a connection: arrivals, grace, stopped tracks, layer choices.
//!
//! One input, then drain [`Stage::poll_output`] until `None`, then wait until [`Stage::poll_timeout`].

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::time::Duration;

use compositor_core::id::{CompositionId, Layer, ParticipantId, TrackId};
use compositor_core::journal::LayerChoice;
use compositor_core::limits::GRACE_WINDOW;
use compositor_core::roster::{LayerSize, Publisher, RosterChange, Track};
use compositor_core::time::MonotonicTime;

use crate::layers::{self, LayerState};

/// A participant that returned keeps its old tracks so long, for new ones to take their place without a black moment.
const OLD_TRACKS_KEPT: Duration = Duration::from_secs(2);

/// A peer connection, numbered through the life of the gateway.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(crate) struct PeerId(pub(crate) u64);

/// Who a publisher is, from its token.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Identity {
    /// The `jti`.
    pub(crate) participant: ParticipantId,
    /// Empty for none.
    pub(crate) user_id: String,
    /// Steer the layout.
    pub(crate) attributes: BTreeMap<String, String>,
}

/// How a publisher's peer connection ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Departure {
    /// On purpose: DELETE or DisconnectParticipant. The slot goes at once.
    Ended,
    /// The connection was lost or closed; the participant may return within the grace window.
    Lost {
        /// Its last packet.
        last_packet: MonotonicTime,
    },
}

/// What the session has to do.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum StageOutput {
    /// Journal this.
    Roster(RosterChange),
    /// Journal this.
    LayerChoice(LayerChoice),
    /// Ask the publisher for a keyframe.
    RequestKeyframe(TrackId, Layer),
    /// A newer connection of the same participant has taken over from this one.
    Replaced(PeerId),
    /// So many participants publish now, since `at`.
    PublishersChanged {
        /// How many.
        count: usize,
        /// Since when.
        at: MonotonicTime,
    },
}

/// The publishers of one stage session.
#[derive(Debug, Default)]
pub(crate) struct Stage {
    arrivals: HashMap<ParticipantId, u32>,
    entries: Vec<Entry>,
    wishes: BTreeMap<(CompositionId, TrackId), Wish>,
    publishing: usize,
    outputs: VecDeque<StageOutput>,
}

#[derive(Debug)]
struct Entry {
    publisher: Publisher,
    presence: Presence,
    tracks: BTreeMap<TrackId, TrackEntry>,
}

/// Whether a publisher is there.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Presence {
    /// Connected by `peer`; tracks of earlier peers go at `old_tracks_until`.
    Here {
        peer: PeerId,
        old_tracks_until: Option<MonotonicTime>,
    },
    /// Lost; the slot stays until then.
    Lost { until: MonotonicTime },
}

#[derive(Debug)]
struct TrackEntry {
    peer: PeerId,
    layers: Vec<LayerState>,
}

#[derive(Clone, Copy, Debug)]
struct Wish {
    height: u16,
    chosen: Option<Layer>,
}

impl Stage {
    /// A publisher's connection is up.
    pub(crate) fn connect(&mut self, now: MonotonicTime, identity: &Identity, peer: PeerId) {
        let Identity {
            participant,
            user_id,
            attributes,
        } = identity.clone();
        let next = u32::try_from(self.arrivals.len()).unwrap_or(u32::MAX);
        let arrival = *self.arrivals.entry(participant.clone()).or_insert(next);
        let index = self.position(&participant).unwrap_or_else(|| {
            self.entries.push(Entry {
                publisher: Publisher {
                    participant,
                    user_id: String::new(),
                    attributes: BTreeMap::new(),
                    arrival,
                    connected: true,
                    tracks: Vec::new(),
                },
                presence: Presence::Here {
                    peer,
                    old_tracks_until: None,
                },
                tracks: BTreeMap::new(),
            });
            self.entries.len() - 1
        });
        let entry = &mut self.entries[index];
        if let Presence::Here { peer: old, .. } = entry.presence
            && old != peer
        {
            self.outputs.push_back(StageOutput::Replaced(old));
        }
        let old_tracks_until = (!entry.tracks.is_empty()).then(|| now.plus(OLD_TRACKS_KEPT));
        entry.presence = Presence::Here {
            peer,
            old_tracks_until,
        };
        entry.publisher.user_id = user_id;
        entry.publisher.attributes = attributes;
        entry.publisher.connected = true;
        self.tell(index);
        self.recount(now);
    }

    /// A track's first packet came. It takes the place of an older track of its kind.
    pub(crate) fn start_track(&mut self, participant: &ParticipantId, peer: PeerId, track: Track) {
        let Some(index) = self.position(participant) else {
            return;
        };
        let entry = &mut self.entries[index];
        if !matches!(entry.presence, Presence::Here { peer: current, .. } if current == peer) {
            return;
        }
        let kind = track.codec.kind();
        entry
            .publisher
            .tracks
            .retain(|old| old.codec.kind() != kind);
        entry.tracks.insert(
            track.id,
            TrackEntry {
                peer,
                layers: Vec::new(),
            },
        );
        entry.publisher.tracks.push(track);
        self.forget_dead_tracks(index);
        self.tell(index);
    }

    /// No packet of a track has come for a while, or one came again.
    pub(crate) fn set_stopped(&mut self, track: TrackId, stopped: bool) {
        let Some(index) = self.position_of_track(track) else {
            return;
        };
        let tracks = &mut self.entries[index].publisher.tracks;
        let Some(known) = tracks.iter_mut().find(|known| known.id == track) else {
            return;
        };
        if known.stopped != stopped {
            known.stopped = stopped;
            self.tell(index);
        }
    }

    /// A track's layers are these now.
    pub(crate) fn set_layers(&mut self, track: TrackId, layers: Vec<LayerState>) {
        let Some(index) = self.position_of_track(track) else {
            return;
        };
        let entry = &mut self.entries[index];
        let sizes: Vec<LayerSize> = layers
            .iter()
            .filter_map(|state| {
                let (width, height) = state.size?;
                Some(LayerSize {
                    layer: state.layer,
                    width,
                    height,
                })
            })
            .collect();
        if let Some(known) = entry.tracks.get_mut(&track) {
            known.layers = layers;
        }
        let known = entry
            .publisher
            .tracks
            .iter_mut()
            .find(|known| known.id == track);
        if let Some(known) = known
            && known.layers != sizes
        {
            known.layers = sizes;
            self.tell(index);
        }
        self.choose_layers(track);
    }

    /// A publisher's connection is gone. Nothing happens when a newer one has taken over.
    pub(crate) fn disconnect(
        &mut self,
        now: MonotonicTime,
        participant: &ParticipantId,
        peer: PeerId,
        departure: Departure,
    ) {
        let Some(index) = self.position(participant) else {
            return;
        };
        let entry = &mut self.entries[index];
        if !matches!(entry.presence, Presence::Here { peer: current, .. } if current == peer) {
            return;
        }
        match departure {
            Departure::Ended => {
                self.remove(index);
                self.recount(now);
            }
            Departure::Lost { last_packet } => {
                entry.presence = Presence::Lost {
                    until: last_packet.plus(GRACE_WINDOW),
                };
                entry.publisher.connected = false;
                self.tell(index);
                self.recount(last_packet);
                self.handle_timeout(now);
            }
        }
    }

    /// Takes a publisher away that is not connected but still within its grace window.
    pub(crate) fn forget(&mut self, participant: &ParticipantId) {
        if let Some(index) = self.position(participant)
            && matches!(self.entries[index].presence, Presence::Lost { .. })
        {
            self.remove(index);
        }
    }

    /// The time of [`Self::poll_timeout`] has come.
    pub(crate) fn handle_timeout(&mut self, now: MonotonicTime) {
        let over =
            |entry: &Entry| matches!(entry.presence, Presence::Lost { until } if until <= now);
        while let Some(index) = self.entries.iter().position(over) {
            self.remove(index);
        }
        for index in 0..self.entries.len() {
            let entry = &mut self.entries[index];
            if let Presence::Here {
                peer,
                old_tracks_until: Some(until),
            } = entry.presence
                && until <= now
            {
                entry.presence = Presence::Here {
                    peer,
                    old_tracks_until: None,
                };
                let (tracks, before) = (&entry.tracks, entry.publisher.tracks.len());
                entry.publisher.tracks.retain(|track| {
                    tracks
                        .get(&track.id)
                        .is_some_and(|known| known.peer == peer)
                });
                if entry.publisher.tracks.len() != before {
                    self.forget_dead_tracks(index);
                    self.tell(index);
                }
            }
        }
    }

    /// When [`Self::handle_timeout`] wants to be called.
    pub(crate) fn poll_timeout(&self) -> Option<MonotonicTime> {
        self.entries
            .iter()
            .filter_map(|entry| match entry.presence {
                Presence::Here {
                    old_tracks_until, ..
                } => old_tracks_until,
                Presence::Lost { until } => Some(until),
            })
            .min()
    }

    /// A composition shows a track this tall.
    pub(crate) fn wish(&mut self, composition: &CompositionId, track: TrackId, height: u16) {
        if self.position_of_track(track).is_none() {
            return;
        }
        let wish = self
            .wishes
            .entry((composition.clone(), track))
            .or_insert(Wish {
                height,
                chosen: None,
            });
        wish.height = height;
        self.choose_layers(track);
    }

    /// A composition is over.
    pub(crate) fn forget_composition(&mut self, composition: &CompositionId) {
        self.wishes.retain(|(wisher, _), _| wisher != composition);
    }

    /// The whole roster.
    pub(crate) fn publishers(&self) -> Vec<Publisher> {
        let mut publishers: Vec<Publisher> = self
            .entries
            .iter()
            .map(|entry| entry.publisher.clone())
            .collect();
        publishers.sort_by_key(|publisher| publisher.arrival);
        publishers
    }

    /// What composition `composition` shows now; for a reader that starts anew.
    pub(crate) fn choices(&self, composition: &CompositionId) -> Vec<LayerChoice> {
        self.wishes
            .iter()
            .filter(|((wisher, _), _)| wisher == composition)
            .filter_map(|((_, track), wish)| {
                let (composition, track) = (composition.clone(), *track);
                wish.chosen.map(|layer| LayerChoice {
                    composition,
                    track,
                    layer,
                })
            })
            .collect()
    }

    /// What to do next; `None` when there is nothing until the next input.
    pub(crate) fn poll_output(&mut self) -> Option<StageOutput> {
        self.outputs.pop_front()
    }

    fn position(&self, participant: &ParticipantId) -> Option<usize> {
        self.entries
            .iter()
            .position(|entry| entry.publisher.participant == *participant)
    }

    fn position_of_track(&self, track: TrackId) -> Option<usize> {
        self.entries
            .iter()
            .position(|entry| entry.tracks.contains_key(&track))
    }

    fn tell(&mut self, index: usize) {
        let publisher = self.entries[index].publisher.clone();
        self.outputs
            .push_back(StageOutput::Roster(RosterChange::Updated(publisher)));
    }

    fn remove(&mut self, index: usize) {
        let entry = self.entries.remove(index);
        self.wishes
            .retain(|(_, track), _| !entry.tracks.contains_key(track));
        let removed = RosterChange::Removed(entry.publisher.participant);
        self.outputs.push_back(StageOutput::Roster(removed));
    }

    fn recount(&mut self, at: MonotonicTime) {
        let here = |entry: &&Entry| matches!(entry.presence, Presence::Here { .. });
        let count = self.entries.iter().filter(here).count();
        if count != self.publishing {
            self.publishing = count;
            self.outputs
                .push_back(StageOutput::PublishersChanged { count, at });
        }
    }

    fn forget_dead_tracks(&mut self, index: usize) {
        let Entry {
            publisher, tracks, ..
        } = &mut self.entries[index];
        tracks.retain(|id, _| publisher.tracks.iter().any(|track| track.id == *id));
        let alive: Vec<TrackId> = self
            .entries
            .iter()
            .flat_map(|entry| entry.tracks.keys().copied())
            .collect();
        self.wishes.retain(|(_, track), _| alive.contains(track));
    }

    fn choose_layers(&mut self, track: TrackId) {
        let Some(index) = self.position_of_track(track) else {
            return;
        };
        let Some(known) = self.entries[index].tracks.get(&track) else {
            return;
        };
        for ((composition, wished), wish) in &mut self.wishes {
            if *wished != track {
                continue;
            }
            let best = layers::for_height(&known.layers, wish.height);
            if let Some(layer) = best
                && wish.chosen != Some(layer)
            {
                wish.chosen = Some(layer);
                let composition = composition.clone();
                let choice = LayerChoice {
                    composition,
                    track,
                    layer,
                };
                self.outputs.push_back(StageOutput::LayerChoice(choice));
                self.outputs
                    .push_back(StageOutput::RequestKeyframe(track, layer));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use compositor_core::access_unit::Codec;

    use super::*;

    fn at(ms: u64) -> MonotonicTime {
        MonotonicTime(ms * 1_000_000)
    }

    fn identity(name: &str) -> Identity {
        Identity {
            participant: ParticipantId::new(name),
            user_id: String::new(),
            attributes: BTreeMap::new(),
        }
    }

    fn track(id: u32, codec: Codec) -> Track {
        Track {
            id: TrackId(id),
            codec,
            stopped: false,
            layers: Vec::new(),
        }
    }

    fn drain(stage: &mut Stage) -> Vec<StageOutput> {
        std::iter::from_fn(|| stage.poll_output()).collect()
    }

    fn counts(outputs: &[StageOutput]) -> Vec<(usize, MonotonicTime)> {
        outputs
            .iter()
            .filter_map(|output| match output {
                StageOutput::PublishersChanged { count, at } => Some((*count, *at)),
                _ => None,
            })
            .collect()
    }

    fn layer(index: u8, height: u16, active: bool) -> LayerState {
        LayerState {
            layer: Layer(index),
            size: Some((height * 16 / 9, height)),
            active,
        }
    }

    /// Ann publishes video by peer 1, Bob by peer 2.
    fn two() -> Stage {
        let mut stage = Stage::default();
        stage.connect(at(0), &identity("ann"), PeerId(1));
        stage.start_track(&ParticipantId::new("ann"), PeerId(1), track(10, Codec::Vp8));
        stage.connect(at(0), &identity("bob"), PeerId(2));
        drain(&mut stage);
        stage
    }

    #[test]
    fn a_lost_publisher_keeps_its_slot_until_the_grace_window_ends() {
        let mut stage = two();
        let ann = ParticipantId::new("ann");
        let lost = Departure::Lost {
            last_packet: at(900),
        };
        stage.disconnect(at(1_000), &ann, PeerId(1), lost);
        assert_eq!(counts(&drain(&mut stage)), [(1, at(900))]);
        assert!(!stage.publishers()[0].connected);
        assert_eq!(stage.publishers()[0].tracks.len(), 1);
        assert_eq!(stage.poll_timeout(), Some(at(5_900)));
        stage.handle_timeout(MonotonicTime(at(5_900).0 - 1));
        assert_eq!(drain(&mut stage), []);
        stage.handle_timeout(at(5_900));
        assert_eq!(
            drain(&mut stage),
            [StageOutput::Roster(RosterChange::Removed(ann))]
        );
    }

    #[test]
    fn a_publisher_that_returns_keeps_its_arrival_and_its_picture_until_the_new_one() {
        let mut stage = two();
        let ann = ParticipantId::new("ann");
        let lost = Departure::Lost {
            last_packet: at(900),
        };
        stage.disconnect(at(1_000), &ann, PeerId(1), lost);
        stage.connect(at(3_000), &identity("ann"), PeerId(3));
        assert_eq!(counts(&drain(&mut stage)), [(1, at(900)), (2, at(3_000))]);
        assert_eq!(stage.publishers()[0].arrival, 0);
        assert_eq!(stage.publishers()[0].tracks[0].id, TrackId(10));
        stage.start_track(&ann, PeerId(3), track(11, Codec::H264));
        assert_eq!(stage.publishers()[0].tracks.len(), 1);
        assert_eq!(stage.publishers()[0].tracks[0].id, TrackId(11));
        stage.handle_timeout(at(5_000));
        assert_eq!(stage.publishers()[0].tracks.len(), 1);
        assert_eq!(stage.poll_timeout(), None);
    }

    #[test]
    fn old_tracks_without_successor_go_after_a_while() {
        let mut stage = two();
        let ann = ParticipantId::new("ann");
        stage.disconnect(
            at(10),
            &ann,
            PeerId(1),
            Departure::Lost {
                last_packet: at(10),
            },
        );
        stage.connect(at(20), &identity("ann"), PeerId(3));
        stage.handle_timeout(stage.poll_timeout().unwrap());
        assert_eq!(stage.publishers()[0].tracks, []);
    }

    #[test]
    fn arrival_survives_a_long_absence() {
        let mut stage = two();
        let ann = ParticipantId::new("ann");
        stage.disconnect(at(10), &ann, PeerId(1), Departure::Ended);
        assert_eq!(stage.publishers().len(), 1);
        stage.connect(at(90_000), &identity("ann"), PeerId(3));
        assert_eq!(stage.publishers()[0].participant, ann);
        assert_eq!(stage.publishers()[1].arrival, 1);
    }

    #[test]
    fn a_newer_connection_replaces_the_older_without_anybody_leaving() {
        let mut stage = two();
        let ann = ParticipantId::new("ann");
        stage.connect(at(50), &identity("ann"), PeerId(3));
        let outputs = drain(&mut stage);
        assert_eq!(outputs[0], StageOutput::Replaced(PeerId(1)));
        assert_eq!(counts(&outputs), []);
        stage.disconnect(
            at(60),
            &ann,
            PeerId(1),
            Departure::Lost {
                last_packet: at(60),
            },
        );
        assert_eq!(drain(&mut stage), []);
        assert!(stage.publishers()[0].connected);
    }

    #[test]
    fn a_vanished_peer_found_late_goes_at_once() {
        let mut stage = two();
        let ann = ParticipantId::new("ann");
        let lost = Departure::Lost {
            last_packet: at(1_000),
        };
        stage.disconnect(at(9_000), &ann, PeerId(1), lost);
        assert_eq!(stage.publishers().len(), 1);
        assert_eq!(counts(&drain(&mut stage)), [(1, at(1_000))]);
    }

    #[test]
    fn a_wish_is_answered_by_the_smallest_tall_enough_layer_as_layers_come_and_go() {
        let mut stage = two();
        let composition = CompositionId::new("c");
        stage.wish(&composition, TrackId(10), 300);
        assert_eq!(drain(&mut stage), []);
        stage.set_layers(TrackId(10), vec![layer(0, 180, true), layer(1, 360, true)]);
        let choice = |layer| LayerChoice {
            composition: composition.clone(),
            track: TrackId(10),
            layer,
        };
        let outputs = drain(&mut stage);
        assert!(outputs.contains(&StageOutput::LayerChoice(choice(Layer(1)))));
        assert!(outputs.contains(&StageOutput::RequestKeyframe(TrackId(10), Layer(1))));
        stage.set_layers(TrackId(10), vec![layer(0, 180, true), layer(1, 360, false)]);
        assert_eq!(
            drain(&mut stage)[0],
            StageOutput::LayerChoice(choice(Layer(0)))
        );
        stage.wish(&composition, TrackId(10), 100);
        assert_eq!(drain(&mut stage), []);
        assert_eq!(stage.choices(&composition), [choice(Layer(0))]);
        stage.forget_composition(&composition);
        assert_eq!(stage.choices(&composition), []);
    }

    #[test]
    fn stopped_and_resumed_tracks_are_told_once() {
        let mut stage = two();
        stage.set_stopped(TrackId(10), true);
        stage.set_stopped(TrackId(10), true);
        assert_eq!(drain(&mut stage).len(), 1);
        assert!(stage.publishers()[0].tracks[0].stopped);
        stage.set_stopped(TrackId(10), false);
        assert_eq!(drain(&mut stage).len(), 1);
    }
}
