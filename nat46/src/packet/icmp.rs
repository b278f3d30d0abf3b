//! ICMP (RFC 792) and ICMPv6 (RFC 4443) messages.

use super::transport::Parsed;
use super::{Carried, ParseError, Quoted, protocol};

/// Bytes in front of the data of an echo, and of the packet that an error quotes.
pub(crate) const HEADER: usize = 8;

/// Types of ICMP (RFC 792).
pub(crate) mod v4 {
    pub(crate) const ECHO_REPLY: u8 = 0;
    pub(crate) const UNREACHABLE: u8 = 3;
    pub(crate) const SOURCE_QUENCH: u8 = 4;
    pub(crate) const REDIRECT: u8 = 5;
    pub(crate) const ECHO: u8 = 8;
    pub(crate) const TIME_EXCEEDED: u8 = 11;
    pub(crate) const PARAMETER_PROBLEM: u8 = 12;
    /// Code of [`UNREACHABLE`] (RFC 1191 §4).
    pub(crate) const FRAGMENTATION_NEEDED: u8 = 4;
}

/// Types of ICMPv6 (RFC 4443).
pub(crate) mod v6 {
    pub(crate) const UNREACHABLE: u8 = 1;
    pub(crate) const PACKET_TOO_BIG: u8 = 2;
    pub(crate) const TIME_EXCEEDED: u8 = 3;
    pub(crate) const PARAMETER_PROBLEM: u8 = 4;
    pub(crate) const ECHO: u8 = 128;
    pub(crate) const ECHO_REPLY: u8 = 129;
}

/// A type that stands for an error: of `protocol` 1, those of RFC 1122 §3.2.2; of 58, those below 128
/// (RFC 4443 §2.1).
#[must_use]
pub fn is_error(protocol: u8, kind: u8) -> bool {
    match protocol {
        protocol::ICMP => matches!(
            kind,
            v4::UNREACHABLE
                | v4::SOURCE_QUENCH
                | v4::REDIRECT
                | v4::TIME_EXCEEDED
                | v4::PARAMETER_PROBLEM
        ),
        protocol::ICMPV6 => kind < 128,
        _ => false,
    }
}

/// `Some(true)` for an echo request, `Some(false)` for a reply.
pub(super) fn echo(protocol: u8, kind: u8) -> Option<bool> {
    match (protocol, kind) {
        (protocol::ICMP, v4::ECHO) | (protocol::ICMPV6, v6::ECHO) => Some(true),
        (protocol::ICMP, v4::ECHO_REPLY) | (protocol::ICMPV6, v6::ECHO_REPLY) => Some(false),
        _ => None,
    }
}

pub(super) fn parse(protocol: u8, body: &[u8], offset: usize) -> Result<Parsed, ParseError> {
    let truncated = ParseError::Truncated {
        found: body.len(),
        wanted: HEADER,
    };
    let &[kind, code, _, _, i0, i1, _, _] = body.first_chunk::<HEADER>().ok_or(truncated)?;
    let carried = if let Some(request) = echo(protocol, kind) {
        Carried::echo(request, [i0, i1])
    } else if is_error(protocol, kind) && Quoted::parse(protocol, body, offset).is_some() {
        Carried::icmp_error()
    } else {
        Carried::icmp_other(kind, code)
    };
    Ok(Parsed {
        carried,
        header_len: HEADER as u16,
    })
}
