//! The IPv4 header (RFC 791 §3.1).

use core::net::Ipv4Addr;

use super::{
    Addresses, Fragment, Fragmentation, IPV4_HEADER, Obstacle, Packet, ParseError, protocol,
    transport,
};
use crate::checksum::Sum;

const MORE_FRAGMENTS: u16 = 0x2000;
const DONT_FRAGMENT: u16 = 0x4000;
const OFFSET: u16 = 0x1fff;

/// The fixed part of a header; its options are not looked at.
#[derive(Clone, Copy)]
pub(super) struct Header {
    pub(super) source: Ipv4Addr,
    pub(super) destination: Ipv4Addr,
    /// Total Length.
    pub(super) len: u16,
    /// Bytes, from IHL: 20 to 60.
    pub(super) header_len: u8,
    pub(super) tos: u8,
    pub(super) ttl: u8,
    pub(super) protocol: u8,
    pub(super) identification: u16,
    flags: u16,
}

impl Header {
    /// Reads a header without judging it.
    #[inline(always)]
    pub(super) fn read(bytes: &[u8; IPV4_HEADER]) -> Self {
        let [
            v,
            tos,
            l0,
            l1,
            i0,
            i1,
            f0,
            f1,
            ttl,
            protocol,
            _,
            _,
            s0,
            s1,
            s2,
            s3,
            d0,
            d1,
            d2,
            d3,
        ] = *bytes;
        Self {
            source: Ipv4Addr::new(s0, s1, s2, s3),
            destination: Ipv4Addr::new(d0, d1, d2, d3),
            len: u16::from_be_bytes([l0, l1]),
            header_len: (v & 0x0f) * 4,
            tos,
            ttl,
            protocol,
            identification: u16::from_be_bytes([i0, i1]),
            flags: u16::from_be_bytes([f0, f1]),
        }
    }

    #[inline]
    pub(super) fn dont_fragment(&self) -> bool {
        self.flags & DONT_FRAGMENT != 0
    }

    #[inline]
    pub(super) fn fragmentation(&self) -> Fragmentation {
        if self.flags & (MORE_FRAGMENTS | OFFSET) == 0 {
            return Fragmentation::Whole;
        }
        Fragmentation::Fragment(Fragment {
            identification: u32::from(self.identification),
            offset: u32::from(self.flags & OFFSET) * 8,
            more: self.flags & MORE_FRAGMENTS != 0,
        })
    }
}

/// A whole TCP or UDP packet without options, which nearly every packet is; `None` for all others, those
/// that are not sound among them.
#[inline(always)]
pub(super) fn plain(bytes: &[u8]) -> Option<Packet> {
    let fixed = bytes.first_chunk::<IPV4_HEADER>()?;
    let header = Header::read(fixed);
    let body = bytes.get(IPV4_HEADER..usize::from(header.len))?;
    if fixed[0] != 0x45
        || header.flags & (MORE_FRAGMENTS | OFFSET) != 0
        || header_sum(fixed, &[]) != 0xffff
    {
        return None;
    }
    let (parsed, plain) = transport::plain(header.protocol, body)?;
    Some(Packet {
        addresses: Addresses::V4 {
            source: header.source,
            destination: header.destination,
        },
        len: u32::from(header.len),
        transport_offset: IPV4_HEADER as u16,
        payload_offset: IPV4_HEADER as u16 + parsed.header_len,
        protocol: header.protocol,
        hop_limit: header.ttl,
        traffic_class: header.tos,
        dont_fragment: header.dont_fragment(),
        identification: u32::from(header.identification),
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
        wanted: IPV4_HEADER,
    };
    let fixed = bytes.first_chunk::<IPV4_HEADER>().ok_or(truncated)?;
    let header = Header::read(fixed);
    let header_len = usize::from(header.header_len);
    if header_len < IPV4_HEADER {
        return Err(ParseError::HeaderLength { found: header_len });
    }
    let len = usize::from(header.len);
    let (Some(options), Some(body)) = (
        bytes.get(IPV4_HEADER..header_len),
        bytes.get(header_len..len),
    ) else {
        return Err(ParseError::Length {
            found: len,
            min: header_len,
            max: bytes.len(),
        });
    };
    // RFC 1812 §5.2.2 (2): MUST verify.
    if header_sum(fixed, options) != 0xffff {
        return Err(ParseError::HeaderChecksum);
    }
    let obstacle = if options.is_empty() {
        None
    } else {
        source_route(options)?
    };
    let fragmentation = header.fragmentation();
    if let Fragmentation::Fragment(fragment) = fragmentation {
        super::check_fragment(fragment, body.len())?;
    }
    // ICMPv6 inside IPv4 is nobody's.
    let known = if header.protocol == protocol::ICMPV6 {
        u8::MAX
    } else {
        header.protocol
    };
    let parsed = transport::parse(known, fragmentation, body, header.header_len.into())?;
    Ok(Packet {
        addresses: Addresses::V4 {
            source: header.source,
            destination: header.destination,
        },
        len: u32::from(header.len),
        transport_offset: u16::from(header.header_len),
        payload_offset: u16::from(header.header_len) + parsed.header_len,
        protocol: header.protocol,
        hop_limit: header.ttl,
        traffic_class: header.tos,
        dont_fragment: header.dont_fragment(),
        identification: u32::from(header.identification),
        fragmentation,
        obstacle,
        plain: 0,
        carried: parsed.carried,
    })
}

#[inline(always)]
fn header_sum(fixed: &[u8; IPV4_HEADER], options: &[u8]) -> u16 {
    let (words, _) = fixed.as_chunks::<4>();
    let sum = words
        .iter()
        .fold(Sum::ZERO, |sum, word| sum.ipv4(Ipv4Addr::from(*word)));
    if options.is_empty() {
        sum.folded()
    } else {
        sum.bytes(options).folded()
    }
}

/// Looks for an unexpired source route: RFC 791 §3.1, "Loose Source and Record Route".
fn source_route(mut options: &[u8]) -> Result<Option<Obstacle>, ParseError> {
    const END: u8 = 0;
    const NO_OPERATION: u8 = 1;
    const LOOSE: u8 = 131;
    const STRICT: u8 = 137;
    while let Some((&kind, rest)) = options.split_first() {
        match kind {
            END => break,
            NO_OPERATION => options = rest,
            _ => {
                let len = rest.first().copied().map_or(0, usize::from);
                let (Some(option), true) = (options.get(..len), len >= 2) else {
                    return Err(ParseError::Options);
                };
                let pointer = option.get(2).copied().map_or(0, usize::from);
                if matches!(kind, LOOSE | STRICT) && pointer <= len {
                    return Ok(Some(Obstacle::SourceRoute));
                }
                options = options.get(len..).unwrap_or_default();
            }
        }
    }
    Ok(None)
}
