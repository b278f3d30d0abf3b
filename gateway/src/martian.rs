//! Addresses that no packet is forwarded to or from (RFC 1812 §5.3.7, RFC 4291 §2.5), whatever is asked for.

use core::net::{IpAddr, Ipv6Addr};

/// Of one host, and routed: not 0/8, 127/8, multicast or broadcast; not `::`, `::1`, link-local, multicast or
/// an IPv4 address in disguise. IPv4's link-local addresses some use for pods and their resolvers.
pub(crate) fn is_host(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => {
            let [first, ..] = address.octets();
            first != 0 && first != 127 && !address.is_multicast() && !address.is_broadcast()
        }
        IpAddr::V6(address) => {
            let bits = address.to_bits();
            bits > Ipv6Addr::LOCALHOST.to_bits()
                && !address.is_unicast_link_local()
                && !address.is_multicast()
                && address.to_ipv4_mapped().is_none()
        }
    }
}

/// Of a host beyond the link: not 169.254/16 either, nor 240/4, which nobody has.
pub(crate) fn is_reachable(address: IpAddr) -> bool {
    is_host(address)
        && match address {
            IpAddr::V4(address) => !address.is_link_local() && address.octets()[0] < 240,
            IpAddr::V6(_) => true,
        }
}
