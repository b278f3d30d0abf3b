//! The IPv6 header and the chain of extension headers (RFC 8200 §3, §4).

use core::net::Ipv6Addr;

use super::{
    Addresses, FRAGMENT_HEADER, Fragment, Fragmentation, IPV6_HEADER, Obstacle, Packet, ParseError,
    protocol, transport,
};

const HOP_BY_HOP: u8 = 0;
const ROUTING: u8 = 43;
const DESTINATION_OPTIONS: u8 = 60;

/// Each of the four kinds may stand once, destination options twice (RFC 8200 §4.1); some more are
/// let through, an endless chain is not.
const MAX_EXTENSION_HEADERS: usize = 8;

/// The fixed header.
#[derive(Clone, Copy)]
pub(super) struct Header {
    pub(super) source: Ipv6Addr,
    pub(super) destination: Ipv6Addr,
    pub(super) payload_len: u16,
    pub(super) next_header: u8,
    pub(super) hop_limit: u8,
    pub(super) traffic_class: u8,
}

/// What was found between the fixed header and the transport.
#[derive(Clone, Copy)]
pub(super) struct Chain {
    /// Bytes of all extension headers, the Fragment header included.
    pub(super) len: usize,
    pub(super) protocol: u8,
    pub(super) fragmentation: Fragmentation,
    pub(super) obstacle: Option<Obstacle>,
}

impl Header {
    #[inline(always)]
    pub(super) fn read(bytes: &[u8; IPV6_HEADER]) -> Self {
        let [a, b, _, _, p0, p1, next_header, hop_limit, addresses @ ..] = *bytes;
        let (source, destination) = split(&addresses);
        Self {
            source: Ipv6Addr::from(source),
            destination: Ipv6Addr::from(destination),
            payload_len: u16::from_be_bytes([p0, p1]),
            next_header,
            hop_limit,
            traffic_class: a << 4 | b >> 4,
        }
    }
}

#[inline]
pub(crate) fn split(addresses: &[u8; 32]) -> ([u8; 16], [u8; 16]) {
    let (mut source, mut destination) = ([0; 16], [0; 16]);
    let (front, back) = addresses.split_at(16);
    source.copy_from_slice(front);
    destination.copy_from_slice(back);
    (source, destination)
}

/// A TCP or UDP packet without extension headers, which nearly every packet is; `None` for all others,
/// those that are not sound among them.
#[inline(always)]
pub(super) fn plain(bytes: &[u8]) -> Option<Packet> {
    let (fixed, rest) = bytes.split_first_chunk::<IPV6_HEADER>()?;
    let header = Header::read(fixed);
    let body = rest.get(..usize::from(header.payload_len))?;
    let (parsed, plain) = transport::plain(header.next_header, body)?;
    Some(Packet {
        addresses: Addresses::V6 {
            source: header.source,
            destination: header.destination,
        },
        len: IPV6_HEADER as u32 + u32::from(header.payload_len),
        transport_offset: IPV6_HEADER as u16,
        payload_offset: IPV6_HEADER as u16 + parsed.header_len,
        protocol: header.next_header,
        hop_limit: header.hop_limit,
        traffic_class: header.traffic_class,
        dont_fragment: true,
        identification: 0,
        fragmentation: Fragmentation::Whole,
        obstacle: None,
        plain,
        carried: parsed.carried,
    })
}

#[cold]
pub(crate) fn parse(bytes: &[u8]) -> Result<Packet, ParseError> {
    let truncated = ParseError::Truncated {
        found: bytes.len(),
        wanted: IPV6_HEADER,
    };
    let (fixed, rest) = bytes.split_first_chunk::<IPV6_HEADER>().ok_or(truncated)?;
    let header = Header::read(fixed);
    let payload_len = usize::from(header.payload_len);
    if payload_len == 0 && header.next_header == HOP_BY_HOP {
        return Err(ParseError::Jumbo);
    }
    let len = IPV6_HEADER + payload_len;
    let Some(rest) = rest.get(..payload_len) else {
        return Err(ParseError::Length {
            found: len,
            min: IPV6_HEADER,
            max: bytes.len(),
        });
    };
    let chain = walk(header.next_header, rest)?;
    let body = rest.get(chain.len..).unwrap_or_default();
    if let Fragmentation::Fragment(fragment) = chain.fragmentation {
        super::check_fragment(fragment, body.len())?;
    }
    let offset = (IPV6_HEADER + chain.len) as u16;
    // What stands behind an extension header that is not skipped is not looked at; ICMPv4 inside
    // IPv6 is nobody's.
    let known = match chain.obstacle {
        Some(Obstacle::BehindFragment) => u8::MAX,
        Some(Obstacle::SourceRoute | Obstacle::SegmentsLeft { .. }) | None => chain.protocol,
    };
    let known = if known == protocol::ICMP {
        u8::MAX
    } else {
        known
    };
    let parsed = transport::parse(known, chain.fragmentation, body, offset.into())?;
    Ok(Packet {
        addresses: Addresses::V6 {
            source: header.source,
            destination: header.destination,
        },
        len: len as u32,
        transport_offset: offset,
        payload_offset: offset + parsed.header_len,
        protocol: chain.protocol,
        hop_limit: header.hop_limit,
        traffic_class: header.traffic_class,
        dont_fragment: true,
        identification: match chain.fragmentation {
            Fragmentation::Whole => 0,
            Fragmentation::Atomic { identification } => identification,
            Fragmentation::Fragment(fragment) => fragment.identification,
        },
        fragmentation: chain.fragmentation,
        obstacle: chain.obstacle,
        plain: 0,
        carried: parsed.carried,
    })
}

/// Walks the headers that translation skips (RFC 7915 §5.1): hop-by-hop options, routing,
/// destination options, and one Fragment header; any other is the transport.
pub(super) fn walk(next_header: u8, bytes: &[u8]) -> Result<Chain, ParseError> {
    let mut chain = Chain {
        len: 0,
        protocol: next_header,
        fragmentation: Fragmentation::Whole,
        obstacle: None,
    };
    for _ in 0..=MAX_EXTENSION_HEADERS {
        let is_fragment = chain.protocol == protocol::FRAGMENT;
        if !is_fragment && !matches!(chain.protocol, HOP_BY_HOP | ROUTING | DESTINATION_OPTIONS) {
            return Ok(chain);
        }
        let rest = bytes.get(chain.len..).unwrap_or_default();
        let truncated = ParseError::Truncated {
            found: IPV6_HEADER + bytes.len(),
            wanted: IPV6_HEADER + chain.len + FRAGMENT_HEADER,
        };
        let &[next, len, f0, segments_left, i0, i1, i2, i3] =
            rest.first_chunk::<FRAGMENT_HEADER>().ok_or(truncated)?;
        if is_fragment {
            chain.len += FRAGMENT_HEADER;
            chain.protocol = next;
            let word = u16::from_be_bytes([f0, segments_left]);
            let identification = u32::from_be_bytes([i0, i1, i2, i3]);
            let (offset, more) = (u32::from(word & 0xfff8), word & 1 != 0);
            chain.fragmentation = if offset == 0 && !more {
                Fragmentation::Atomic { identification }
            } else {
                Fragmentation::Fragment(Fragment {
                    identification,
                    offset,
                    more,
                })
            };
            if is_extension_header(next) && chain.obstacle.is_none() {
                chain.obstacle = Some(Obstacle::BehindFragment);
            }
            return Ok(chain);
        }
        if chain.protocol == ROUTING && segments_left != 0 && chain.obstacle.is_none() {
            let pointer = (IPV6_HEADER + chain.len + 3) as u16;
            chain.obstacle = Some(Obstacle::SegmentsLeft { pointer });
        }
        let wanted = chain.len + (usize::from(len) + 1) * 8;
        if wanted > bytes.len() {
            return Err(ParseError::Truncated {
                found: IPV6_HEADER + bytes.len(),
                wanted: IPV6_HEADER + wanted,
            });
        }
        chain.len = wanted;
        chain.protocol = next;
    }
    Err(ParseError::ExtensionHeaders {
        max: MAX_EXTENSION_HEADERS,
    })
}

/// RFC 7045 §4, "IPv6 Extension Header Types"; but for ESP, behind which everything is encrypted.
fn is_extension_header(number: u8) -> bool {
    matches!(
        number,
        HOP_BY_HOP
            | ROUTING
            | protocol::FRAGMENT
            | 51
            | DESTINATION_OPTIONS
            | 135
            | 139
            | 140
            | 253
            | 254
    )
}
