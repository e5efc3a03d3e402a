//! The ledger of a spool: what became of each object. One line per change, appended, each with its checksum.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;

use compositor_core::time::WallTime;
use serde::{Deserialize, Serialize};

use super::checked::{self, damaged};
use crate::key_layout::ObjectName;
use crate::mux::Continuity;
use crate::playlist::timed::TimedSegment;
use crate::recording::RecordingOutcome;

/// One line.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(crate) enum Entry {
    /// The object is in the spool, whole.
    Pending {
        object: ObjectName,
        bytes: u64,
        crc32c: u32,
        detail: Detail,
    },
    /// A PUT is about to be sent.
    Uploading { object: ObjectName },
    /// The object is in the bucket, and gone from the spool.
    Done { object: ObjectName },
    /// Nothing more will be recorded.
    Closed {
        outcome: RecordingOutcome,
        ended_at: WallTime,
    },
}

impl Entry {
    /// Whether it was on the disk itself before anything was built on it.
    fn is_forced(&self) -> bool {
        match self {
            Self::Pending { .. } | Self::Done { .. } => true,
            Self::Uploading { .. } | Self::Closed { .. } => false,
        }
    }
}

/// The entry of a line that is whole.
fn read_line(line: &[u8]) -> Option<Entry> {
    checked::read(line.strip_suffix(b"\n")?).ok()
}

/// What only some objects have.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Detail {
    /// Nothing.
    None,
    /// Of a segment.
    Segment(SealedSegment),
    /// Of a sequential thumbnail: the frame it shows.
    Thumbnail { k: u64 },
}

/// What must be known of a segment when its units are gone.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) struct SealedSegment {
    /// Which stretch of the frame grid it is; the same as its number unless there was a hole.
    pub(crate) stretch: u64,
    /// From its beginning to its end.
    pub(crate) extent: Extent,
    /// The H.264 frame that follows its last.
    pub(crate) next_video: u64,
    /// The AAC frame that follows its last.
    pub(crate) next_audio: u64,
    /// Counters for the segment that follows.
    pub(crate) continuity: Continuity,
    /// Codec strings of pictures and sound, where the segment has parameter sets.
    pub(crate) codecs: Option<String>,
}

/// How long a segment is.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Extent {
    /// Of a composition: frames of the grid.
    Frames(u32),
    /// Of a channel.
    Timed(TimedSegment),
}

/// What became of an object.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum ObjectState {
    /// In the spool.
    Pending,
    /// A PUT was sent; its outcome is not known.
    Uploading,
    /// In the bucket.
    Done,
}

/// The file, open for appending.
#[derive(Debug)]
pub(crate) struct Ledger {
    file: File,
}

impl Ledger {
    /// Opens the ledger, made if missing, and reads what it holds. Loss of power may tear or damage lines that were not
    /// forced to the disk: from the first of them on the ledger is cut off. Where lines follow that were forced, something
    /// else has damaged it.
    pub(crate) fn open(path: &Path) -> io::Result<(Self, Vec<Entry>)> {
        let text = if path.exists() {
            std::fs::read(path)?
        } else {
            Vec::new()
        };
        let mut entries = Vec::new();
        let mut whole = 0;
        let mut lines = text.split_inclusive(|&byte| byte == b'\n');
        for line in lines.by_ref() {
            match read_line(line) {
                Some(entry) => entries.push(entry),
                None => break,
            }
            whole += line.len();
        }
        if lines.filter_map(read_line).any(|entry| entry.is_forced()) {
            let number = entries.len() + 1;
            return Err(damaged(format!("line {number} is damaged")));
        }
        if whole < text.len() {
            let bytes = text.len() - whole;
            tracing::warn!(path = %path.display(), bytes, "the end of a ledger is torn and cut off");
        }
        let file = OpenOptions::new().create(true).append(true).open(path)?;
        file.set_len(whole as u64)?;
        Ok((Self { file }, entries))
    }

    /// Appends an entry.
    pub(crate) fn append(&mut self, entry: &Entry) -> io::Result<()> {
        let line = checked::write(entry)?;
        let before = self.file.metadata()?.len();
        if let Err(error) = self.file.write_all(&line) {
            self.file.set_len(before)?;
            return Err(error);
        }
        Ok(())
    }

    /// Brings what was appended to the disk itself.
    pub(crate) fn sync(&self) -> io::Result<()> {
        self.file.sync_data()
    }
}

/// The state of every object after all entries.
pub(crate) fn states(entries: &[Entry]) -> BTreeMap<ObjectName, ObjectState> {
    let mut states = BTreeMap::new();
    for entry in entries {
        match entry {
            Entry::Pending { object, .. } => states.insert(*object, ObjectState::Pending),
            Entry::Uploading { object } => states.insert(*object, ObjectState::Uploading),
            Entry::Done { object } => states.insert(*object, ObjectState::Done),
            Entry::Closed { .. } => None,
        };
    }
    states
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_torn_line_is_as_if_it_was_never_written() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let path = dir.path().join("ledger.jsonl");
        let object = ObjectName::Segment(0);
        let (mut ledger, _) = Ledger::open(&path).expect("opens");
        let pending = Entry::Pending {
            object,
            bytes: 10,
            crc32c: 1,
            detail: Detail::None,
        };
        ledger.append(&pending).expect("appends");
        let first = std::fs::read(&path).expect("is there").len();
        ledger
            .append(&Entry::Uploading { object })
            .expect("appends");
        let whole = std::fs::read(&path).expect("is there");
        for torn in first..whole.len() {
            std::fs::write(&path, &whole[..torn]).expect("writes");
            let (mut ledger, entries) = Ledger::open(&path).expect("opens");
            assert_eq!(entries, std::slice::from_ref(&pending));
            ledger.append(&Entry::Done { object }).expect("appends");
            let (_, entries) = Ledger::open(&path).expect("opens");
            assert_eq!(states(&entries)[&object], ObjectState::Done);
        }
    }
}
