//! The RTMP chunk stream (RTMP 1.0, 5.3), read strictly: every length is bounded, chunk streams may interleave, and nothing
//! that a peer sends can panic. Whole messages come out; [`Message::to_single_chunk`] feeds them to rml_rtmp's sessions,
//! whose own reader trusts its peer and knows no interleaving.

mod header;
mod single;

use std::collections::HashMap;

use bytes::{Buf, Bytes, BytesMut};

use crate::chunk::header::{Fields, basic_header};
pub(crate) use crate::chunk::single::single_chunks;
use crate::limits::{
    CHUNK_BYTES_MAX, CHUNK_STREAMS_MAX, COMMAND_BYTES_MAX, MESSAGE_BYTES_MAX, PARTIAL_BYTES_MAX,
};

/// Message type: the sender's new chunk size.
const TYPE_SET_CHUNK_SIZE: u8 = 1;
/// Message type: forget the unfinished message of a chunk stream.
const TYPE_ABORT: u8 = 2;
/// Message type: audio.
pub(crate) const TYPE_AUDIO: u8 = 8;
/// Message type: video.
pub(crate) const TYPE_VIDEO: u8 = 9;

/// The chunk size before either side changes it.
const DEFAULT_CHUNK_BYTES: usize = 128;

/// One whole RTMP message.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Message {
    /// Milliseconds of the sender's clock; wraps.
    pub(crate) timestamp: u32,
    pub(crate) type_id: u8,
    pub(crate) stream_id: u32,
    pub(crate) payload: Bytes,
}

/// What a peer did that RTMP, or our limits, do not allow.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub(crate) enum ChunkError {
    #[error("a chunk on stream {0} continues a message that never began")]
    NoHeader(u32),
    #[error("a message of {0} bytes of type {1} is larger than allowed")]
    MessageSize(usize, u8),
    #[error("a chunk size of {0} is not one of 1 to {CHUNK_BYTES_MAX}")]
    ChunkSize(u32),
    #[error("more than {CHUNK_STREAMS_MAX} chunk streams")]
    ChunkStreams,
    #[error("more than {PARTIAL_BYTES_MAX} bytes of unfinished messages")]
    Unfinished,
    #[error("a control message of {0} bytes is too short")]
    Control(usize),
}

/// Puts messages together.
#[derive(Debug)]
pub(crate) struct ChunkReader {
    input: BytesMut,
    chunk_bytes: usize,
    streams: HashMap<u32, ChunkStream>,
    partial_bytes: usize,
    /// The chunk whose payload is being read: its stream, and bytes to come.
    open: Option<(u32, usize)>,
}

#[derive(Debug, Default)]
struct ChunkStream {
    timestamp: u32,
    /// The last timestamp field: an absolute time after a full header, else a delta.
    field: u32,
    extended: bool,
    length: usize,
    type_id: u8,
    stream_id: u32,
    partial: BytesMut,
    in_message: bool,
}

impl ChunkReader {
    pub(crate) fn new() -> Self {
        Self {
            input: BytesMut::new(),
            chunk_bytes: DEFAULT_CHUNK_BYTES,
            streams: HashMap::new(),
            partial_bytes: 0,
            open: None,
        }
    }

    /// Adds what came from the peer.
    pub(crate) fn extend(&mut self, bytes: &[u8]) {
        self.input.extend_from_slice(bytes);
    }

    /// The next whole message, `None` when more bytes are needed. Chunk sizes and aborts are obeyed, not returned.
    pub(crate) fn next_message(&mut self) -> Result<Option<Message>, ChunkError> {
        loop {
            if self.open.is_none() && !self.read_header()? {
                return Ok(None);
            }
            let Some(message) = self.read_payload()? else {
                if self.open.is_some() {
                    return Ok(None);
                }
                continue;
            };
            match message.type_id {
                TYPE_SET_CHUNK_SIZE => self.set_chunk_size(&message.payload)?,
                TYPE_ABORT => self.abort(&message.payload)?,
                _ => return Ok(Some(message)),
            }
        }
    }

    /// Reads a chunk header; `false` when it is not complete yet.
    fn read_header(&mut self) -> Result<bool, ChunkError> {
        let Some((format, csid, basic)) = basic_header(&self.input) else {
            return Ok(false);
        };
        let header = basic + [11, 7, 3, 0][usize::from(format)];
        if self.input.len() < header {
            return Ok(false);
        }
        if !self.streams.contains_key(&csid) {
            if format != 0 {
                return Err(ChunkError::NoHeader(csid));
            }
            if self.streams.len() >= CHUNK_STREAMS_MAX {
                return Err(ChunkError::ChunkStreams);
            }
        }
        let known = self.streams.get(&csid);
        let mut fields = Fields::read(format, &self.input[basic..header], known);
        let mut consumed = header;
        if fields.extended {
            let Some(bytes) = self.input.get(header..header + 4) else {
                return Ok(false);
            };
            let extended = u32::from_be_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
            // Some senders leave it out in continuing chunks.
            if format != 3 || extended == fields.field {
                fields.field = extended;
                consumed += 4;
            }
        }
        self.input.advance(consumed);
        self.begin_chunk(format, csid, fields)?;
        Ok(true)
    }

    fn begin_chunk(&mut self, format: u8, csid: u32, fields: Fields) -> Result<(), ChunkError> {
        let Fields {
            field,
            extended,
            length,
            type_id,
            stream_id,
        } = fields;
        let stream = self.streams.entry(csid).or_default();
        if stream.in_message && format != 3 {
            // A new header in the middle of a message: what was there is lost.
            self.partial_bytes -= stream.partial.len();
            stream.partial.clear();
            stream.in_message = false;
        }
        if !stream.in_message {
            check_length(length, type_id)?;
            stream.timestamp = if format == 0 {
                field
            } else {
                stream.timestamp.wrapping_add(field)
            };
            stream.field = field;
            stream.extended = extended;
            stream.length = length;
            stream.type_id = type_id;
            stream.stream_id = stream_id;
            stream.in_message = true;
        }
        let left = stream.length - stream.partial.len();
        self.open = Some((csid, left.min(self.chunk_bytes)));
        Ok(())
    }

    /// Moves payload of the open chunk; a message when that completes it.
    fn read_payload(&mut self) -> Result<Option<Message>, ChunkError> {
        let Some((csid, left)) = self.open else {
            return Ok(None);
        };
        let taken = left.min(self.input.len());
        if self.partial_bytes + taken > PARTIAL_BYTES_MAX {
            return Err(ChunkError::Unfinished);
        }
        let stream = self.streams.entry(csid).or_default();
        stream.partial.extend_from_slice(&self.input[..taken]);
        self.input.advance(taken);
        self.partial_bytes += taken;
        self.open = (taken < left).then_some((csid, left - taken));
        if self.open.is_some() || stream.partial.len() < stream.length {
            return Ok(None);
        }
        self.partial_bytes -= stream.partial.len();
        stream.in_message = false;
        Ok(Some(Message {
            timestamp: stream.timestamp,
            type_id: stream.type_id,
            stream_id: stream.stream_id,
            payload: std::mem::take(&mut stream.partial).freeze(),
        }))
    }

    fn set_chunk_size(&mut self, payload: &[u8]) -> Result<(), ChunkError> {
        match control(payload)? {
            size @ 1..=CHUNK_BYTES_MAX => {
                self.chunk_bytes = size as usize;
                Ok(())
            }
            size => Err(ChunkError::ChunkSize(size)),
        }
    }

    fn abort(&mut self, payload: &[u8]) -> Result<(), ChunkError> {
        if let Some(stream) = self.streams.get_mut(&control(payload)?) {
            self.partial_bytes -= stream.partial.len();
            stream.partial.clear();
            stream.in_message = false;
        }
        Ok(())
    }
}

fn check_length(length: usize, type_id: u8) -> Result<(), ChunkError> {
    let max = match type_id {
        TYPE_AUDIO | TYPE_VIDEO => MESSAGE_BYTES_MAX,
        _ => COMMAND_BYTES_MAX,
    };
    if length > max {
        Err(ChunkError::MessageSize(length, type_id))
    } else {
        Ok(())
    }
}

fn control(payload: &[u8]) -> Result<u32, ChunkError> {
    let Some(bytes) = payload.first_chunk::<4>() else {
        return Err(ChunkError::Control(payload.len()));
    };
    Ok(u32::from_be_bytes(*bytes))
}

#[cfg(test)]
mod tests {
    use rml_rtmp::chunk_io::ChunkSerializer;
    use rml_rtmp::messages::MessagePayload;
    use rml_rtmp::time::RtmpTimestamp;

    use super::*;

    fn read(bytes: &[u8]) -> Result<Vec<Message>, ChunkError> {
        let mut reader = ChunkReader::new();
        reader.extend(bytes);
        let mut messages = Vec::new();
        while let Some(message) = reader.next_message()? {
            messages.push(message);
        }
        Ok(messages)
    }

    fn serialized(times: &[u32], size: usize) -> Vec<u8> {
        let mut serializer = ChunkSerializer::new();
        let mut bytes = Vec::new();
        for time in times {
            let payload = MessagePayload {
                timestamp: RtmpTimestamp::new(*time),
                type_id: TYPE_VIDEO,
                message_stream_id: 1,
                data: Bytes::from(vec![*time as u8; size]),
            };
            bytes.extend(serializer.serialize(&payload, false, false).unwrap().bytes);
        }
        bytes
    }

    #[test]
    fn messages_come_out_whole_however_the_bytes_are_split() {
        let times = [
            0,
            40,
            80,
            120,
            0xFF_FFFE,
            0xFF_FFFF,
            0x0100_0050,
            u32::MAX,
            30,
        ];
        let bytes = serialized(&times, 1000);
        let whole = read(&bytes).unwrap();
        assert_eq!(whole.iter().map(|m| m.timestamp).collect::<Vec<_>>(), times);
        assert!(
            whole
                .iter()
                .all(|m| m.payload.len() == 1000 && m.type_id == TYPE_VIDEO)
        );
        let mut reader = ChunkReader::new();
        let mut one_by_one = Vec::new();
        for byte in bytes {
            reader.extend(&[byte]);
            one_by_one.extend(reader.next_message().unwrap());
        }
        assert_eq!(one_by_one, whole);
    }

    #[test]
    fn interleaved_chunk_streams_are_kept_apart() {
        let mut bytes = vec![4, 0, 0, 1, 0, 0, 200, TYPE_VIDEO, 1, 0, 0, 0];
        bytes.extend([0xAA; 128]);
        bytes.extend([5, 0, 0, 2, 0, 0, 3, TYPE_AUDIO, 1, 0, 0, 0, 1, 2, 3]);
        bytes.push(0xC4);
        bytes.extend([0xBB; 72]);
        let messages = read(&bytes).unwrap();
        assert_eq!(messages.len(), 2);
        assert_eq!(
            (messages[0].type_id, messages[0].payload.len()),
            (TYPE_AUDIO, 3)
        );
        assert_eq!(
            (messages[1].type_id, messages[1].payload.len()),
            (TYPE_VIDEO, 200)
        );
    }

    #[test]
    fn what_breaks_a_limit_is_an_error() {
        let huge = [4, 0, 0, 0, 0xFF, 0xFF, 0xFF, TYPE_VIDEO, 1, 0, 0, 0];
        assert_eq!(
            read(&huge),
            Err(ChunkError::MessageSize(0xFF_FFFF, TYPE_VIDEO))
        );
        let command = [4, 0, 0, 0, 2, 0, 0, 20, 1, 0, 0, 0];
        assert_eq!(read(&command), Err(ChunkError::MessageSize(0x2_0000, 20)));
        assert_eq!(read(&[0xC4]), Err(ChunkError::NoHeader(4)));
        let zero = [
            2,
            0,
            0,
            0,
            0,
            0,
            4,
            TYPE_SET_CHUNK_SIZE,
            0,
            0,
            0,
            0,
            0,
            0,
            0,
            0,
        ];
        assert_eq!(read(&zero), Err(ChunkError::ChunkSize(0)));
        let short = [2, 0, 0, 0, 0, 0, 1, TYPE_SET_CHUNK_SIZE, 0, 0, 0, 0, 9];
        assert_eq!(read(&short), Err(ChunkError::Control(1)));
        let mut streams = Vec::new();
        for csid in 0..=CHUNK_STREAMS_MAX as u8 {
            streams.extend([0, csid, 0, 0, 0, 0, 0, 1, TYPE_AUDIO, 1, 0, 0, 0, 7]);
        }
        assert_eq!(read(&streams), Err(ChunkError::ChunkStreams));
    }

    #[test]
    fn random_bytes_never_panic() {
        let mut state = 0x9E37_79B9_7F4A_7C15_u64;
        for _ in 0..2000 {
            let bytes: Vec<u8> = (0..512)
                .map(|_| {
                    state ^= state << 13;
                    state ^= state >> 7;
                    state ^= state << 17;
                    (state & state >> 8) as u8
                })
                .collect();
            let _outcome = read(&bytes);
        }
    }
}
