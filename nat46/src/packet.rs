//! Packets, checked once.
//!
//! [`Packet::parse`] checks every length, the IPv4 header checksum and the extension header chain; what
//! it returns is plain data, whose accessors cannot fail. It does not borrow the bytes, so that they
//! can be changed while it is looked at.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use core::ops::Range;

pub mod build;
mod carried;
mod icmp;
mod ipv4;
mod ipv6;
mod quote;
mod transport;

pub use icmp::is_error as is_icmp_error;
pub use quote::Quoted;
pub use transport::{TcpFlags, Transport, Tuple};

pub(crate) use carried::Carried;
pub(crate) use icmp::{v4, v6};
pub(crate) use ipv6::split as split_addresses;
pub(crate) use quote::QuotedTransport;
#[cfg(test)]
pub(crate) use {ipv4::parse as parse_any_ipv4, ipv6::parse as parse_any_ipv6};

/// Protocol numbers (IANA) that translation knows something about.
pub mod protocol {
    /// ICMP for IPv4.
    pub const ICMP: u8 = 1;
    /// IGMP.
    pub const IGMP: u8 = 2;
    /// TCP.
    pub const TCP: u8 = 6;
    /// UDP.
    pub const UDP: u8 = 17;
    /// DCCP.
    pub const DCCP: u8 = 33;
    /// Fragment header of IPv6.
    pub const FRAGMENT: u8 = 44;
    /// ICMP for IPv6.
    pub const ICMPV6: u8 = 58;
    /// UDP-Lite.
    pub const UDP_LITE: u8 = 136;
}

pub(crate) const IPV4_HEADER: usize = 20;
pub(crate) const IPV6_HEADER: usize = 40;
pub(crate) const FRAGMENT_HEADER: usize = 8;

/// A packet whose lengths are checked: plain data, by which its bytes can be read without a doubt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Packet {
    pub(crate) addresses: Addresses,
    /// From the header: the bytes behind it are not the packet's.
    pub(crate) len: u32,
    pub(crate) transport_offset: u16,
    pub(crate) payload_offset: u16,
    pub(crate) protocol: u8,
    pub(crate) hop_limit: u8,
    pub(crate) traffic_class: u8,
    pub(crate) dont_fragment: bool,
    /// IPv4: the identification; IPv6: 0, or that of its Fragment header.
    pub(crate) identification: u32,
    pub(crate) fragmentation: Fragmentation,
    pub(crate) obstacle: Option<Obstacle>,
    /// Where its checksum stands in the transport header, if a recipe can be applied to the packet: TCP
    /// but for SYNs, or UDP with a checksum; whole, without options and extension headers. Else 0.
    pub(crate) plain: u8,
    pub(crate) carried: Carried,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Addresses {
    V4 {
        source: Ipv4Addr,
        destination: Ipv4Addr,
    },
    V6 {
        source: Ipv6Addr,
        destination: Ipv6Addr,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fragmentation {
    Whole,
    /// Whole, but with a Fragment header (RFC 6946).
    Atomic {
        identification: u32,
    },
    Fragment(Fragment),
}

/// What stands between a well-formed packet and its translation to the other family.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Obstacle {
    /// An IPv4 source route that has not expired (RFC 7915 §4.1).
    SourceRoute,
    /// A Routing header with Segments Left at this offset, not zero (RFC 7915 §5.1).
    SegmentsLeft { pointer: u16 },
    /// An extension header behind a Fragment header (RFC 7915 §5.1.1).
    BehindFragment,
}

/// The place of a fragment in its datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Fragment {
    /// 16 bits in IPv4, 32 in IPv6.
    pub identification: u32,
    /// Offset of the first byte in the datagram's fragmentable part, in bytes.
    pub offset: u32,
    /// More fragments follow.
    pub more: bool,
}

/// Why bytes are no packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum ParseError {
    /// Neither 4 nor 6.
    #[error("IP version {found}, wanted 4 or 6")]
    Version {
        /// The upper four bits of the first byte; 0 if there is none.
        found: u8,
    },
    /// Bytes end before a header does.
    #[error("{found} bytes, wanted {wanted}")]
    Truncated {
        /// Bytes present.
        found: usize,
        /// Bytes needed.
        wanted: usize,
    },
    /// IPv4 header length below 20.
    #[error("IPv4 header of {found} bytes, wanted at least 20")]
    HeaderLength {
        /// From the header.
        found: usize,
    },
    /// The length in the IP header is below that of the headers, or more than there is.
    #[error("IP length {found}, wanted {min} to {max}")]
    Length {
        /// From the header.
        found: usize,
        /// The headers' length.
        min: usize,
        /// Bytes present.
        max: usize,
    },
    /// The checksum of the IPv4 header is wrong (RFC 1812 §5.2.2).
    #[error("wrong checksum of the IPv4 header")]
    HeaderChecksum,
    /// An IPv4 option outside the header, or of a length below 2.
    #[error("malformed IPv4 option")]
    Options,
    /// More extension headers than any sane packet has.
    #[error("more than {max} extension headers")]
    ExtensionHeaders {
        /// The limit.
        max: usize,
    },
    /// A jumbogram (RFC 2675), or a payload length of zero with something behind it.
    #[error("jumbogram")]
    Jumbo,
    /// A fragment that ends behind 65,535 bytes, or has more behind it and no multiple of 8 bytes.
    #[error("malformed fragment")]
    Fragment,
    /// TCP data offset below 5.
    #[error("TCP header of {found} bytes, wanted at least 20")]
    TcpHeader {
        /// From the header.
        found: usize,
    },
    /// UDP length below 8, or more than there is.
    #[error("UDP length {found}, wanted 8 to {max}")]
    UdpLength {
        /// From the header.
        found: usize,
        /// Bytes present.
        max: usize,
    },
}

impl Packet {
    /// Checks all lengths of the packet at the start of `bytes`; bytes behind the packet's own length
    /// (padding of a link) are ignored.
    #[inline(always)]
    pub fn parse(bytes: &[u8]) -> Result<Self, ParseError> {
        match bytes.first().map_or(0, |byte| byte >> 4) {
            4 => match ipv4::plain(bytes) {
                Some(packet) => Ok(packet),
                None => Ok(ipv4::parse(bytes)?),
            },
            6 => match ipv6::plain(bytes) {
                Some(packet) => Ok(packet),
                None => Ok(ipv6::parse(bytes)?),
            },
            found => Err(ParseError::Version { found }),
        }
    }

    /// Source address.
    #[inline]
    #[must_use]
    pub fn source(&self) -> IpAddr {
        match self.addresses {
            Addresses::V4 { source, .. } => IpAddr::V4(source),
            Addresses::V6 { source, .. } => IpAddr::V6(source),
        }
    }

    /// Destination address.
    #[inline]
    #[must_use]
    pub fn destination(&self) -> IpAddr {
        match self.addresses {
            Addresses::V4 { destination, .. } => IpAddr::V4(destination),
            Addresses::V6 { destination, .. } => IpAddr::V6(destination),
        }
    }

    /// The packet is IPv6.
    #[inline]
    #[must_use]
    pub fn is_ipv6(&self) -> bool {
        matches!(self.addresses, Addresses::V6 { .. })
    }

    /// Number of the transport protocol, past the extension headers that translation skips
    /// (hop-by-hop options, routing, destination options, fragment).
    #[inline]
    #[must_use]
    pub fn protocol(&self) -> u8 {
        self.protocol
    }

    /// Hop limit or TTL, as it arrived.
    #[inline]
    #[must_use]
    pub fn hop_limit(&self) -> u8 {
        self.hop_limit
    }

    /// Traffic class or ToS: DSCP and ECN.
    #[inline]
    #[must_use]
    pub fn traffic_class(&self) -> u8 {
        self.traffic_class
    }

    /// Length of the packet, headers included, as its header says: at most what is there.
    #[inline]
    #[must_use]
    #[expect(clippy::len_without_is_empty, reason = "a packet has a header")]
    pub fn len(&self) -> usize {
        self.len as usize
    }

    /// IPv4: the Don't Fragment flag. IPv6: true, since no router fragments it.
    #[inline]
    #[must_use]
    pub fn dont_fragment(&self) -> bool {
        self.dont_fragment
    }

    /// The place in its datagram, if it is a fragment; an atomic fragment (RFC 6946) is none.
    #[inline]
    #[must_use]
    pub fn fragment(&self) -> Option<Fragment> {
        match self.fragmentation {
            Fragmentation::Whole | Fragmentation::Atomic { .. } => None,
            Fragmentation::Fragment(fragment) => Some(fragment),
        }
    }

    /// What is inside.
    #[inline]
    #[must_use]
    pub fn transport(&self) -> Transport {
        self.carried.transport()
    }

    /// Offset of the transport header (of the payload, in a fragment that is not the first).
    #[inline]
    #[must_use]
    pub fn transport_offset(&self) -> usize {
        usize::from(self.transport_offset)
    }

    /// Offset behind the TCP, UDP or ICMP header; that of the transport header for other protocols.
    #[inline]
    #[must_use]
    pub fn payload_offset(&self) -> usize {
        usize::from(self.payload_offset)
    }

    /// Where the payload of the transport protocol stands: for UDP as its own length says.
    #[must_use]
    pub fn payload(&self) -> Range<usize> {
        let end = match self.transport() {
            Transport::Udp { len, .. } if self.fragment().is_none() => {
                self.transport_offset() + usize::from(len)
            }
            Transport::Udp { .. }
            | Transport::Tcp { .. }
            | Transport::IcmpQuery { .. }
            | Transport::IcmpError
            | Transport::IcmpOther { .. }
            | Transport::Other
            | Transport::NonFirstFragment => self.len(),
        };
        self.payload_offset()..end.max(self.payload_offset())
    }

    /// Addresses and ports; `None` without ports: other protocols, ICMP errors, fragments that are not
    /// the first.
    #[inline]
    #[must_use]
    pub fn tuple(&self) -> Option<Tuple> {
        let (source_port, destination_port) = self.transport().ports()?;
        Some(Tuple {
            protocol: self.protocol,
            source: self.source(),
            destination: self.destination(),
            source_port,
            destination_port,
        })
    }

    /// The packet that an ICMP error quotes, read from the same `bytes` as the error; `None` for every
    /// other packet.
    #[must_use]
    pub fn quoted(&self, bytes: &[u8]) -> Option<Quoted> {
        if self.transport() != Transport::IcmpError {
            return None;
        }
        let message = bytes.get(self.transport_offset()..self.len())?;
        Quoted::parse(self.outer_icmp(), message, self.transport_offset())
    }

    fn outer_icmp(&self) -> u8 {
        if self.is_ipv6() {
            protocol::ICMPV6
        } else {
            protocol::ICMP
        }
    }

    /// The packet is, or may be, an ICMP error: no error is ever sent about it.
    #[must_use]
    pub fn is_icmp_error(&self) -> bool {
        match self.transport() {
            Transport::IcmpError => true,
            Transport::IcmpOther { kind, .. } => icmp::is_error(self.protocol, kind),
            Transport::Tcp { .. }
            | Transport::Udp { .. }
            | Transport::IcmpQuery { .. }
            | Transport::Other
            | Transport::NonFirstFragment => false,
        }
    }

    /// The only fragment of a datagram that is whole: what it is before it is split.
    pub(crate) const fn whole(&self) -> Fragment {
        Fragment {
            identification: self.identification,
            offset: 0,
            more: false,
        }
    }

    #[inline]
    pub(crate) fn has_options(&self) -> bool {
        self.transport_offset()
            != if self.is_ipv6() {
                IPV6_HEADER
            } else {
                IPV4_HEADER
            }
    }
}

impl Fragment {
    /// The fragment that holds the transport header.
    #[must_use]
    pub fn is_first(&self) -> bool {
        self.offset == 0
    }
}

/// RFC 791 §3.2, RFC 8200 §4.5: all fragments but the last hold a multiple of 8 bytes, and none ends
/// behind the longest datagram.
fn check_fragment(fragment: Fragment, len: usize) -> Result<(), ParseError> {
    if fragment.more && (len == 0 || !len.is_multiple_of(8))
        || fragment.offset as usize + len > usize::from(u16::MAX)
    {
        return Err(ParseError::Fragment);
    }
    Ok(())
}
