//! ICE-TCP: connections to the shared listener, given to the peer connection that their first STUN request names.

use std::future::Future;
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Buf, Bytes, BytesMut};
use compositor_core::places::Places;
use parking_lot::Mutex;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Mutex as AsyncMutex, Semaphore, mpsc};
use webrtc::runtime::{AsyncTcpListener, AsyncTcpStream};

use super::path::{CurrentWay, Way};
use super::{Shared, stun};

/// Connections whose first frame has not come yet.
const UNNAMED_MAX: usize = 64;

/// Of these, those of one address: nobody keeps all others out.
const UNNAMED_OF_PEER_MAX: usize = 16;

/// How long the first frame may take.
const FIRST_FRAME_WAIT: Duration = Duration::from_secs(5);

/// Longest first frame: a STUN request.
const FIRST_FRAME_BYTES_MAX: usize = 1_500;

/// What precedes each frame (RFC 4571 section 2).
const FRAME_LENGTH_BYTES: usize = 2;

/// How long a peer may take nothing before its connection is given up.
const WRITE_WAIT: Duration = Duration::from_secs(10);

/// Frames that wait to be written to one connection; then the newest is dropped, as UDP would.
const FRAME_QUEUE: usize = 512;

/// Pause after a failed accept, which is what a process without free descriptors gets.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Accepts for ever.
pub(super) async fn accept(shared: Arc<Shared>, listener: TcpListener) {
    let places = Arc::new(Semaphore::new(UNNAMED_MAX));
    // By address: connections whose first frame has not come yet.
    let unnamed = Arc::new(Places::default());
    loop {
        let (stream, peer) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::debug!(%error, "ICE-TCP accept failed");
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        // Without a free place the connection is dropped at once.
        if let Some(counted) = unnamed.enter(peer.ip(), UNNAMED_OF_PEER_MAX)
            && let Ok(place) = places.clone().try_acquire_owned()
        {
            let shared = shared.clone();
            tokio::spawn(async move {
                let _ = tokio::time::timeout(FIRST_FRAME_WAIT, introduce(shared, stream)).await;
                drop((place, counted));
            });
        }
    }
}

// Reads the first RFC 4571 frame and hands the connection over to whom it names.
async fn introduce(shared: Arc<Shared>, mut stream: TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let peer = stream.peer_addr()?;
    let length = usize::from(stream.read_u16().await?);
    if length > FIRST_FRAME_BYTES_MAX {
        return Err(ErrorKind::InvalidData.into());
    }
    let mut frame = vec![0_u8; length];
    stream.read_exact(&mut frame).await?;
    let route = {
        let routes = shared.routes.lock();
        stun::local_ufrag(&frame)
            .and_then(|ufrag| routes.by_ufrag.get(ufrag))
            .cloned()
    };
    let Some(route) = route else {
        return Err(ErrorKind::NotFound.into());
    };
    let mut seen = BytesMut::with_capacity(2 + length);
    seen.extend_from_slice(&(length as u16).to_be_bytes());
    seen.extend_from_slice(&frame);
    let framed = FramedStream {
        stream,
        peer,
        seen: seen.freeze(),
    };
    route
        .streams
        .try_send(framed)
        .map_err(|_| ErrorKind::ConnectionRefused.into())
}

/// An accepted connection and what was read of it so far.
#[derive(Debug)]
pub(super) struct FramedStream {
    stream: TcpStream,
    peer: SocketAddr,
    seen: Bytes,
}

/// What a peer connection takes for its TCP listener.
#[derive(Debug)]
pub(super) struct VirtualListener {
    pub(super) shared: Arc<Shared>,
    pub(super) way: CurrentWay,
    pub(super) local: SocketAddr,
    pub(super) streams: AsyncMutex<mpsc::Receiver<FramedStream>>,
}

impl AsyncTcpListener for VirtualListener {
    fn accept<'a>(&'a self) -> BoxFuture<'a, io::Result<(Arc<dyn AsyncTcpStream>, SocketAddr)>> {
        Box::pin(async move {
            let Some(framed) = self.streams.lock().await.recv().await else {
                // The share of the port is gone, and with it the peer connection soon.
                return std::future::pending().await;
            };
            let peer = framed.peer;
            let stream = VirtualStream::new(self, framed);
            Ok((Arc::new(stream) as Arc<dyn AsyncTcpStream>, peer))
        })
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.local)
    }
}

#[derive(Debug)]
struct VirtualStream {
    shared: Arc<Shared>,
    way: CurrentWay,
    local: SocketAddr,
    peer: SocketAddr,
    seen: Mutex<Bytes>,
    read: OwnedReadHalf,
    frames: mpsc::Sender<Bytes>,
}

impl VirtualStream {
    fn new(listener: &VirtualListener, framed: FramedStream) -> Self {
        let (read, write) = framed.stream.into_split();
        let (frames, queue) = mpsc::channel(FRAME_QUEUE);
        tokio::spawn(write_frames(queue, write));
        Self {
            shared: listener.shared.clone(),
            way: listener.way.clone(),
            local: listener.local,
            peer: framed.peer,
            seen: Mutex::new(framed.seen),
            read,
            frames,
        }
    }
}

async fn write_frames(mut queue: mpsc::Receiver<Bytes>, mut write: OwnedWriteHalf) {
    while let Some(frame) = queue.recv().await {
        let written = tokio::time::timeout(WRITE_WAIT, write.write_all(&frame));
        if !matches!(written.await, Ok(Ok(()))) {
            return;
        }
    }
}

impl AsyncTcpStream for VirtualStream {
    fn read<'a, 'b>(&'a self, buffer: &'b mut [u8]) -> BoxFuture<'b, io::Result<usize>>
    where
        'a: 'b,
    {
        Box::pin(async move {
            {
                let mut seen = self.seen.lock();
                if !seen.is_empty() {
                    let length = seen.len().min(buffer.len());
                    seen.copy_to_slice(&mut buffer[..length]);
                    return Ok(length);
                }
            }
            loop {
                self.read.readable().await?;
                match self.read.try_read(buffer) {
                    Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                    done => return done,
                }
            }
        })
    }

    fn write_all<'a, 'b>(&'a self, buffer: &'b [u8]) -> BoxFuture<'b, io::Result<()>>
    where
        'a: 'b,
    {
        // One call is one whole frame, its length in front. A connection that cannot keep up loses frames; it must not hold up the driver.
        self.way
            .learn(buffer.get(FRAME_LENGTH_BYTES..).unwrap_or_default(), || {
                Way::Tcp(self.frames.clone())
            });
        if self
            .frames
            .try_send(Bytes::copy_from_slice(buffer))
            .is_err()
        {
            self.shared.counters.drop_datagram();
        }
        Box::pin(std::future::ready(Ok(())))
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.local)
    }

    fn peer_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.peer)
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use super::*;

    #[test]
    fn an_address_with_silent_connections_keeps_no_other_one_out() {
        let unnamed = Arc::new(Places::default());
        let hostile = IpAddr::from([192, 0, 2, 1]);
        let silent: Vec<_> =
            std::iter::from_fn(|| unnamed.enter(hostile, UNNAMED_OF_PEER_MAX)).collect();
        assert_eq!(silent.len(), UNNAMED_OF_PEER_MAX);
        let other = unnamed.enter(IpAddr::from([192, 0, 2, 2]), UNNAMED_OF_PEER_MAX);
        assert!(other.is_some());
        drop(silent);
        assert!(unnamed.enter(hostile, UNNAMED_OF_PEER_MAX).is_some());
        drop(other);
        assert!(unnamed.is_empty());
    }
}
