//! The packets that every row translates: TCP with an ACK, no options, valid checksums.

use core::net::{Ipv4Addr, Ipv6Addr};

/// The pod, and its SNAT address outside.
pub const POD: Ipv4Addr = Ipv4Addr::new(10, 1, 2, 3);
/// The address that the pod was given for the host.
pub const MAPPED: Ipv4Addr = Ipv4Addr::new(198, 18, 46, 10);
/// What the pod's packets leave with.
pub const SNAT: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 1, 0, 0, 0, 0, 0x46);
/// The host.
pub const HOST: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0xffff, 0, 0, 0, 0, 0x80);

/// A packet of `length` bytes from the pod to the mapped address.
#[must_use]
pub fn from_pod(length: u16) -> Vec<u8> {
    let mut packet = vec![0x45, 0, 0, 0, 0, 0, 0x40, 0, 64, 6, 0, 0];
    packet[2..4].copy_from_slice(&length.to_be_bytes());
    packet.extend(POD.octets());
    packet.extend(MAPPED.octets());
    let checksum = checksum(0, &packet);
    packet[10..12].copy_from_slice(&checksum.to_be_bytes());
    append_tcp(&mut packet, usize::from(length));
    packet
}

/// A packet of `length` bytes from the host to the SNAT address.
#[must_use]
pub fn from_host(length: u16) -> Vec<u8> {
    let mut packet = vec![0x60, 0, 0, 0, 0, 0, 6, 64];
    packet[4..6].copy_from_slice(&(length - 40).to_be_bytes());
    packet.extend(HOST.octets());
    packet.extend(SNAT.octets());
    append_tcp(&mut packet, usize::from(length));
    packet
}

/// Whether the transport checksum of a TCP packet of either family is right.
#[must_use]
pub fn checksum_is_valid(packet: &[u8]) -> bool {
    let (header, addresses) = if packet[0] >> 4 == 4 {
        (20, 12)
    } else {
        (40, 8)
    };
    checksum(
        pseudo(&packet[addresses..header], packet.len() - header),
        &packet[header..],
    ) == 0
}

fn append_tcp(packet: &mut Vec<u8>, length: usize) {
    let header = packet.len();
    packet.extend(40_000_u16.to_be_bytes());
    packet.extend(443_u16.to_be_bytes());
    packet.extend([1, 2, 3, 4, 5, 6, 7, 8, 0x50, 0x10, 0x20, 0, 0, 0, 0, 0]);
    packet.extend((packet.len()..length).map(|index| (index * 7) as u8));
    let addresses = if packet[0] >> 4 == 4 { 12 } else { 8 };
    let checksum = checksum(
        pseudo(&packet[addresses..header], packet.len() - header),
        &packet[header..],
    );
    packet[header + 16..header + 18].copy_from_slice(&checksum.to_be_bytes());
}

fn pseudo(addresses: &[u8], length: usize) -> u32 {
    sum(addresses) + 6 + length as u32
}

fn checksum(start: u32, bytes: &[u8]) -> u16 {
    let mut total = start + sum(bytes);
    while total > 0xffff {
        total = (total & 0xffff) + (total >> 16);
    }
    !(total as u16)
}

fn sum(bytes: &[u8]) -> u32 {
    let words = bytes.chunks(2);
    words
        .map(|word| u32::from(word[0]) << 8 | u32::from(word.get(1).copied().unwrap_or(0)))
        .sum()
}
