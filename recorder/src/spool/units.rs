//! Access units on disk: one append-only file per open segment.
//!
//! A record is `kind: u8`, `number: u64`, `later: u32`, `length: u32`, `crc32c: u32` (all LE; the checksum covers the rest)
//! and the payload. A torn record at the end, which only loss of power can leave, ends the file.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;

use bytes::Bytes;

const HEADER_BYTES: usize = 21;

/// What a record holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum UnitKind {
    /// An H.264 frame.
    Video,
    /// An H.264 frame at which a decoder can start.
    Keyframe,
    /// A raw AAC frame.
    Audio,
    /// An ID3 tag of a channel.
    Metadata,
    /// How a segment of a channel begins, as JSON.
    Start,
    /// A line for a channel's playlists.
    DateRange,
}

impl UnitKind {
    /// Whether it is shown.
    pub(crate) fn is_picture(self) -> bool {
        match self {
            Self::Video | Self::Keyframe => true,
            Self::Audio | Self::Metadata | Self::Start | Self::DateRange => false,
        }
    }
}

/// One numbered access unit.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Unit {
    pub(crate) kind: UnitKind,
    /// Frame k or n; of a channel the time on the 90 kHz clock, of pictures when they are decoded.
    pub(crate) number: u64,
    /// How much later a picture of a channel is shown than it is decoded.
    pub(crate) later: u32,
    pub(crate) data: Bytes,
}

impl Unit {
    /// How long its record is.
    pub(crate) fn record_bytes(&self) -> u64 {
        (HEADER_BYTES + self.data.len()) as u64
    }

    fn encode(&self) -> Vec<u8> {
        let mut record = Vec::with_capacity(HEADER_BYTES + self.data.len());
        record.push(match self.kind {
            UnitKind::Video => 0,
            UnitKind::Keyframe => 1,
            UnitKind::Audio => 2,
            UnitKind::Metadata => 3,
            UnitKind::Start => 4,
            UnitKind::DateRange => 5,
        });
        record.extend_from_slice(&self.number.to_le_bytes());
        record.extend_from_slice(&self.later.to_le_bytes());
        let length = u32::try_from(self.data.len()).expect("units are limited to 8 MiB");
        record.extend_from_slice(&length.to_le_bytes());
        let checksum = crc32c::crc32c_append(crc32c::crc32c(&record), &self.data);
        record.extend_from_slice(&checksum.to_le_bytes());
        record.extend_from_slice(&self.data);
        record
    }

    /// The first record of `bytes` and how long it is; `None` when there is no whole one.
    fn decode(bytes: &Bytes) -> Option<(Self, usize)> {
        let header: &[u8; HEADER_BYTES] = bytes.get(..HEADER_BYTES)?.try_into().ok()?;
        let length = u32::from_le_bytes(header[13..17].try_into().ok()?);
        let end = HEADER_BYTES.checked_add(usize::try_from(length).ok()?)?;
        let data = bytes.get(HEADER_BYTES..end)?;
        let checksum = crc32c::crc32c_append(crc32c::crc32c(&header[..17]), data);
        if header[17..] != checksum.to_le_bytes() {
            return None;
        }
        let kind = match header[0] {
            0 => UnitKind::Video,
            1 => UnitKind::Keyframe,
            2 => UnitKind::Audio,
            3 => UnitKind::Metadata,
            4 => UnitKind::Start,
            5 => UnitKind::DateRange,
            _ => return None,
        };
        let number = u64::from_le_bytes(header[1..9].try_into().ok()?);
        let later = u32::from_le_bytes(header[9..13].try_into().ok()?);
        Some((
            Self {
                kind,
                number,
                later,
                data: bytes.slice(HEADER_BYTES..end),
            },
            end,
        ))
    }
}

/// Appends to the file of one open segment.
#[derive(Debug)]
pub(crate) struct UnitFile {
    file: File,
    bytes: u64,
}

impl UnitFile {
    /// Opens the file, made if missing. A torn end is cut off.
    pub(crate) fn open(path: &Path) -> io::Result<(Self, Vec<Unit>)> {
        let (units, bytes) = if path.exists() {
            read(path)?
        } else {
            (Vec::new(), 0)
        };
        let file = OpenOptions::new().create(true).append(true).open(path)?;
        let torn = file.metadata()?.len() - bytes;
        if torn > 0 {
            tracing::warn!(path = %path.display(), torn, "the end of an open segment is torn and cut off");
            file.set_len(bytes)?;
        }
        Ok((Self { file, bytes }, units))
    }

    /// Appends a record. If that fails half-way, the half is taken back.
    pub(crate) fn append(&mut self, unit: &Unit) -> io::Result<()> {
        if let Err(error) = self.file.write_all(&unit.encode()) {
            self.file.set_len(self.bytes)?;
            return Err(error);
        }
        self.bytes += unit.record_bytes();
        Ok(())
    }

    /// Brings what was appended to the disk itself.
    pub(crate) fn sync(&self) -> io::Result<()> {
        self.file.sync_data()
    }

    /// Bytes in the file.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }
}

/// The whole records of a file, and how long they are together.
pub(crate) fn read(path: &Path) -> io::Result<(Vec<Unit>, u64)> {
    let bytes = Bytes::from(std::fs::read(path)?);
    let mut units = Vec::new();
    let mut at = 0;
    while let Some((unit, length)) = Unit::decode(&bytes.slice(at..)) {
        units.push(unit);
        at += length;
    }
    Ok((units, at as u64))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unit(number: u64) -> Unit {
        Unit {
            kind: UnitKind::Keyframe,
            number,
            later: 0,
            data: Bytes::from(vec![number as u8; 100]),
        }
    }

    #[test]
    fn a_torn_end_is_cut_off_and_appending_goes_on() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let path = dir.path().join("0.units");
        let (mut file, none) = UnitFile::open(&path).expect("opens");
        assert!(none.is_empty());
        file.append(&unit(1)).expect("appends");
        file.append(&unit(2)).expect("appends");
        let whole = std::fs::read(&path).expect("is there");
        for torn in whole.len() / 2 + 1..whole.len() {
            std::fs::write(&path, &whole[..torn]).expect("writes");
            let (mut file, units) = UnitFile::open(&path).expect("opens");
            assert_eq!(units, [unit(1)]);
            file.append(&unit(3)).expect("appends");
            assert_eq!(read(&path).expect("reads").0, [unit(1), unit(3)]);
        }
    }

    #[test]
    fn a_damaged_record_ends_the_file() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let path = dir.path().join("0.units");
        let (mut file, _) = UnitFile::open(&path).expect("opens");
        (1..=2).for_each(|n| file.append(&unit(n)).expect("appends"));
        let mut bytes = std::fs::read(&path).expect("is there");
        let last = bytes.len() - 1;
        bytes[last] ^= 1;
        std::fs::write(&path, &bytes).expect("writes");
        assert_eq!(read(&path).expect("reads").0, [unit(1)]);
    }
}
