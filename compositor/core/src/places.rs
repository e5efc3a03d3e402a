//! Places that are counted by where somebody comes from, so that nobody takes them all.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;

use parking_lot::Mutex;

/// How many places each address, or network, has taken.
#[derive(Debug, Default)]
pub struct Places(Mutex<HashMap<IpAddr, usize>>);

/// One of them, until it is dropped.
#[derive(Debug)]
pub struct Place {
    all: Arc<Places>,
    of: IpAddr,
}

impl Places {
    /// One for `of`, unless it has `max` already.
    pub fn enter(self: &Arc<Self>, of: IpAddr, max: usize) -> Option<Place> {
        let mut taken = self.0.lock();
        let count = taken.entry(of).or_default();
        if *count >= max {
            return None;
        }
        *count += 1;
        let all = Arc::clone(self);
        Some(Place { all, of })
    }

    /// Whether `of` has any.
    pub fn knows(&self, of: IpAddr) -> bool {
        self.0.lock().contains_key(&of)
    }

    /// Whether nobody has any.
    pub fn is_empty(&self) -> bool {
        self.0.lock().is_empty()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.all.0.lock();
        if let Some(count) = taken.get_mut(&self.of) {
            *count -= 1;
            if *count == 0 {
                taken.remove(&self.of);
            }
        }
    }
}

/// Whoever has one IPv6 address has the 2^64 beside it.
pub fn network_of(peer: IpAddr) -> IpAddr {
    match peer.to_canonical() {
        IpAddr::V6(address) if !address.is_loopback() => {
            Ipv6Addr::from_bits(address.to_bits() >> 64 << 64).into()
        }
        address => address,
    }
}
