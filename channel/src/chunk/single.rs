//! Whole messages for rml_rtmp's sessions.

use bytes::{BufMut, Bytes, BytesMut};

use crate::chunk::header::EXTENDED;
use crate::chunk::{Message, TYPE_SET_CHUNK_SIZE};
use crate::limits::CHUNK_BYTES_MAX;

impl Message {
    /// The message as one chunk with a full header, for a reader whose chunk size was raised by [`single_chunks`].
    pub(crate) fn to_single_chunk(&self) -> BytesMut {
        let mut chunk = BytesMut::with_capacity(16 + self.payload.len());
        let extended = self.timestamp >= EXTENDED;
        chunk.put_u8(3);
        chunk.put_uint(
            u64::from(if extended { EXTENDED } else { self.timestamp }),
            3,
        );
        chunk.put_uint(self.payload.len() as u64, 3);
        chunk.put_u8(self.type_id);
        chunk.put_u32_le(self.stream_id);
        if extended {
            chunk.put_u32(self.timestamp);
        }
        chunk.put_slice(&self.payload);
        chunk
    }
}

/// What a reader must be told before it is fed by [`Message::to_single_chunk`].
pub(crate) fn single_chunks() -> BytesMut {
    let payload = Bytes::copy_from_slice(&CHUNK_BYTES_MAX.to_be_bytes());
    Message {
        timestamp: 0,
        type_id: TYPE_SET_CHUNK_SIZE,
        stream_id: 0,
        payload,
    }
    .to_single_chunk()
}

#[cfg(test)]
mod tests {
    use rml_rtmp::chunk_io::ChunkDeserializer;

    use super::*;
    use crate::chunk::TYPE_VIDEO;

    #[test]
    fn rml_reads_messages_as_single_chunks() {
        let mut deserializer = ChunkDeserializer::new();
        assert!(
            deserializer
                .get_next_message(&single_chunks())
                .unwrap()
                .is_some()
        );
        deserializer
            .set_max_chunk_size(CHUNK_BYTES_MAX as usize)
            .unwrap();
        for timestamp in [5, 0xFF_FFFF, u32::MAX] {
            let payload = Bytes::from(vec![7; 100_000]);
            let message = Message {
                timestamp,
                type_id: TYPE_VIDEO,
                stream_id: 1,
                payload,
            };
            let read = deserializer
                .get_next_message(&message.to_single_chunk())
                .unwrap()
                .unwrap();
            assert_eq!(
                (read.timestamp.value, read.data),
                (timestamp, message.payload)
            );
        }
    }
}
