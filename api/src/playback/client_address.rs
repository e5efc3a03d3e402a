//! Where a request comes from: the peer, or what trusted proxies say of it.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use axum::extract::{ConnectInfo, Request, State};
use axum::middleware::Next;
use axum::response::Response;
use channel::ClientAddress;
use http::HeaderMap;
use ipnet::IpNet;

/// Each proxy appends the address that it was called from.
const FORWARDED_FOR: &str = "x-forwarded-for";

/// The networks whose X-Forwarded-For is believed.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct TrustedProxies(Arc<[IpNet]>);

impl TrustedProxies {
    /// From networks and single addresses.
    pub fn new(networks: impl IntoIterator<Item = IpNet>) -> Self {
        Self(networks.into_iter().collect())
    }

    fn trust(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.0.iter().any(|network| network.contains(&address))
    }

    /// The last address of the chain that is not a trusted proxy. What stands before it may be invented by the client.
    /// An entry that cannot be read ends the chain.
    fn client_of(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        let values = headers.get_all(FORWARDED_FOR).iter();
        let lists: Vec<&str> = values.map(|value| value.to_str().unwrap_or("")).collect();
        let mut client = peer.to_canonical();
        for entry in lists.iter().rev().flat_map(|list| list.rsplit(',')) {
            if !self.trust(client) {
                break;
            }
            match address(entry.trim()) {
                Some(before) => client = before.to_canonical(),
                None => break,
            }
        }
        client
    }
}

/// An address, also with a port or in brackets.
fn address(entry: &str) -> Option<IpAddr> {
    let with_port = || entry.parse::<SocketAddr>().ok().map(|address| address.ip());
    let bare = entry.trim_start_matches('[').trim_end_matches(']');
    bare.parse().ok().or_else(with_port)
}

/// Middleware that gives each request its [`ClientAddress`].
pub async fn tell_client_address(
    State(proxies): State<TrustedProxies>,
    mut request: Request,
    next: Next,
) -> Response {
    let peer = request.extensions().get::<ConnectInfo<SocketAddr>>();
    if let Some(ConnectInfo(peer)) = peer {
        let client = proxies.client_of(peer.ip(), request.headers());
        request.extensions_mut().insert(ClientAddress(client));
    }
    next.run(request).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(peer: &str, forwarded: &[&'static str], client: &str) {
        let networks = ["10.0.0.0/8", "2001:db8::/32"].map(|text| text.parse().unwrap());
        let proxies = TrustedProxies::new(networks);
        let mut headers = HeaderMap::new();
        for value in forwarded {
            headers.append(FORWARDED_FOR, value.parse().unwrap());
        }
        let found = proxies.client_of(peer.parse().unwrap(), &headers);
        assert_eq!(found, client.parse::<IpAddr>().unwrap(), "{forwarded:?}");
    }

    #[test]
    fn stranger_is_itself_whatever_it_says() {
        check("192.0.2.1", &["203.0.113.9"], "192.0.2.1");
        check("::ffff:192.0.2.1", &[], "192.0.2.1");
    }

    #[test]
    fn proxy_tells_the_last_address_that_is_not_a_proxy() {
        check("10.0.0.1", &["203.0.113.9"], "203.0.113.9");
        check(
            "10.0.0.1",
            &["1.2.3.4, 203.0.113.9, 10.0.0.2"],
            "203.0.113.9",
        );
        check("10.0.0.1", &["1.2.3.4", "203.0.113.9"], "203.0.113.9");
        check("10.0.0.1", &["203.0.113.9:4711"], "203.0.113.9");
        check("2001:db8::1", &["[2a00::1]:80"], "2a00::1");
        check("10.0.0.1", &["[2a00::1]"], "2a00::1");
    }

    #[test]
    fn chain_ends_where_it_cannot_be_read() {
        check("10.0.0.1", &["203.0.113.9, unknown"], "10.0.0.1");
        check("10.0.0.1", &["203.0.113.9, _hidden, 10.0.0.2"], "10.0.0.2");
        check("10.0.0.1", &[], "10.0.0.1");
    }
}
