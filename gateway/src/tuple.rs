//! Between the packet's view of a flow and the binding's.

use nat46::Rewrite;
use nat46::packet::{self, Fragment, Packet, Transport, protocol};
use snatpool::{FragmentKey, Piece, Protocol, Session, Signal, TcpFlags, TransportAddress, Tuple};

use crate::classify::Side;

impl From<Side> for snatpool::Side {
    fn from(side: Side) -> Self {
        match side {
            Side::Inside => Self::Inside,
            Side::Outside => Self::Outside,
        }
    }
}

/// The flow of a packet, or of a quoted one; `None` for protocols without bindings.
pub(crate) fn tuple(tuple: &packet::Tuple) -> Option<Tuple> {
    let protocol = match tuple.protocol {
        protocol::TCP => Protocol::Tcp,
        protocol::UDP => Protocol::Udp,
        protocol::ICMP | protocol::ICMPV6 => Protocol::Icmp,
        _ => return None,
    };
    Some(Tuple {
        protocol,
        source: TransportAddress::new(tuple.source, tuple.source_port),
        destination: TransportAddress::new(tuple.destination, tuple.destination_port),
    })
}

/// What in a packet may move its session.
pub(crate) fn signal(packet: &Packet) -> Signal {
    match packet.transport() {
        Transport::Tcp {
            flags, sequence, ..
        } => Signal::Tcp {
            flags: TcpFlags::from_octet(flags.0),
            sequence,
        },
        _ => Signal::None,
    }
}

/// What packets of a session become that come from `side`.
pub(crate) fn rewrite(session: &Session, side: Side) -> Rewrite {
    match side {
        Side::Inside => of(&session.outside),
        Side::Outside => of(&session.inside.reversed()),
    }
}

/// What the quoted packet of an ICMP error becomes that comes from `side`: it went the other way.
pub(crate) fn quoted_rewrite(session: &Session, side: Side) -> Rewrite {
    match side {
        Side::Inside => of(&session.outside.reversed()),
        Side::Outside => of(&session.inside),
    }
}

fn of(tuple: &Tuple) -> Rewrite {
    Rewrite {
        source: tuple.source.address,
        destination: tuple.destination.address,
        source_port: tuple.source.port,
        destination_port: tuple.destination.port,
    }
}

/// The datagram of a fragment that arrived on `side`, and its place in it.
pub(crate) fn fragment(side: Side, packet: &Packet, fragment: Fragment) -> (FragmentKey, Piece) {
    let key = FragmentKey {
        side: side.into(),
        source: packet.source(),
        destination: packet.destination(),
        protocol: packet.protocol(),
        identification: fragment.identification,
    };
    let length = packet.len() - packet.transport_offset();
    let piece = Piece {
        offset: u16::try_from(fragment.offset).unwrap_or(u16::MAX),
        length: u16::try_from(length).unwrap_or(u16::MAX),
        more: fragment.more,
    };
    (key, piece)
}
