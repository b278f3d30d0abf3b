//! The two addresses of a packet, and those that no router forwards.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::DropReason;
use crate::checksum::Sum;
use crate::packet::{Addresses, Packet};

impl Addresses {
    /// `None` if they are of two families.
    #[inline]
    pub(crate) const fn new(source: IpAddr, destination: IpAddr) -> Option<Self> {
        match (source, destination) {
            (IpAddr::V4(source), IpAddr::V4(destination)) => Some(Self::V4 {
                source,
                destination,
            }),
            (IpAddr::V6(source), IpAddr::V6(destination)) => Some(Self::V6 {
                source,
                destination,
            }),
            (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => None,
        }
    }

    #[inline]
    pub(crate) const fn is_ipv6(&self) -> bool {
        matches!(self, Self::V6 { .. })
    }

    #[inline]
    pub(crate) const fn sum(&self) -> Sum {
        match *self {
            Self::V4 {
                source,
                destination,
            } => Sum::ZERO.ipv4(source).ipv4(destination),
            Self::V6 {
                source,
                destination,
            } => Sum::ZERO.ipv6(source).ipv6(destination),
        }
    }
}

/// RFC 1812 §5.3.7, RFC 7915 §4.1 and §5.1: addresses that are not forwarded, in silence.
#[inline]
pub(super) fn illegal(packet: &Packet) -> Option<DropReason> {
    illegal_source(packet).or_else(|| illegal_destination(packet))
}

pub(super) fn illegal_source(packet: &Packet) -> Option<DropReason> {
    let legal = match packet.addresses {
        Addresses::V4 { source, .. } => is_host_v4(source),
        Addresses::V6 { source, .. } => is_host_v6(source),
    };
    (!legal).then_some(DropReason::IllegalSource)
}

pub(super) fn illegal_destination(packet: &Packet) -> Option<DropReason> {
    let legal = match packet.addresses {
        Addresses::V4 { destination, .. } => is_destination_v4(destination),
        Addresses::V6 { destination, .. } => is_host_v6(destination),
    };
    (!legal).then_some(DropReason::IllegalDestination)
}

/// An address of one host: not 0/8, 127/8, 224/4, 255.255.255.255. 240/4 is left to policy.
#[inline]
pub(super) fn is_host_v4(address: Ipv4Addr) -> bool {
    let [first, ..] = address.octets();
    first != 0 && first != 127 && first >> 4 != 14 && !address.is_broadcast()
}

#[inline]
pub(super) fn is_destination_v4(address: Ipv4Addr) -> bool {
    is_host_v4(address) && !address.is_link_local()
}

/// Not `::`, `::1`, ff00::/8, fe80::/10, ::ffff:0:0/96.
#[inline]
pub(super) fn is_host_v6(address: Ipv6Addr) -> bool {
    let [first, ..] = address.octets();
    // 2000::/3, global unicast, is most of what is seen.
    if first >> 5 == 1 {
        return true;
    }
    let bits = address.to_bits();
    bits > 1 && bits >> 120 != 0xff && bits >> 118 != 0x3fa && bits >> 32 != 0xffff
}
