//! The stage journal: all media and every decision of one stage session, in order, on disk.
//!
//! [`Journal`] belongs to the session: it takes records and never waits for the disk. Readers ([`Follower`]) are served
//! from the files alone. While nobody is attached nothing is written.
//!
//! The folder holds segment files (see [`segment`]). A batch is written with a watermark every 20 ms; data survives the
//! death of the process as soon as it is written, and power loss once it was forced to the disk, at most a second later.

mod config;
mod event;
pub mod index;
pub mod limits;
mod pending;
mod reader;
mod replay;
pub mod retention;
pub mod segment;
mod writer;

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use compositor_core::id::CompositionId;
use compositor_core::journal::{Gap, JournalSeq, RecordBody};
use compositor_core::sink::JournalError;
use compositor_core::time::MediaTime;
use parking_lot::Mutex;
use tokio::sync::{oneshot, watch};

pub use config::JournalConfig;
pub use event::{JournalEvent, JournalStats};
pub use index::Recovered;
pub use reader::Follower;
pub use replay::{Replay, ReplayError};

use index::Index;
use limits::{BATCH_BYTES_MAX, EVENTS_MAX};
use pending::Pending;
use retention::{Expendable, SegmentSize};
use writer::{Batch, Shared, WriterHandle};

/// How often retention is decided when no checkpoint moves.
const RETENTION_INTERVAL: Duration = Duration::from_secs(1);

/// The journal of one stage session.
#[derive(Debug)]
pub struct Journal {
    config: JournalConfig,
    shared: Shared,
    writer: Option<WriterHandle>,
    /// The first record after those handed to the writer.
    next: JournalSeq,
    pending: Pending,
    /// The checkpoint of each attached reader.
    readers: BTreeMap<CompositionId, JournalSeq>,
    /// Readers of an earlier run may return: keep everything.
    held: bool,
    to_remove: Vec<JournalSeq>,
    retention_at: MediaTime,
    /// Of the last tick.
    now: MediaTime,
    failing: bool,
    events: VecDeque<JournalEvent>,
    stats: JournalStats,
}

impl Journal {
    /// Opens the journal in `dir`, making the folder when there is none. Cuts off what a sudden death has torn; what was
    /// found is returned too, and kept until [`Self::release`] is called. Reads up to two segment files, so call it
    /// where blocking is allowed.
    pub fn open(dir: &Path, config: JournalConfig) -> io::Result<(Self, Option<Recovered>)> {
        let (index, next, recovered) = Index::open(dir)?;
        let shared = Shared {
            index: Arc::new(index),
            end: Arc::new(watch::Sender::new(next)),
            failure: Arc::new(Mutex::new(None)),
        };
        let journal = Self {
            config,
            shared,
            writer: None,
            next,
            pending: Pending::default(),
            readers: BTreeMap::new(),
            held: recovered.is_some(),
            to_remove: vec![],
            retention_at: MediaTime(0),
            now: MediaTime(0),
            failing: false,
            events: VecDeque::new(),
            stats: JournalStats::default(),
        };
        Ok((journal, recovered))
    }

    /// Continues a session after the server was away: `gap` is the first new record, at `now`. Everything is kept for
    /// readers that return, until [`Self::release`] is called.
    pub fn resume(&mut self, now: MediaTime, gap: Gap) -> Result<(), JournalError> {
        self.start()?;
        self.held = true;
        self.pending.push(now, RecordBody::Gap(gap));
        Ok(())
    }

    /// No reader of an earlier run will return any more.
    pub fn release(&mut self) {
        self.held = false;
        self.stop_when_unread();
    }

    /// Whether records are written: somebody reads, or may return to.
    pub fn is_active(&self) -> bool {
        self.writer.is_some()
    }

    /// Takes one record; `time` is an access unit's PTS, else now. Does nothing while nobody reads.
    pub fn append(&mut self, time: MediaTime, body: RecordBody) {
        if self.writer.is_none() {
            return;
        }
        if !self.pending.push(time, body) {
            self.stats.units_dropped += 1;
        }
        if self.pending.bytes() >= BATCH_BYTES_MAX {
            self.send();
        }
    }

    /// Every 20 ms: writes the watermark `now` and hands all records over for writing.
    pub fn tick(&mut self, now: MediaTime) {
        self.now = now;
        if self.writer.is_none() {
            self.retain_unread();
            return;
        }
        self.pending.push(now, RecordBody::Watermark);
        self.send();
        self.report_failure();
        if now >= self.retention_at {
            self.retention_at = now.plus(RETENTION_INTERVAL);
            self.retain();
        }
    }

    /// Attaches a reader. With `from` it starts there, else at the records of `snapshot` (roster, clock mappings, layer
    /// choices), which are written for it. Everything from there on is kept for it.
    pub fn attach(
        &mut self,
        now: MediaTime,
        composition: &CompositionId,
        from: Option<JournalSeq>,
        snapshot: impl FnOnce() -> Vec<RecordBody>,
    ) -> Result<Follower, JournalError> {
        if let Some(wanted) = from {
            let oldest = self.shared.index.oldest().unwrap_or(self.next);
            if wanted < oldest || wanted > self.next {
                return Err(JournalError::Gone {
                    wanted: wanted.0,
                    oldest: oldest.0,
                });
            }
        }
        self.start()?;
        let from = from.unwrap_or_else(|| {
            // The snapshot begins a batch. When the disk does not keep up some state records may still wait before it;
            // the reader sees them first, and the snapshot makes up for them.
            self.send();
            let from = self.next;
            snapshot().into_iter().for_each(|body| {
                self.pending.push(now, body);
            });
            from
        });
        self.readers.insert(composition.clone(), from);
        Ok(self.reader(from))
    }

    /// The reader needs nothing before `seq` any more.
    pub fn checkpoint(&mut self, composition: &CompositionId, seq: JournalSeq) {
        let Some(checkpoint) = self.readers.get_mut(composition) else {
            return;
        };
        if seq > *checkpoint {
            *checkpoint = seq;
            self.retain();
        }
    }

    /// The reader is done. After the last one nothing is written any more, and all files go that are not kept.
    pub fn detach(&mut self, composition: &CompositionId) {
        self.readers.remove(composition);
        self.retain();
        self.stop_when_unread();
    }

    /// Reads from `from` on, without keeping anything for it; waits when that record is yet to come.
    pub fn reader(&self, from: JournalSeq) -> Follower {
        Follower::new(
            Arc::clone(&self.shared.index),
            self.shared.end.subscribe(),
            from,
        )
    }

    /// Writes what waits and forces it to the disk. The files stay. Readers end after the last record.
    pub async fn close(mut self) {
        self.send();
        let Some(writer) = self.writer.take() else {
            return;
        };
        let (done, closed) = oneshot::channel();
        writer.close(done);
        drop(self);
        // An error means that the thread is gone, which is closed as well.
        closed.await.ok();
    }

    /// Where the files are.
    pub fn dir(&self) -> &Path {
        self.shared.index.dir()
    }

    /// What has happened; `None` when there is no more news.
    pub fn poll_event(&mut self) -> Option<JournalEvent> {
        self.events.pop_front()
    }

    /// Counters since the journal was opened.
    pub fn stats(&self) -> JournalStats {
        self.stats
    }

    /// The record after the last one handed over; where [`Self::reader`] would begin to see what comes.
    pub fn end(&self) -> JournalSeq {
        self.next
    }

    /// Bytes of all segment files.
    pub fn disk_bytes(&self) -> u64 {
        self.shared
            .index
            .sizes()
            .iter()
            .map(|segment| segment.bytes)
            .sum()
    }

    fn start(&mut self) -> Result<(), JournalError> {
        if self.writer.is_none() {
            self.writer = Some(WriterHandle::spawn(self.shared.clone(), self.config)?);
        }
        Ok(())
    }

    fn stop_when_unread(&mut self) {
        if self.held || !self.readers.is_empty() {
            return;
        }
        if !self.config.keep.is_zero() {
            self.send();
            self.pending = Pending::default();
            // The thread writes what it was given, and ends.
            self.writer = None;
            return;
        }
        self.pending = Pending::default();
        self.to_remove.clear();
        // Files of an earlier run are removed by a writer too, even if it has nothing to write.
        if self.writer.is_none() && self.shared.index.oldest().is_some() && self.start().is_err() {
            return;
        }
        if let Some(writer) = self.writer.take() {
            writer.discard(self.next);
        }
    }

    /// Hands all pending records over; sheds media when too much waits already.
    fn send(&mut self) {
        let Some(writer) = self.writer.as_ref().filter(|_| self.pending.len() > 0) else {
            return;
        };
        let (records, bytes) = self.pending.take();
        let count = records.len() as u64;
        match writer.write(Batch {
            first: self.next,
            records,
            bytes,
        }) {
            Ok(()) => {
                self.next = JournalSeq(self.next.0 + count);
                self.stats.records += count;
            }
            Err(batch) => {
                let shed = self.pending.shed(batch.records);
                self.stats.units_dropped += shed.units;
                self.stats.bytes_dropped += shed.bytes;
                if shed.units > 0 {
                    let pending::Shed {
                        units,
                        bytes,
                        layers,
                    } = shed;
                    self.report(JournalEvent::UnitsDropped {
                        units,
                        bytes,
                        layers,
                    });
                }
            }
        }
    }

    /// Removes the segments that nobody needs, and those that the disk cap forbids.
    fn retain(&mut self) {
        let Some(writer) = &self.writer else { return };
        let sizes = self.shared.index.sizes();
        let verdict = self.expendable(&sizes);
        let gone = &sizes[..verdict.segments];
        self.to_remove
            .extend(gone.iter().map(|segment| segment.first));
        if self.to_remove.is_empty() {
            return;
        }
        self.shared.index.forget(&self.to_remove);
        if writer.remove(self.to_remove.clone()) {
            self.to_remove.clear();
        }
        if verdict.forced {
            let oldest = sizes[verdict.segments].first;
            let behind = self
                .readers
                .iter()
                .filter(|(_, checkpoint)| **checkpoint < oldest);
            let behind = behind.map(|(composition, _)| composition.clone()).collect();
            self.report(JournalEvent::CapForced { oldest, behind });
        }
    }

    fn expendable(&self, sizes: &[SegmentSize]) -> Expendable {
        let needed = self.readers.values().min().copied().unwrap_or(self.next);
        let needed = (!self.held).then_some(needed);
        let keep = self.config.keep;
        let kept_since = (!keep.is_zero()).then(|| self.now.minus(keep));
        retention::expendable(sizes, needed, kept_since, self.config.disk_bytes_max)
    }

    /// What is kept becomes too old also while nothing is written.
    fn retain_unread(&mut self) {
        if self.config.keep.is_zero() || self.now < self.retention_at {
            return;
        }
        self.retention_at = self.now.plus(RETENTION_INTERVAL);
        let verdict = self.expendable(&self.shared.index.sizes());
        if verdict.segments > 0 && self.start().is_ok() {
            self.retain();
            self.writer = None;
        }
    }

    fn report_failure(&mut self) {
        let failure = self.shared.failure.lock().take();
        match failure {
            Some(error) if !self.failing => {
                self.failing = true;
                self.report(JournalEvent::WriteFailed { error });
            }
            Some(_) => {}
            None if self.failing && self.shared.caught_up(self.next) => {
                self.failing = false;
                self.report(JournalEvent::WriteRecovered);
            }
            None => {}
        }
    }

    fn report(&mut self, event: JournalEvent) {
        if self.events.len() >= EVENTS_MAX {
            self.events.pop_front();
        }
        self.events.push_back(event);
    }
}
