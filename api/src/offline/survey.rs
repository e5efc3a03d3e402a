//! What there is in a journal: read once before anything is composed, so that a job that does not fit, or a damaged
//! record, is told at once.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use compositor_core::id::{ParticipantId, TrackId};
use compositor_core::journal::RecordBody;
use compositor_core::roster::{Publisher, RosterChange};
use compositor_core::time::MediaTime;
use stage_gateway::journal::{Replay, ReplayError};

/// What there is in a journal.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Survey {
    /// When the first record was written.
    pub begins: MediaTime,
    /// The last watermark.
    pub ends: MediaTime,
    /// Everybody who published, and all tracks of each.
    pub participants: BTreeMap<ParticipantId, BTreeSet<TrackId>>,
}

impl Survey {
    /// Reads the whole journal in `dir`.
    pub fn of(dir: &Path) -> Result<Self, ReplayError> {
        let mut begins = None;
        let mut ends = MediaTime(0);
        let mut participants = BTreeMap::new();
        for record in Replay::open(dir)? {
            let record = record?;
            match record.body {
                // The time of media is its sender's word.
                RecordBody::AccessUnit(_) => continue,
                RecordBody::Watermark => ends = ends.max(record.time),
                RecordBody::Roster(RosterChange::Snapshot(publishers)) => {
                    for publisher in &publishers {
                        learn(&mut participants, publisher);
                    }
                }
                RecordBody::Roster(RosterChange::Updated(publisher)) => {
                    learn(&mut participants, &publisher);
                }
                RecordBody::Roster(RosterChange::Removed(_))
                | RecordBody::ClockMapping(_)
                | RecordBody::LayerChoice(_)
                | RecordBody::Degradation(_)
                | RecordBody::Gap(_) => {}
            }
            begins.get_or_insert(record.time);
        }
        Ok(Self {
            begins: begins.unwrap_or_default(),
            ends,
            participants,
        })
    }
}

fn learn(known: &mut BTreeMap<ParticipantId, BTreeSet<TrackId>>, publisher: &Publisher) {
    let tracks = publisher.tracks.iter().map(|track| track.id);
    known
        .entry(publisher.participant.clone())
        .or_default()
        .extend(tracks);
}
