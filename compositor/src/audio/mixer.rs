//! All tracks to one sound, in blocks of one AAC frame.

use std::collections::BTreeMap;

use compositor_core::access_unit::AccessUnit;
use compositor_core::id::TrackId;
use compositor_core::journal::JournalSeq;
use compositor_core::limits::{AAC_FRAME_SAMPLES, AUDIO_SAMPLE_RATE};
use compositor_core::time::MediaTime;
use compositor_core::worker_protocol::TrackStats;
use serde::{Deserialize, Serialize};

use super::limiter::Limiter;
use super::track::{AudioTrack, Counts, Packet};
use crate::codec::CodecError;
use crate::codec::opus::{LOOK_AHEAD, StereoSample};

/// A track that was silent for this many samples (10 s) is forgotten; it begins anew when it returns.
const IDLE_MAX: i64 = 480_000;

/// Packets this much before the next sample (100 ms) are not even decoded any more.
const STALE: i64 = 4_800;

/// What a successor must know to go on with the same sound.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub(crate) struct MixerState {
    gain: f32,
    errors: Vec<(TrackId, i64)>,
}

/// The mix of one composition.
#[derive(Debug)]
pub(crate) struct Mixer {
    start: MediaTime,
    /// Number of the sample at which this mix begins.
    first: i64,
    /// Number of the next sample.
    position: i64,
    tracks: BTreeMap<TrackId, AudioTrack>,
    /// Errors of a predecessor's tracks that have not shown up yet.
    inherited: BTreeMap<TrackId, i64>,
    limiter: Limiter,
    counts: Counts,
}

impl Mixer {
    /// A silent mix that begins with AAC frame `frame`; sample 0 is at `start`.
    pub(crate) fn new(start: MediaTime, frame: u64, state: Option<MixerState>) -> Self {
        let state = state.unwrap_or(MixerState {
            gain: 1.0,
            errors: Vec::new(),
        });
        let first = (frame * AAC_FRAME_SAMPLES) as i64;
        Self {
            start,
            first,
            position: first,
            tracks: BTreeMap::new(),
            inherited: state.errors.into_iter().collect(),
            limiter: Limiter::new(state.gain),
            counts: Counts::default(),
        }
    }

    pub(crate) fn state(&self) -> MixerState {
        MixerState {
            gain: self.limiter.gain(),
            errors: self
                .tracks
                .iter()
                .map(|(track, state)| (*track, state.error()))
                .collect(),
        }
    }

    pub(crate) fn counts(&self) -> Counts {
        self.counts
    }

    /// Counters of a track, and how much later it is heard than it belongs, in samples; `None` while it is silent.
    pub(crate) fn stats(&self, track: TrackId) -> (TrackStats, Option<i64>) {
        let known = self.tracks.get(&track);
        let stats = known.map(|track| (track.stats(self.position), track.offset()));
        stats.unwrap_or_default()
    }

    /// Takes a packet; it is decoded when its time comes.
    pub(crate) fn push(&mut self, seq: JournalSeq, unit: AccessUnit) -> Result<(), CodecError> {
        let at = self.sample_at(unit.pts) - LOOK_AHEAD;
        if at + STALE < self.position {
            self.counts.late += u64::from(at >= self.first);
            return Ok(());
        }
        let track = match self.tracks.entry(unit.track) {
            std::collections::btree_map::Entry::Occupied(known) => known.into_mut(),
            std::collections::btree_map::Entry::Vacant(new) => {
                let offset = self.inherited.remove(&unit.track).unwrap_or_default();
                new.insert(AudioTrack::new(self.first, self.position, offset)?)
            }
        };
        track.push(Packet {
            seq,
            at,
            discontinuity: unit.discontinuity,
            data: unit.data,
        });
        Ok(())
    }

    /// The next 1024 samples; all packets that belong to them must have been pushed.
    pub(crate) fn render(&mut self) -> Vec<StereoSample> {
        let mut mix = vec![[0.0; 2]; AAC_FRAME_SAMPLES as usize];
        let end = self.position + mix.len() as i64;
        // By track id: the same order, so the same sum, every time.
        for track in self.tracks.values_mut() {
            track.render(end, &mut mix, &mut self.counts);
        }
        self.position = end;
        self.tracks
            .retain(|_, track| !track.idle_since(end - IDLE_MAX));
        self.limiter.run(&mut mix);
        mix
    }

    /// The oldest record that a successor must feed.
    pub(crate) fn read_from(&self) -> Option<JournalSeq> {
        self.tracks.values().filter_map(AudioTrack::read_from).min()
    }

    fn sample_at(&self, pts: MediaTime) -> i64 {
        const NANOS: i128 = 1_000_000_000;
        let nanos = i128::from(pts.0) - i128::from(self.start.0);
        let samples = nanos * i128::from(AUDIO_SAMPLE_RATE);
        (samples + NANOS / 2).div_euclid(NANOS) as i64
    }
}
