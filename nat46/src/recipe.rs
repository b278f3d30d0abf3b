//! What an established flow needs of each packet, computed once.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::Rewrite;
use crate::packet::{Addresses, Packet};
use crate::translate::plain;

/// The translation of one direction of a flow: plain data of at most 64 bytes.
///
/// It belongs to packets with the addresses and ports of the packet that it was made from: whoever
/// keeps it looks them up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(C)]
pub struct Recipe {
    /// New addresses as they stand in the header, source first; IPv4 takes the first eight bytes.
    addresses: [u8; 32],
    /// New ports as they stand in the transport header, source first.
    pub(crate) ports: [u8; 4],
    /// What the transport checksum's sum grows by, addresses and ports, as it would stand in a header.
    pub(crate) delta: u16,
    /// Of the sum of a new IPv4 header, what all packets have in common; of one that was IPv4 before,
    /// what the sum grows by.
    pub(crate) header_sum: u16,
    pub(crate) protocol: u8,
    pub(crate) from_ipv6: bool,
    pub(crate) to_ipv6: bool,
}

impl Recipe {
    pub(crate) fn new(packet: &Packet, to: Addresses, ports: [u8; 4], delta: u16) -> Self {
        let mut addresses = [0; 32];
        match to {
            Addresses::V4 {
                source,
                destination,
            } => {
                let (from, to) = addresses.split_at_mut(4);
                from.copy_from_slice(&source.octets());
                let (to, _) = to.split_at_mut(4);
                to.copy_from_slice(&destination.octets());
            }
            Addresses::V6 {
                source,
                destination,
            } => {
                let (from, to) = addresses.split_at_mut(16);
                from.copy_from_slice(&source.octets());
                to.copy_from_slice(&destination.octets());
            }
        }
        let header_sum = if packet.is_ipv6() {
            plain::fixed_sum(to.sum(), packet.protocol())
        } else {
            to.sum().minus(packet.addresses.sum()).folded()
        };
        Self {
            addresses,
            ports,
            delta,
            header_sum,
            protocol: packet.protocol(),
            from_ipv6: packet.is_ipv6(),
            to_ipv6: to.is_ipv6(),
        }
    }

    /// The new addresses and ports.
    #[must_use]
    pub fn rewrite(&self) -> Rewrite {
        let (source, destination) = if self.to_ipv6 {
            let (source, destination) = self.ipv6();
            (IpAddr::V6(source), IpAddr::V6(destination))
        } else {
            let (source, destination) = self.ipv4();
            (IpAddr::V4(source), IpAddr::V4(destination))
        };
        let [s0, s1, d0, d1] = self.ports;
        Rewrite {
            source,
            destination,
            source_port: u16::from_be_bytes([s0, s1]),
            destination_port: u16::from_be_bytes([d0, d1]),
        }
    }

    #[inline]
    pub(crate) fn ipv4(&self) -> (Ipv4Addr, Ipv4Addr) {
        let [s0, s1, s2, s3, d0, d1, d2, d3, ..] = self.addresses;
        (Ipv4Addr::new(s0, s1, s2, s3), Ipv4Addr::new(d0, d1, d2, d3))
    }

    #[inline]
    pub(crate) fn ipv6(&self) -> (Ipv6Addr, Ipv6Addr) {
        let (source, destination) = crate::packet::split_addresses(&self.addresses);
        (source.into(), destination.into())
    }
}
