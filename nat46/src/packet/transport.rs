//! What a packet carries: TCP (RFC 9293), UDP (RFC 768), ICMP (RFC 792, RFC 4443).

use core::net::IpAddr;

use super::{Carried, Fragmentation, ParseError, icmp, protocol};

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
    /// An ICMP or ICMPv6 error that quotes a packet which can be read, by [`Packet::quoted`](super::Packet::quoted).
    IcmpError,
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
    pub(crate) fn ports(&self) -> Option<(u16, u16)> {
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
            Self::IcmpError | Self::IcmpOther { .. } | Self::Other | Self::NonFirstFragment => None,
        }
    }
}

pub(super) struct Parsed {
    pub(super) carried: Carried,
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
                    carried: Carried::non_first_fragment(),
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
            carried: Carried::other(),
            header_len: 0,
        }),
    }
}

/// TCP or UDP that is whole and sound, and where its checksum stands if a recipe can be applied to it.
#[inline(always)]
pub(super) fn plain(number: u8, body: &[u8]) -> Option<(Parsed, u8)> {
    match number {
        protocol::TCP => {
            let parsed = tcp(body, true).ok()?;
            let is_syn = body.get(13)? & TcpFlags::SYN.0 != 0;
            Some((parsed, if is_syn { 0 } else { 16 }))
        }
        protocol::UDP => {
            let parsed = udp(body, true).ok()?;
            let has_checksum = body.get(6..8)? != [0, 0];
            Some((parsed, if has_checksum { 6 } else { 0 }))
        }
        _ => None,
    }
}

#[inline(always)]
fn tcp(body: &[u8], whole: bool) -> Result<Parsed, ParseError> {
    let truncated = ParseError::Truncated {
        found: body.len(),
        wanted: 20,
    };
    let head = body.first_chunk::<20>().ok_or(truncated)?;
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
        offset,
        flags,
        ..,
    ] = *head;
    let header_len = usize::from(offset >> 4) * 4;
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
        carried: Carried::tcp([s0, s1, d0, d1, q0, q1, q2, q3], flags),
        header_len: header_len.min(body.len()) as u16,
    })
}

#[inline(always)]
fn udp(body: &[u8], whole: bool) -> Result<Parsed, ParseError> {
    let truncated = ParseError::Truncated {
        found: body.len(),
        wanted: 8,
    };
    let head = *body.first_chunk::<8>().ok_or(truncated)?;
    let [.., l0, l1, _, _] = head;
    let len = u16::from_be_bytes([l0, l1]);
    if len < 8 || (whole && usize::from(len) > body.len()) {
        return Err(ParseError::UdpLength {
            found: len.into(),
            max: body.len(),
        });
    }
    Ok(Parsed {
        carried: Carried::udp(head),
        header_len: 8,
    })
}
