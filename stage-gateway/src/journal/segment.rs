//! Segment files: their names, their heading, and what is whole in them.
//!
//! A file is named by its first record, `00000000000000000000.journal`, begins with a heading of 16 bytes (magic, then
//! that number) and then holds records back to back.

use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use bytes::{Buf, BufMut, Bytes, BytesMut};
use compositor_core::journal::{JournalSeq, Record, RecordBody};
use compositor_core::time::MediaTime;

use super::limits::INDEX_STEP_BYTES;

const MAGIC: [u8; 8] = *b"PSCJRNL1";

/// Size of the heading.
pub const HEADING_BYTES: u64 = 16;

/// Size of a record's length and checksum fields.
pub const RECORD_HEADER_BYTES: usize = 8;

/// How much is read at once while a file is checked.
const CHECK_BYTES: usize = 1024 * 1024;

/// The heading of the file that begins with `first`.
pub fn heading(first: JournalSeq) -> [u8; HEADING_BYTES as usize] {
    let mut heading = [0; HEADING_BYTES as usize];
    let mut out = &mut heading[..];
    out.put_slice(&MAGIC);
    out.put_u64_le(first.0);
    heading
}

/// Where the file that begins with `first` lies.
pub fn path(dir: &Path, first: JournalSeq) -> PathBuf {
    dir.join(format!("{:020}.journal", first.0))
}

/// The first records of all segment files in `dir`, oldest first. Other files are left alone.
pub fn list(dir: &Path) -> io::Result<Vec<JournalSeq>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(dir)? {
        let name = entry?.file_name();
        let first = name.to_str().and_then(|name| name.strip_suffix(".journal"));
        if let Some(first) = first.filter(|digits| digits.len() == 20) {
            found.extend(first.parse().ok().map(JournalSeq));
        }
    }
    found.sort_unstable();
    Ok(found)
}

/// A place in a segment file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Place {
    /// The record that begins there.
    pub seq: JournalSeq,
    /// Bytes from the start of the file.
    pub offset: u64,
}

/// What is whole in a segment file.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Checked {
    /// The record after the last whole one.
    pub end: JournalSeq,
    /// Bytes up to there.
    pub bytes: u64,
    /// The latest time at which a record was written; media does not count, its PTS is its sender's word.
    pub time_max: Option<MediaTime>,
    /// Places about every [`INDEX_STEP_BYTES`].
    pub places: Vec<Place>,
}

/// Reads a segment file up to its first record that is torn, damaged or out of sequence.
pub fn check(dir: &Path, first: JournalSeq) -> io::Result<Checked> {
    let mut file = File::open(path(dir, first))?;
    let mut checked = Checked {
        end: first,
        bytes: 0,
        time_max: None,
        places: vec![],
    };
    let mut pending = BytesMut::new();
    if !read_heading(&mut file, first)? {
        return Ok(checked);
    }
    checked.bytes = HEADING_BYTES;
    loop {
        let read = read_some(&mut file, &mut pending)?;
        let mut input = pending.split().freeze();
        let intact = take_records(&mut input, &mut checked);
        if read == 0 || !intact {
            return Ok(checked);
        }
        pending = BytesMut::from(&input[..]);
    }
}

/// Cuts a segment file down to what is whole in it.
pub fn truncate(dir: &Path, first: JournalSeq, bytes: u64) -> io::Result<()> {
    let file = OpenOptions::new().write(true).open(path(dir, first))?;
    if file.metadata()?.len() > bytes {
        file.set_len(bytes)?;
        file.sync_data()?;
    }
    Ok(())
}

fn read_heading(file: &mut File, first: JournalSeq) -> io::Result<bool> {
    let mut found = [0; HEADING_BYTES as usize];
    match file.read_exact(&mut found) {
        Ok(()) => Ok(found == heading(first)),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
        Err(error) => Err(error),
    }
}

fn read_some(file: &mut File, into: &mut BytesMut) -> io::Result<usize> {
    let start = into.len();
    into.resize(start + CHECK_BYTES, 0);
    let read = file.read(&mut into[start..])?;
    into.truncate(start + read);
    Ok(read)
}

/// Takes all whole records off `input`; false at the first that is not as it should be.
fn take_records(input: &mut Bytes, checked: &mut Checked) -> bool {
    loop {
        let before = input.remaining();
        match Record::decode(input) {
            Ok(Some(record)) if record.seq == checked.end => {
                let last = checked.places.last().map_or(0, |place| place.offset);
                if checked.bytes >= last + INDEX_STEP_BYTES {
                    checked.places.push(Place {
                        seq: record.seq,
                        offset: checked.bytes,
                    });
                }
                checked.end = JournalSeq(record.seq.0 + 1);
                checked.bytes += (before - input.remaining()) as u64;
                if !matches!(record.body, RecordBody::AccessUnit(_)) {
                    checked.time_max = checked.time_max.max(Some(record.time));
                }
            }
            Ok(None) => return true,
            Ok(Some(_)) | Err(_) => return false,
        }
    }
}
