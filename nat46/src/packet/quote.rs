//! The packet that an ICMP error quotes: as much of it as the sender of the error kept.

use core::net::IpAddr;
use core::ops::Range;

use super::{
    Addresses, Fragment, Fragmentation, IPV4_HEADER, IPV6_HEADER, Tuple, icmp, ipv4, ipv6,
    protocol, v4, v6,
};

/// An ICMP error, and the packet that it quotes.
///
/// The quoted packet is truncated and was changed on its way, so nothing but the lengths of what is
/// there was checked: no checksum, and no length field against the bytes present (RFC 7915 §4.3, §5.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quoted {
    pub(crate) outer: u8,
    pub(crate) kind: u8,
    pub(crate) code: u8,
    pub(crate) word: u32,
    /// Where the quoted packet starts in the whole packet.
    pub(crate) start: u16,
    /// Bytes of the quoted packet that are there, without padding.
    pub(crate) present: u16,
    /// Where the extension structure (RFC 4884 §7) starts in the whole packet, if there is one; it
    /// ends with the packet.
    pub(crate) extension: Option<u16>,
    pub(crate) addresses: Addresses,
    /// Total length that the quoted header claims.
    pub(crate) len: u32,
    /// Bytes in front of the quoted transport header.
    pub(crate) header_len: u16,
    pub(crate) protocol: u8,
    pub(crate) hop_limit: u8,
    pub(crate) traffic_class: u8,
    pub(crate) fragmentation: Fragmentation,
    /// An extension header that must not be translated.
    pub(crate) obstructed: bool,
    pub(crate) transport: QuotedTransport,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum QuotedTransport {
    /// TCP or UDP, of which the ports are there.
    Ports { source: u16, destination: u16 },
    /// Echo, of which the identifier is there.
    Echo { identifier: u16, request: bool },
    /// Another ICMP message.
    Icmp { kind: u8 },
    /// Another protocol, a fragment that is not the first, or too short for ports.
    Opaque,
}

impl Quoted {
    /// Type of the error.
    #[must_use]
    pub fn kind(&self) -> u8 {
        self.kind
    }

    /// Code of the error.
    #[must_use]
    pub fn code(&self) -> u8 {
        self.code
    }

    /// MTU of the next hop that a Fragmentation Needed (RFC 1191; 0 from a router that does not know
    /// it) or a Packet Too Big reports.
    #[must_use]
    pub fn mtu(&self) -> Option<u32> {
        match (self.outer, self.kind, self.code) {
            (protocol::ICMP, v4::UNREACHABLE, v4::FRAGMENTATION_NEEDED) => Some(self.word & 0xffff),
            (protocol::ICMPV6, v6::PACKET_TOO_BIG, _) => Some(self.word),
            _ => None,
        }
    }

    /// Source address of the quoted packet.
    #[must_use]
    pub fn source(&self) -> IpAddr {
        match self.addresses {
            Addresses::V4 { source, .. } => IpAddr::V4(source),
            Addresses::V6 { source, .. } => IpAddr::V6(source),
        }
    }

    /// Destination address of the quoted packet.
    #[must_use]
    pub fn destination(&self) -> IpAddr {
        match self.addresses {
            Addresses::V4 { destination, .. } => IpAddr::V4(destination),
            Addresses::V6 { destination, .. } => IpAddr::V6(destination),
        }
    }

    /// Number of the quoted transport protocol.
    #[must_use]
    pub fn protocol(&self) -> u8 {
        self.protocol
    }

    /// The quoted packet's place in its datagram, if it is a fragment.
    #[must_use]
    pub fn fragment(&self) -> Option<Fragment> {
        match self.fragmentation {
            Fragmentation::Whole | Fragmentation::Atomic { .. } => None,
            Fragmentation::Fragment(fragment) => Some(fragment),
        }
    }

    /// Addresses and ports of the quoted packet as it stands, in its own direction: the reverse of
    /// the error's. `None` if it has no ports, or was cut before them.
    #[must_use]
    pub fn tuple(&self) -> Option<Tuple> {
        let (source_port, destination_port) = match self.transport {
            QuotedTransport::Ports {
                source,
                destination,
            } => (source, destination),
            QuotedTransport::Echo { identifier, .. } => (identifier, identifier),
            QuotedTransport::Icmp { .. } | QuotedTransport::Opaque => return None,
        };
        Some(Tuple {
            protocol: self.protocol,
            source: self.source(),
            destination: self.destination(),
            source_port,
            destination_port,
        })
    }

    /// Where the quoted packet stands in the whole one.
    #[must_use]
    pub fn range(&self) -> Range<usize> {
        let start = usize::from(self.start);
        start..start + usize::from(self.present)
    }

    /// Reads what the ICMP error `message` quotes, which stands at `offset` of its packet.
    pub(super) fn parse(outer: u8, message: &[u8], offset: usize) -> Option<Self> {
        let (&[kind, code, _, _, w0, w1, w2, w3], quote) = message.split_first_chunk()?;
        // RFC 4884 §4: byte 5 in units of 4, byte 4 in units of 8; only of some types.
        let attribute = match (outer, kind) {
            (protocol::ICMP, v4::UNREACHABLE | v4::TIME_EXCEEDED | v4::PARAMETER_PROBLEM) => {
                usize::from(w1) * 4
            }
            (protocol::ICMPV6, v6::UNREACHABLE | v6::TIME_EXCEEDED) => usize::from(w0) * 8,
            _ => 0,
        };
        // A length that is not there is none; one below 128 is the sender's fault, but harmless.
        let (datagram, has_extension) = match quote.split_at_checked(attribute) {
            Some((datagram, extension)) if attribute != 0 => (datagram, !extension.is_empty()),
            Some(_) | None => (quote, false),
        };
        let start = offset + icmp::HEADER;
        let inner = match datagram.first()? >> 4 {
            4 if outer == protocol::ICMP => Inner::v4(datagram)?,
            6 if outer == protocol::ICMPV6 => Inner::v6(datagram)?,
            _ => return None,
        };
        let transport = inner.transport(datagram.get(usize::from(inner.header_len)..)?);
        Some(Self {
            outer,
            kind,
            code,
            word: u32::from_be_bytes([w0, w1, w2, w3]),
            start: u16::try_from(start).ok()?,
            present: u16::try_from(datagram.len().min(inner.len as usize)).ok()?,
            extension: if has_extension {
                Some(u16::try_from(start + attribute).ok()?)
            } else {
                None
            },
            addresses: inner.addresses,
            len: inner.len,
            header_len: inner.header_len,
            protocol: inner.protocol,
            hop_limit: inner.hop_limit,
            traffic_class: inner.traffic_class,
            fragmentation: inner.fragmentation,
            obstructed: inner.obstructed,
            transport,
        })
    }
}

/// The quoted IP header.
struct Inner {
    addresses: Addresses,
    len: u32,
    header_len: u16,
    protocol: u8,
    hop_limit: u8,
    traffic_class: u8,
    fragmentation: Fragmentation,
    obstructed: bool,
}

impl Inner {
    fn v4(bytes: &[u8]) -> Option<Self> {
        let header = ipv4::Header::read(bytes.first_chunk()?);
        let header_len = usize::from(header.header_len);
        if header_len < IPV4_HEADER
            || bytes.len() < header_len
            || usize::from(header.len) < header_len
        {
            return None;
        }
        Some(Self {
            addresses: Addresses::V4 {
                source: header.source,
                destination: header.destination,
            },
            len: header.len.into(),
            header_len: header.header_len.into(),
            protocol: header.protocol,
            hop_limit: header.ttl,
            traffic_class: header.tos,
            fragmentation: header.fragmentation(),
            obstructed: false,
        })
    }

    fn v6(bytes: &[u8]) -> Option<Self> {
        let (fixed, rest) = bytes.split_first_chunk::<IPV6_HEADER>()?;
        let header = ipv6::Header::read(fixed);
        let chain = ipv6::walk(header.next_header, rest).ok()?;
        if chain.len > usize::from(header.payload_len) {
            return None;
        }
        Some(Self {
            addresses: Addresses::V6 {
                source: header.source,
                destination: header.destination,
            },
            len: (IPV6_HEADER + usize::from(header.payload_len)) as u32,
            header_len: u16::try_from(IPV6_HEADER + chain.len).ok()?,
            protocol: chain.protocol,
            hop_limit: header.hop_limit,
            traffic_class: header.traffic_class,
            fragmentation: chain.fragmentation,
            obstructed: chain.obstacle.is_some(),
        })
    }

    fn transport(&self, body: &[u8]) -> QuotedTransport {
        let is_first = match self.fragmentation {
            Fragmentation::Whole | Fragmentation::Atomic { .. } => true,
            Fragmentation::Fragment(fragment) => fragment.is_first(),
        };
        if !is_first {
            return QuotedTransport::Opaque;
        }
        let body = body
            .get(..body.len().min(self.body_len()))
            .unwrap_or_default();
        match (self.protocol, body) {
            (protocol::TCP | protocol::UDP, [s0, s1, d0, d1, ..]) => QuotedTransport::Ports {
                source: u16::from_be_bytes([*s0, *s1]),
                destination: u16::from_be_bytes([*d0, *d1]),
            },
            (protocol::ICMP | protocol::ICMPV6, [kind, rest @ ..])
                if (self.protocol == protocol::ICMPV6)
                    == matches!(self.addresses, Addresses::V6 { .. }) =>
            {
                match (icmp::echo(self.protocol, *kind), rest) {
                    (Some(request), [_, _, _, i0, i1, ..]) => QuotedTransport::Echo {
                        identifier: u16::from_be_bytes([*i0, *i1]),
                        request,
                    },
                    _ => QuotedTransport::Icmp { kind: *kind },
                }
            }
            _ => QuotedTransport::Opaque,
        }
    }

    fn body_len(&self) -> usize {
        (self.len as usize).saturating_sub(self.header_len.into())
    }
}
