//! Reads a journal that nobody needs to write any more: from its first record on, without changing anything in its folder.

use std::collections::VecDeque;
use std::io;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use compositor_core::journal::{JournalSeq, Record, RecordError};

use super::segment::{self, HEADING_BYTES};

/// The records of the segment files in a folder, in order.
///
/// It begins with the oldest that retention has left. In the newest file it ends before what is torn or not written yet, as
/// the server would when it continued; anywhere else what is missing or damaged is an error, after which there is nothing
/// more.
#[derive(Debug)]
pub struct Replay {
    dir: PathBuf,
    files: VecDeque<JournalSeq>,
    /// What is left of the file that is being read.
    open: Option<OpenFile>,
    next: JournalSeq,
}

#[derive(Debug)]
struct OpenFile {
    first: JournalSeq,
    bytes: usize,
    rest: Bytes,
}

/// Why a journal cannot be replayed.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// The folder or a file in it.
    #[error("cannot read {path}")]
    Io {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// There is no segment file.
    #[error("no journal in {dir}: no file there is named <first record>.journal")]
    Empty {
        /// Where.
        dir: PathBuf,
    },
    /// The file is of another kind or another version.
    #[error("{path} does not begin as a journal segment of this version")]
    Heading {
        /// Which.
        path: PathBuf,
    },
    /// A record does not parse.
    #[error("{path}: the record at byte {offset} is damaged")]
    Record {
        /// In which file.
        path: PathBuf,
        /// Where in it.
        offset: usize,
        /// Why; `None` when it is torn.
        #[source]
        source: Option<RecordError>,
    },
    /// Records are missing.
    #[error("record {expected} is missing: {path} has {found} in its place")]
    Hole {
        /// The number that should have come.
        expected: u64,
        /// Where it should have been.
        path: PathBuf,
        /// What came.
        found: u64,
    },
}

impl Replay {
    /// Looks for segment files; none is read yet.
    pub fn open(dir: &Path) -> Result<Self, ReplayError> {
        let files = segment::list(dir).map_err(|source| ReplayError::Io {
            path: dir.to_owned(),
            source,
        })?;
        let Some(&next) = files.first() else {
            let dir = dir.to_owned();
            return Err(ReplayError::Empty { dir });
        };
        Ok(Self {
            dir: dir.to_owned(),
            files: files.into(),
            open: None,
            next,
        })
    }

    fn read_next(&mut self) -> Result<Option<Record>, ReplayError> {
        loop {
            let mut open = match self.open.take() {
                Some(open) => open,
                None => match self.files.pop_front() {
                    Some(first) => self.open_file(first)?,
                    None => return Ok(None),
                },
            };
            let is_newest = self.files.is_empty();
            let offset = open.bytes - open.rest.len();
            let path = || segment::path(&self.dir, open.first);
            match Record::decode(&mut open.rest) {
                Ok(Some(record)) if record.seq == self.next => {
                    self.next = JournalSeq(record.seq.0 + 1);
                    self.open = Some(open);
                    return Ok(Some(record));
                }
                Ok(Some(record)) => {
                    return Err(ReplayError::Hole {
                        expected: self.next.0,
                        path: path(),
                        found: record.seq.0,
                    });
                }
                Ok(None) if open.rest.is_empty() => {}
                Ok(None) | Err(_) if is_newest => return Ok(None),
                Ok(None) => {
                    return Err(ReplayError::Record {
                        path: path(),
                        offset,
                        source: None,
                    });
                }
                Err(error) => {
                    return Err(ReplayError::Record {
                        path: path(),
                        offset,
                        source: Some(error),
                    });
                }
            }
        }
    }

    fn open_file(&self, first: JournalSeq) -> Result<OpenFile, ReplayError> {
        let path = segment::path(&self.dir, first);
        // Whole: a file has 64 MiB at most.
        let mut rest = match std::fs::read(&path) {
            Ok(bytes) => Bytes::from(bytes),
            Err(source) => return Err(ReplayError::Io { path, source }),
        };
        let bytes = rest.len();
        let heading = segment::heading(first);
        if !rest.starts_with(&heading) {
            // A file that was begun in the moment in which the server died.
            if self.files.is_empty() && heading.starts_with(&rest) {
                rest = Bytes::new();
                return Ok(OpenFile { first, bytes, rest });
            }
            return Err(ReplayError::Heading { path });
        }
        if first != self.next {
            return Err(ReplayError::Hole {
                expected: self.next.0,
                path,
                found: first.0,
            });
        }
        let rest = rest.split_off(HEADING_BYTES as usize);
        Ok(OpenFile { first, bytes, rest })
    }
}

impl Iterator for Replay {
    type Item = Result<Record, ReplayError>;

    fn next(&mut self) -> Option<Self::Item> {
        let read = self.read_next();
        if !matches!(read, Ok(Some(_))) {
            self.files.clear();
            self.open = None;
        }
        read.transpose()
    }
}
