//! What a packet says about its flow: addresses, ports, and the TCP flags that move its state.

use core::fmt;
use core::net::{IpAddr, SocketAddr};

/// The five values that name a flow on one side of the translator.
///
/// Source and destination are written as they stand in the packet at hand: for a packet from
/// outside, `source` is the peer and `destination` the SNAT transport address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tuple {
    /// TCP, UDP, or an ICMP query.
    pub protocol: Protocol,
    /// Where the packet comes from.
    pub source: TransportAddress,
    /// Where it goes.
    pub destination: TransportAddress,
}

impl Tuple {
    /// The tuple of the packet that answers this one.
    #[must_use]
    pub const fn reversed(&self) -> Self {
        Self {
            protocol: self.protocol,
            source: self.destination,
            destination: self.source,
        }
    }

    /// The family of both addresses; `None` where they differ, which no packet can carry.
    #[must_use]
    pub const fn family(&self) -> Option<Family> {
        match (self.source.address, self.destination.address) {
            (IpAddr::V4(_), IpAddr::V4(_)) => Some(Family::Ipv4),
            (IpAddr::V6(_), IpAddr::V6(_)) => Some(Family::Ipv6),
            (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => None,
        }
    }
}

/// The protocols that have bindings. Everything else is refused by the caller (RFC 6888 REQ-1,
/// RFC 6146 §3.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Protocol {
    /// TCP, RFC 9293.
    Tcp,
    /// UDP, RFC 768.
    Udp,
    /// A query of ICMP or ICMPv6 (echo, timestamp). The identifier takes the place of both ports
    /// (RFC 5508 §3.1); the sequence number is no part of the key.
    Icmp,
}

impl Protocol {
    /// The protocol number of the IPv4 or IPv6 header that carries it in `family`.
    #[must_use]
    pub const fn number(self, family: Family) -> u8 {
        match (self, family) {
            (Self::Tcp, Family::Ipv4 | Family::Ipv6) => 6,
            (Self::Udp, Family::Ipv4 | Family::Ipv6) => 17,
            (Self::Icmp, Family::Ipv4) => 1,
            (Self::Icmp, Family::Ipv6) => 58,
        }
    }
}

/// IPv4 or IPv6.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Family {
    /// IPv4.
    Ipv4,
    /// IPv6.
    Ipv6,
}

impl Family {
    /// The family of an address.
    #[must_use]
    pub const fn of(address: IpAddr) -> Self {
        match address {
            IpAddr::V4(_) => Self::Ipv4,
            IpAddr::V6(_) => Self::Ipv6,
        }
    }
}

impl fmt::Display for Family {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ipv4 => "IPv4",
            Self::Ipv6 => "IPv6",
        })
    }
}

/// An IP address and a port, or for ICMP an address and a query identifier (RFC 4787 §2:
/// *transport address*). Unlike `SocketAddr` it has neither flow label nor scope.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TransportAddress {
    /// The IP address.
    pub address: IpAddr,
    /// Port, or ICMP query identifier.
    pub port: u16,
}

impl TransportAddress {
    /// Joins the two.
    #[must_use]
    pub const fn new(address: IpAddr, port: u16) -> Self {
        Self { address, port }
    }
}

impl From<SocketAddr> for TransportAddress {
    fn from(socket: SocketAddr) -> Self {
        Self::new(socket.ip(), socket.port())
    }
}

impl fmt::Display for TransportAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        SocketAddr::new(self.address, self.port).fmt(f)
    }
}

/// The side of the translator a packet, or an ICMP error, comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Side {
    /// Where the clients are.
    Inside,
    /// Where their peers are.
    Outside,
}

/// What in a packet may move its session's state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Signal {
    /// UDP and ICMP: being there is all there is to it.
    None,
    /// A TCP segment.
    Tcp {
        /// The four flags that matter.
        flags: TcpFlags,
        /// Its sequence number, to tell a new connection from an old duplicate (RFC 6191 §2).
        sequence: u32,
    },
}

/// SYN, ACK, FIN and RST of a TCP header (RFC 9293 §3.1), in their wire positions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct TcpFlags(u8);

impl TcpFlags {
    /// FIN.
    pub const FIN: Self = Self(0x01);
    /// SYN.
    pub const SYN: Self = Self(0x02);
    /// RST.
    pub const RST: Self = Self(0x04);
    /// ACK.
    pub const ACK: Self = Self(0x10);

    const KNOWN: u8 = Self::FIN.0 | Self::SYN.0 | Self::RST.0 | Self::ACK.0;

    /// Takes the flags octet of a TCP header; the other four bits are dropped.
    #[must_use]
    pub const fn from_octet(octet: u8) -> Self {
        Self(octet & Self::KNOWN)
    }

    /// Both sets together.
    #[must_use]
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether all flags of `other` are set.
    #[must_use]
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    pub(crate) const fn ends(self) -> bool {
        self.contains(Self::FIN) || self.contains(Self::RST)
    }

    /// Whether a real TCP sends this: at least one flag, and SYN with neither FIN nor RST.
    pub(crate) const fn is_sane(self) -> bool {
        self.0 != 0 && !(self.contains(Self::SYN) && self.ends())
    }

    /// Whether this is the first segment of a connection: SYN without ACK.
    pub(crate) const fn is_opening(self) -> bool {
        self.contains(Self::SYN) && !self.contains(Self::ACK)
    }
}
