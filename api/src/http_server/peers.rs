//! How many connections each peer has.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use parking_lot::Mutex;

/// What one customer of a provider has: in IPv6 everything below 64 bits is their own choice.
const V6_PREFIX: u128 = u128::MAX << 64;

/// Counts; clones are the same count.
#[derive(Clone, Debug)]
pub(super) struct Peers {
    max: usize,
    connections: Arc<Mutex<HashMap<IpAddr, usize>>>,
}

/// A connection that counts until it is dropped.
#[derive(Debug)]
pub(super) struct Place {
    peers: Peers,
    of: IpAddr,
}

impl Peers {
    pub(super) fn new(max: usize) -> Self {
        Self {
            max,
            connections: Arc::default(),
        }
    }

    /// A place, unless the peer has as many as it may have. A proxy on this machine brings everybody.
    pub(super) fn enter(&self, peer: IpAddr) -> Option<Place> {
        let of = match peer {
            IpAddr::V4(_) => peer,
            IpAddr::V6(address) => match address.to_ipv4_mapped() {
                Some(address) => address.into(),
                None => Ipv6Addr::from_bits(address.to_bits() & V6_PREFIX).into(),
            },
        };
        let is_proxy = peer == Ipv4Addr::LOCALHOST || peer == Ipv6Addr::LOCALHOST;
        let mut connections = self.connections.lock();
        let count = connections.entry(of).or_default();
        if *count >= self.max && !is_proxy {
            return None;
        }
        *count += 1;
        let peers = self.clone();
        Some(Place { peers, of })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut connections = self.peers.connections.lock();
        let Some(count) = connections.get_mut(&self.of) else {
            return;
        };
        *count -= 1;
        if *count == 0 {
            connections.remove(&self.of);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_peer_has_so_many_places_and_others_have_their_own() {
        let peers = Peers::new(2);
        let ip = |text: &str| text.parse::<IpAddr>().unwrap();
        let places = ["192.0.2.1", "::ffff:192.0.2.1"].map(|peer| peers.enter(ip(peer)).unwrap());
        assert!(peers.enter(ip("192.0.2.1")).is_none());
        peers.enter(ip("192.0.2.2")).unwrap();
        let _neighbours = ["2001:db8::1", "2001:db8::2"].map(|peer| peers.enter(ip(peer)).unwrap());
        assert!(peers.enter(ip("2001:db8::3")).is_none());
        peers.enter(ip("2001:db8:0:1::1")).unwrap();
        let _everybody = [(); 3].map(|()| peers.enter(ip("127.0.0.1")).unwrap());
        drop(places);
        assert!(!peers.connections.lock().contains_key(&ip("192.0.2.1")));
    }
}
