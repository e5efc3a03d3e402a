//! Records collected since the last batch, and what is left of them when the disk does not keep up. Pure.

use std::collections::BTreeSet;

use compositor_core::access_unit::AccessUnit;
use compositor_core::id::{Layer, TrackId};
use compositor_core::journal::RecordBody;
use compositor_core::time::MediaTime;

use super::limits::{RECORD_OVERHEAD_BYTES, STATE_RECORDS_KEPT_MAX};

/// Records that have no number yet.
#[derive(Debug, Default)]
pub(super) struct Pending {
    records: Vec<(MediaTime, RecordBody)>,
    bytes: usize,
    /// Layers whose units were thrown away: they continue with a keyframe.
    interrupted: BTreeSet<(TrackId, Layer)>,
}

/// What was thrown away.
#[derive(Debug, Default)]
pub(super) struct Shed {
    pub(super) units: u64,
    pub(super) bytes: u64,
    pub(super) layers: Vec<(TrackId, Layer)>,
}

impl Pending {
    /// Takes a record; false when it is a unit that cannot be used after what was thrown away.
    pub(super) fn push(&mut self, time: MediaTime, mut body: RecordBody) -> bool {
        if let RecordBody::AccessUnit(unit) = &mut body
            && self.interrupted.contains(&(unit.track, unit.layer))
        {
            if !unit.keyframe {
                return false;
            }
            self.interrupted.remove(&(unit.track, unit.layer));
            unit.discontinuity = true;
        }
        self.bytes += cost(&body);
        self.records.push((time, body));
        true
    }

    pub(super) fn len(&self) -> usize {
        self.records.len()
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// All records and what they cost.
    pub(super) fn take(&mut self) -> (Vec<(MediaTime, RecordBody)>, usize) {
        (
            std::mem::take(&mut self.records),
            std::mem::take(&mut self.bytes),
        )
    }

    /// Takes back refused records without their media. The rest is state that later readers rely on, so it waits on.
    pub(super) fn shed(&mut self, refused: Vec<(MediaTime, RecordBody)>) -> Shed {
        let mut shed = Shed::default();
        for (time, body) in refused {
            match body {
                RecordBody::AccessUnit(AccessUnit {
                    track, layer, data, ..
                }) => {
                    shed.units += 1;
                    shed.bytes += data.len() as u64;
                    self.interrupted.insert((track, layer));
                    if !shed.layers.contains(&(track, layer)) {
                        shed.layers.push((track, layer));
                    }
                }
                RecordBody::Watermark => {}
                RecordBody::Roster(_)
                | RecordBody::ClockMapping(_)
                | RecordBody::LayerChoice(_)
                | RecordBody::Degradation(_)
                | RecordBody::Gap(_) => {
                    self.bytes += cost(&body);
                    self.records.push((time, body));
                }
            }
        }
        if self.records.len() > STATE_RECORDS_KEPT_MAX {
            self.keep_last_mappings();
        }
        shed
    }

    /// Of each layer's clock mappings the last one tells all; then the newest records count most.
    fn keep_last_mappings(&mut self) {
        let mut seen = BTreeSet::new();
        let mut kept: Vec<_> = self.records.drain(..).rev().collect();
        kept.retain(|(_, body)| match body {
            RecordBody::ClockMapping(mapping) => seen.insert((mapping.track, mapping.layer)),
            _ => true,
        });
        kept.truncate(STATE_RECORDS_KEPT_MAX);
        kept.reverse();
        self.bytes = kept.iter().map(|(_, body)| cost(body)).sum();
        self.records = kept;
    }
}

fn cost(body: &RecordBody) -> usize {
    let payload = if let RecordBody::AccessUnit(unit) = body {
        unit.data.len()
    } else {
        0
    };
    RECORD_OVERHEAD_BYTES + payload
}
