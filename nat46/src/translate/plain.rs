//! Plain packets (TCP, UDP; whole, without options), which nearly all are: the same bytes as the long way
//! gives, with a fraction of its work. A function for each way.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::Translator;
use super::address::{is_destination_v4, is_host_v4, is_host_v6};
use super::transport::nonzero;
use crate::checksum::{Sum, update};
use crate::packet::{Addresses, Fragmentation, IPV4_HEADER, IPV6_HEADER, Packet};
use crate::{Links, PacketBuf, Recipe, Rewrite};

/// What changes besides the addresses.
#[derive(Clone, Copy)]
struct Change {
    /// [`Recipe::header_sum`].
    header_sum: u16,
    /// Source and destination port.
    ports: [u8; 4],
    /// What the checksum's sum grows by, addresses and ports, as it would stand in a header.
    delta: u16,
}

impl Translator {
    /// `None`, and nothing is changed, if the packet has to go the long way.
    #[inline(always)]
    pub(super) fn rewrite_plain(
        &mut self,
        packet: &Packet,
        rewrite: &Rewrite,
        links: Links,
        buf: &mut PacketBuf<'_>,
    ) -> Option<()> {
        if packet.plain == 0 {
            return None;
        }
        let ports = ports(rewrite);
        let old_ports = u32::from_be_bytes(packet.carried.port_bytes());
        let change = |new: Sum, old: Sum, header_sum: u16| Change {
            header_sum,
            ports,
            delta: new
                .word(u32::from_be_bytes(ports))
                .minus(old.word(old_ports))
                .folded()
                .to_be(),
        };
        match (packet.addresses, rewrite.source, rewrite.destination) {
            (
                Addresses::V4 {
                    source,
                    destination,
                },
                IpAddr::V6(from),
                IpAddr::V6(to),
            ) => {
                (is_host_v4(source) && is_destination_v4(destination)).then_some(())?;
                let new = Sum::ZERO.ipv6(from).ipv6(to);
                let change = change(new, Sum::ZERO.ipv4(source).ipv4(destination), 0);
                self.plain_to_ipv6(packet, from, to, change, links, buf)
            }
            (
                Addresses::V6 {
                    source,
                    destination,
                },
                IpAddr::V4(from),
                IpAddr::V4(to),
            ) => {
                (is_host_v6(source) && is_host_v6(destination)).then_some(())?;
                let new = Sum::ZERO.ipv4(from).ipv4(to);
                let header = fixed_sum(new, packet.protocol);
                let change = change(new, Sum::ZERO.ipv6(source).ipv6(destination), header);
                self.plain_to_ipv4(packet, from, to, change, links, buf)
            }
            (
                Addresses::V4 {
                    source,
                    destination,
                },
                IpAddr::V4(from),
                IpAddr::V4(to),
            ) => {
                (is_host_v4(source) && is_destination_v4(destination)).then_some(())?;
                let (new, old) = (
                    Sum::ZERO.ipv4(from).ipv4(to),
                    Sum::ZERO.ipv4(source).ipv4(destination),
                );
                let header = new.minus(old).folded();
                plain_in_ipv4(packet, from, to, change(new, old, header), links, buf)
            }
            (
                Addresses::V6 {
                    source,
                    destination,
                },
                IpAddr::V6(from),
                IpAddr::V6(to),
            ) => {
                (is_host_v6(source) && is_host_v6(destination)).then_some(())?;
                let new = Sum::ZERO.ipv6(from).ipv6(to);
                let change = change(new, Sum::ZERO.ipv6(source).ipv6(destination), 0);
                plain_in_ipv6(packet, from, to, change, links, buf)
            }
            _ => None,
        }
    }

    /// The same for a packet that a recipe belongs to.
    #[inline(always)]
    pub(super) fn apply_to_plain(
        &mut self,
        recipe: &Recipe,
        packet: &Packet,
        links: Links,
        buf: &mut PacketBuf<'_>,
    ) -> Option<()> {
        let change = Change {
            header_sum: recipe.header_sum,
            ports: recipe.ports,
            delta: recipe.delta,
        };
        if packet.protocol != recipe.protocol || packet.is_ipv6() != recipe.from_ipv6 {
            return None;
        }
        match (recipe.from_ipv6, recipe.to_ipv6) {
            (false, true) => {
                let (from, to) = recipe.ipv6();
                self.plain_to_ipv6(packet, from, to, change, links, buf)
            }
            (true, false) => {
                let (from, to) = recipe.ipv4();
                self.plain_to_ipv4(packet, from, to, change, links, buf)
            }
            (false, false) => {
                let (from, to) = recipe.ipv4();
                plain_in_ipv4(packet, from, to, change, links, buf)
            }
            (true, true) => {
                let (from, to) = recipe.ipv6();
                plain_in_ipv6(packet, from, to, change, links, buf)
            }
        }
    }

    #[inline(always)]
    fn plain_to_ipv6(
        &mut self,
        packet: &Packet,
        source: Ipv6Addr,
        destination: Ipv6Addr,
        change: Change,
        links: Links,
        buf: &mut PacketBuf<'_>,
    ) -> Option<()> {
        let limit = if packet.dont_fragment {
            links.mtu_out
        } else {
            links.mtu_out.min(self.config.lowest_ipv6_mtu.get().into())
        };
        if packet.len + 20 > limit {
            return None;
        }
        let (header, transport) = buf.take_plain::<IPV4_HEADER, IPV6_HEADER>(packet, 4)?;
        let class = self.class(packet.traffic_class);
        let [l0, l1] = (packet.len as u16).wrapping_sub(20).to_be_bytes();
        let (fixed, addresses) = header.split_at_mut(8);
        fixed.copy_from_slice(&[
            0x60 | class >> 4,
            class << 4,
            0,
            0,
            l0,
            l1,
            packet.protocol,
            packet.hop_limit - 1,
        ]);
        write_ipv6(source, destination, addresses);
        change.write(packet, transport)
    }

    #[inline(always)]
    fn plain_to_ipv4(
        &mut self,
        packet: &Packet,
        source: Ipv4Addr,
        destination: Ipv4Addr,
        change: Change,
        links: Links,
        buf: &mut PacketBuf<'_>,
    ) -> Option<()> {
        let len = packet.len - 20;
        if len > links.mtu_out.min(u16::MAX.into()) {
            return None;
        }
        let (header, transport) = buf.take_plain::<IPV6_HEADER, IPV4_HEADER>(packet, 6)?;
        let (identification, flags) = self.fragmentation(Fragmentation::Whole, len as usize);
        let (class, ttl) = (self.class(packet.traffic_class), packet.hop_limit - 1);
        let sum = u32::from(change.header_sum) + u32::from(class) + len + (u32::from(ttl) << 8);
        let sum = sum + u32::from(identification) + u32::from(flags);
        let checksum = !(sum.wrapping_add(sum.rotate_left(16)) >> 16) as u16;
        let ([l0, l1], [i0, i1]) = ((len as u16).to_be_bytes(), identification.to_be_bytes());
        let ([f0, f1], [c0, c1]) = (flags.to_be_bytes(), checksum.to_be_bytes());
        let protocol = packet.protocol;
        let (fixed, addresses) = header.split_at_mut(12);
        fixed.copy_from_slice(&[0x45, class, l0, l1, i0, i1, f0, f1, ttl, protocol, c0, c1]);
        write_ipv4(source, destination, addresses);
        change.write(packet, transport)
    }
}

#[inline(always)]
fn plain_in_ipv4(
    packet: &Packet,
    source: Ipv4Addr,
    destination: Ipv4Addr,
    change: Change,
    links: Links,
    buf: &mut PacketBuf<'_>,
) -> Option<()> {
    if packet.len > links.mtu_out {
        return None;
    }
    let (header, transport) = buf.take_plain::<IPV4_HEADER, IPV4_HEADER>(packet, 4)?;
    let (fixed, addresses) = header.split_at_mut(12);
    let [ttl, protocol, c0, c1] = *fixed.last_chunk()?;
    // One hop less is 0x0100 less in the sum.
    let delta = Sum::ZERO
        .word(change.header_sum.into())
        .minus(Sum::ZERO.word(0x0100));
    let [c0, c1] = update(u16::from_be_bytes([c0, c1]), delta.folded()).to_be_bytes();
    *fixed.last_chunk_mut()? = [ttl - 1, protocol, c0, c1];
    write_ipv4(source, destination, addresses);
    change.write(packet, transport)
}

#[inline(always)]
fn plain_in_ipv6(
    packet: &Packet,
    source: Ipv6Addr,
    destination: Ipv6Addr,
    change: Change,
    links: Links,
    buf: &mut PacketBuf<'_>,
) -> Option<()> {
    if packet.len > links.mtu_out {
        return None;
    }
    let (header, transport) = buf.take_plain::<IPV6_HEADER, IPV6_HEADER>(packet, 6)?;
    let (fixed, addresses) = header.split_at_mut(8);
    *fixed.last_mut()? -= 1;
    write_ipv6(source, destination, addresses);
    change.write(packet, transport)
}

impl PacketBuf<'_> {
    /// The header to be written and the transport header behind it, of a packet that is plain and has a
    /// hop left.
    #[inline(always)]
    fn take_plain<const OLD: usize, const NEW: usize>(
        &mut self,
        packet: &Packet,
        version: u8,
    ) -> Option<(&mut [u8; NEW], &mut [u8])> {
        if packet.plain == 0 || packet.hop_limit <= 1 || !self.offload().is_plain() {
            return None;
        }
        self.replace_header::<OLD, NEW>(packet.len(), version)
    }
}

impl Change {
    #[inline(always)]
    fn write(self, packet: &Packet, transport: &mut [u8]) -> Option<()> {
        *transport.first_chunk_mut::<4>()? = self.ports;
        let place = usize::from(packet.plain);
        let field = transport.get_mut(place..place + 2)?.first_chunk_mut()?;
        // Sums do not mind the order of bytes (RFC 1071 §2 (B)), so none is swapped.
        let checksum = update(u16::from_ne_bytes(*field), self.delta);
        *field = nonzero(packet.protocol, checksum).to_ne_bytes();
        Some(())
    }
}

/// Of the sum of a new IPv4 header, what all packets of a flow have in common: `addresses`, version, header
/// length and protocol.
#[inline]
pub(crate) const fn fixed_sum(addresses: Sum, protocol: u8) -> u16 {
    addresses.word(0x4500 + protocol as u32).folded()
}

#[inline(always)]
fn write_ipv4(source: Ipv4Addr, destination: Ipv4Addr, addresses: &mut [u8]) {
    let (first, second) = addresses.split_at_mut(4);
    first.copy_from_slice(&source.octets());
    second.copy_from_slice(&destination.octets());
}

#[inline(always)]
fn write_ipv6(source: Ipv6Addr, destination: Ipv6Addr, addresses: &mut [u8]) {
    let (first, second) = addresses.split_at_mut(16);
    first.copy_from_slice(&source.octets());
    second.copy_from_slice(&destination.octets());
}

/// The new ports, as they stand in a header.
#[inline]
pub(super) const fn ports(rewrite: &Rewrite) -> [u8; 4] {
    let ports = (rewrite.source_port as u32) << 16 | rewrite.destination_port as u32;
    ports.to_be_bytes()
}

#[cfg(test)]
mod tests;
