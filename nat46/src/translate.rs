//! Packets rewritten in place: from either family to either.

use core::net::IpAddr;
use core::time::Duration;

use crate::packet::Packet;
use crate::{Config, DropReason, IcmpError, Links, PacketBuf, Recipe, Rewrite, Verdict};

/// Rewrites packets in place, and builds the ICMP errors that a router owes.
///
/// Holds no state of any flow: identifications (RFC 7739), the rate of errors, and choices.
#[derive(Clone, Debug)]
pub struct Translator {
    config: Config,
    seed: [u8; 32],
}

impl Translator {
    /// A translator; `seed` makes its identifications unpredictable.
    #[must_use]
    pub fn new(config: Config, seed: [u8; 32]) -> Self {
        Self { config, seed }
    }

    /// Gives a packet its new addresses and ports, in its own family or the other.
    ///
    /// `packet` is what [`Packet::parse`] made of the bytes in `buf`.
    pub fn rewrite(
        &mut self,
        now: Duration,
        packet: &Packet,
        rewrite: &Rewrite,
        links: Links,
        buf: &mut PacketBuf<'_>,
    ) -> Verdict {
        let _ = (now, packet, rewrite, links, buf, self.config, self.seed);
        Verdict::Drop(DropReason::Mismatch)
    }

    /// Gives an ICMP error the outer addresses `source` and `destination`, and the packet that it
    /// quotes the addresses and ports of `quoted`, in the quoted packet's own direction.
    #[expect(
        clippy::too_many_arguments,
        reason = "two headers are rewritten at once"
    )]
    pub fn rewrite_error(
        &mut self,
        now: Duration,
        packet: &Packet,
        source: IpAddr,
        destination: IpAddr,
        quoted: &Rewrite,
        links: Links,
        buf: &mut PacketBuf<'_>,
    ) -> Verdict {
        let _ = (now, packet, source, destination, quoted, links, buf);
        Verdict::Drop(DropReason::Mismatch)
    }

    /// The recipe of a flow's direction, from one packet of it and its rewrite; `None` for packets that
    /// are not TCP, UDP or an echo.
    #[must_use]
    pub fn recipe(&self, packet: &Packet, rewrite: &Rewrite) -> Option<Recipe> {
        let _ = (packet, rewrite);
        None
    }

    /// Rewrites a packet of an established flow; one that is not ordinary (a fragment, IPv4 options,
    /// extension headers, an expiring hop limit, too big, a SYN) as [`rewrite`](Self::rewrite) does.
    pub fn apply(
        &mut self,
        now: Duration,
        recipe: &Recipe,
        packet: &Packet,
        links: Links,
        buf: &mut PacketBuf<'_>,
    ) -> Verdict {
        self.rewrite(now, packet, &recipe.rewrite(), links, buf)
    }

    /// Makes an ICMP error about the packet in the buffer, to be sent to its sender; `Drop` where none
    /// may be sent about it, or none now (rate).
    pub fn reply_error(
        &mut self,
        now: Duration,
        error: IcmpError,
        packet: &Packet,
        buf: &mut PacketBuf<'_>,
    ) -> Verdict {
        let _ = (now, packet, buf);
        Verdict::Drop(DropReason::ErrorNotAllowed(error))
    }
}
