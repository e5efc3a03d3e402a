//! Under which addresses peers reach the port, as ICE candidates.

use std::io;
use std::net::IpAddr;

use rtc::shared::ifaces::ifaces;

/// The addresses to tell: the advertised one first, then the bound one, or for a wildcard all of the machine's.
pub(super) fn addresses(bound: IpAddr, advertised: Option<IpAddr>) -> io::Result<Vec<IpAddr>> {
    let mut addresses: Vec<IpAddr> = advertised.into_iter().collect();
    if bound.is_unspecified() {
        for interface in ifaces()? {
            if let Some(address) = interface.addr
                && (bound.is_ipv6() || address.is_ipv4())
            {
                addresses.push(address.ip());
            }
        }
    } else {
        addresses.push(bound);
    }
    let mut kept: Vec<IpAddr> = Vec::with_capacity(addresses.len());
    for address in addresses {
        if is_tellable(address) && !kept.contains(&address) {
            kept.push(address);
        }
    }
    Ok(kept)
}

// An IPv6 link-local address means nothing without its zone, which a candidate cannot carry.
fn is_tellable(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => !address.is_unspecified(),
        IpAddr::V6(address) => !address.is_unspecified() && !address.is_unicast_link_local(),
    }
}

/// One UDP and one passive TCP host candidate for each address (RFC 8839 section 5.1, RFC 6544 section 4.5).
pub(super) fn lines(addresses: &[IpAddr], port: u16) -> Vec<String> {
    let mut lines = Vec::with_capacity(2 * addresses.len());
    for (index, address) in addresses.iter().enumerate() {
        let preference = 65_535 - u32::try_from(index).unwrap_or(u32::MAX).min(65_535);
        let udp = priority(126, preference);
        lines.push(format!(
            "candidate:{} 1 udp {udp} {address} {port} typ host",
            index + 1
        ));
    }
    for (index, address) in addresses.iter().enumerate() {
        let preference = 65_535 - u32::try_from(index).unwrap_or(u32::MAX).min(65_535);
        let tcp = priority(90, preference);
        let foundation = addresses.len() + index + 1;
        lines.push(format!(
            "candidate:{foundation} 1 tcp {tcp} {address} {port} typ host tcptype passive"
        ));
    }
    lines
}

// RFC 8445 section 5.1.2.1, component 1.
fn priority(kind: u32, preference: u32) -> u32 {
    (kind << 24) | (preference << 8) | 255
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bound_address_gives_one_udp_and_one_tcp_candidate() {
        let bound: IpAddr = "127.0.0.1".parse().unwrap();
        let lines = lines(&addresses(bound, None).unwrap(), 8189);
        assert_eq!(
            lines,
            [
                "candidate:1 1 udp 2130706431 127.0.0.1 8189 typ host",
                "candidate:2 1 tcp 1526726655 127.0.0.1 8189 typ host tcptype passive",
            ]
        );
    }

    #[test]
    fn the_advertised_address_comes_first_and_nothing_comes_twice() {
        let bound: IpAddr = "10.0.0.5".parse().unwrap();
        let public: IpAddr = "203.0.113.9".parse().unwrap();
        assert_eq!(addresses(bound, Some(public)).unwrap(), [public, bound]);
        assert_eq!(addresses(bound, Some(bound)).unwrap(), [bound]);
    }

    #[test]
    fn a_wildcard_tells_every_interface() {
        let all = addresses("0.0.0.0".parse().unwrap(), None).unwrap();
        assert!(all.contains(&"127.0.0.1".parse().unwrap()));
        assert!(all.iter().all(IpAddr::is_ipv4));
    }
}
