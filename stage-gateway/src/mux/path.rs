//! Where a peer connection's media goes, for those who send it past the library.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::{BufMut, Bytes, BytesMut};
use parking_lot::Mutex;
use quinn_udp::{Transmit, UdpSockRef};
use tokio::io::Interest;
use tokio::sync::mpsc;
use tokio::time::Instant;

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
        let deadline = Instant::now() + ROOM_WAIT;
        let mut sent = self.try_send_from(burst, 0, to);
        // Room is for whoever comes first of those who wait.
        while sent < burst.len() {
            let room = tokio::time::timeout_at(deadline, self.shared.socket.writable());
            if room.await.is_err() {
                break;
            }
            sent = self.try_send_from(burst, sent, to);
        }
        sent
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

#[cfg(test)]
mod tests {
    use tokio::net::UdpSocket;

    use super::super::Mux;
    use super::*;
    use crate::counters::Counters;

    /// A port, and what it counts.
    async fn mux() -> (Mux, Arc<Counters>) {
        let counters = Arc::new(Counters::default());
        let listen = SocketAddr::from(([127, 0, 0, 1], 0));
        let mux = Mux::bind(listen, None, counters.clone()).await.unwrap();
        (mux, counters)
    }

    fn fill(path: &MediaPath, sizes: &[usize]) -> Burst {
        let mut burst = path.burst();
        for (index, size) in sizes.iter().enumerate() {
            let write = |bytes: &mut Vec<u8>| {
                bytes.resize(bytes.len() + size, index as u8);
                Ok::<_, ()>(())
            };
            burst.push(write).unwrap();
        }
        burst
    }

    #[tokio::test]
    async fn a_burst_arrives_whole_and_in_order_where_dtls_went() {
        let (mux, counters) = mux().await;
        let (port, _runtime) = mux.open();
        let peer = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let to = peer.local_addr().unwrap();
        let elsewhere = SocketAddr::from(([127, 0, 0, 1], 9));
        port.way.learn(&[22, 254, 253], || Way::Udp(to));
        port.way.learn(&[0, 1, 0, 0], || Way::Udp(elsewhere));
        let path = port.media_path();
        let sizes = [1_200, 1_200, 700, 40, 1_200];
        path.send(fill(&path, &sizes)).await;
        for (index, size) in sizes.into_iter().enumerate() {
            let mut datagram = [0; 2_000];
            let length = peer.recv(&mut datagram).await.unwrap();
            assert_eq!(datagram[..length], vec![index as u8; size]);
        }
        assert_eq!(counters.drops().datagrams, 0);
    }

    #[tokio::test]
    async fn what_has_no_way_or_no_room_is_counted() {
        let (mux, counters) = mux().await;
        let (port, _runtime) = mux.open();
        let path = port.media_path();
        path.send(fill(&path, &[10, 10])).await;
        assert_eq!(counters.drops().datagrams, 2);
        let (frames, mut queue) = mpsc::channel(1);
        port.way.learn(&[128, 200], || Way::Tcp(frames));
        path.send(fill(&path, &[3, 4, 5])).await;
        assert_eq!(counters.drops().datagrams, 4);
        assert_eq!(queue.recv().await.unwrap()[..], [0, 3, 0, 0, 0]);
    }
}
