//! The ICMP errors that a translator owes as a router (RFC 7915 §4.4, §5.4).

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use core::time::Duration;

use super::header::{Ipv4, Ipv6};
use super::partial::{finish_checksum, first_segment, settle_offload};
use super::{Translator, matches_buffer, transport};
use crate::bytes::put16;
use crate::checksum::Sum;
use crate::offload::Offload;
use crate::packet::{Addresses, IPV4_HEADER, IPV6_HEADER, Packet, Transport, protocol, v4, v6};
use crate::{DropReason, IcmpError, PacketBuf, Verdict};

const ICMP_HEADER: usize = 8;
/// RFC 1812 §4.3.2.3.
const LONGEST_V4: usize = 576;
/// RFC 4443 §2.4 (c).
const LONGEST_V6: usize = 1280;
const HOP_LIMIT: u8 = 64;
/// Neighbour Discovery's Redirect (RFC 4443 §2.4 (e.2)).
const REDIRECT_V6: u8 = 137;

impl Translator {
    /// Makes an ICMP error about the packet in the buffer, to be sent to its sender; `Drop` where none
    /// may be sent about it, or none now (rate).
    pub fn reply_error(
        &mut self,
        now: Duration,
        error: IcmpError,
        packet: &Packet,
        buf: &mut PacketBuf<'_>,
    ) -> Verdict {
        if !matches_buffer(packet, buf) {
            return Verdict::Drop(DropReason::Mismatch);
        }
        let (header, longest) = if packet.is_ipv6() {
            (IPV6_HEADER + ICMP_HEADER, LONGEST_V6)
        } else {
            (IPV4_HEADER + ICMP_HEADER, LONGEST_V4)
        };
        let quote = packet.len().min(longest - header);
        // A quote that ends before the transport header would tell nobody anything.
        let own = self
            .own(packet.is_ipv6())
            .filter(|_| packet.transport_offset() <= quote);
        let Some(own) = own.filter(|_| may_be_sent(error, packet)) else {
            return Verdict::Drop(DropReason::ErrorNotAllowed(error));
        };
        let [to_ipv4, to_ipv6] = &mut self.errors;
        let bucket = if packet.is_ipv6() { to_ipv6 } else { to_ipv4 };
        if !bucket.take(now, self.config.error_rate) {
            return Verdict::Drop(DropReason::ErrorRateLimited(error));
        }
        // The quote is the packet as it arrived: nothing has been changed in it yet, but for what its
        // device left to do.
        if settle_offload(packet, buf).is_ok() {
            first_segment(packet, buf);
            finish_checksum(packet, buf);
        }
        buf.truncate(quote);
        if buf.reframe(0, header).is_none() {
            return Verdict::Drop(DropReason::NoRoom);
        }
        buf.set_offload(Offload::NONE);
        match (own, packet.source()) {
            (IpAddr::V4(source), IpAddr::V4(destination)) => {
                self.write_v4(error, source, destination, buf.as_bytes_mut());
            }
            (IpAddr::V6(source), IpAddr::V6(destination)) => {
                write_v6(error, source, destination, buf.as_bytes_mut());
            }
            (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => {
                return Verdict::Drop(DropReason::MixedFamilies);
            }
        }
        Verdict::Reply(error)
    }

    fn write_v4(
        &mut self,
        error: IcmpError,
        source: Ipv4Addr,
        destination: Ipv4Addr,
        bytes: &mut [u8],
    ) {
        let (kind, code, word) = match error {
            IcmpError::TimeExceeded => (v4::TIME_EXCEEDED, 0, 0),
            IcmpError::TooBig { mtu } => (
                v4::UNREACHABLE,
                v4::FRAGMENTATION_NEEDED,
                mtu.clamp(68, u16::MAX.into()),
            ),
            IcmpError::NoRoute => (v4::UNREACHABLE, 0, 0),
            IcmpError::HostUnreachable => (v4::UNREACHABLE, 1, 0),
            IcmpError::ProtocolUnreachable => (v4::UNREACHABLE, 2, 0),
            IcmpError::PortUnreachable => (v4::UNREACHABLE, 3, 0),
            IcmpError::SourceRouteFailed { .. } => (v4::UNREACHABLE, 5, 0),
            IcmpError::AdminProhibited => (v4::UNREACHABLE, 13, 0),
        };
        Ipv4 {
            tos: 0,
            total_len: bytes.len() as u16,
            identification: self.identifications.next(),
            flags: 0,
            ttl: HOP_LIMIT,
            protocol: protocol::ICMP,
            source,
            destination,
        }
        .write(bytes);
        let message = bytes.get_mut(IPV4_HEADER..).unwrap_or_default();
        write_icmp(kind, code, word, Sum::ZERO, message);
    }
}

fn write_v6(error: IcmpError, source: Ipv6Addr, destination: Ipv6Addr, bytes: &mut [u8]) {
    let (kind, code, word) = match error {
        IcmpError::TimeExceeded => (v6::TIME_EXCEEDED, 0, 0),
        // RFC 8021 §4: never less than 1280.
        IcmpError::TooBig { mtu } => (v6::PACKET_TOO_BIG, 0, mtu.max(1280)),
        IcmpError::NoRoute => (v6::UNREACHABLE, 0, 0),
        IcmpError::AdminProhibited => (v6::UNREACHABLE, 1, 0),
        IcmpError::HostUnreachable => (v6::UNREACHABLE, 3, 0),
        IcmpError::ProtocolUnreachable | IcmpError::PortUnreachable => (v6::UNREACHABLE, 4, 0),
        IcmpError::SourceRouteFailed { pointer } => (v6::PARAMETER_PROBLEM, 0, pointer.into()),
    };
    let len = bytes.len() - IPV6_HEADER;
    Ipv6 {
        traffic_class: 0,
        payload_len: len as u16,
        next_header: protocol::ICMPV6,
        hop_limit: HOP_LIMIT,
        source,
        destination,
    }
    .write(bytes);
    let pseudo = transport::pseudo_header(
        Addresses::V6 {
            source,
            destination,
        },
        len,
    );
    write_icmp(
        kind,
        code,
        word,
        pseudo,
        bytes.get_mut(IPV6_HEADER..).unwrap_or_default(),
    );
}

/// The header of an ICMP message and its checksum, over `pseudo` and the message.
pub(super) fn write_icmp(kind: u8, code: u8, word: u32, pseudo: Sum, message: &mut [u8]) {
    if let Some(header) = message.first_chunk_mut::<ICMP_HEADER>() {
        let [w0, w1, w2, w3] = word.to_be_bytes();
        *header = [kind, code, 0, 0, w0, w1, w2, w3];
    }
    let sum = pseudo.bytes(message);
    put16(message, 2, sum.checksum());
}

/// RFC 1812 §4.3.2.7, RFC 4443 §2.4 (e).
fn may_be_sent(error: IcmpError, packet: &Packet) -> bool {
    let too_big = matches!(error, IcmpError::TooBig { .. });
    let later = packet
        .fragment()
        .is_some_and(|fragment| !fragment.is_first());
    let redirect = packet.is_ipv6()
        && matches!(
            packet.transport(),
            Transport::IcmpOther {
                kind: REDIRECT_V6,
                ..
            }
        );
    let addresses = match packet.addresses {
        Addresses::V4 {
            source,
            destination,
        } => is_sender_v4(source) && !destination.is_multicast() && !destination.is_broadcast(),
        // Packet Too Big alone may answer multicast.
        Addresses::V6 {
            source,
            destination,
        } => is_sender_v6(source) && (too_big || !destination.is_multicast()),
    };
    addresses && !later && !redirect && !packet.is_icmp_error()
}

fn is_sender_v4(address: Ipv4Addr) -> bool {
    let [first, ..] = address.octets();
    first != 0 && first != 127 && first < 224
}

fn is_sender_v6(address: Ipv6Addr) -> bool {
    !address.is_unspecified() && !address.is_loopback() && !address.is_multicast()
}
