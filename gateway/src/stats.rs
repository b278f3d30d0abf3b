//! What is counted: packets by their end, and flows by virtual server.

use alloc::collections::BTreeMap;

use egress_config::VirtualServer;

use crate::{Side, Verdict};

/// Why a packet went no further, or what it was answered with instead.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DropReason {
    /// Not a packet.
    Malformed(nat46::packet::ParseError),
    /// From inside, with a source that lies on no internal VLAN; or from outside, with one that does.
    SpoofedSource,
    /// From an address that no packet may come from.
    MartianSource,
    /// To an address that nothing is forwarded to, or that stands for one.
    MartianDestination,
    /// From outside, to an address that is not served there.
    NotInside,
    /// No virtual server takes it.
    NoVirtualServer,
    /// From outside, without a session.
    NoSession,
    /// A protocol that has no bindings.
    NoBinding,
    /// An ICMP error about a packet that nobody sent.
    UnknownQuote,
    /// To a mapped address that stands for nothing.
    Unmapped,
    /// No SNAT address of the family that the flow leaves in.
    NoSnatAddress,
    /// A session was refused.
    Refused(snatpool::Refused),
    /// A fragment was refused.
    Fragment(snatpool::FragmentRefused),
    /// An unsolicited SYN that nobody inside answered.
    SynUnanswered,
    /// Too much waits already.
    NoRoom,
    /// What it waited for did not come in time.
    Expired,
    /// Translation has no way for it.
    Translation(nat46::DropReason),
    /// A UDP checksum that is wrong, or missing over IPv6.
    UdpChecksum,
    /// No reply to any question in flight.
    Upstream(dnscache::Mismatch),
    /// A query without reply.
    Query(dnscache::DropReason),
    /// To port 53, but no whole UDP datagram.
    NotUdp,
    /// To the gateway itself, which does not want it.
    Unwanted,
}

impl DropReason {
    /// The name under which it is counted; the reasons of one library share a name each.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Malformed(_) => "malformed",
            Self::SpoofedSource => "spoofed-source",
            Self::MartianSource => "martian-source",
            Self::MartianDestination => "martian-destination",
            Self::NotInside => "not-inside",
            Self::NoVirtualServer => "no-virtual-server",
            Self::NoSession => "no-session",
            Self::NoBinding => "no-binding",
            Self::UnknownQuote => "unknown-quote",
            Self::Unmapped => "unmapped",
            Self::NoSnatAddress => "no-snat-address",
            Self::Refused(_) => "session-refused",
            Self::Fragment(_) => "fragment-refused",
            Self::SynUnanswered => "syn-unanswered",
            Self::NoRoom => "no-room",
            Self::Expired => "expired",
            Self::Translation(_) => "translation",
            Self::UdpChecksum => "udp-checksum",
            Self::Upstream(_) => "upstream-mismatch",
            Self::Query(_) => "query",
            Self::NotUdp => "not-udp",
            Self::Unwanted => "unwanted",
        }
    }
}

/// Counters of a gateway; they only grow.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Packets that were handed on to the other side.
    pub forwarded: u64,
    /// Packets that were answered.
    pub replied: u64,
    /// Packets that were taken in: queries that wait, packets on hold.
    pub consumed: u64,
    /// Packets that went no further, by [`DropReason::name`].
    pub drops: BTreeMap<&'static str, u64>,
    /// What was handed on, by the family inside, then the one outside: IPv4 first.
    pub carried: [[Carried; 2]; 2],
    /// Events that nobody took in time.
    pub events_lost: u64,
    virtual_servers: [u64; VirtualServer::ALL.len()],
}

/// What was handed on, both ways together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Carried {
    /// Packets; what the devices pass on as one counts as one.
    pub packets: u64,
    /// Bytes as they left, IP headers included.
    pub bytes: u64,
}

impl Stats {
    /// A packet that came from `from`, of the family that it had there, was handed on as `bytes`.
    pub(crate) fn count_carried(&mut self, from: Side, was_ipv6: bool, bytes: &[u8]) {
        let left = crate::is_ipv6(bytes);
        let (inside, outside) = match from {
            Side::Inside => (was_ipv6, left),
            Side::Outside => (left, was_ipv6),
        };
        let carried = &mut self.carried[usize::from(inside)][usize::from(outside)];
        carried.packets += 1;
        carried.bytes += bytes.len() as u64;
    }

    pub(crate) fn count(&mut self, verdict: &Verdict) {
        match verdict {
            Verdict::Forward => self.forwarded += 1,
            Verdict::Reply => self.replied += 1,
            Verdict::Consumed => self.consumed += 1,
            Verdict::Drop(reason) => self.count_drops(reason, 1),
        }
    }

    pub(crate) fn count_drops(&mut self, reason: &DropReason, packets: u64) {
        if packets > 0 {
            *self.drops.entry(reason.name()).or_default() += packets;
        }
    }

    pub(crate) fn count_connection(&mut self, server: VirtualServer) {
        if let Some(place) = VirtualServer::ALL.iter().position(|one| *one == server) {
            self.virtual_servers[place] += 1;
        }
    }

    /// Connections that clients opened, `clientside.tot_conns`: requests for DNS, flows for the
    /// others.
    #[must_use]
    pub fn connections(&self, server: VirtualServer) -> u64 {
        VirtualServer::ALL
            .iter()
            .position(|one| *one == server)
            .map_or(0, |place| self.virtual_servers[place])
    }
}
