//! The runtime that a peer connection runs on: tokio, but its sockets are shares of the one port.

use std::future::Future;
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::{Mutex as AsyncMutex, mpsc};
use webrtc::runtime::{
    AsyncInterval, AsyncTcpListener, AsyncTcpStream, AsyncUdpSocket, JoinHandle, Runtime,
    TokioRuntime,
};

use super::flight::Flight;
use super::path::CurrentWay;
use super::tcp::{FramedStream, VirtualListener};
use super::udp::VirtualSocket;
use super::{Datagram, Shared};

/// Gives one peer connection its share of the port.
#[derive(Debug)]
pub(crate) struct MuxRuntime {
    shared: Arc<Shared>,
    way: CurrentWay,
    datagrams: Mutex<Option<mpsc::Receiver<Datagram>>>,
    streams: Mutex<Option<mpsc::Receiver<FramedStream>>>,
}

impl MuxRuntime {
    pub(super) fn new(
        shared: Arc<Shared>,
        way: CurrentWay,
        datagrams: mpsc::Receiver<Datagram>,
        streams: mpsc::Receiver<FramedStream>,
    ) -> Self {
        let (datagrams, streams) = (Mutex::new(Some(datagrams)), Mutex::new(Some(streams)));
        Self {
            shared,
            way,
            datagrams,
            streams,
        }
    }
}

impl Runtime for MuxRuntime {
    fn spawn(&self, future: Pin<Box<dyn Future<Output = ()> + Send>>) -> Box<dyn JoinHandle> {
        TokioRuntime.spawn(future)
    }

    // The peer connection binds a placeholder. Its address stays as the local candidate inside, the socket goes.
    fn wrap_udp_socket(
        &self,
        placeholder: std::net::UdpSocket,
    ) -> io::Result<Arc<dyn AsyncUdpSocket>> {
        let datagrams = self.datagrams.lock().take().ok_or(ErrorKind::AddrInUse)?;
        let flight = Flight::default();
        tokio::spawn(flight.clone().keep_up(self.shared.clone()));
        Ok(Arc::new(VirtualSocket {
            shared: self.shared.clone(),
            way: self.way.clone(),
            flight,
            local: placeholder.local_addr()?,
            datagrams: Mutex::new(datagrams),
        }))
    }

    fn wrap_tcp_listener(
        &self,
        placeholder: std::net::TcpListener,
    ) -> io::Result<Arc<dyn AsyncTcpListener>> {
        let streams = self.streams.lock().take().ok_or(ErrorKind::AddrInUse)?;
        Ok(Arc::new(VirtualListener {
            shared: self.shared.clone(),
            way: self.way.clone(),
            local: placeholder.local_addr()?,
            streams: AsyncMutex::new(streams),
        }))
    }

    // An ICE-lite agent is called and never calls; what an offer names must not make the server connect anywhere.
    fn connect_tcp<'a>(
        &'a self,
        _remote: SocketAddr,
    ) -> Pin<Box<dyn Future<Output = io::Result<Arc<dyn AsyncTcpStream>>> + Send + 'a>> {
        Box::pin(std::future::ready(Err(ErrorKind::PermissionDenied.into())))
    }

    fn resolve_host<'a>(
        &'a self,
        _host: &'a str,
    ) -> Pin<Box<dyn Future<Output = io::Result<Vec<SocketAddr>>> + Send + 'a>> {
        Box::pin(std::future::ready(Err(ErrorKind::PermissionDenied.into())))
    }

    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Future<Output = ()> + Send + 'static>> {
        TokioRuntime.sleep(duration)
    }

    fn interval(&self, period: Duration) -> Box<dyn AsyncInterval> {
        TokioRuntime.interval(period)
    }

    fn block_on(&self, future: Pin<Box<dyn Future<Output = ()> + '_>>) {
        TokioRuntime.block_on(future);
    }

    fn yield_now(&self) -> Pin<Box<dyn Future<Output = ()> + Send + 'static>> {
        TokioRuntime.yield_now()
    }

    fn name(&self) -> &'static str {
        "tokio, one port"
    }
}
