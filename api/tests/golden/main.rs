//! Journals recorded from Chromium (`tests/golden/record.py`), composed offline: the same bytes as when they were blessed
//! (`make bless`), and what a person would say of the pictures and the sound.

mod facts;
mod hashes;
mod seen;

use std::path::{Path, PathBuf};

use api::offline::JobFile;
use compositor_core::journal::{Record, RecordBody};
use compositor_core::roster::{Publisher, RosterChange};
use stage_gateway::journal::Replay;

/// A recorded journal, and the jobs beside it.
struct Scenario {
    folder: PathBuf,
}

impl Scenario {
    fn named(name: &str) -> Self {
        Self {
            folder: Path::new("../tests/golden").join(name),
        }
    }

    fn job(&self, name: &str) -> JobFile {
        let path = self.folder.join(format!("{name}.json"));
        let text = std::fs::read(path).expect("the job is there");
        JobFile::parse(&text).expect("it keeps the rules")
    }

    fn records(&self) -> impl Iterator<Item = Record> {
        let replay = Replay::open(&self.folder).expect("a journal is there");
        replay.map(|record| record.expect("it is whole"))
    }

    /// When the roster first says `is` of the publisher `user` after `after`, in seconds on the stage clock.
    #[track_caller]
    fn when(&self, user: &str, after: f64, is: impl Fn(&Publisher) -> bool) -> f64 {
        let time = self.records().find_map(|record| {
            let time = record.time.0 as f64 / 1e9;
            let publishers = match record.body {
                RecordBody::Roster(RosterChange::Snapshot(publishers)) => publishers,
                RecordBody::Roster(RosterChange::Updated(publisher)) => vec![publisher],
                _ => return None,
            };
            let found = publishers.iter().any(|p| p.user_id == user && is(p));
            (found && time > after).then_some(time)
        });
        time.unwrap_or_else(|| panic!("the roster never says that of {user} after {after}"))
    }

    /// When the publisher left, in seconds on the stage clock.
    fn left(&self, user: &str) -> f64 {
        let mut participant = None;
        let time = self.records().find_map(|record| match record.body {
            RecordBody::Roster(RosterChange::Snapshot(publishers)) => {
                let known = publishers.into_iter().find(|p| p.user_id == user);
                participant = known.map(|p| p.participant).or(participant.take());
                None
            }
            RecordBody::Roster(RosterChange::Updated(p)) if p.user_id == user => {
                participant = Some(p.participant);
                None
            }
            RecordBody::Roster(RosterChange::Removed(gone))
                if Some(&gone) == participant.as_ref() =>
            {
                Some(record.time.0 as f64 / 1e9)
            }
            _ => None,
        });
        time.expect("it left")
    }
}
