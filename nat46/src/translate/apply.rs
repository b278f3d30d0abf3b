//! Packets of an established flow: the same bytes as the general path, at a fraction of its work.

use core::time::Duration;

use super::header::{self, Ipv4, Ipv6};
use super::transport::{nonzero, port_delta};
use super::{Translator, address, matches_buffer};
use crate::bytes::{get16, put16};
use crate::checksum::update;
use crate::packet::{
    Addresses, Fragmentation, IPV4_HEADER, IPV6_HEADER, Packet, TcpFlags, Transport, protocol,
};
use crate::{DropReason, Links, PacketBuf, Recipe, Rewrite, Verdict};

impl Translator {
    /// The recipe of a flow's direction, from one packet of it and its rewrite; `None` for packets that
    /// are not TCP, UDP or an echo, and for addresses that no packet is forwarded with.
    #[must_use]
    pub fn recipe(&self, packet: &Packet, rewrite: &Rewrite) -> Option<Recipe> {
        let to = Addresses::new(rewrite.source, rewrite.destination)?;
        let tuple = packet.tuple()?;
        if address::illegal(packet).is_some() {
            return None;
        }
        let old = (tuple.source_port, tuple.destination_port);
        let ports = port_delta(old, (rewrite.source_port, rewrite.destination_port));
        let delta = to.sum().minus(packet.addresses.sum()).plus(ports).folded();
        Some(Recipe::new(packet, to, rewrite, delta))
    }

    /// Rewrites a packet of an established flow; one that is not ordinary (a fragment, IPv4 options,
    /// extension headers, an expiring hop limit, too big, a SYN) as [`rewrite`](Self::rewrite) does.
    #[inline]
    pub fn apply(
        &mut self,
        now: Duration,
        recipe: &Recipe,
        packet: &Packet,
        links: Links,
        buf: &mut PacketBuf<'_>,
    ) -> Verdict {
        let Some(place) = self.ordinary(recipe, packet, links, buf) else {
            return self.rewrite(now, packet, &recipe.rewrite(), links, buf);
        };
        let (source_port, destination_port) = recipe.ports();
        let body = buf
            .as_bytes_mut()
            .get_mut(packet.transport_offset()..)
            .unwrap_or_default();
        put16(body, 0, source_port);
        put16(body, 2, destination_port);
        if let Some(field) = get16(body, place) {
            put16(
                body,
                place,
                nonzero(recipe.protocol, update(field, recipe.delta)),
            );
        }
        let body = packet.len() - packet.transport_offset();
        match (recipe.from_ipv6, recipe.addresses()) {
            (
                false,
                Addresses::V4 {
                    source,
                    destination,
                },
            ) => {
                header::readdress_v4(buf.as_bytes_mut(), source, destination, 1);
            }
            (
                true,
                Addresses::V6 {
                    source,
                    destination,
                },
            ) => {
                header::readdress_v6(buf.as_bytes_mut(), source, destination, 1);
            }
            (
                false,
                Addresses::V6 {
                    source,
                    destination,
                },
            ) => {
                if buf.reframe(IPV4_HEADER, IPV6_HEADER).is_none() {
                    return Verdict::Drop(DropReason::NoRoom);
                }
                Ipv6 {
                    traffic_class: self.class(packet.traffic_class()),
                    payload_len: body as u16,
                    next_header: recipe.protocol,
                    hop_limit: packet.hop_limit() - 1,
                    source,
                    destination,
                }
                .write(buf.as_bytes_mut());
            }
            (
                true,
                Addresses::V4 {
                    source,
                    destination,
                },
            ) => {
                if buf.reframe(IPV6_HEADER, IPV4_HEADER).is_none() {
                    return Verdict::Drop(DropReason::NoRoom);
                }
                let total_len = IPV4_HEADER + body;
                let (identification, flags) = self.fragmentation(Fragmentation::Whole, total_len);
                Ipv4 {
                    tos: self.class(packet.traffic_class()),
                    total_len: total_len as u16,
                    identification,
                    flags,
                    ttl: packet.hop_limit() - 1,
                    protocol: recipe.protocol,
                    source,
                    destination,
                }
                .write(buf.as_bytes_mut());
            }
        }
        Verdict::Forward
    }

    /// Where the checksum of a packet stands that needs nothing but its recipe.
    #[inline]
    fn ordinary(
        &self,
        recipe: &Recipe,
        packet: &Packet,
        links: Links,
        buf: &mut PacketBuf<'_>,
    ) -> Option<usize> {
        let place = match packet.transport() {
            Transport::Tcp { flags, .. } if !flags.contains(TcpFlags::SYN) => 16,
            Transport::Udp { .. } => 6,
            Transport::Tcp { .. }
            | Transport::IcmpQuery { .. }
            | Transport::IcmpError(_)
            | Transport::IcmpOther { .. }
            | Transport::Other
            | Transport::NonFirstFragment => return None,
        };
        let grown = match (recipe.from_ipv6, recipe.to_ipv6) {
            (false, true) => packet.len() + 20,
            (true, false) => packet.len() - 20,
            (false, false) | (true, true) => packet.len(),
        };
        let mut mtu = links.mtu_out as usize;
        if recipe.to_ipv6 && !recipe.from_ipv6 && !packet.dont_fragment() {
            mtu = mtu.min(self.config.lowest_ipv6_mtu.get().into());
        }
        let ordinary = packet.is_ipv6() == recipe.from_ipv6
            && packet.protocol() == recipe.protocol
            && packet.fragmentation == Fragmentation::Whole
            && !packet.has_options()
            && packet.hop_limit() > 1
            && grown <= mtu.min(usize::from(u16::MAX))
            && buf.offload().is_plain()
            && matches_buffer(packet, buf);
        let start = packet.transport_offset();
        let no_checksum =
            packet.protocol() == protocol::UDP && get16(buf.as_bytes(), start + place) == Some(0);
        (ordinary && !no_checksum).then_some(place)
    }
}
