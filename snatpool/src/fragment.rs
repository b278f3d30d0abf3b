//! Fragments follow the binding of their first one (RFC 4787 REQ-14, RFC 6146 §3.4).

use core::net::IpAddr;

use crate::session::SessionId;
use crate::tuple::Side;

/// What all fragments of one datagram share (RFC 791, RFC 8200 §4.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct FragmentKey {
    /// The side they come from.
    pub side: Side,
    /// Source address as on the wire.
    pub source: IpAddr,
    /// Destination address as on the wire.
    pub destination: IpAddr,
    /// The protocol number of the fragmented part.
    pub protocol: u8,
    /// Identification: 16 bits in IPv4, 32 in IPv6.
    pub identification: u32,
}

/// One fragment's place in its datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Piece {
    /// Offset of its first byte, in bytes: a multiple of 8.
    pub offset: u16,
    /// Bytes that it carries.
    pub length: u16,
    /// More fragments follow.
    pub more: bool,
}

/// A fragment that the caller holds until an event names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Ticket {
    pub(crate) index: u16,
    pub(crate) generation: u32,
}

/// What to do with a fragment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum FragmentVerdict {
    /// Translate it as a packet of this session.
    Session(SessionId),
    /// Its first fragment has not come: keep the bytes until [`Event::Release`](crate::Event) or
    /// [`Event::Expire`](crate::Event) names the ticket.
    Hold(Ticket),
    /// Drop it.
    Refused(FragmentRefused),
}

/// Why a fragment must be dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum FragmentRefused {
    /// It overlaps another one: the whole datagram is dropped (RFC 5722 §4).
    Overlap,
    /// A first fragment too short for ports and TCP flags, or a second one that would overwrite
    /// them (RFC 1858, RFC 3128).
    Tiny,
    /// More follow, but its length is no multiple of 8; or it is empty, or reaches beyond 65,535
    /// bytes.
    Length,
    /// All datagrams that may be in fragments are.
    Datagrams,
    /// Its datagram has too many pieces.
    Pieces,
    /// Too many bytes are held: in all, for its datagram, or for its source.
    Held,
    /// Its session ended.
    Closed,
}
