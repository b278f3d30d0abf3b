//! Which way a packet goes, decided from its side, its addresses and its ports alone.
//!
//! The order is the original's precedence of virtual servers: the most specific destination wins,
//! so DNS and the DNS46 subnet come before the wildcards.

use core::net::{IpAddr, Ipv4Addr};

use ipnet::{IpNet, Ipv4Net};
use nat46::address::rfc6052::Prefix;
use nat46::packet::{Packet, Transport};

use crate::martian;
use crate::stats::DropReason;

/// The side of the gateway: which of its two devices a packet crosses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Side {
    /// Towards the pods.
    Inside,
    /// Towards everyone else.
    Outside,
}

impl Side {
    /// The side that a forwarded packet leaves on.
    #[must_use]
    pub const fn opposite(self) -> Self {
        match self {
            Self::Inside => Self::Outside,
            Self::Outside => Self::Inside,
        }
    }
}

/// The way of a packet through the gateway.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// A DNS query of a pod, intercepted whatever its destination.
    Dns,
    /// From an IPv4 pod to a mapped address: the IPv6 host behind it is looked up.
    Nat46(Ipv4Addr),
    /// From an IPv6 pod to an address under the NAT64 prefix: the IPv4 host is in it (RFC 6052).
    Nat64(Ipv4Addr),
    /// From a pod to a host of its own family.
    Snat,
    /// To a host of its own family, with its own source: no SNAT is asked for.
    Plain,
    /// From outside, back to a SNAT address or a self IP.
    Return,
    /// To a self IP of the gateway.
    Local,
    /// To the page of the sorry IP.
    Sorry,
}

/// What the classification looks at; made once from the plan.
#[derive(Clone, Debug)]
pub(crate) struct Classifier {
    /// Prefixes of the internal VLANs: a source inside must lie in one of them.
    pub(crate) inside: Vec<IpNet>,
    /// The gateway's own addresses on the internal VLANs.
    pub(crate) internal_self_ips: Vec<IpAddr>,
    /// The gateway's own addresses on the external VLANs.
    pub(crate) external_self_ips: Vec<IpAddr>,
    /// Addresses that pods' flows leave with.
    pub(crate) snat_addresses: Vec<IpAddr>,
    /// Flows within a family keep their source (no `egressSnatpool`, no automap).
    pub(crate) keeps_source: bool,
    /// DNS46: addresses that stand for IPv6 hosts.
    pub(crate) dns46_subnet: Option<Ipv4Net>,
    /// NAT64: the prefix under which IPv4 hosts are reached.
    pub(crate) nat64_prefix: Option<Prefix>,
    /// Queries of pods are intercepted (`dnsNat46Enabled`, or `nat64Enabled`, with a cache).
    pub(crate) intercepts_dns: bool,
    /// IPv6 pods may reach IPv6 hosts (`dualStackEnabled`).
    pub(crate) dual_stack: bool,
    /// The sorry IP, where it has a page to answer with.
    pub(crate) sorry: Option<Ipv4Addr>,
}

/// The port of DNS (RFC 1035 §4.2).
pub(crate) const DNS_PORT: u16 = 53;
/// The port of HTTP.
pub(crate) const HTTP_PORT: u16 = 80;

impl Classifier {
    /// The way of `packet`, arrived on `side`.
    ///
    /// # Errors
    ///
    /// Why it has none.
    pub(crate) fn classify(&self, side: Side, packet: &Packet) -> Result<Way, DropReason> {
        match side {
            Side::Inside => self.way_out(packet),
            Side::Outside => self.way_in(packet),
        }
    }

    fn way_out(&self, packet: &Packet) -> Result<Way, DropReason> {
        let (source, destination) = (packet.source(), packet.destination());
        if !self.inside.iter().any(|network| network.contains(&source)) {
            return Err(DropReason::SpoofedSource);
        }
        if !martian::is_host(source) {
            return Err(DropReason::MartianSource);
        }
        if self.intercepts_dns && destination_port(packet) == Some(DNS_PORT) {
            // Of pods, some ask a resolver of their link; nobody hears an answer that comes from a group.
            return if martian::is_host(destination) {
                Ok(Way::Dns)
            } else {
                Err(DropReason::MartianDestination)
            };
        }
        if self.internal_self_ips.contains(&destination)
            || self.external_self_ips.contains(&destination)
        {
            return Ok(Way::Local);
        }
        let own_family = if self.keeps_source {
            Way::Plain
        } else {
            Way::Snat
        };
        let way = match destination {
            IpAddr::V4(address) if self.sorry == Some(address) && is_http(packet) => Ok(Way::Sorry),
            IpAddr::V4(address) => match self.dns46_subnet {
                Some(subnet) if subnet.contains(&address) => Ok(Way::Nat46(address)),
                Some(_) | None => Ok(own_family),
            },
            IpAddr::V6(address) => match self.nat64_prefix.and_then(|p| p.extract(address)) {
                Some(host) => Ok(Way::Nat64(host)),
                None if self.dual_stack => Ok(own_family),
                None => Err(DropReason::NoVirtualServer),
            },
        }?;
        // The subnet and the prefix are the operator's choice; what lies behind them is not.
        let goes_to = match way {
            Way::Nat64(host) => IpAddr::V4(host),
            Way::Plain | Way::Snat => destination,
            _ => return Ok(way),
        };
        if martian::is_reachable(goes_to) {
            Ok(way)
        } else {
            Err(DropReason::MartianDestination)
        }
    }

    fn way_in(&self, packet: &Packet) -> Result<Way, DropReason> {
        let destination = packet.destination();
        if self
            .inside
            .iter()
            .any(|network| network.contains(&packet.source()))
        {
            return Err(DropReason::SpoofedSource);
        }
        if !martian::is_reachable(packet.source()) {
            return Err(DropReason::MartianSource);
        }
        if self.snat_addresses.contains(&destination)
            || self.external_self_ips.contains(&destination)
        {
            return Ok(Way::Return);
        }
        if self.keeps_source
            && self
                .inside
                .iter()
                .any(|network| network.contains(&destination))
        {
            return Ok(Way::Plain);
        }
        Err(DropReason::NotInside)
    }
}

/// To TCP port 80.
pub(crate) fn is_http(packet: &Packet) -> bool {
    matches!(
        packet.transport(),
        Transport::Tcp {
            destination_port: HTTP_PORT,
            ..
        }
    )
}

fn destination_port(packet: &Packet) -> Option<u16> {
    match packet.transport() {
        Transport::Tcp {
            destination_port, ..
        }
        | Transport::Udp {
            destination_port, ..
        } => Some(destination_port),
        _ => None,
    }
}
