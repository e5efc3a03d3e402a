//! Chunk headers (RTMP 1.0, 5.3.1).

use crate::chunk::ChunkStream;

/// A timestamp field with this value is followed by 32 bits.
pub(super) const EXTENDED: u32 = 0xFF_FFFF;

/// What a chunk header says, completed from the header before where it is abbreviated.
#[derive(Clone, Copy)]
pub(super) struct Fields {
    pub(super) field: u32,
    pub(super) extended: bool,
    pub(super) length: usize,
    pub(super) type_id: u8,
    pub(super) stream_id: u32,
}

impl Fields {
    pub(super) fn read(format: u8, header: &[u8], known: Option<&ChunkStream>) -> Self {
        let known = known.map(|stream| {
            let ChunkStream {
                field,
                extended,
                length,
                type_id,
                stream_id,
                ..
            } = *stream;
            Self {
                field,
                extended,
                length,
                type_id,
                stream_id,
            }
        });
        let mut fields = known.unwrap_or(Self {
            field: 0,
            extended: false,
            length: 0,
            type_id: 0,
            stream_id: 0,
        });
        let mut rest = header;
        if format <= 2 {
            fields.field = u24(rest);
            fields.extended = fields.field == EXTENDED;
            rest = &rest[3..];
        }
        if format <= 1 {
            fields.length = u24(rest) as usize;
            fields.type_id = rest[3];
            rest = &rest[4..];
        }
        if format == 0 {
            fields.stream_id = u32::from_le_bytes([rest[0], rest[1], rest[2], rest[3]]);
        }
        fields
    }
}

/// Format, chunk stream id and length of the basic header (RTMP 1.0, 5.3.1.1).
pub(super) fn basic_header(input: &[u8]) -> Option<(u8, u32, usize)> {
    let first = *input.first()?;
    let format = first >> 6;
    match first & 0x3F {
        0 => Some((format, 64 + u32::from(*input.get(1)?), 2)),
        1 => {
            let (low, high) = (u32::from(*input.get(1)?), u32::from(*input.get(2)?));
            Some((format, 64 + low + 256 * high, 3))
        }
        csid => Some((format, u32::from(csid), 1)),
    }
}

fn u24(bytes: &[u8]) -> u32 {
    u32::from(bytes[0]) << 16 | u32::from(bytes[1]) << 8 | u32::from(bytes[2])
}
