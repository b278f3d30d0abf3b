//! What a packet carries: TCP (RFC 9293), UDP (RFC 768), ICMP (RFC 792, RFC 4443).

use core::net::IpAddr;

use super::{Fragmentation, ParseError, Quoted, icmp, protocol};

/// What a packet carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Transport {
    /// TCP; of a first fragment, at least the fixed header.
    Tcp {
        /// Source port.
        source_port: u16,
        /// Destination port.
        destination_port: u16,
        /// Control bits.
        flags: TcpFlags,
        /// Sequence number.
        sequence: u32,
    },
    /// UDP.
    Udp {
        /// Source port.
        source_port: u16,
        /// Destination port.
        destination_port: u16,
        /// The datagram's own length, its header of 8 bytes included.
        len: u16,
    },
    /// ICMP or ICMPv6 echo.
    IcmpQuery {
        /// Stands for the port.
        identifier: u16,
        /// Echo request, not reply.
        request: bool,
    },
    /// An ICMP or ICMPv6 error with a quoted packet that can be read.
    IcmpError(Quoted),
    /// Any other ICMP or ICMPv6 message; errors whose quoted packet cannot be read among them.
    IcmpOther {
        /// Type.
        kind: u8,
        /// Code.
        code: u8,
    },
    /// Any other protocol.
    Other,
    /// A fragment without the transport header.
    NonFirstFragment,
}

/// Control bits of TCP (RFC 9293 §3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TcpFlags(pub u8);

impl TcpFlags {
    /// No more data from sender.
    pub const FIN: Self = Self(0x01);
    /// Synchronize sequence numbers.
    pub const SYN: Self = Self(0x02);
    /// Reset the connection.
    pub const RST: Self = Self(0x04);
    /// Push function.
    pub const PSH: Self = Self(0x08);
    /// The acknowledgment field is significant.
    pub const ACK: Self = Self(0x10);

    /// All bits of `other` are set.
    #[inline]
    #[must_use]
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }
}

/// Addresses and ports of a packet, in its own direction.
///
/// For ICMP queries the identifier stands in both ports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tuple {
    /// Number of the transport protocol.
    pub protocol: u8,
    /// Source address.
    pub source: IpAddr,
    /// Destination address.
    pub destination: IpAddr,
    /// Source port.
    pub source_port: u16,
    /// Destination port.
    pub destination_port: u16,
}

impl Tuple {
    /// The tuple of the answer.
    #[must_use]
    pub const fn reversed(self) -> Self {
        Self {
            protocol: self.protocol,
            source: self.destination,
            destination: self.source,
            source_port: self.destination_port,
            destination_port: self.source_port,
        }
    }
}

impl Transport {
    /// Source and destination port, or the identifier twice.
    #[inline]
    pub(super) fn ports(&self) -> Option<(u16, u16)> {
        match *self {
            Self::Tcp {
                source_port,
                destination_port,
                ..
            }
            | Self::Udp {
                source_port,
                destination_port,
                ..
            } => Some((source_port, destination_port)),
            Self::IcmpQuery { identifier, .. } => Some((identifier, identifier)),
            Self::IcmpError(_) | Self::IcmpOther { .. } | Self::Other | Self::NonFirstFragment => {
                None
            }
        }
    }
}

pub(super) struct Parsed {
    pub(super) transport: Transport,
    pub(super) header_len: u16,
}

/// Reads the transport header at the start of `body`, which stands at `offset` of its packet.
#[inline]
pub(super) fn parse(
    number: u8,
    fragmentation: Fragmentation,
    body: &[u8],
    offset: usize,
) -> Result<Parsed, ParseError> {
    let whole = match fragmentation {
        Fragmentation::Whole | Fragmentation::Atomic { .. } => true,
        Fragmentation::Fragment(fragment) => {
            if !fragment.is_first() {
                return Ok(Parsed {
                    transport: Transport::NonFirstFragment,
                    header_len: 0,
                });
            }
            false
        }
    };
    match number {
        protocol::TCP => tcp(body, whole),
        protocol::UDP => udp(body, whole),
        protocol::ICMP => icmp::parse(protocol::ICMP, body, offset),
        protocol::ICMPV6 => icmp::parse(protocol::ICMPV6, body, offset),
        _ => Ok(Parsed {
            transport: Transport::Other,
            header_len: 0,
        }),
    }
}

#[inline]
fn tcp(body: &[u8], whole: bool) -> Result<Parsed, ParseError> {
    let truncated = ParseError::Truncated {
        found: body.len(),
        wanted: 20,
    };
    let [
        s0,
        s1,
        d0,
        d1,
        q0,
        q1,
        q2,
        q3,
        _,
        _,
        _,
        _,
        data_offset,
        flags,
        ..,
    ] = *body.first_chunk::<20>().ok_or(truncated)?;
    let header_len = usize::from(data_offset >> 4) * 4;
    if header_len < 20 {
        return Err(ParseError::TcpHeader { found: header_len });
    }
    // The options of a first fragment may go on in the second.
    if header_len > body.len() && whole {
        return Err(ParseError::Truncated {
            found: body.len(),
            wanted: header_len,
        });
    }
    Ok(Parsed {
        transport: Transport::Tcp {
            source_port: u16::from_be_bytes([s0, s1]),
            destination_port: u16::from_be_bytes([d0, d1]),
            flags: TcpFlags(flags),
            sequence: u32::from_be_bytes([q0, q1, q2, q3]),
        },
        header_len: header_len.min(body.len()) as u16,
    })
}

#[inline]
fn udp(body: &[u8], whole: bool) -> Result<Parsed, ParseError> {
    let truncated = ParseError::Truncated {
        found: body.len(),
        wanted: 8,
    };
    let [s0, s1, d0, d1, l0, l1, _, _] = *body.first_chunk::<8>().ok_or(truncated)?;
    let len = u16::from_be_bytes([l0, l1]);
    if len < 8 || (whole && usize::from(len) > body.len()) {
        return Err(ParseError::UdpLength {
            found: len.into(),
            max: body.len(),
        });
    }
    Ok(Parsed {
        transport: Transport::Udp {
            source_port: u16::from_be_bytes([s0, s1]),
            destination_port: u16::from_be_bytes([d0, d1]),
            len,
        },
        header_len: 8,
    })
}
