//! Packets made by hand, with right lengths and checksums.
//!
//! Whatever a test wants wrong it breaks afterwards.

use core::net::{IpAddr, SocketAddr};

pub(crate) use super::packet::EchoKind;
use super::packet::{ICMP, ICMPV6, IpView, TCP, UDP, checksum, transport_checksum};

/// Hop limit of everything made here; see [`set_hop_limit`].
pub const HOP_LIMIT: u8 = 64;

/// The longest ICMP error, IP header included (RFC 1812 §4.3.2.3).
const ICMPV4_ERROR_MAX: usize = 576;

/// The longest ICMPv6 error, IP header included (RFC 4443 §2.4 (c)).
const ICMPV6_ERROR_MAX: usize = 1280;

/// A packet of any protocol. IPv4 ones have Don't Fragment clear and identification 0.
///
/// # Panics
///
/// If the addresses are of different families, or the packet would be longer than 65535 bytes.
#[must_use]
pub fn ip(source: IpAddr, destination: IpAddr, protocol: u8, payload: &[u8]) -> Vec<u8> {
    let mut packet = Vec::with_capacity(40 + payload.len());
    match (source, destination) {
        (IpAddr::V4(source), IpAddr::V4(destination)) => {
            let length = u16::try_from(20 + payload.len()).expect("fits into an IPv4 packet");
            packet.extend([0x45, 0]);
            packet.extend(length.to_be_bytes());
            packet.extend([0, 0, 0, 0, HOP_LIMIT, protocol, 0, 0]);
            packet.extend(source.octets());
            packet.extend(destination.octets());
            fill_ipv4_checksum(&mut packet);
        }
        (IpAddr::V6(source), IpAddr::V6(destination)) => {
            let length = u16::try_from(payload.len()).expect("fits into an IPv6 packet");
            packet.extend([0x60, 0, 0, 0]);
            packet.extend(length.to_be_bytes());
            packet.extend([protocol, HOP_LIMIT]);
            packet.extend(source.octets());
            packet.extend(destination.octets());
        }
        (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => {
            panic!("{source} and {destination} are of different families")
        }
    }
    packet.extend(payload);
    packet
}

/// A UDP datagram.
///
/// # Panics
///
/// As [`ip`] does.
#[must_use]
pub fn udp(source: SocketAddr, destination: SocketAddr, data: &[u8]) -> Vec<u8> {
    let length = u16::try_from(8 + data.len()).expect("fits into a UDP datagram");
    let mut datagram = Vec::with_capacity(8 + data.len());
    datagram.extend(source.port().to_be_bytes());
    datagram.extend(destination.port().to_be_bytes());
    datagram.extend(length.to_be_bytes());
    datagram.extend([0, 0]);
    datagram.extend(data);
    let sum = transport_checksum(source.ip(), destination.ip(), UDP, &datagram);
    // Zero means "no checksum" (RFC 768).
    let sum = if sum == 0 { u16::MAX } else { sum };
    datagram[6..8].copy_from_slice(&sum.to_be_bytes());
    ip(source.ip(), destination.ip(), UDP, &datagram)
}

/// A TCP segment with a window of 65535 and, if given, a maximum segment size option.
///
/// # Panics
///
/// As [`ip`] does.
#[must_use]
pub fn tcp(
    source: SocketAddr,
    destination: SocketAddr,
    flags: u8,
    (sequence, acknowledgement): (u32, u32),
    mss: Option<u16>,
    data: &[u8],
) -> Vec<u8> {
    let mut segment = Vec::with_capacity(24 + data.len());
    segment.extend(source.port().to_be_bytes());
    segment.extend(destination.port().to_be_bytes());
    segment.extend(sequence.to_be_bytes());
    segment.extend(acknowledgement.to_be_bytes());
    segment.extend([
        if mss.is_some() { 0x60 } else { 0x50 },
        flags,
        0xff,
        0xff,
        0,
        0,
        0,
        0,
    ]);
    if let Some(mss) = mss {
        segment.extend([2, 4]);
        segment.extend(mss.to_be_bytes());
    }
    segment.extend(data);
    let sum = transport_checksum(source.ip(), destination.ip(), TCP, &segment);
    segment[16..18].copy_from_slice(&sum.to_be_bytes());
    ip(source.ip(), destination.ip(), TCP, &segment)
}

/// An ICMP or ICMPv6 echo message.
///
/// # Panics
///
/// As [`ip`] does.
#[must_use]
pub fn echo(
    kind: EchoKind,
    source: IpAddr,
    destination: IpAddr,
    identifier: u16,
    sequence: u16,
    data: &[u8],
) -> Vec<u8> {
    let kind = match (kind, source) {
        (EchoKind::Request, IpAddr::V4(_)) => 8,
        (EchoKind::Reply, IpAddr::V4(_)) => 0,
        (EchoKind::Request, IpAddr::V6(_)) => 128,
        (EchoKind::Reply, IpAddr::V6(_)) => 129,
    };
    let [i0, i1] = identifier.to_be_bytes();
    let [s0, s1] = sequence.to_be_bytes();
    icmp(source, destination, kind, 0, [i0, i1, s0, s1], data)
}

/// The ICMP or ICMPv6 error that `from` sends about `offending` to its source, with as much of it
/// as may be quoted. `word` is bytes 4 to 7 of the message: an MTU, a pointer, or zero.
/// `None` if `offending` is not an IP packet of the family of `from`.
#[must_use]
pub fn icmp_error(
    from: IpAddr,
    kind: u8,
    code: u8,
    word: u32,
    offending: &[u8],
) -> Option<Vec<u8>> {
    let to = IpView::new(offending)?.source;
    let room = match (from, to) {
        (IpAddr::V4(_), IpAddr::V4(_)) => ICMPV4_ERROR_MAX - 28,
        (IpAddr::V6(_), IpAddr::V6(_)) => ICMPV6_ERROR_MAX - 48,
        (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => return None,
    };
    let quoted = &offending[..offending.len().min(room)];
    Some(icmp(from, to, kind, code, word.to_be_bytes(), quoted))
}

fn icmp(
    source: IpAddr,
    destination: IpAddr,
    kind: u8,
    code: u8,
    word: [u8; 4],
    data: &[u8],
) -> Vec<u8> {
    let mut message = Vec::with_capacity(8 + data.len());
    message.extend([kind, code, 0, 0]);
    message.extend(word);
    message.extend(data);
    let (protocol, sum) = match source {
        IpAddr::V4(_) => (ICMP, checksum(&[&message])),
        IpAddr::V6(_) => (
            ICMPV6,
            transport_checksum(source, destination, ICMPV6, &message),
        ),
    };
    message[2..4].copy_from_slice(&sum.to_be_bytes());
    ip(source, destination, protocol, &message)
}

/// Sets time to live or hop limit, and corrects the header checksum. Anything but an IP packet
/// stays as it is.
pub fn set_hop_limit(packet: &mut [u8], hop_limit: u8) {
    match packet {
        [0x40..0x50, ..] if packet.len() >= 20 => {
            packet[8] = hop_limit;
            fill_ipv4_checksum(packet);
        }
        [0x60..0x70, ..] if packet.len() >= 40 => packet[7] = hop_limit,
        _ => {}
    }
}

/// Sets or clears Don't Fragment, and corrects the header checksum. Anything but an IPv4 packet
/// stays as it is.
pub fn set_dont_fragment(packet: &mut [u8], dont_fragment: bool) {
    if let [0x40..0x50, ..] = packet
        && packet.len() >= 20
    {
        packet[6] = packet[6] & 0xbf | u8::from(dont_fragment) << 6;
        fill_ipv4_checksum(packet);
    }
}

/// Computes the header checksum of an IPv4 packet whose length was checked.
pub(super) fn fill_ipv4_checksum(packet: &mut [u8]) {
    let header_len = (usize::from(packet[0] & 0xf) * 4).min(packet.len());
    packet[10..12].copy_from_slice(&[0, 0]);
    let sum = checksum(&[&packet[..header_len]]);
    packet[10..12].copy_from_slice(&sum.to_be_bytes());
}
