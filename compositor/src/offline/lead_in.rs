//! The journal before the composition begins: only what decoders need to have pictures and sound at its start.

use std::time::Duration;

use compositor_core::access_unit::MediaKind;
use compositor_core::journal::{Record, RecordBody};
use compositor_core::time::MediaTime;

/// Sound from this long before the start on: decoders and limiter have settled by then, as after the death of a worker.
const SOUND_KEPT: Duration = Duration::from_secs(1);

/// What is held back until the watermark reaches the start: one group of pictures of each layer, a second of sound.
#[derive(Debug)]
pub(super) struct LeadIn {
    start: MediaTime,
    held: Vec<Record>,
    /// Sound is thinned out when it has reached this time.
    thin_out_at: MediaTime,
}

impl LeadIn {
    pub(super) fn new(start: MediaTime) -> Self {
        Self {
            start,
            held: Vec::new(),
            thin_out_at: MediaTime(0),
        }
    }

    /// Takes the next record; answers with everything to begin with once the start is reached.
    pub(super) fn take(&mut self, record: Record) -> Option<Vec<Record>> {
        match &record.body {
            RecordBody::Watermark if record.time >= self.start => {
                self.held.push(record);
                return Some(std::mem::take(&mut self.held));
            }
            RecordBody::Watermark => {
                self.thin_out_sound(record.time);
                return None;
            }
            RecordBody::AccessUnit(unit) if unit.keyframe && unit.pts <= self.start => {
                let (track, layer) = (unit.track, unit.layer);
                self.held.retain(|held| match &held.body {
                    RecordBody::AccessUnit(old) => (old.track, old.layer) != (track, layer),
                    _ => true,
                });
            }
            _ => {}
        }
        self.held.push(record);
        None
    }

    /// Once a second.
    fn thin_out_sound(&mut self, now: MediaTime) {
        if now < self.thin_out_at {
            return;
        }
        self.thin_out_at = now.plus(SOUND_KEPT);
        let oldest = now.min(self.start).minus(SOUND_KEPT);
        self.held.retain(|held| match &held.body {
            RecordBody::AccessUnit(unit) => {
                unit.codec.kind() == MediaKind::Video || unit.pts >= oldest
            }
            _ => true,
        });
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use compositor_core::access_unit::{AccessUnit, Codec};
    use compositor_core::id::{Layer, TrackId};
    use compositor_core::journal::JournalSeq;

    use super::*;

    const MS: u64 = 1_000_000;

    fn unit(seq: u64, codec: Codec, layer: u8, at_ms: u64, keyframe: bool) -> Record {
        Record {
            seq: JournalSeq(seq),
            time: MediaTime(at_ms * MS),
            body: RecordBody::AccessUnit(AccessUnit {
                track: TrackId(u32::from(codec == Codec::Opus)),
                layer: Layer(layer),
                pts: MediaTime(at_ms * MS),
                codec,
                keyframe,
                discontinuity: false,
                data: Bytes::new(),
            }),
        }
    }

    fn watermark(seq: u64, at_ms: u64) -> Record {
        Record {
            seq: JournalSeq(seq),
            time: MediaTime(at_ms * MS),
            body: RecordBody::Watermark,
        }
    }

    #[track_caller]
    fn check(records: Vec<Record>, kept: &[u64]) {
        let mut lead_in = LeadIn::new(MediaTime(5_000 * MS));
        let mut begun = None;
        for record in records {
            assert!(begun.is_none(), "it begins with the last record");
            begun = lead_in.take(record);
        }
        let begun: Vec<u64> = begun.expect("it begins").iter().map(|r| r.seq.0).collect();
        assert_eq!(begun, kept);
    }

    #[test]
    fn pictures_begin_with_the_last_keyframe_of_each_layer_before_the_start() {
        check(
            vec![
                unit(0, Codec::Vp8, 0, 1_000, true),
                unit(1, Codec::Vp8, 1, 1_000, true),
                unit(2, Codec::Vp8, 0, 1_033, false),
                unit(3, Codec::Vp8, 0, 2_000, true),
                unit(4, Codec::Vp8, 0, 2_033, false),
                watermark(5, 4_999),
                unit(6, Codec::Vp8, 0, 5_001, true),
                watermark(7, 5_000),
            ],
            &[1, 3, 4, 6, 7],
        );
    }

    #[test]
    fn old_sound_is_dropped() {
        check(
            vec![
                unit(0, Codec::Opus, 0, 1_000, true),
                watermark(1, 1_020),
                watermark(2, 3_000),
                unit(3, Codec::Opus, 0, 4_500, true),
                watermark(4, 5_000),
            ],
            &[3, 4],
        );
    }
}
