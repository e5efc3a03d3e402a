//! Who publishes on a stage, as the journal tells it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::access_unit::Codec;
use crate::id::{Layer, ParticipantId, TrackId};

/// A participant that publishes, or did within the grace window.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Publisher {
    /// The `jti` of its token.
    pub participant: ParticipantId,
    /// The token's `user_id`, empty when not given.
    pub user_id: String,
    /// The token's attributes; they steer the layout.
    pub attributes: BTreeMap<String, String>,
    /// Order of arrival in the session; a participant that returns keeps its number.
    pub arrival: u32,
    /// False between a disconnect and either its return or the end of the grace window.
    pub connected: bool,
    /// What it publishes now.
    pub tracks: Vec<Track>,
}

/// A published track.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Track {
    /// Which track.
    pub id: TrackId,
    /// The negotiated codec.
    pub codec: Codec,
    /// True while no media arrives although the track is published (camera off, microphone muted).
    pub stopped: bool,
    /// The layers seen so far with their picture size; empty for audio and until the first keyframe.
    pub layers: Vec<LayerSize>,
}

/// The picture size of a layer, read from its last keyframe.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct LayerSize {
    /// Which layer.
    pub layer: Layer,
    /// Pixels.
    pub width: u16,
    /// Pixels.
    pub height: u16,
}

/// One change of the roster.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum RosterChange {
    /// The whole roster; written where a reader starts.
    Snapshot(Vec<Publisher>),
    /// A publisher joined, returned, or any part of it changed: this is all of it now.
    Updated(Publisher),
    /// A publisher is gone for good: it unpublished, was disconnected, or the grace window ended.
    Removed(ParticipantId),
}

/// The publishers of a stage in order of arrival; the state that [`RosterChange`]s build.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Roster {
    publishers: Vec<Publisher>,
}

impl Roster {
    /// Applies one change.
    pub fn apply(&mut self, change: RosterChange) {
        match change {
            RosterChange::Snapshot(publishers) => self.publishers = publishers,
            RosterChange::Updated(publisher) => {
                let known = self
                    .publishers
                    .iter()
                    .position(|p| p.participant == publisher.participant);
                match known {
                    Some(index) => self.publishers[index] = publisher,
                    None => self.publishers.push(publisher),
                }
            }
            RosterChange::Removed(participant) => {
                self.publishers.retain(|p| p.participant != participant);
            }
        }
        self.publishers.sort_by_key(|p| p.arrival);
    }

    /// All publishers, in order of arrival.
    pub fn publishers(&self) -> &[Publisher] {
        &self.publishers
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn publisher(id: &str, arrival: u32) -> Publisher {
        Publisher {
            participant: ParticipantId::new(id),
            user_id: String::new(),
            attributes: BTreeMap::new(),
            arrival,
            connected: true,
            tracks: Vec::new(),
        }
    }

    #[track_caller]
    fn check(changes: Vec<RosterChange>, expected: &[&str]) -> Roster {
        let mut roster = Roster::default();
        for change in changes {
            roster.apply(change);
        }
        let order: Vec<_> = roster
            .publishers()
            .iter()
            .map(|p| p.participant.as_str())
            .collect();
        assert_eq!(order, expected);
        roster
    }

    #[test]
    fn who_returns_keeps_the_place_and_brings_news() {
        let returned = Publisher {
            connected: false,
            ..publisher("a", 0)
        };
        let roster = check(
            vec![
                RosterChange::Updated(publisher("a", 0)),
                RosterChange::Updated(publisher("b", 1)),
                RosterChange::Removed(ParticipantId::new("a")),
                RosterChange::Updated(returned),
            ],
            &["a", "b"],
        );
        assert!(!roster.publishers()[0].connected);
    }

    #[test]
    fn an_update_replaces_and_a_snapshot_replaces_everything() {
        check(
            vec![
                RosterChange::Updated(publisher("a", 0)),
                RosterChange::Updated(publisher("a", 0)),
                RosterChange::Snapshot(vec![publisher("c", 2), publisher("b", 1)]),
            ],
            &["b", "c"],
        );
    }

    #[test]
    fn removing_a_stranger_changes_nothing() {
        check(
            vec![
                RosterChange::Updated(publisher("a", 0)),
                RosterChange::Removed(ParticipantId::new("b")),
            ],
            &["a"],
        );
    }
}
