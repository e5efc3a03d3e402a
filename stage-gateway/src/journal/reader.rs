//! Follows the segment files, first what is there, then live.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use bytes::{Buf, Bytes, BytesMut};
use compositor_core::journal::{JournalSeq, Record};
use compositor_core::limits::JOURNAL_RECORD_BYTES_MAX;
use compositor_core::sink::{JournalError, JournalReader};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::index::Index;
use super::limits::READ_BATCH_BYTES;
use super::segment::{self, RECORD_HEADER_BYTES};

/// Reads a journal from one record on. Always from the files: a slow reader holds no memory, and delays nobody.
#[derive(Debug)]
pub struct Follower {
    index: Arc<Index>,
    end: watch::Receiver<JournalSeq>,
    position: JournalSeq,
    state: State,
}

/// What the follower is doing. A read that was begun is finished by the next call when its caller lost interest.
#[derive(Debug)]
enum State {
    /// Nothing is under way.
    Ready(Cursor),
    /// A read is under way on a blocking thread.
    Reading(JoinHandle<(Cursor, Result<Bytes, JournalError>)>),
}

impl Follower {
    /// A follower whose first record is `from`; `end` is the record after the last written one.
    pub(super) fn new(
        index: Arc<Index>,
        end: watch::Receiver<JournalSeq>,
        from: JournalSeq,
    ) -> Self {
        let state = State::Ready(Cursor {
            seq: from,
            open: None,
        });
        Self {
            index,
            end,
            position: from,
            state,
        }
    }
}

impl JournalReader for Follower {
    fn position(&self) -> JournalSeq {
        self.position
    }

    async fn next_batch(&mut self) -> Result<Bytes, JournalError> {
        loop {
            match &mut self.state {
                State::Ready(cursor) => {
                    let seq = cursor.seq;
                    let written = self.end.wait_for(|end| *end > seq).await;
                    if written.is_err() {
                        return Err(JournalError::Closed);
                    }
                    drop(written);
                    let mut cursor = std::mem::take(cursor);
                    let index = Arc::clone(&self.index);
                    self.state = State::Reading(tokio::task::spawn_blocking(move || {
                        let batch = cursor.read(&index);
                        (cursor, batch)
                    }));
                }
                State::Reading(reading) => {
                    let (cursor, batch) = reading.await.map_err(io::Error::other)?;
                    self.position = cursor.seq;
                    self.state = State::Ready(cursor);
                    return batch;
                }
            }
        }
    }
}

/// Where the follower stands.
#[derive(Debug, Default)]
struct Cursor {
    /// The next record to hand out.
    seq: JournalSeq,
    open: Option<OpenFile>,
}

#[derive(Debug)]
struct OpenFile {
    file: File,
    first: JournalSeq,
    /// The record at `offset`.
    seq: JournalSeq,
    offset: u64,
}

impl Cursor {
    /// Whole records from `seq` on, at least one: the caller knows that it is written.
    fn read(&mut self, index: &Index) -> Result<Bytes, JournalError> {
        loop {
            let mut open = match self.open.take() {
                Some(open) => open,
                None => self.locate(index)?,
            };
            let written = index.written(open.first).ok_or_else(|| self.gone(index))?;
            if open.offset >= written {
                if open.seq <= open.first || index.written(open.seq).is_none() {
                    return Err(self.gone(index));
                }
                // This file is read; `locate` finds the one that begins with the next record.
                continue;
            }
            let batch = open.read(self.seq, written)?;
            let reached = open.seq;
            self.open = Some(open);
            if !batch.is_empty() {
                self.seq = reached;
                return Ok(batch);
            }
        }
    }

    fn locate(&self, index: &Index) -> Result<OpenFile, JournalError> {
        let located = index.locate(self.seq).ok_or_else(|| self.gone(index))?;
        let file = match File::open(segment::path(index.dir(), located.first)) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(self.gone(index)),
            Err(error) => return Err(error.into()),
        };
        let place = located.place;
        Ok(OpenFile {
            file,
            first: located.first,
            seq: place.seq,
            offset: place.offset,
        })
    }

    fn gone(&self, index: &Index) -> JournalError {
        let oldest = index.oldest().unwrap_or(self.seq);
        JournalError::Gone {
            wanted: self.seq.0,
            oldest: oldest.0,
        }
    }
}

impl OpenFile {
    /// The next whole records, without those before `from`; the file is written up to `written`.
    fn read(&mut self, from: JournalSeq, written: u64) -> io::Result<Bytes> {
        let available = usize::try_from(written - self.offset).unwrap_or(usize::MAX);
        let mut bytes = self.read_exactly(available.min(READ_BATCH_BYTES))?;
        let length = record_length(&bytes)?;
        if length > bytes.len() {
            if length > available {
                return Err(invalid("a record reaches beyond what is written"));
            }
            bytes = self.read_exactly(length)?;
        }
        let mut start = 0;
        let mut end = 0;
        loop {
            end += match Record::whole_len(&bytes[end..]) {
                Ok(Some(length)) => length,
                Ok(None) => break,
                // What lies before the damage is handed out first.
                Err(_) if end > 0 => break,
                Err(error) => return Err(io::Error::new(io::ErrorKind::InvalidData, error)),
            };
            if self.seq < from {
                start = end;
            }
            self.seq = JournalSeq(self.seq.0 + 1);
        }
        self.offset += end as u64;
        Ok(bytes.slice(start..end))
    }

    fn read_exactly(&self, length: usize) -> io::Result<Bytes> {
        let mut bytes = BytesMut::zeroed(length);
        self.file.read_exact_at(&mut bytes, self.offset)?;
        Ok(bytes.freeze())
    }
}

/// The length of the record at the start of `bytes`, with its header.
fn record_length(bytes: &[u8]) -> io::Result<usize> {
    let Some(mut length) = bytes.get(..4) else {
        return Err(invalid("a record header reaches beyond what is written"));
    };
    let length = length.get_u32_le() as usize;
    if length > JOURNAL_RECORD_BYTES_MAX {
        return Err(invalid("a record is longer than any may be"));
    }
    Ok(length + RECORD_HEADER_BYTES)
}

fn invalid(rule: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, rule)
}
