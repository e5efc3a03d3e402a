//! Finds the media that workers die of, so that it is not decoded again. Pure.
//!
//! Decoders are written in C and are given what strangers send. A unit that was in a decoder at two deaths in a row is skipped,
//! and its track goes on at its next keyframe. A track with too many of them is given up. After a death with several units in
//! decoders the next worker decodes them one at a time, so that nobody is punished for who was beside him.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::id::TrackId;
use crate::journal::JournalSeq;
use crate::limits::{QUARANTINED_MAX, QUARANTINED_UNITS_OF_TRACK_MAX};

/// An access unit that a decoder was given and had not answered.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct InFlight {
    /// Of which track.
    pub track: TrackId,
    /// Its record.
    pub unit: JournalSeq,
}

/// What is not decoded any more, and what may be next.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Quarantine {
    units: Vec<InFlight>,
    given_up: BTreeSet<TrackId>,
    /// In decoders at the last death.
    suspects: Vec<InFlight>,
}

impl Quarantine {
    /// A worker died by itself while decoders had `in_flight`; returns what is put into quarantine for that.
    pub fn record_death(&mut self, in_flight: Vec<InFlight>) -> Vec<InFlight> {
        let guilty: Vec<InFlight> = in_flight
            .iter()
            .filter(|unit| self.suspects.contains(unit))
            .copied()
            .collect();
        self.suspects = in_flight;
        for unit in &guilty {
            self.units.push(*unit);
            let of_track = self.units.iter().filter(|held| held.track == unit.track);
            if of_track.count() >= QUARANTINED_UNITS_OF_TRACK_MAX {
                self.given_up.insert(unit.track);
            }
        }
        // Units and tracks are numbered upwards: the oldest are the least likely to be met again.
        (self.units).drain(..self.units.len().saturating_sub(QUARANTINED_MAX));
        while self.given_up.len() > QUARANTINED_MAX {
            self.given_up.pop_first();
        }
        guilty
    }

    /// Whether a unit is not decoded.
    pub fn holds(&self, unit: JournalSeq) -> bool {
        self.units.iter().any(|held| held.unit == unit)
    }

    /// Whether nothing of a track is decoded any more.
    pub fn gives_up(&self, track: TrackId) -> bool {
        self.given_up.contains(&track)
    }

    /// Up to this record one unit is decoded at a time; `None` if nothing is suspected.
    pub fn suspects_until(&self) -> Option<JournalSeq> {
        self.suspects.iter().map(|suspect| suspect.unit).max()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unit(track: u32, unit: u64) -> InFlight {
        InFlight {
            track: TrackId(track),
            unit: JournalSeq(unit),
        }
    }

    #[test]
    fn a_unit_at_two_deaths_in_a_row_is_held() {
        let mut quarantine = Quarantine::default();
        assert_eq!(quarantine.record_death(vec![unit(1, 5), unit(2, 6)]), []);
        assert!(!quarantine.holds(JournalSeq(5)));
        let guilty = quarantine.record_death(vec![unit(1, 5), unit(2, 9)]);
        assert_eq!(guilty, [unit(1, 5)]);
        assert!(quarantine.holds(JournalSeq(5)) && !quarantine.holds(JournalSeq(6)));
        assert!(!quarantine.gives_up(TrackId(1)));
    }

    #[test]
    fn who_was_beside_it_is_suspected_and_not_held() {
        let mut quarantine = Quarantine::default();
        assert_eq!(quarantine.suspects_until(), None);
        quarantine.record_death(vec![unit(1, 5), unit(2, 6)]);
        // Until then one unit is decoded at a time.
        assert_eq!(quarantine.suspects_until(), Some(JournalSeq(6)));
        assert_eq!(quarantine.record_death(vec![unit(1, 5)]), [unit(1, 5)]);
        assert!(!quarantine.holds(JournalSeq(6)));
    }

    #[test]
    fn deaths_from_outside_hold_nothing() {
        let mut quarantine = Quarantine::default();
        for death in 0..100 {
            let in_flight = vec![unit(1, 10 * death), unit(2, 10 * death + 1)];
            assert_eq!(quarantine.record_death(in_flight), []);
            assert_eq!(quarantine.record_death(Vec::new()), []);
        }
    }

    #[test]
    fn a_track_with_two_such_units_is_given_up_and_no_other() {
        let mut quarantine = Quarantine::default();
        for poison in [5, 9] {
            assert!(!quarantine.gives_up(TrackId(1)));
            quarantine.record_death(vec![unit(1, poison)]);
            quarantine.record_death(vec![unit(1, poison)]);
        }
        assert!(quarantine.gives_up(TrackId(1)) && !quarantine.gives_up(TrackId(2)));
    }

    #[test]
    fn it_never_holds_more_than_its_limit() {
        let mut quarantine = Quarantine::default();
        for poison in 0..2 * QUARANTINED_MAX as u64 {
            quarantine.record_death(vec![unit(poison as u32, poison)]);
            quarantine.record_death(vec![unit(poison as u32, poison)]);
        }
        let all = 0..2 * QUARANTINED_MAX as u64;
        let held = all.filter(|unit| quarantine.holds(JournalSeq(*unit)));
        assert_eq!(held.count(), QUARANTINED_MAX);
    }
}
