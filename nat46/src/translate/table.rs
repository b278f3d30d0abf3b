//! ICMP types, codes, pointers and MTUs across the families (RFC 7915 §4.2, §5.2).

use crate::Links;
use crate::packet::{Fragmentation, Quoted, v4, v6};

/// The plateaus that are not below IPv6's least MTU (RFC 1191 §7.1).
const PLATEAUS: [u32; 7] = [65_535, 32_000, 17_914, 8166, 4352, 2002, 1492];
const IPV6_MTU_MIN: u32 = 1280;
const IPV4_MTU_MIN: u32 = 68;

/// Type, code and the word behind the checksum, without an RFC 4884 length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Icmp {
    pub(super) kind: u8,
    pub(super) code: u8,
    pub(super) word: u32,
}

impl Icmp {
    const fn new(kind: u8, code: u8, word: u32) -> Self {
        Self { kind, code, word }
    }
}

/// An ICMP error as ICMPv6; `None` where there is no such error.
pub(super) fn to_ipv6(quoted: &Quoted, links: Links) -> Option<Icmp> {
    match (quoted.kind, quoted.code) {
        (v4::UNREACHABLE, 0 | 1 | 5..=8 | 11 | 12) => Some(Icmp::new(v6::UNREACHABLE, 0, 0)),
        // Protocol unreachable: the Next Header field, at 6.
        (v4::UNREACHABLE, 2) => Some(Icmp::new(v6::PARAMETER_PROBLEM, 1, 6)),
        (v4::UNREACHABLE, 3) => Some(Icmp::new(v6::UNREACHABLE, 4, 0)),
        (v4::UNREACHABLE, v4::FRAGMENTATION_NEEDED) => {
            Some(Icmp::new(v6::PACKET_TOO_BIG, 0, mtu_to_ipv6(quoted, links)))
        }
        (v4::UNREACHABLE, 9 | 10 | 13 | 15) => Some(Icmp::new(v6::UNREACHABLE, 1, 0)),
        (v4::TIME_EXCEEDED, code) => Some(Icmp::new(v6::TIME_EXCEEDED, code, 0)),
        (v4::PARAMETER_PROBLEM, 0 | 2) => {
            let pointer = pointer_to_ipv6(quoted.word >> 24)?;
            Some(Icmp::new(v6::PARAMETER_PROBLEM, 0, pointer))
        }
        _ => None,
    }
}

/// An ICMPv6 error as ICMP; `None` where there is no such error.
pub(super) fn to_ipv4(quoted: &Quoted, links: Links) -> Option<Icmp> {
    match (quoted.kind, quoted.code) {
        (v6::UNREACHABLE, 0 | 2 | 3) => Some(Icmp::new(v4::UNREACHABLE, 1, 0)),
        (v6::UNREACHABLE, 1) => Some(Icmp::new(v4::UNREACHABLE, 10, 0)),
        (v6::UNREACHABLE, 4) => Some(Icmp::new(v4::UNREACHABLE, 3, 0)),
        (v6::PACKET_TOO_BIG, _) => {
            let mtu = mtu_to_ipv4(quoted, links);
            Some(Icmp::new(v4::UNREACHABLE, v4::FRAGMENTATION_NEEDED, mtu))
        }
        (v6::TIME_EXCEEDED, code) => Some(Icmp::new(v4::TIME_EXCEEDED, code, 0)),
        (v6::PARAMETER_PROBLEM, 0) => {
            let pointer = pointer_to_ipv4(quoted.word)?;
            Some(Icmp::new(v4::PARAMETER_PROBLEM, 0, pointer << 24))
        }
        (v6::PARAMETER_PROBLEM, 1) => Some(Icmp::new(v4::UNREACHABLE, 2, 0)),
        _ => None,
    }
}

/// RFC 7915 §4.2, figure 3.
const fn pointer_to_ipv6(pointer: u32) -> Option<u32> {
    match pointer {
        0 => Some(0),
        1 => Some(1),
        2 | 3 => Some(4),
        8 => Some(7),
        9 => Some(6),
        12..=15 => Some(8),
        16..=19 => Some(24),
        _ => None,
    }
}

/// RFC 7915 §5.2, figure 6.
const fn pointer_to_ipv4(pointer: u32) -> Option<u32> {
    match pointer {
        0 => Some(0),
        1 => Some(1),
        4 | 5 => Some(2),
        6 => Some(9),
        7 => Some(8),
        8..=23 => Some(12),
        24..=39 => Some(16),
        _ => None,
    }
}

/// The error leaves by the IPv6 link, and came by the IPv4 one.
fn mtu_to_ipv6(quoted: &Quoted, links: Links) -> u32 {
    let advertised = match quoted.word & 0xffff {
        // A router that does not know RFC 1191: the greatest plateau below the packet that was too big.
        0 => match PLATEAUS.iter().find(|plateau| **plateau < quoted.len) {
            Some(plateau) => *plateau,
            None => return IPV6_MTU_MIN,
        },
        mtu => mtu,
    };
    (advertised + 20)
        .min(links.mtu_out)
        .min(links.mtu_in.saturating_add(20))
        .max(IPV6_MTU_MIN)
}

/// The error leaves by the IPv4 link, and came by the IPv6 one.
fn mtu_to_ipv4(quoted: &Quoted, links: Links) -> u32 {
    // A packet with a Fragment header loses 8 bytes more (translation 3.5).
    let shrinks = if quoted.fragmentation == Fragmentation::Whole {
        20
    } else {
        28
    };
    let advertised = quoted.word.saturating_sub(shrinks);
    let mtu = advertised
        .min(links.mtu_out)
        .min(links.mtu_in.saturating_sub(20));
    mtu.clamp(IPV4_MTU_MIN, u16::MAX.into())
}
