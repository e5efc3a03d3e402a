//! Connections that have not shown a stream key yet, counted by where they come from, so that nobody takes all places.

use std::net::IpAddr;
use std::sync::Arc;

use compositor_core::places::{Place, Places, network_of};

use crate::limits::NEWCOMERS_MAX;

/// All of them.
#[derive(Debug, Default)]
pub(super) struct Newcomers(Arc<Places>);

/// One of them; dropped when its publish request is accepted, or with the connection.
pub(super) type Newcomer = Place;

impl Newcomers {
    /// `None` when there are as many from there as may be.
    pub(super) fn enter(&self, peer: IpAddr) -> Option<Newcomer> {
        let network = network_of(peer);
        // A proxy on this machine, which adds TLS, brings everybody.
        let max = if network.is_loopback() {
            usize::MAX
        } else {
            NEWCOMERS_MAX
        };
        self.0.enter(network, max)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn enter(all: &Newcomers, peer: &str) -> Option<Newcomer> {
        all.enter(peer.parse().unwrap())
    }

    #[test]
    fn a_network_has_only_so_many_places_and_leaves_the_others_alone() {
        let all = Newcomers::default();
        for peer in ["192.0.2.1", "2001:db8::1"] {
            let mut inside: Vec<Newcomer> = (0..NEWCOMERS_MAX)
                .map(|_| enter(&all, peer).expect("there is room"))
                .collect();
            assert!(enter(&all, peer).is_none());
            inside.pop();
            assert!(enter(&all, peer).is_some());
        }
        assert!(all.0.is_empty());
    }

    #[test]
    fn addresses_of_one_ipv6_network_share_its_places() {
        let all = Newcomers::default();
        let _inside: Vec<Newcomer> = (0..NEWCOMERS_MAX)
            .map(|n| enter(&all, &format!("2001:db8::{n:x}")).expect("there is room"))
            .collect();
        assert!(enter(&all, "2001:db8::ffff").is_none());
        assert!(enter(&all, "2001:db8:0:1::1").is_some());
        assert!(enter(&all, "192.0.2.1").is_some());
    }

    #[test]
    fn a_proxy_on_this_machine_may_bring_everybody() {
        let all = Newcomers::default();
        let inside: Option<Vec<Newcomer>> = (0..2 * NEWCOMERS_MAX)
            .map(|_| enter(&all, "127.0.0.1"))
            .collect();
        assert!(inside.is_some());
    }
}
