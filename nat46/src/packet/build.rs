//! Packets made from nothing: datagrams of the gateway's own, answers to pings, resets.

use core::net::{IpAddr, SocketAddr};
use core::ops::Range;

use super::{IPV4_HEADER, IPV6_HEADER, Packet, TcpFlags, Transport, protocol};
use crate::checksum::Sum;

/// Bytes to leave in front of a UDP payload for [`udp`]: the longer IP header and 8.
pub const UDP_HEADROOM: usize = IPV6_HEADER + UDP_HEADER;

const UDP_HEADER: usize = 8;
const TCP_HEADER: usize = 20;
/// RFC 1700's recommended default; 64 is what hosts use.
const HOP_LIMIT: u8 = 64;

/// Why a packet cannot be built.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// Source and destination are of two families.
    #[error("source and destination of two families")]
    MixedFamilies,
    /// The payload does not lie in the buffer, or too little room is left in front of it.
    #[error("no room: {found} bytes in front of the payload, wanted {wanted}")]
    NoRoom {
        /// Bytes in front of the payload.
        found: usize,
        /// Bytes of the headers.
        wanted: usize,
    },
    /// Longer than the longest packet.
    #[error("packet of {found} bytes")]
    TooLong {
        /// Bytes it would have.
        found: usize,
    },
    /// The packet is not of the kind that is answered.
    #[error("no answer to such a packet")]
    NoAnswer,
}

/// Writes IP and UDP headers in front of the payload at `payload` of `buf`, with full checksums;
/// returns where the packet stands. [`UDP_HEADROOM`] bytes in front of the payload are always enough.
pub fn udp(
    source: SocketAddr,
    destination: SocketAddr,
    payload: Range<usize>,
    buf: &mut [u8],
) -> Result<Range<usize>, BuildError> {
    let header = ip_header_len(source.ip()) + UDP_HEADER;
    let no_room = BuildError::NoRoom {
        found: payload.start,
        wanted: header,
    };
    let start = payload.start.checked_sub(header).ok_or(no_room)?;
    let packet = buf.get_mut(start..payload.end).ok_or(no_room)?;
    let udp_len = payload.end - payload.start + UDP_HEADER;
    let len = u16::try_from(udp_len).map_err(|_| BuildError::TooLong {
        found: packet.len(),
    })?;
    let body = packet.get_mut(header - UDP_HEADER..).unwrap_or_default();
    if let Some(head) = body.first_chunk_mut::<UDP_HEADER>() {
        let ([s0, s1], [d0, d1]) = (
            source.port().to_be_bytes(),
            destination.port().to_be_bytes(),
        );
        let [l0, l1] = len.to_be_bytes();
        *head = [s0, s1, d0, d1, l0, l1, 0, 0];
    }
    let sum = pseudo_header(source.ip(), destination.ip(), protocol::UDP, udp_len).bytes(body);
    if let Some(field) = body.get_mut(6..).and_then(<[u8]>::first_chunk_mut) {
        // RFC 768: an all zero checksum is transmitted as all ones.
        *field = match sum.checksum() {
            0 => [0xff; 2],
            checksum => checksum.to_be_bytes(),
        };
    }
    ip_header(source.ip(), destination.ip(), protocol::UDP, packet)?;
    Ok(start..payload.end)
}

/// Turns the echo request in `bytes` into its reply, in place (RFC 792, RFC 4443 §4.2). IPv4 options and
/// extension headers are none of the reply's: such a request gets no answer.
pub fn echo_reply(packet: &Packet, bytes: &mut [u8]) -> Result<(), BuildError> {
    let Transport::IcmpQuery { request: true, .. } = packet.transport() else {
        return Err(BuildError::NoAnswer);
    };
    if packet.has_options() || packet.fragment().is_some() {
        return Err(BuildError::NoAnswer);
    }
    let bytes = bytes.get_mut(..packet.len()).ok_or(BuildError::NoAnswer)?;
    let (kind, sum) = match (packet.source(), packet.destination()) {
        (IpAddr::V4(_), _) => (super::v4::ECHO_REPLY, Sum::ZERO),
        (source @ IpAddr::V6(_), destination) => {
            let len = packet.len().saturating_sub(packet.transport_offset());
            (
                super::v6::ECHO_REPLY,
                pseudo_header(source, destination, protocol::ICMPV6, len),
            )
        }
    };
    let body = bytes
        .get_mut(packet.transport_offset()..)
        .unwrap_or_default();
    // An echo with a wrong checksum never arrived.
    if sum.bytes(body).checksum() != 0 {
        return Err(BuildError::NoAnswer);
    }
    if let Some([to, _, c0, c1, ..]) = body.first_chunk_mut::<8>() {
        (*to, *c0, *c1) = (kind, 0, 0);
    }
    let checksum = sum.bytes(body).checksum();
    if let Some(field) = body.get_mut(2..).and_then(<[u8]>::first_chunk_mut) {
        *field = checksum.to_be_bytes();
    }
    ip_header(
        packet.destination(),
        packet.source(),
        packet.protocol,
        bytes,
    )
}

/// Writes the RST that answers a TCP segment (RFC 9293 §3.10.7.1) to the start of `buf`; returns its
/// length. A RST is not answered.
pub fn tcp_reset(
    packet: &Packet,
    acknowledgment: u32,
    buf: &mut [u8],
) -> Result<usize, BuildError> {
    let Transport::Tcp {
        source_port,
        destination_port,
        flags,
        sequence,
    } = packet.transport()
    else {
        return Err(BuildError::NoAnswer);
    };
    if flags.contains(TcpFlags::RST) || packet.fragment().is_some() {
        return Err(BuildError::NoAnswer);
    }
    let (source, destination) = (packet.destination(), packet.source());
    let header = ip_header_len(source);
    let len = header + TCP_HEADER;
    let found = buf.len();
    let bytes = buf
        .get_mut(..len)
        .ok_or(BuildError::NoRoom { found, wanted: len })?;
    // "If the ACK bit is off, sequence number zero is used, <SEQ=0><ACK=SEG.SEQ+SEG.LEN>"
    let (seq, ack, control) = if flags.contains(TcpFlags::ACK) {
        (acknowledgment, 0, TcpFlags::RST.0)
    } else {
        let payload = packet.len().saturating_sub(packet.payload_offset()) as u32;
        let control =
            u32::from(flags.contains(TcpFlags::SYN)) + u32::from(flags.contains(TcpFlags::FIN));
        let end = sequence.wrapping_add(payload).wrapping_add(control);
        (0_u32, end, TcpFlags::RST.0 | TcpFlags::ACK.0)
    };
    let body = bytes.get_mut(header..).unwrap_or_default();
    if let Some(head) = body.first_chunk_mut::<TCP_HEADER>() {
        let ([s0, s1], [d0, d1]) = (destination_port.to_be_bytes(), source_port.to_be_bytes());
        let ([q0, q1, q2, q3], [a0, a1, a2, a3]) = (seq.to_be_bytes(), ack.to_be_bytes());
        *head = [
            s0,
            s1,
            d0,
            d1,
            q0,
            q1,
            q2,
            q3,
            a0,
            a1,
            a2,
            a3,
            5 << 4,
            control,
            0,
            0,
            0,
            0,
            0,
            0,
        ];
    }
    let checksum = pseudo_header(source, destination, protocol::TCP, TCP_HEADER)
        .bytes(body)
        .checksum();
    if let Some(field) = body.get_mut(16..).and_then(<[u8]>::first_chunk_mut) {
        *field = checksum.to_be_bytes();
    }
    ip_header(source, destination, protocol::TCP, bytes)?;
    Ok(len)
}

/// The sum of a pseudo header (RFC 9293 §3.1, RFC 8200 §8.1); addresses of two families have none.
pub(crate) fn pseudo_header(source: IpAddr, destination: IpAddr, protocol: u8, len: usize) -> Sum {
    let sum = match (source, destination) {
        (IpAddr::V4(source), IpAddr::V4(destination)) => Sum::ZERO.ipv4(source).ipv4(destination),
        (IpAddr::V6(source), IpAddr::V6(destination)) => Sum::ZERO.ipv6(source).ipv6(destination),
        (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => Sum::ZERO,
    };
    sum.word(protocol.into()).word(len as u32)
}

fn ip_header_len(address: IpAddr) -> usize {
    if address.is_ipv4() {
        IPV4_HEADER
    } else {
        IPV6_HEADER
    }
}

/// Writes the IP header of a whole `packet`. IPv4: DF, so that identification may be 0 (RFC 6864 §4.1).
fn ip_header(
    source: IpAddr,
    destination: IpAddr,
    protocol: u8,
    packet: &mut [u8],
) -> Result<(), BuildError> {
    let found = packet.len();
    let too_long = BuildError::TooLong { found };
    match (source, destination) {
        (IpAddr::V4(source), IpAddr::V4(destination)) => {
            let len = u16::try_from(found).map_err(|_| too_long)?;
            if let Some(header) = packet.first_chunk_mut::<IPV4_HEADER>() {
                *header = ipv4_header(source, destination, protocol, len);
            }
        }
        (IpAddr::V6(source), IpAddr::V6(destination)) => {
            let len = found.saturating_sub(IPV6_HEADER);
            let [l0, l1] = u16::try_from(len).map_err(|_| too_long)?.to_be_bytes();
            if let Some((fixed, rest)) = packet.split_first_chunk_mut::<8>()
                && let Some((to_source, rest)) = rest.split_first_chunk_mut()
                && let Some(to_destination) = rest.first_chunk_mut()
            {
                *fixed = [0x60, 0, 0, 0, l0, l1, protocol, HOP_LIMIT];
                *to_source = source.octets();
                *to_destination = destination.octets();
            }
        }
        (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => {
            return Err(BuildError::MixedFamilies);
        }
    }
    Ok(())
}

fn ipv4_header(
    source: core::net::Ipv4Addr,
    destination: core::net::Ipv4Addr,
    protocol: u8,
    len: u16,
) -> [u8; IPV4_HEADER] {
    let [l0, l1] = len.to_be_bytes();
    let ([s0, s1, s2, s3], [d0, d1, d2, d3]) = (source.octets(), destination.octets());
    let header = [
        0x45, 0, l0, l1, 0, 0, 0x40, 0, HOP_LIMIT, protocol, 0, 0, s0, s1, s2, s3, d0, d1, d2, d3,
    ];
    let [c0, c1] = Sum::ZERO.bytes(&header).checksum().to_be_bytes();
    let mut header = header;
    (header[10], header[11]) = (c0, c1);
    header
}
