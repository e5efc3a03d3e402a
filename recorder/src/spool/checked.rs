//! Values on disk, each a line of JSON with the checksum of its value: what the disk has changed is not believed.

use std::io;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
struct Checked<T> {
    /// Of the value as JSON.
    crc32c: u32,
    value: T,
}

/// The line of a value.
pub(super) fn write<T: Serialize>(value: &T) -> io::Result<Vec<u8>> {
    let crc32c = checksum(value)?;
    let mut line = serde_json::to_vec(&Checked { crc32c, value })?;
    line.push(b'\n');
    Ok(line)
}

/// The value of a line.
pub(super) fn read<T: Serialize + DeserializeOwned>(line: &[u8]) -> io::Result<T> {
    let Checked { crc32c, value } = serde_json::from_slice(line)?;
    if checksum(&value)? == crc32c {
        Ok(value)
    } else {
        Err(damaged("it has another checksum than when it was written"))
    }
}

/// What is there is not what was written.
pub(super) fn damaged(how: impl Into<String>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, how.into())
}

fn checksum<T: Serialize>(value: &T) -> io::Result<u32> {
    Ok(crc32c::crc32c(&serde_json::to_vec(value)?))
}
