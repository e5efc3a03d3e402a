//! How many connections each peer has.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use compositor_core::places::{Place, Places, network_of};

/// Counts them.
#[derive(Debug)]
pub(super) struct Peers {
    max: usize,
    places: Arc<Places>,
}

impl Peers {
    pub(super) fn new(max: usize) -> Self {
        Self {
            max,
            places: Arc::default(),
        }
    }

    /// A place, unless the peer has as many as it may have. A proxy on this machine brings everybody.
    pub(super) fn enter(&self, peer: IpAddr) -> Option<Place> {
        let is_proxy = peer == Ipv4Addr::LOCALHOST || peer == Ipv6Addr::LOCALHOST;
        let max = if is_proxy { usize::MAX } else { self.max };
        self.places.enter(network_of(peer), max)
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
        assert!(!peers.places.knows(ip("192.0.2.1")));
    }
}
