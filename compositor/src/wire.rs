//! Framing of the worker protocol: `length: u32 LE`, then a postcard value. Both ends use it; the server's is async.

use std::io::{self, Read, Write};

use bytes::{Buf, BytesMut};
use compositor_core::limits::WORKER_MESSAGE_BYTES_MAX;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

const LENGTH_BYTES: usize = 4;

/// Why a message cannot be exchanged.
#[derive(Debug, thiserror::Error)]
pub enum WireError {
    /// The socket is broken, or closed within a message.
    #[error("the worker socket is broken")]
    Io(#[from] io::Error),
    /// Too large.
    #[error("message of {0} bytes, at most {WORKER_MESSAGE_BYTES_MAX} are allowed")]
    TooLarge(usize),
    /// Not a message of the protocol.
    #[error("message does not parse")]
    Malformed(#[from] postcard::Error),
}

/// Reads messages off an async socket.
#[derive(Debug, Default)]
pub struct Reader {
    buffer: BytesMut,
}

impl Reader {
    /// The next message, or `None` where the peer closed between messages. Cancel-safe.
    pub async fn read<T: DeserializeOwned>(
        &mut self,
        socket: &mut (impl AsyncRead + Unpin),
    ) -> Result<Option<T>, WireError> {
        loop {
            if let Some(length) = self
                .buffer
                .get(..LENGTH_BYTES)
                .map(|mut l| l.get_u32_le() as usize)
            {
                check_length(length)?;
                if self.buffer.len() >= LENGTH_BYTES + length {
                    self.buffer.advance(LENGTH_BYTES);
                    let message = self.buffer.split_to(length);
                    return Ok(Some(postcard::from_bytes(&message)?));
                }
                self.buffer
                    .reserve(LENGTH_BYTES + length - self.buffer.len());
            }
            if socket.read_buf(&mut self.buffer).await? == 0 {
                return if self.buffer.is_empty() {
                    Ok(None)
                } else {
                    Err(io::Error::from(io::ErrorKind::UnexpectedEof).into())
                };
            }
        }
    }
}

/// Writes one message to an async socket.
pub async fn write<T: Serialize>(
    socket: &mut (impl AsyncWrite + Unpin),
    message: &T,
) -> Result<(), WireError> {
    Ok(socket.write_all(&encode(message)?).await?)
}

/// Reads one message; `None` where the peer closed between messages.
pub fn read_blocking<T: DeserializeOwned>(socket: &mut impl Read) -> Result<Option<T>, WireError> {
    let mut length = [0; LENGTH_BYTES];
    if socket.read(&mut length[..1])? == 0 {
        return Ok(None);
    }
    socket.read_exact(&mut length[1..])?;
    let length = u32::from_le_bytes(length) as usize;
    check_length(length)?;
    let mut message = vec![0; length];
    socket.read_exact(&mut message)?;
    Ok(Some(postcard::from_bytes(&message)?))
}

/// Writes one message.
pub fn write_blocking<T: Serialize>(socket: &mut impl Write, message: &T) -> Result<(), WireError> {
    Ok(socket.write_all(&encode(message)?)?)
}

fn encode<T: Serialize>(message: &T) -> Result<Vec<u8>, WireError> {
    let mut bytes = postcard::to_extend(message, vec![0; LENGTH_BYTES])?;
    let length = bytes.len() - LENGTH_BYTES;
    check_length(length)?;
    bytes[..LENGTH_BYTES].copy_from_slice(&(length as u32).to_le_bytes());
    Ok(bytes)
}

fn check_length(length: usize) -> Result<(), WireError> {
    if length > WORKER_MESSAGE_BYTES_MAX {
        return Err(WireError::TooLarge(length));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use compositor_core::worker_protocol::FromWorker;

    use super::*;

    #[tokio::test]
    async fn both_ends_understand_each_other() {
        let message = FromWorker::Audio {
            n: 7,
            data: Bytes::from_static(b"sound"),
        };
        let mut bytes = Vec::new();
        write_blocking(&mut bytes, &message).unwrap();
        write(&mut bytes, &FromWorker::Ended).await.unwrap();

        let mut blocking = bytes.as_slice();
        assert_eq!(read_blocking(&mut blocking).unwrap(), Some(message.clone()));

        let mut socket = bytes.as_slice();
        let mut reader = Reader::default();
        assert_eq!(reader.read(&mut socket).await.unwrap(), Some(message));
        assert_eq!(
            reader.read(&mut socket).await.unwrap(),
            Some(FromWorker::Ended)
        );
        assert_eq!(reader.read::<FromWorker>(&mut socket).await.unwrap(), None);
    }

    #[tokio::test]
    async fn a_torn_message_and_a_huge_one_are_errors() {
        let mut torn: &[u8] = &[9, 0, 0, 0, 1];
        let read = Reader::default().read::<FromWorker>(&mut torn).await;
        assert!(matches!(read, Err(WireError::Io(_))));
        let mut huge: &[u8] = &[0xff; 8];
        let read = Reader::default().read::<FromWorker>(&mut huge).await;
        assert!(matches!(read, Err(WireError::TooLarge(_))));
    }
}
