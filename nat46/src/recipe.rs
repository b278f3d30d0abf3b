//! What an established flow needs of each packet, computed once.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::Rewrite;
use crate::packet::{Addresses, Packet};

/// The translation of one direction of a flow: plain data of at most 64 bytes.
///
/// It belongs to packets with the addresses and ports of the packet that it was made from: whoever
/// keeps it looks them up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(C)]
pub struct Recipe {
    /// New addresses; IPv4 ones in the first four bytes.
    source: [u8; 16],
    destination: [u8; 16],
    source_port: u16,
    destination_port: u16,
    /// What the transport checksum's sum grows by: addresses and ports.
    pub(crate) delta: u16,
    pub(crate) protocol: u8,
    pub(crate) from_ipv6: bool,
    pub(crate) to_ipv6: bool,
}

impl Recipe {
    pub(crate) fn new(packet: &Packet, to: Addresses, rewrite: &Rewrite, delta: u16) -> Self {
        let (source, destination) = match to {
            Addresses::V4 {
                source,
                destination,
            } => (widen(source), widen(destination)),
            Addresses::V6 {
                source,
                destination,
            } => (source.octets(), destination.octets()),
        };
        Self {
            source,
            destination,
            source_port: rewrite.source_port,
            destination_port: rewrite.destination_port,
            delta,
            protocol: packet.protocol(),
            from_ipv6: packet.is_ipv6(),
            to_ipv6: to.is_ipv6(),
        }
    }

    #[inline]
    pub(crate) fn addresses(&self) -> Addresses {
        if self.to_ipv6 {
            Addresses::V6 {
                source: Ipv6Addr::from(self.source),
                destination: Ipv6Addr::from(self.destination),
            }
        } else {
            Addresses::V4 {
                source: narrow(self.source),
                destination: narrow(self.destination),
            }
        }
    }

    /// The new addresses and ports.
    #[must_use]
    pub fn rewrite(&self) -> Rewrite {
        let (source, destination) = match self.addresses() {
            Addresses::V4 {
                source,
                destination,
            } => (IpAddr::V4(source), IpAddr::V4(destination)),
            Addresses::V6 {
                source,
                destination,
            } => (IpAddr::V6(source), IpAddr::V6(destination)),
        };
        Rewrite {
            source,
            destination,
            source_port: self.source_port,
            destination_port: self.destination_port,
        }
    }

    #[inline]
    pub(crate) const fn ports(&self) -> (u16, u16) {
        (self.source_port, self.destination_port)
    }
}

fn widen(address: Ipv4Addr) -> [u8; 16] {
    let [a, b, c, d] = address.octets();
    [a, b, c, d, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]
}

#[inline]
fn narrow([a, b, c, d, ..]: [u8; 16]) -> Ipv4Addr {
    Ipv4Addr::new(a, b, c, d)
}
