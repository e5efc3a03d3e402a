//! Datagrams: from the shared socket to the peer connections, and from them to the shared socket.

use std::io::{self, ErrorKind, IoSliceMut};
use std::net::SocketAddr;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use parking_lot::Mutex;
use quinn_udp::UdpSockRef;
use tokio::io::Interest;
use tokio::sync::mpsc;
use webrtc::runtime::{AsyncUdpSocket, RecvMeta, Transmit};

use super::flight::Flight;
use super::path::{CurrentWay, Way};
use super::{Datagram, Shared};

/// Messages taken from the socket by one call, each of which may be several datagrams from one address.
const MESSAGES_MAX: usize = 16;

/// Largest message: what the kernel joins at most (UDP_GRO).
const MESSAGE_BYTES_MAX: usize = 65_536;

/// Reads the shared socket for ever.
pub(super) async fn receive(shared: Arc<Shared>) {
    let mut buffers: [_; MESSAGES_MAX] = std::array::from_fn(|_| vec![0_u8; MESSAGE_BYTES_MAX]);
    let mut meta = [quinn_udp::RecvMeta::default(); MESSAGES_MAX];
    loop {
        let Shared {
            socket, offload, ..
        } = shared.as_ref();
        let mut slices = buffers.each_mut().map(|buffer| IoSliceMut::new(buffer));
        let read = socket.async_io(Interest::READABLE, || {
            offload.recv(UdpSockRef::from(socket), &mut slices, &mut meta)
        });
        match read.await {
            Ok(count) => {
                for (buffer, meta) in buffers.iter().zip(&meta).take(count) {
                    let message = buffer.get(..meta.len).unwrap_or_default();
                    for datagram in message.chunks(meta.stride.max(1)) {
                        shared.deliver(datagram, meta.addr);
                    }
                }
            }
            // ICMP errors of single peers surface here (Linux: ECONNREFUSED); they say nothing about the socket.
            Err(error) => tracing::debug!(%error, "WebRTC socket read failed"),
        }
    }
}

impl Shared {
    fn deliver(&self, datagram: &[u8], from: SocketAddr) {
        if datagram.is_empty() {
            return;
        }
        let Some(route) = self.routes.lock().find(datagram, from) else {
            return;
        };
        if route
            .datagrams
            .try_send((Bytes::copy_from_slice(datagram), from))
            .is_err()
        {
            self.counters.drop_datagram();
        }
    }
}

/// What a peer connection takes for its UDP socket.
#[derive(Debug)]
pub(super) struct VirtualSocket {
    pub(super) shared: Arc<Shared>,
    pub(super) way: CurrentWay,
    pub(super) flight: Flight,
    pub(super) local: SocketAddr,
    pub(super) datagrams: Mutex<mpsc::Receiver<Datagram>>,
}

impl AsyncUdpSocket for VirtualSocket {
    fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.local)
    }

    fn poll_send(&self, _cx: &mut Context<'_>, transmit: &Transmit<'_>) -> Poll<io::Result<usize>> {
        self.way
            .learn(transmit.contents, || Way::Udp(transmit.destination));
        self.flight.sent(transmit.contents, transmit.destination);
        // The socket keeps one waker, and many peer connections share it: a full socket drops, nobody waits.
        match self
            .shared
            .socket
            .try_send_to(transmit.contents, transmit.destination)
        {
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                self.shared.counters.drop_datagram();
            }
            // An unreachable peer is found out by ICE, not by one failed datagram.
            Err(error) => tracing::debug!(%error, to = %transmit.destination, "datagram not sent"),
        }
        Poll::Ready(Ok(transmit.contents.len()))
    }

    fn poll_recv(
        &self,
        cx: &mut Context<'_>,
        buffers: &mut [IoSliceMut<'_>],
        meta: &mut [RecvMeta],
    ) -> Poll<io::Result<usize>> {
        let Some((datagram, from)) = ready!(self.datagrams.lock().poll_recv(cx)) else {
            return Poll::Ready(Err(ErrorKind::BrokenPipe.into()));
        };
        self.flight.received(&datagram);
        let length = datagram.len().min(buffers[0].len());
        buffers[0][..length].copy_from_slice(&datagram[..length]);
        meta[0] = RecvMeta::default();
        meta[0].addr = from;
        meta[0].len = length;
        meta[0].stride = length.max(1);
        Poll::Ready(Ok(1))
    }
}
