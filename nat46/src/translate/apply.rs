//! Packets of an established flow, by their flow's recipe.

use core::time::Duration;

use super::transport::port_delta;
use super::{Translator, address, plain};
use crate::packet::{Addresses, Packet};
use crate::{Links, PacketBuf, Recipe, Rewrite, Verdict};

impl Translator {
    /// The recipe of a flow's direction, from one packet of it and its rewrite; `None` for packets that
    /// are not TCP, UDP or an echo, and for addresses that no packet is forwarded with.
    #[must_use]
    pub fn recipe(&self, packet: &Packet, rewrite: &Rewrite) -> Option<Recipe> {
        let to = Addresses::new(rewrite.source, rewrite.destination)?;
        let old = packet.transport().ports()?;
        if address::illegal(packet).is_some() {
            return None;
        }
        let ports = port_delta(old, (rewrite.source_port, rewrite.destination_port));
        let delta = to
            .sum()
            .minus(packet.addresses.sum())
            .plus(ports)
            .folded()
            .to_be();
        Some(Recipe::new(packet, to, plain::ports(rewrite), delta))
    }

    /// Rewrites a packet of an established flow; one that is not plain (a fragment, IPv4 options,
    /// extension headers, an expiring hop limit, too big, a SYN) as [`rewrite`](Self::rewrite) does.
    #[inline(always)]
    pub fn apply(
        &mut self,
        now: Duration,
        recipe: &Recipe,
        packet: &Packet,
        links: Links,
        buf: &mut PacketBuf<'_>,
    ) -> Verdict {
        if self.apply_to_plain(recipe, packet, links, buf).is_some() {
            return Verdict::Forward;
        }
        // A copy, so that a packet that goes the short way need not stand in memory.
        let packet = *packet;
        self.rewrite_any(now, &packet, &recipe.rewrite(), links, buf)
    }
}
