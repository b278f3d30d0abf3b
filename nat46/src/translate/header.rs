//! IP headers, written over whatever stood there.

use core::net::{Ipv4Addr, Ipv6Addr};

use crate::bytes::put16;
use crate::checksum::Sum;
use crate::packet::{FRAGMENT_HEADER, Fragment, IPV4_HEADER, IPV6_HEADER, protocol};

pub(super) const DONT_FRAGMENT: u16 = 0x4000;
const MORE_FRAGMENTS: u16 = 0x2000;

/// An IPv6 header (RFC 8200 §3); the flow label is 0 (RFC 7915 §4.1).
#[derive(Clone, Copy)]
pub(super) struct Ipv6 {
    pub(super) traffic_class: u8,
    pub(super) payload_len: u16,
    pub(super) next_header: u8,
    pub(super) hop_limit: u8,
    pub(super) source: Ipv6Addr,
    pub(super) destination: Ipv6Addr,
}

impl Ipv6 {
    #[inline]
    pub(super) fn write(&self, bytes: &mut [u8]) {
        let Some(header) = bytes.first_chunk_mut::<IPV6_HEADER>() else {
            return;
        };
        let [l0, l1] = self.payload_len.to_be_bytes();
        let class = self.traffic_class;
        let (fixed, addresses) = header.split_at_mut(8);
        fixed.copy_from_slice(&[
            0x60 | class >> 4,
            class << 4,
            0,
            0,
            l0,
            l1,
            self.next_header,
            self.hop_limit,
        ]);
        let (source, destination) = addresses.split_at_mut(16);
        source.copy_from_slice(&self.source.octets());
        destination.copy_from_slice(&self.destination.octets());
    }

    /// With a Fragment header behind it (RFC 8200 §4.5), which takes over the next header.
    pub(super) fn write_fragment(mut self, fragment: Fragment, bytes: &mut [u8]) {
        let next = self.next_header;
        self.next_header = protocol::FRAGMENT;
        self.write(bytes);
        let behind = bytes.get_mut(IPV6_HEADER..);
        if let Some(header) = behind.and_then(<[u8]>::first_chunk_mut::<FRAGMENT_HEADER>) {
            let [o0, o1] = (fragment.offset as u16 | u16::from(fragment.more)).to_be_bytes();
            let [i0, i1, i2, i3] = fragment.identification.to_be_bytes();
            *header = [next, 0, o0, o1, i0, i1, i2, i3];
        }
    }
}

/// An IPv4 header without options (RFC 791 §3.1).
#[derive(Clone, Copy)]
pub(super) struct Ipv4 {
    pub(super) tos: u8,
    pub(super) total_len: u16,
    pub(super) identification: u16,
    /// Flags and fragment offset.
    pub(super) flags: u16,
    pub(super) ttl: u8,
    pub(super) protocol: u8,
    pub(super) source: Ipv4Addr,
    pub(super) destination: Ipv4Addr,
}

impl Ipv4 {
    #[inline]
    pub(super) fn write(&self, bytes: &mut [u8]) {
        let Some(header) = bytes.first_chunk_mut::<IPV4_HEADER>() else {
            return;
        };
        let ([l0, l1], [i0, i1]) = (
            self.total_len.to_be_bytes(),
            self.identification.to_be_bytes(),
        );
        let [f0, f1] = self.flags.to_be_bytes();
        let sum = Sum::ZERO
            .word(u32::from_be_bytes([0x45, self.tos, l0, l1]))
            .word(u32::from_be_bytes([i0, i1, f0, f1]))
            .word(u32::from_be_bytes([self.ttl, self.protocol, 0, 0]))
            .ipv4(self.source)
            .ipv4(self.destination);
        let [c0, c1] = sum.checksum().to_be_bytes();
        let ([s0, s1, s2, s3], [d0, d1, d2, d3]) =
            (self.source.octets(), self.destination.octets());
        *header = [
            0x45,
            self.tos,
            l0,
            l1,
            i0,
            i1,
            f0,
            f1,
            self.ttl,
            self.protocol,
            c0,
            c1,
            s0,
            s1,
            s2,
            s3,
            d0,
            d1,
            d2,
            d3,
        ];
    }
}

/// Flags and offset of a fragment, which may always be fragmented further (RFC 7915 §5.1.1).
pub(super) const fn fragment_flags(fragment: Fragment) -> u16 {
    (fragment.offset / 8) as u16 | if fragment.more { MORE_FRAGMENTS } else { 0 }
}

/// New addresses in an IPv4 header that keeps all else but its TTL.
pub(super) fn readdress_v4(bytes: &mut [u8], source: Ipv4Addr, destination: Ipv4Addr, age: u8) {
    let old = bytes.first_chunk::<IPV4_HEADER>().copied();
    let Some(old) = old else { return };
    let Some(header) = bytes.first_chunk_mut::<IPV4_HEADER>() else {
        return;
    };
    let (fixed, addresses) = header.split_at_mut(12);
    if let Some(ttl) = fixed.get_mut(8) {
        *ttl = ttl.saturating_sub(age);
    }
    let (to, from) = addresses.split_at_mut(4);
    to.copy_from_slice(&source.octets());
    from.copy_from_slice(&destination.octets());
    // RFC 1624: a checksum that was wrong stays wrong, as in a quoted header it may be.
    let delta = Sum::ZERO
        .bytes(header)
        .minus(Sum::ZERO.bytes(&old))
        .folded();
    let checksum = u16::from_be_bytes([old[10], old[11]]);
    put16(bytes, 10, crate::checksum::update(checksum, delta));
}

/// New addresses in an IPv6 header that keeps all else but its hop limit.
pub(super) fn readdress_v6(bytes: &mut [u8], source: Ipv6Addr, destination: Ipv6Addr, age: u8) {
    let Some(header) = bytes.first_chunk_mut::<IPV6_HEADER>() else {
        return;
    };
    let (fixed, addresses) = header.split_at_mut(8);
    if let Some(hop_limit) = fixed.get_mut(7) {
        *hop_limit = hop_limit.saturating_sub(age);
    }
    let (to, from) = addresses.split_at_mut(16);
    to.copy_from_slice(&source.octets());
    from.copy_from_slice(&destination.octets());
}
