//! Ports, identifiers and transport checksums (RFC 7915 §4.2, §4.5, §5.2, §5.5).

use crate::bytes::{get16, put16};
use crate::checksum::{Sum, update};
use crate::offload::Checksum;
use crate::packet::{Addresses, Packet, Transport, protocol, v4, v6};
use crate::{DropReason, Rewrite, UdpZero};

/// Where the checksum stands that covers the pseudo header.
#[inline]
pub(super) const fn checksum_place(number: u8) -> Option<usize> {
    match number {
        protocol::TCP => Some(16),
        protocol::UDP | protocol::DCCP | protocol::UDP_LITE => Some(6),
        _ => None,
    }
}

/// A transport checksum of zero means none in UDP and is illegal in UDP-Lite (RFC 768, RFC 3828 §3.1).
#[inline]
pub(super) const fn nonzero(number: u8, checksum: u16) -> u16 {
    if checksum == 0 {
        zero_of(number)
    } else {
        checksum
    }
}

/// Once in 65,536 packets.
#[cold]
const fn zero_of(number: u8) -> u16 {
    match number {
        protocol::UDP | protocol::UDP_LITE => 0xffff,
        _ => 0,
    }
}

/// The pseudo header of ICMPv6 (RFC 8200 §8.1).
pub(super) const fn pseudo_header(addresses: Addresses, len: usize) -> Sum {
    addresses
        .sum()
        .word(len as u32)
        .word(protocol::ICMPV6 as u32)
}

/// What the sum of two ports, or of an identifier, grows by.
#[inline]
pub(super) const fn port_delta(old: (u16, u16), new: (u16, u16)) -> Sum {
    let sum = Sum::ZERO.word(new.0 as u32).word(new.1 as u32);
    sum.minus(Sum::ZERO.word(old.0 as u32).word(old.1 as u32))
}

/// Rewrites the transport header in `body`, which starts with it, for addresses `to`.
///
/// A first fragment is rewritten like a whole packet: the delta needs neither length nor payload.
#[inline]
pub(super) fn rewrite(
    packet: &Packet,
    to: Addresses,
    rewrite: &Rewrite,
    policy: UdpZero,
    checksum: Checksum,
    body: &mut [u8],
) -> Result<(), DropReason> {
    let number = packet.protocol();
    let partial = matches!(checksum, Checksum::Partial { .. });
    let addresses = to.sum().minus(packet.addresses.sum());
    let new = (rewrite.source_port, rewrite.destination_port);
    let ports = match packet.transport() {
        Transport::Tcp {
            source_port,
            destination_port,
            ..
        } => port_delta((source_port, destination_port), new),
        Transport::Udp {
            source_port,
            destination_port,
            len,
        } => {
            if !partial && get16(body, 6) == Some(0) {
                return without_checksum(packet, to, new, policy, len.into(), body);
            }
            port_delta((source_port, destination_port), new)
        }
        Transport::IcmpQuery {
            identifier,
            request,
        } => {
            echo(packet, to, identifier, rewrite.source_port, request, body);
            return Ok(());
        }
        Transport::Other => Sum::ZERO,
        Transport::NonFirstFragment | Transport::IcmpError | Transport::IcmpOther { .. } => {
            return Ok(());
        }
    };
    if !matches!(packet.transport(), Transport::Other) {
        put16(body, 0, new.0);
        put16(body, 2, new.1);
    }
    if let Some(place) = checksum_place(number)
        && let Some(field) = get16(body, place)
    {
        // A partial one is the sum of the pseudo header, which has no ports in it.
        let field = if partial {
            Sum::ZERO.word(field.into()).plus(addresses).folded()
        } else {
            nonzero(number, update(field, addresses.plus(ports).folded()))
        };
        put16(body, place, field);
    }
    Ok(())
}

/// RFC 7915 §4.5: UDP without a checksum.
fn without_checksum(
    packet: &Packet,
    to: Addresses,
    ports: (u16, u16),
    policy: UdpZero,
    len: usize,
    body: &mut [u8],
) -> Result<(), DropReason> {
    let compute = match (packet.is_ipv6(), to.is_ipv6(), policy) {
        // Legal in IPv4, and in IPv6 where the operator says so (RFC 6936).
        (false, false, _) | (_, _, UdpZero::Pass) => false,
        (false, true, UdpZero::Compute) if packet.fragment().is_none() => true,
        (false, true, UdpZero::Compute | UdpZero::Drop)
        | (true, _, UdpZero::Compute | UdpZero::Drop) => {
            return Err(DropReason::UdpWithoutChecksum);
        }
    };
    put16(body, 0, ports.0);
    put16(body, 2, ports.1);
    if compute {
        let datagram = body.get(..len).ok_or(DropReason::Mismatch)?;
        let sum = to
            .sum()
            .word(len as u32)
            .word(protocol::UDP.into())
            .bytes(datagram);
        put16(body, 6, nonzero(protocol::UDP, sum.checksum()));
    }
    Ok(())
}

fn echo(packet: &Packet, to: Addresses, old: u16, new: u16, request: bool, body: &mut [u8]) {
    let Some(field) = get16(body, 2) else { return };
    let delta = echo_delta(
        packet.addresses,
        to,
        packet.len() - packet.transport_offset(),
        request,
    );
    put16(body, 4, new);
    put16(
        body,
        2,
        update(field, delta.plus(port_delta((old, 0), (new, 0))).folded()),
    );
    if let Some(kind) = body.first_mut() {
        *kind = echo_kind(to.is_ipv6(), request);
    }
}

/// Type of an echo message in a family.
pub(super) const fn echo_kind(ipv6: bool, request: bool) -> u8 {
    match (ipv6, request) {
        (false, true) => v4::ECHO,
        (false, false) => v4::ECHO_REPLY,
        (true, true) => v6::ECHO,
        (true, false) => v6::ECHO_REPLY,
    }
}

/// What the sum of an echo message of `len` bytes grows by: ICMPv6 alone sums a pseudo header.
pub(super) fn echo_delta(from: Addresses, to: Addresses, len: usize, request: bool) -> Sum {
    let sum = |addresses: Addresses| {
        let kind = (echo_kind(addresses.is_ipv6(), request) as u32) << 8;
        if addresses.is_ipv6() {
            pseudo_header(addresses, len).word(kind)
        } else {
            Sum::ZERO.word(kind)
        }
    };
    sum(to).minus(sum(from))
}

/// Finishes a partial checksum in software: ICMP, and whatever is split.
pub(super) fn complete(start: usize, offset: usize, number: u8, packet: &mut [u8]) -> Option<()> {
    let body = packet.get_mut(start..)?;
    get16(body, offset)?;
    let checksum = nonzero(number, Sum::ZERO.bytes(body).checksum());
    put16(body, offset, checksum);
    Some(())
}
