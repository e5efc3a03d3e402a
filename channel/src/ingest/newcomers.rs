//! Connections that have not shown a stream key yet, counted by where they come from, so that nobody takes all places.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;

use parking_lot::Mutex;

use crate::limits::NEWCOMERS_MAX;

/// All of them.
#[derive(Debug, Default)]
pub(super) struct Newcomers(Mutex<HashMap<IpAddr, usize>>);

/// One of them; dropped when its publish request is accepted, or with the connection.
#[derive(Debug)]
pub(super) struct Newcomer {
    all: Arc<Newcomers>,
    network: IpAddr,
}

impl Newcomers {
    /// `None` when there are as many from there as may be.
    pub(super) fn enter(self: &Arc<Self>, peer: IpAddr) -> Option<Newcomer> {
        let network = network_of(peer);
        let mut counts = self.0.lock();
        let count = counts.entry(network).or_default();
        // A proxy on this machine, which adds TLS, brings everybody.
        if *count >= NEWCOMERS_MAX && !network.is_loopback() {
            return None;
        }
        *count += 1;
        let all = Arc::clone(self);
        Some(Newcomer { all, network })
    }
}

impl Drop for Newcomer {
    fn drop(&mut self) {
        let mut counts = self.all.0.lock();
        if let Some(count) = counts.get_mut(&self.network) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&self.network);
            }
        }
    }
}

/// Whoever has one IPv6 address has the 2^64 beside it.
fn network_of(peer: IpAddr) -> IpAddr {
    match peer.to_canonical() {
        IpAddr::V6(address) if !address.is_loopback() => {
            Ipv6Addr::from_bits(address.to_bits() >> 64 << 64).into()
        }
        address => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn enter(all: &Arc<Newcomers>, peer: &str) -> Option<Newcomer> {
        all.enter(peer.parse().unwrap())
    }

    #[test]
    fn a_network_has_only_so_many_places_and_leaves_the_others_alone() {
        let all = Arc::new(Newcomers::default());
        for peer in ["192.0.2.1", "2001:db8::1"] {
            let mut inside: Vec<Newcomer> = (0..NEWCOMERS_MAX)
                .map(|_| enter(&all, peer).expect("there is room"))
                .collect();
            assert!(enter(&all, peer).is_none());
            inside.pop();
            assert!(enter(&all, peer).is_some());
        }
        assert!(all.0.lock().is_empty());
    }

    #[test]
    fn addresses_of_one_ipv6_network_share_its_places() {
        let all = Arc::new(Newcomers::default());
        let _inside: Vec<Newcomer> = (0..NEWCOMERS_MAX)
            .map(|n| enter(&all, &format!("2001:db8::{n:x}")).expect("there is room"))
            .collect();
        assert!(enter(&all, "2001:db8::ffff").is_none());
        assert!(enter(&all, "2001:db8:0:1::1").is_some());
        assert!(enter(&all, "192.0.2.1").is_some());
    }

    #[test]
    fn a_proxy_on_this_machine_may_bring_everybody() {
        let all = Arc::new(Newcomers::default());
        let inside: Option<Vec<Newcomer>> = (0..2 * NEWCOMERS_MAX)
            .map(|_| enter(&all, "127.0.0.1"))
            .collect();
        assert!(inside.is_some());
    }
}
