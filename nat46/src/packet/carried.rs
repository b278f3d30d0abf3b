//! What a packet carries, as it is kept: the bytes of the header, read when they are asked for.

use super::{TcpFlags, Transport};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Carried {
    kind: Kind,
    /// Control bits of TCP.
    flags: u8,
    /// The first eight bytes of TCP and UDP; the identifier twice; type and code of ICMP.
    head: [u8; 8],
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Tcp,
    Udp,
    EchoRequest,
    EchoReply,
    IcmpError,
    IcmpOther,
    Other,
    NonFirstFragment,
}

impl Carried {
    #[inline(always)]
    pub(super) const fn tcp(head: [u8; 8], flags: u8) -> Self {
        Self {
            kind: Kind::Tcp,
            flags,
            head,
        }
    }

    #[inline(always)]
    pub(super) const fn udp(head: [u8; 8]) -> Self {
        Self {
            kind: Kind::Udp,
            flags: 0,
            head,
        }
    }

    pub(super) const fn echo(request: bool, [i0, i1]: [u8; 2]) -> Self {
        let kind = if request {
            Kind::EchoRequest
        } else {
            Kind::EchoReply
        };
        Self::without_flags(kind, [i0, i1, i0, i1, 0, 0, 0, 0])
    }

    pub(super) const fn icmp_error() -> Self {
        Self::without_flags(Kind::IcmpError, [0; 8])
    }

    pub(super) const fn icmp_other(kind: u8, code: u8) -> Self {
        Self::without_flags(Kind::IcmpOther, [kind, code, 0, 0, 0, 0, 0, 0])
    }

    pub(super) const fn other() -> Self {
        Self::without_flags(Kind::Other, [0; 8])
    }

    pub(super) const fn non_first_fragment() -> Self {
        Self::without_flags(Kind::NonFirstFragment, [0; 8])
    }

    const fn without_flags(kind: Kind, head: [u8; 8]) -> Self {
        Self {
            kind,
            flags: 0,
            head,
        }
    }

    #[inline]
    pub(super) const fn transport(&self) -> Transport {
        let [s0, s1, d0, d1, w0, w1, w2, w3] = self.head;
        let source_port = u16::from_be_bytes([s0, s1]);
        let destination_port = u16::from_be_bytes([d0, d1]);
        match self.kind {
            Kind::Tcp => Transport::Tcp {
                source_port,
                destination_port,
                flags: TcpFlags(self.flags),
                sequence: u32::from_be_bytes([w0, w1, w2, w3]),
            },
            Kind::Udp => Transport::Udp {
                source_port,
                destination_port,
                len: u16::from_be_bytes([w0, w1]),
            },
            Kind::EchoRequest | Kind::EchoReply => Transport::IcmpQuery {
                identifier: source_port,
                request: matches!(self.kind, Kind::EchoRequest),
            },
            Kind::IcmpError => Transport::IcmpError,
            Kind::IcmpOther => Transport::IcmpOther { kind: s0, code: s1 },
            Kind::Other => Transport::Other,
            Kind::NonFirstFragment => Transport::NonFirstFragment,
        }
    }

    /// Source and destination port as they stand in a header, or the identifier twice; nothing of
    /// meaning for a packet without.
    #[inline(always)]
    pub(crate) const fn port_bytes(&self) -> [u8; 4] {
        let [s0, s1, d0, d1, ..] = self.head;
        [s0, s1, d0, d1]
    }
}
