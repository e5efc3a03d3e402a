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

/// Participants whose arrival is remembered in one session; the first that is absent is forgotten then.
const ARRIVALS_MAX: usize = 10_000;

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
    next_arrival: u32,
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
        let arrival = self.arrival_of(&participant);
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

    /// A participant keeps its number as long as it is remembered.
    fn arrival_of(&mut self, participant: &ParticipantId) -> u32 {
        if let Some(arrival) = self.arrivals.get(participant) {
            return *arrival;
        }
        if self.arrivals.len() >= ARRIVALS_MAX {
            let present = |id: &ParticipantId| {
                self.entries
                    .iter()
                    .any(|entry| entry.publisher.participant == *id)
            };
            let absent = self.arrivals.iter().filter(|(id, _)| !present(id));
            let oldest = absent
                .min_by_key(|(_, arrival)| **arrival)
                .map(|(id, _)| id.clone());
            oldest.and_then(|oldest| self.arrivals.remove(&oldest));
        }
        let arrival = self.next_arrival;
        self.next_arrival = self.next_arrival.saturating_add(1);
        self.arrivals.insert(participant.clone(), arrival);
        arrival
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
            let best = layers::for_height(&known.layers, wish.height, wish.chosen);
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
mod tests;
