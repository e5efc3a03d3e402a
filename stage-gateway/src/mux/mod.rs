//! One UDP port, and one TCP port of the same number, for all peers.
//!
//! Each peer connection believes to own a socket; in truth datagrams are given out by the ICE user name fragment of the
//! first STUN request from an address, and by that address from then on. A full queue drops the newest datagram, as a
//! full socket would.

mod burst;
mod candidates;
mod flight;
mod kind;
mod path;
mod runtime;
pub(crate) mod stun;
mod tcp;
mod udp;

use std::collections::{HashMap, VecDeque};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use bytes::Bytes;
use parking_lot::Mutex;
use tokio::net::{TcpListener, UdpSocket};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use burst::Burst;
use path::CurrentWay;
pub(crate) use path::MediaPath;
use quinn_udp::{UdpSockRef, UdpSocketState};
pub(crate) use runtime::MuxRuntime;
use tcp::FramedStream;

use crate::counters::Counters;
use crate::error::StartError;

/// Datagrams that wait for one peer connection: 100 ms at 40 Mb/s.
const DATAGRAM_QUEUE: usize = 512;

/// TCP connections that wait for one peer connection.
const STREAM_QUEUE: usize = 4;

/// Remote addresses that one peer connection may use at once; candidates of a machine with many interfaces.
const ADDRESSES_PER_PORT_MAX: usize = 16;

/// Attempts to find a port number that is free for UDP and TCP both, when any may be taken.
const BIND_ATTEMPTS: usize = 32;

type Datagram = (Bytes, SocketAddr);

/// The shared port.
#[derive(Debug)]
pub(crate) struct Mux {
    shared: Arc<Shared>,
    local: SocketAddr,
    addresses: Vec<IpAddr>,
    tasks: [JoinHandle<()>; 2],
}

#[derive(Debug)]
struct Shared {
    socket: UdpSocket,
    offload: UdpSocketState,
    routes: Mutex<Routes>,
    bursts: Mutex<Vec<Burst>>,
    counters: Arc<Counters>,
}

#[derive(Debug, Default)]
struct Routes {
    next_id: u64,
    by_ufrag: HashMap<String, Route>,
    by_address: HashMap<SocketAddr, Route>,
    addresses_of: HashMap<u64, VecDeque<SocketAddr>>,
}

/// Where a peer connection's datagrams and streams go.
#[derive(Clone, Debug)]
struct Route {
    id: u64,
    datagrams: mpsc::Sender<Datagram>,
    streams: mpsc::Sender<FramedStream>,
}

impl Mux {
    /// Binds the port. With port 0 a number is taken that is free for both protocols.
    pub(crate) async fn bind(
        listen: SocketAddr,
        advertised: Option<IpAddr>,
        counters: Arc<Counters>,
    ) -> Result<Self, StartError> {
        let (socket, listener) = bind_both(listen).await.map_err(|source| StartError::Bind {
            address: listen,
            source,
        })?;
        let local = socket.local_addr().map_err(|source| StartError::Bind {
            address: listen,
            source,
        })?;
        let offload =
            UdpSocketState::new(UdpSockRef::from(&socket)).map_err(|source| StartError::Bind {
                address: listen,
                source,
            })?;
        let addresses = candidates::addresses(local.ip(), advertised)
            .map_err(|source| StartError::Interfaces { source })?;
        let shared = Arc::new(Shared {
            socket,
            offload,
            routes: Mutex::default(),
            bursts: Mutex::default(),
            counters,
        });
        let tasks = [
            tokio::spawn(udp::receive(shared.clone())),
            tokio::spawn(tcp::accept(shared.clone(), listener)),
        ];
        Ok(Self {
            shared,
            local,
            addresses,
            tasks,
        })
    }

    /// The bound address.
    pub(crate) fn local_addr(&self) -> SocketAddr {
        self.local
    }

    /// `a=candidate` values (without `a=`) under which every peer connection is reached.
    pub(crate) fn candidate_lines(&self) -> Vec<String> {
        candidates::lines(&self.addresses, self.local.port())
    }

    /// A place for one peer connection; it hears nothing until [`PeerPort::listen_for`].
    pub(crate) fn open(&self) -> (PeerPort, MuxRuntime) {
        let (datagrams, datagram_rx) = mpsc::channel(DATAGRAM_QUEUE);
        let (streams, stream_rx) = mpsc::channel(STREAM_QUEUE);
        let id = {
            let mut routes = self.shared.routes.lock();
            routes.next_id += 1;
            routes.next_id
        };
        let port = PeerPort {
            shared: self.shared.clone(),
            route: Route {
                id,
                datagrams,
                streams,
            },
            way: CurrentWay::default(),
            v6: self.local.is_ipv6(),
        };
        let runtime = MuxRuntime::new(
            self.shared.clone(),
            port.way.clone(),
            datagram_rx,
            stream_rx,
        );
        (port, runtime)
    }
}

impl Drop for Mux {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

/// One peer connection's share of the port; dropping it gives the share up.
#[derive(Debug)]
pub(crate) struct PeerPort {
    shared: Arc<Shared>,
    route: Route,
    way: CurrentWay,
    v6: bool,
}

impl PeerPort {
    /// Routes STUN requests for `ufrag` here, beside those routed already.
    pub(crate) fn listen_for(&self, ufrag: &str) {
        self.shared
            .routes
            .lock()
            .by_ufrag
            .insert(ufrag.to_owned(), self.route.clone());
    }

    /// What the peer connection is to bind; the socket is replaced by a share of the port.
    pub(crate) fn placeholder_address(&self) -> &'static str {
        if self.v6 { "[::1]:0" } else { "127.0.0.1:0" }
    }

    /// For media that is sent past the peer connection.
    pub(crate) fn media_path(&self) -> MediaPath {
        MediaPath {
            shared: self.shared.clone(),
            way: self.way.clone(),
        }
    }

    /// Waits until the peer connection has let go of its share, which means that its driver ended.
    pub(crate) async fn abandoned(&self) {
        self.route.datagrams.closed().await;
    }
}

impl Drop for PeerPort {
    fn drop(&mut self) {
        let id = self.route.id;
        let mut routes = self.shared.routes.lock();
        routes.by_ufrag.retain(|_, route| route.id != id);
        for address in routes.addresses_of.remove(&id).unwrap_or_default() {
            if routes
                .by_address
                .get(&address)
                .is_some_and(|route| route.id == id)
            {
                routes.by_address.remove(&address);
            }
        }
    }
}

impl Routes {
    /// Whose datagram this is. A STUN request moves its source address to the peer connection that it names.
    fn find(&mut self, datagram: &[u8], from: SocketAddr) -> Option<Route> {
        let named = stun::local_ufrag(datagram).and_then(|ufrag| self.by_ufrag.get(ufrag));
        let Some(route) = named.cloned() else {
            return self.by_address.get(&from).cloned();
        };
        let known = self
            .by_address
            .get(&from)
            .is_some_and(|owner| owner.id == route.id);
        if !known {
            self.by_address.insert(from, route.clone());
            let addresses = self.addresses_of.entry(route.id).or_default();
            addresses.push_back(from);
            if addresses.len() > ADDRESSES_PER_PORT_MAX
                && let Some(oldest) = addresses.pop_front()
                && self
                    .by_address
                    .get(&oldest)
                    .is_some_and(|owner| owner.id == route.id)
            {
                self.by_address.remove(&oldest);
            }
        }
        Some(route)
    }
}

async fn bind_both(listen: SocketAddr) -> io::Result<(UdpSocket, TcpListener)> {
    let mut attempt = 0;
    loop {
        attempt += 1;
        let socket = UdpSocket::bind(listen).await?;
        match TcpListener::bind(socket.local_addr()?).await {
            Ok(listener) => return Ok((socket, listener)),
            Err(error) if listen.port() != 0 || attempt == BIND_ATTEMPTS => return Err(error),
            Err(_) => {}
        }
    }
}
