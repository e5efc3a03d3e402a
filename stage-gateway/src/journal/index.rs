//! Which segment files there are and how far they are written; shared by the session, its writer and its readers.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use compositor_core::journal::JournalSeq;
use compositor_core::time::{MediaTime, WallTime};
use parking_lot::Mutex;

use super::retention::SegmentSize;
use super::segment::{self, Checked, HEADING_BYTES, Place};

/// The segment files of one journal.
#[derive(Debug)]
pub struct Index {
    dir: PathBuf,
    segments: Mutex<BTreeMap<JournalSeq, Segment>>,
}

/// How far one segment file is written.
#[derive(Clone, Debug, Default)]
struct Segment {
    bytes: u64,
    /// When it was begun; of an earlier run: zero.
    since: MediaTime,
    places: Vec<Place>,
}

/// Where a reader has to begin to find a record.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Located {
    /// The first record of the segment file.
    pub first: JournalSeq,
    /// A place in it, at or before the record.
    pub place: Place,
}

/// What an earlier run of the server left behind.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Recovered {
    /// The record after the last whole one: where this run continues.
    pub end: JournalSeq,
    /// The stage clock when the last record was written.
    pub time: MediaTime,
    /// The wall clock when the last file was written.
    pub written_at: WallTime,
}

impl Index {
    /// Reads what is in `dir`, cutting off what a sudden death has torn. Returns the next record's place and, when
    /// there are records, what was found.
    pub fn open(dir: &Path) -> io::Result<(Self, JournalSeq, Option<Recovered>)> {
        std::fs::create_dir_all(dir)?;
        let mut firsts = segment::list(dir)?;
        let mut next = JournalSeq(0);
        let mut time = None;
        if let [.., previous, last] = firsts[..] {
            // A power loss may keep a newer file and lose the end of the one before it.
            let checked = segment::check(dir, previous)?;
            time = checked.time_max;
            if checked.end != last {
                std::fs::remove_file(segment::path(dir, last))?;
                firsts.pop();
            }
        }
        let mut newest = None;
        while let Some(&last) = firsts.last() {
            let checked = segment::check(dir, last)?;
            next = checked.end;
            if checked.end > last {
                segment::truncate(dir, last, checked.bytes)?;
                time = time.max(checked.time_max);
                newest = Some(checked);
                break;
            }
            std::fs::remove_file(segment::path(dir, last))?;
            firsts.pop();
        }
        let recovered = match &newest {
            Some(checked) => Some(recovered(dir, &firsts, checked, time)?),
            None => None,
        };
        let segments = Mutex::new(sizes(dir, &firsts, newest)?);
        Ok((
            Self {
                dir: dir.to_owned(),
                segments,
            },
            next,
            recovered,
        ))
    }

    /// The folder of the segment files.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// A new segment file, so far with its heading only.
    pub fn begin(&self, first: JournalSeq, since: MediaTime) {
        let segment = Segment {
            bytes: HEADING_BYTES,
            since,
            places: vec![],
        };
        self.segments.lock().insert(first, segment);
    }

    /// The segment file that begins with `first` is written up to `bytes`; `place` is worth remembering.
    pub fn grow(&self, first: JournalSeq, bytes: u64, place: Option<Place>) {
        if let Some(segment) = self.segments.lock().get_mut(&first) {
            segment.bytes = bytes;
            segment.places.extend(place);
        }
    }

    /// Forgets segments; their files are for the caller to remove.
    pub fn forget(&self, firsts: &[JournalSeq]) {
        let mut segments = self.segments.lock();
        for first in firsts {
            segments.remove(first);
        }
    }

    /// All segments, oldest first.
    pub fn sizes(&self) -> Vec<SegmentSize> {
        let segments = self.segments.lock();
        let size = |(first, segment): (&JournalSeq, &Segment)| SegmentSize {
            first: *first,
            bytes: segment.bytes,
            since: segment.since,
        };
        segments.iter().map(size).collect()
    }

    /// The oldest record kept.
    pub fn oldest(&self) -> Option<JournalSeq> {
        self.segments
            .lock()
            .first_key_value()
            .map(|(first, _)| *first)
    }

    /// How far the segment file that begins with `first` is written; `None` when it is gone.
    pub fn written(&self, first: JournalSeq) -> Option<u64> {
        self.segments
            .lock()
            .get(&first)
            .map(|segment| segment.bytes)
    }

    /// Where to look for a record; `None` when it is gone.
    pub fn locate(&self, seq: JournalSeq) -> Option<Located> {
        let segments = self.segments.lock();
        let (&first, segment) = segments.range(..=seq).next_back()?;
        let known = segment.places.iter().rev().find(|place| place.seq <= seq);
        let place = known.copied().unwrap_or(Place {
            seq: first,
            offset: HEADING_BYTES,
        });
        Some(Located { first, place })
    }
}

fn recovered(
    dir: &Path,
    firsts: &[JournalSeq],
    newest: &Checked,
    time: Option<MediaTime>,
) -> io::Result<Recovered> {
    let last = firsts.last().copied().unwrap_or_default();
    let modified = std::fs::metadata(segment::path(dir, last))?.modified()?;
    let since_epoch = modified
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap_or_default();
    let written_at = WallTime(i64::try_from(since_epoch.as_micros()).unwrap_or(i64::MAX));
    Ok(Recovered {
        end: newest.end,
        time: time.unwrap_or_default(),
        written_at,
    })
}

fn sizes(
    dir: &Path,
    firsts: &[JournalSeq],
    newest: Option<Checked>,
) -> io::Result<BTreeMap<JournalSeq, Segment>> {
    let mut segments = BTreeMap::new();
    for &first in firsts {
        let bytes = std::fs::metadata(segment::path(dir, first))?.len();
        segments.insert(
            first,
            Segment {
                bytes,
                ..Segment::default()
            },
        );
    }
    if let (Some(mut last), Some(newest)) = (segments.last_entry(), newest) {
        last.insert(Segment {
            bytes: newest.bytes,
            places: newest.places,
            since: MediaTime(0),
        });
    }
    Ok(segments)
}
