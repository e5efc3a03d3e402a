//! The thread that writes segment files, and the one beside it that forces them to the disk.
//!
//! A disk that is slow to force data does not delay what readers see, and one that is slow to write delays nobody but
//! the readers: the session only hands over batches, and counts the bytes that wait.

use std::collections::VecDeque;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::time::{Duration, Instant};

use bytes::BytesMut;
use compositor_core::journal::{JournalSeq, Record, RecordBody};
use compositor_core::roster::RosterChange;
use compositor_core::time::MediaTime;
use parking_lot::Mutex;
use tokio::sync::{oneshot, watch};

use super::JournalConfig;
use super::index::Index;
use super::limits::{INDEX_STEP_BYTES, QUEUE_COMMANDS_MAX, SYNC_INTERVAL, WRITE_RETRY};
use super::segment::{self, HEADING_BYTES, Place};

/// Records that are written together and become visible together.
#[derive(Debug)]
pub(super) struct Batch {
    pub(super) first: JournalSeq,
    pub(super) records: Vec<(MediaTime, RecordBody)>,
    /// Counted against the queue's limit.
    pub(super) bytes: usize,
}

#[derive(Debug)]
enum Command {
    Write(Batch),
    Remove(Vec<JournalSeq>),
    /// Remove everything before this record, written or not, and end.
    Discard(JournalSeq),
    /// Write and force everything, answer, and end.
    Close(oneshot::Sender<()>),
}

/// Whether writing works; as last seen by the thread.
pub(super) type WriteFailure = Arc<Mutex<Option<io::Error>>>;

/// What the session and the threads share.
#[derive(Clone, Debug)]
pub(super) struct Shared {
    pub(super) index: Arc<Index>,
    /// The record after the last written one.
    pub(super) end: Arc<watch::Sender<JournalSeq>>,
    pub(super) failure: WriteFailure,
}

impl Shared {
    /// Whether everything before `next` is written.
    pub(super) fn caught_up(&self, next: JournalSeq) -> bool {
        *self.end.borrow() >= next
    }
}

/// The session's end of the writer thread.
#[derive(Debug)]
pub(super) struct WriterHandle {
    commands: SyncSender<Command>,
    queued_bytes: Arc<AtomicUsize>,
    queue_bytes_max: usize,
}

impl WriterHandle {
    pub(super) fn spawn(shared: Shared, config: JournalConfig) -> io::Result<Self> {
        let (commands, receiver) = sync_channel(QUEUE_COMMANDS_MAX);
        let (sync, jobs) = sync_channel(1);
        let queued_bytes = Arc::new(AtomicUsize::new(0));
        let dir = shared.index.dir().to_owned();
        let writer = Writer {
            shared,
            config,
            commands: receiver,
            queued_bytes: Arc::clone(&queued_bytes),
            backlog: VecDeque::new(),
            buffer: BytesMut::new(),
            open: None,
            unsynced: vec![],
            sync,
            sync_at: Instant::now() + SYNC_INTERVAL,
            retry_at: None,
        };
        std::thread::Builder::new()
            .name("journal-sync".to_owned())
            .spawn(move || force_to_disk(&dir, &jobs))?;
        std::thread::Builder::new()
            .name("journal".to_owned())
            .spawn(move || writer.run())?;
        Ok(Self {
            commands,
            queued_bytes,
            queue_bytes_max: config.queue_bytes_max,
        })
    }

    /// Hands over a batch, or gives it back when too much waits already.
    pub(super) fn write(&self, batch: Batch) -> Result<(), Batch> {
        let bytes = batch.bytes;
        if self.queued_bytes.load(Ordering::Relaxed) + bytes > self.queue_bytes_max {
            return Err(batch);
        }
        self.queued_bytes.fetch_add(bytes, Ordering::Relaxed);
        match self.commands.try_send(Command::Write(batch)) {
            Ok(()) => Ok(()),
            Err(TrySendError::Full(command) | TrySendError::Disconnected(command)) => {
                self.queued_bytes.fetch_sub(bytes, Ordering::Relaxed);
                match command {
                    Command::Write(batch) => Err(batch),
                    Command::Remove(_) | Command::Discard(_) | Command::Close(_) => Ok(()),
                }
            }
        }
    }

    /// Has the files of these segments removed; false when the queue is full.
    pub(super) fn remove(&self, firsts: Vec<JournalSeq>) -> bool {
        self.commands.try_send(Command::Remove(firsts)).is_ok()
    }

    /// Has all files of records before `end` removed. What cannot be queued is left for the next start to clear.
    pub(super) fn discard(self, end: JournalSeq) {
        if self.commands.try_send(Command::Discard(end)).is_err() {
            tracing::warn!(
                "journal writer is stuck, its files stay until the session's folder is removed"
            );
        }
    }

    /// Has everything written and forced to the disk; `done` hears when.
    pub(super) fn close(self, done: oneshot::Sender<()>) {
        // When the queue is full `done` is dropped, which its receiver takes for the end too.
        self.commands.try_send(Command::Close(done)).ok();
    }
}

/// The file being written.
#[derive(Debug)]
struct OpenSegment {
    file: Arc<File>,
    first: JournalSeq,
    since: MediaTime,
    bytes: u64,
    place_at: u64,
}

#[derive(Debug)]
struct Writer {
    shared: Shared,
    config: JournalConfig,
    commands: Receiver<Command>,
    queued_bytes: Arc<AtomicUsize>,
    backlog: VecDeque<Batch>,
    buffer: BytesMut,
    open: Option<OpenSegment>,
    /// Files with data that was not yet handed to the other thread.
    unsynced: Vec<Arc<File>>,
    sync: SyncSender<Vec<Arc<File>>>,
    sync_at: Instant,
    retry_at: Option<Instant>,
}

impl Writer {
    fn run(mut self) {
        loop {
            match self.commands.recv_timeout(self.wait()) {
                Ok(Command::Write(batch)) => self.backlog.push_back(batch),
                Ok(Command::Remove(firsts)) => self.remove(&firsts),
                Ok(Command::Discard(end)) => return self.discard(end),
                Ok(Command::Close(done)) => {
                    self.finish();
                    // Nobody waits when the receiver is gone.
                    done.send(()).ok();
                    return;
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return self.finish(),
            }
            if self.retry_at.is_none_or(|at| Instant::now() >= at) {
                self.write_backlog();
            }
            self.sync_if_due();
        }
    }

    fn wait(&self) -> Duration {
        let now = Instant::now();
        let until_retry = self.retry_at.map(|at| at.saturating_duration_since(now));
        let until_sync = self.sync_at.saturating_duration_since(now);
        until_retry.unwrap_or(SYNC_INTERVAL).min(until_sync)
    }

    /// Writes what waits, until it is done or the disk refuses.
    fn write_backlog(&mut self) {
        self.retry_at = None;
        while let Some(batch) = self.backlog.pop_front() {
            if let Err(error) = self.write(&batch) {
                self.backlog.push_front(batch);
                self.retry_at = Some(Instant::now() + WRITE_RETRY);
                *self.shared.failure.lock() = Some(error);
                return;
            }
            self.queued_bytes.fetch_sub(batch.bytes, Ordering::Relaxed);
            let end = JournalSeq(batch.first.0 + batch.records.len() as u64);
            // Only forward: the writer of an earlier attachment may still be finishing.
            self.shared.end.send_if_modified(|known| {
                let newer = end > *known;
                *known = end.max(*known);
                newer
            });
        }
    }

    /// Writes one batch at the end of its file. A failure leaves nothing that counts: the next try overwrites it.
    fn write(&mut self, batch: &Batch) -> io::Result<()> {
        let mut buffer = std::mem::take(&mut self.buffer);
        buffer.clear();
        for (n, (time, body)) in batch.records.iter().enumerate() {
            let seq = JournalSeq(batch.first.0 + n as u64);
            Record {
                seq,
                time: *time,
                body: body.clone(),
            }
            .encode(&mut buffer);
        }
        let written = self.segment_for(batch).and_then(|segment| {
            segment.file.write_all_at(&buffer, segment.bytes)?;
            let is_worth_it = segment.bytes >= segment.place_at || begins_with_snapshot(batch);
            let place = is_worth_it.then_some(Place {
                seq: batch.first,
                offset: segment.bytes,
            });
            segment.bytes += buffer.len() as u64;
            if place.is_some() {
                segment.place_at = segment.bytes + INDEX_STEP_BYTES;
            }
            Ok((segment.first, segment.bytes, place))
        });
        self.buffer = buffer;
        let (first, bytes, place) = written?;
        self.shared.index.grow(first, bytes, place);
        Ok(())
    }

    /// The file that the batch goes to: the open one, or a new one when that is large or old.
    fn segment_for(&mut self, batch: &Batch) -> io::Result<&mut OpenSegment> {
        let now = batch.records.last().map_or(MediaTime(0), |(time, _)| *time);
        if let Some(open) = self.open.take_if(|open| {
            open.bytes >= self.config.segment_bytes_max
                || now.since(open.since) >= self.config.segment_span_max
        }) {
            self.unsynced.push(open.file);
        }
        if self.open.is_none() {
            let path = segment::path(self.shared.index.dir(), batch.first);
            let file = OpenOptions::new()
                .write(true)
                .create(true)
                .truncate(true)
                .open(path)?;
            file.write_all_at(&segment::heading(batch.first), 0)?;
            self.shared.index.begin(batch.first, now);
            self.open = Some(OpenSegment {
                file: Arc::new(file),
                first: batch.first,
                since: now,
                bytes: HEADING_BYTES,
                place_at: HEADING_BYTES + INDEX_STEP_BYTES,
            });
        }
        Ok(self.open.as_mut().expect("a segment was opened above"))
    }

    fn remove(&self, firsts: &[JournalSeq]) {
        for first in firsts {
            let path = segment::path(self.shared.index.dir(), *first);
            if let Err(error) = std::fs::remove_file(&path) {
                tracing::warn!(path = %path.display(), %error, "journal segment was not removed");
            }
        }
    }

    fn discard(&mut self, end: JournalSeq) {
        let sizes = self.shared.index.sizes();
        let firsts: Vec<JournalSeq> = sizes
            .iter()
            .map(|size| size.first)
            .filter(|first| *first < end)
            .collect();
        self.shared.index.forget(&firsts);
        self.remove(&firsts);
    }

    /// The last words: one more try for what waits, then to the disk.
    fn finish(&mut self) {
        while let Ok(command) = self.commands.try_recv() {
            match command {
                Command::Write(batch) => self.backlog.push_back(batch),
                Command::Remove(firsts) => self.remove(&firsts),
                Command::Discard(_) | Command::Close(_) => {}
            }
        }
        self.write_backlog();
        let files = self
            .unsynced
            .drain(..)
            .chain(self.open.take().map(|open| open.file));
        for file in files {
            sync(&file);
        }
    }

    fn sync_if_due(&mut self) {
        if Instant::now() < self.sync_at {
            return;
        }
        self.sync_at = Instant::now() + SYNC_INTERVAL;
        let mut files = std::mem::take(&mut self.unsynced);
        files.extend(self.open.as_ref().map(|open| Arc::clone(&open.file)));
        if files.is_empty() {
            return;
        }
        if let Err(TrySendError::Full(files) | TrySendError::Disconnected(files)) =
            self.sync.try_send(files)
        {
            // The last round is still under way; closed files must not be forgotten.
            self.unsynced = files;
            self.unsynced.pop_if(|_| self.open.is_some());
        }
    }
}

/// Readers begin there, and so read nothing of what lies before, which may be damaged.
fn begins_with_snapshot(batch: &Batch) -> bool {
    let first = batch.records.first().map(|(_, body)| body);
    matches!(first, Some(RecordBody::Roster(RosterChange::Snapshot(_))))
}

fn force_to_disk(dir: &Path, jobs: &Receiver<Vec<Arc<File>>>) {
    for files in jobs {
        files.iter().for_each(|file| sync(file));
        if let Err(error) = File::open(dir).and_then(|dir| dir.sync_all()) {
            tracing::warn!(dir = %dir.display(), %error, "journal folder was not forced to the disk");
        }
    }
}

fn sync(file: &File) {
    if let Err(error) = file.sync_data() {
        tracing::warn!(%error, "journal segment was not forced to the disk");
    }
}
