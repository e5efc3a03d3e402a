//! Composes a journal that is there already: no processes, no sockets, and no waiting.
//!
//! Records of the whole journal go in, in order; what comes out is a function of them and of the job alone.

mod absent;
mod lead_in;
mod own_layers;

use std::collections::BTreeSet;
use std::path::Path;

use compositor_core::id::{CompositionId, ParticipantId, TrackId};
use compositor_core::journal::{JournalSeq, LayerChoice, Record, RecordBody};
use compositor_core::layout::LayoutSpec;
use compositor_core::limits::COMPOSITION_DELAY;
use compositor_core::time::MediaTime;
use compositor_core::worker_protocol::{EncoderSpec, FromWorker, Job};

use self::absent::Absent;
use self::lead_in::LeadIn;
use self::own_layers::OwnLayers;
use crate::composer::{Composer, Tap};
use crate::confine::{Needs, confine};
use crate::worker::{MEMORY_BYTES_MAX, WorkerError};

/// Names a composition that chooses its layers itself; no composition of a server has so short a name.
const NAMELESS: &str = "offline";

/// What to compose of a journal.
#[derive(Clone, PartialEq, Debug)]
pub struct OfflineJob {
    /// The composition of the server whose journaled layer choices are followed. `None`: the layers are chosen here, the
    /// smallest that is as tall as its slot.
    pub composition: Option<CompositionId>,
    /// Where frame 0 and sample 0 are on the stage clock.
    pub start: MediaTime,
    /// Where it ends; after `start`.
    pub end: MediaTime,
    /// The layout.
    pub layout: LayoutSpec,
    /// The canvas.
    pub encoder: EncoderSpec,
    /// Who is left out.
    pub without: BTreeSet<ParticipantId>,
    /// All tracks that they had in the journal.
    pub without_tracks: BTreeSet<TrackId>,
}

/// One composition of a journal.
#[derive(Debug)]
pub struct Offline {
    composer: Composer,
    absent: Absent,
    /// Until the composition begins.
    lead_in: Option<LeadIn>,
    /// Unless a composition of the server is followed.
    layers: Option<OwnLayers>,
    end: MediaTime,
    next_seq: JournalSeq,
}

/// Confines the process, as a worker does before it decodes media of strangers, to what is in `journal` and `out`, and starts
/// GStreamer. Call it before any thread is started.
pub fn prepare(journal: &Path, out: &Path) -> Result<(), WorkerError> {
    confine(&Needs {
        memory_bytes_max: MEMORY_BYTES_MAX,
        read: &[journal],
        write: &[out],
    })
    .map_err(WorkerError::Gstreamer)
}

impl Offline {
    /// A composition before the first record. What its encoders get is shown to `tap`.
    pub fn new(job: OfflineJob, tap: Box<dyn Tap>) -> Result<Self, WorkerError> {
        let OfflineJob {
            composition,
            start,
            end,
            layout,
            encoder,
            without,
            without_tracks,
        } = job;
        let layers = composition.is_none().then(OwnLayers::default);
        let composition = composition.unwrap_or_else(|| CompositionId::new(NAMELESS));
        let composer = Composer::new(Job {
            composition,
            start,
            layout,
            encoders: vec![encoder],
            resume: None,
        })?;
        let mut composer = composer.with_tap(tap);
        composer.stop(end, &mut Vec::new())?;
        Ok(Self {
            composer,
            absent: Absent::new(without, without_tracks),
            lead_in: Some(LeadIn::new(start)),
            layers,
            end,
            next_seq: JournalSeq(0),
        })
    }

    /// Takes the next record; what it makes due is appended to `out`.
    pub fn record(&mut self, record: Record, out: &mut Vec<FromWorker>) -> Result<(), WorkerError> {
        self.next_seq = JournalSeq(record.seq.0 + 1);
        let Some(record) = self.absent.leave_out(record) else {
            return Ok(());
        };
        match self.lead_in.as_mut() {
            None => self.compose(record, out),
            Some(lead_in) => {
                let Some(begun) = lead_in.take(record) else {
                    return Ok(());
                };
                self.lead_in = None;
                begun.into_iter().try_for_each(|r| self.compose(r, out))
            }
        }
    }

    /// The journal is read: composes what is left until the end.
    pub fn finish(&mut self, out: &mut Vec<FromWorker>) -> Result<(), WorkerError> {
        let last = Record {
            seq: self.next_seq,
            time: self.end.plus(COMPOSITION_DELAY),
            body: RecordBody::Watermark,
        };
        self.record(last, out)
    }

    /// Whether everything is composed; no more records are needed.
    pub fn has_ended(&self) -> bool {
        self.composer.has_ended()
    }

    fn compose(&mut self, record: Record, out: &mut Vec<FromWorker>) -> Result<(), WorkerError> {
        let Some(layers) = &mut self.layers else {
            return self.composer.record(record, out);
        };
        layers.see(&record);
        let (seq, time) = (record.seq, record.time);
        let is_watermark = record.body == RecordBody::Watermark;
        let said_before = out.len();
        self.composer.record(record, out)?;
        for message in &out[said_before..] {
            if let FromWorker::HeightWish { track, height } = message {
                layers.wish(*track, *height);
            }
        }
        if !is_watermark {
            return Ok(());
        }
        for (track, layer) in layers.choose(time) {
            let choice = LayerChoice {
                composition: CompositionId::new(NAMELESS),
                track,
                layer,
            };
            let body = RecordBody::LayerChoice(choice);
            self.composer.record(Record { seq, time, body }, out)?;
        }
        Ok(())
    }
}
