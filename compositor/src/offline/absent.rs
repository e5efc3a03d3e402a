//! Leaves participants out of a journal, as if they had never come.

use std::collections::BTreeSet;

use compositor_core::id::{ParticipantId, TrackId};
use compositor_core::journal::{Record, RecordBody};
use compositor_core::roster::RosterChange;

/// Who is left out.
#[derive(Debug)]
pub(super) struct Absent {
    participants: BTreeSet<ParticipantId>,
    tracks: BTreeSet<TrackId>,
}

impl Absent {
    /// `tracks` are all that the participants had: media may come before the roster names its track.
    pub(super) fn new(participants: BTreeSet<ParticipantId>, tracks: BTreeSet<TrackId>) -> Self {
        Self {
            participants,
            tracks,
        }
    }

    /// The record without them; `None` when nothing of it is left.
    pub(super) fn leave_out(&self, record: Record) -> Option<Record> {
        let Record { seq, time, body } = record;
        let body = match body {
            RecordBody::AccessUnit(unit) if self.tracks.contains(&unit.track) => return None,
            RecordBody::Roster(change) => RecordBody::Roster(self.leave_out_of(change)?),
            other => other,
        };
        Some(Record { seq, time, body })
    }

    fn leave_out_of(&self, change: RosterChange) -> Option<RosterChange> {
        match change {
            RosterChange::Snapshot(mut publishers) => {
                publishers.retain(|publisher| !self.participants.contains(&publisher.participant));
                Some(RosterChange::Snapshot(publishers))
            }
            RosterChange::Updated(publisher) => {
                (!self.participants.contains(&publisher.participant))
                    .then_some(RosterChange::Updated(publisher))
            }
            RosterChange::Removed(participant) => (!self.participants.contains(&participant))
                .then_some(RosterChange::Removed(participant)),
        }
    }
}
