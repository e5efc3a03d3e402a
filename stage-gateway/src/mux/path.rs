//! Where a peer connection's media goes, for those who send it past the library.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::{BufMut, Bytes, BytesMut};
use parking_lot::Mutex;
use quinn_udp::{Transmit, UdpSockRef};
use tokio::io::Interest;
use tokio::sync::mpsc;

use super::burst::{Burst, Run};
use super::{Shared, stun};

/// How long a burst waits for room in the socket before its rest is dropped: a quarter of a frame.
const ROOM_WAIT: Duration = Duration::from_millis(8);

/// Bursts that are kept for their memory. One is in use for each thread of the runtime, more only while sockets are full.
const BURSTS_KEPT: usize = 8;

/// The other end of a nominated candidate pair.
#[derive(Clone, Debug)]
pub(super) enum Way {
    /// Datagrams to this address.
    Udp(SocketAddr),
    /// Frames (RFC 4571) into this connection's queue.
    Tcp(mpsc::Sender<Bytes>),
}

/// The way that the library uses now. It says nowhere which candidate pair is nominated, but all that it sends besides
/// STUN goes there: DTLS at first, then our sender reports each second.
#[derive(Clone, Debug, Default)]
pub(super) struct CurrentWay(Arc<Mutex<Option<Way>>>);

impl CurrentWay {
    /// Learns from what the library sends.
    pub(super) fn learn(&self, datagram: &[u8], way: impl FnOnce() -> Way) {
        if !stun::is_stun(datagram) {
            *self.0.lock() = Some(way());
        }
    }
}

/// A peer connection's road to its peer.
#[derive(Clone, Debug)]
pub(crate) struct MediaPath {
    pub(super) shared: Arc<Shared>,
    pub(super) way: CurrentWay,
}

impl MediaPath {
    /// An empty burst. Its memory is what was sent last and still in the processor's cache.
    pub(crate) fn burst(&self) -> Burst {
        self.shared.bursts.lock().pop().unwrap_or_default()
    }

    /// Sends a burst, in order. What finds no room within [`ROOM_WAIT`] is dropped and counted.
    pub(crate) async fn send(&self, mut burst: Burst) {
        let way = self.way.0.lock().clone();
        let sent = match way {
            Some(Way::Udp(to)) => self.send_datagrams(&burst, to).await,
            Some(Way::Tcp(frames)) => send_frames(&burst, &frames),
            None => 0,
        };
        self.shared.counters.drop_datagrams(burst.len() - sent);
        burst.clear();
        let mut kept = self.shared.bursts.lock();
        if kept.len() < BURSTS_KEPT {
            kept.push(burst);
        }
    }

    async fn send_datagrams(&self, burst: &Burst, to: SocketAddr) -> usize {
        let sent = self.try_send_from(burst, 0, to);
        if sent == burst.len() {
            return sent;
        }
        let room = tokio::time::timeout(ROOM_WAIT, self.shared.socket.writable());
        match room.await {
            Ok(_) => self.try_send_from(burst, sent, to),
            Err(_) => sent,
        }
    }

    fn try_send_from(&self, burst: &Burst, from: usize, to: SocketAddr) -> usize {
        let Shared {
            socket, offload, ..
        } = self.shared.as_ref();
        let send = |run: Run<'_>| {
            let transmit = Transmit {
                destination: to,
                ecn: None,
                contents: run.bytes,
                segment_size: Some(run.segment),
                src_ip: None,
            };
            socket.try_io(Interest::WRITABLE, || {
                offload.try_send(UdpSockRef::from(socket), &transmit)
            })
        };
        // An unreachable peer is found out by ICE, not by a failed datagram.
        let failed = |error: &_| tracing::debug!(%error, %to, "media not sent");
        burst.send(from, offload.max_gso_segments(), send, failed)
    }
}

fn send_frames(burst: &Burst, frames: &mpsc::Sender<Bytes>) -> usize {
    let mut sent = 0;
    for datagram in burst.datagrams() {
        let Ok(length) = u16::try_from(datagram.len()) else {
            continue;
        };
        let mut frame = BytesMut::with_capacity(2 + datagram.len());
        frame.put_u16(length);
        frame.put_slice(datagram);
        sent += usize::from(frames.try_send(frame.freeze()).is_ok());
    }
    sent
}
