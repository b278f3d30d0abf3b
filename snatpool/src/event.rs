//! What happened beside the packet at hand.

use core::fmt;
use core::net::IpAddr;

use crate::config::PoolId;
use crate::fragment::Ticket;
use crate::refused::Refused;
use crate::session::SessionId;
use crate::syn::SynTicket;
use crate::tuple::{Family, Protocol, TransportAddress, Tuple};

/// Taken by [`SnatPool::poll_event`](crate::SnatPool::poll_event).
///
/// `Opened` and `Closed` come once each for every session, in this order, and are never lost: a
/// session's slot is not used again before its `Closed` was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// A session began.
    Opened {
        /// Its id.
        session: SessionId,
        /// The pool that it draws from.
        pool: PoolId,
        /// Source: the client. Destination: the peer as the client sees it.
        inside: Tuple,
        /// Source: the SNAT transport address. Destination: the peer.
        outside: Tuple,
    },
    /// A session ended; its id is now dead.
    Closed {
        /// Its id.
        session: SessionId,
        /// As in `Opened`.
        pool: PoolId,
        /// What ended it.
        why: Closed,
        /// As in `Opened`.
        inside: Tuple,
        /// As in `Opened`.
        outside: Tuple,
    },
    /// An established TCP session fell idle and has 4 minutes left. A bare ACK to either end makes
    /// a live end answer, which brings the session back (RFC 6146 §3.5.2.2).
    Probe {
        /// Its id.
        session: SessionId,
        /// As in `Opened`.
        inside: Tuple,
        /// As in `Opened`.
        outside: Tuple,
    },
    /// A flow found no port; at most one per address, peer and
    /// [`notice_interval`](crate::Config::notice_interval).
    Exhausted(Exhausted),
    /// A flow found no address: the pool has none of this family, or all are being drained. Limited
    /// as `Exhausted` is.
    NoAddress {
        /// The pool.
        pool: PoolId,
        /// The family that the flow needed.
        family: Family,
    },
    /// A client reached one of its limits (RFC 6888 REQ-4). Limited as `Exhausted` is.
    QuotaExceeded {
        /// The pool.
        pool: PoolId,
        /// The inside address.
        client: IpAddr,
        /// Which limit.
        why: Refused,
    },
    /// A held fragment may go: translate it as a packet of `session`.
    Release {
        /// What [`FragmentVerdict::Hold`](crate::FragmentVerdict::Hold) gave.
        ticket: Ticket,
        /// The session of its datagram.
        session: SessionId,
    },
    /// A held fragment must be dropped.
    Expire {
        /// What [`FragmentVerdict::Hold`](crate::FragmentVerdict::Hold) gave.
        ticket: Ticket,
    },
    /// A held SYN found no counterpart: answer it by ICMP port unreachable (RFC 5382 REQ-4; type
    /// 3 code 3, ICMPv6 type 1 code 4).
    SynUnanswered {
        /// What [`Lookup::Hold`](crate::Lookup::Hold) gave.
        ticket: SynTicket,
        /// The packet's tuple: source is the peer.
        outside: Tuple,
    },
    /// A held SYN found its counterpart, or was pushed aside: drop it in silence.
    SynDropped {
        /// What [`Lookup::Hold`](crate::Lookup::Hold) gave.
        ticket: SynTicket,
    },
    /// A client got a range of ports of an outside address: no other has one of them until its
    /// end.
    BlockOpened(PortBlock),
    /// A client gave such a range back. Comes after the [`Closed`](Self::Closed) of every session
    /// in it, where events are taken as they should be.
    BlockClosed(PortBlock),
    /// The last session of an address that is being drained ended.
    Drained {
        /// The address.
        address: IpAddr,
    },
}

impl Event {
    /// The value of *natEvent* (information element 230) for a log in the terms of RFC 8158 §4.3;
    /// `None` for what that RFC has no number for. A session within IPv6, or from IPv4 to IPv6,
    /// goes by the number for NAT44, with elements for IPv6 addresses: those have none of their own.
    ///
    /// What else a record of RFC 6888 §4 needs stands in the event: protocol, inside and outside
    /// transport addresses or the block, the pool (*natPoolId*, 283). RFC 6888 REQ-12 wants no
    /// destination in it. The moment (*observationTimeMilliseconds*, 323) is the caller's.
    #[must_use]
    pub fn nat_event(&self) -> Option<u8> {
        let of_session = |inside: &Tuple, outside: &Tuple, nat44: u8, nat64: u8| {
            let families = (inside.family(), outside.family());
            match families {
                (Some(Family::Ipv6), Some(Family::Ipv4)) => nat64,
                _ => nat44,
            }
        };
        Some(match self {
            Self::Opened {
                inside, outside, ..
            } => of_session(inside, outside, 4, 6),
            Self::Closed {
                inside, outside, ..
            } => of_session(inside, outside, 5, 7),
            Self::NoAddress { .. } => 3,
            Self::Exhausted(_) => 12,
            Self::QuotaExceeded { .. } => 13,
            Self::BlockOpened(_) => 16,
            Self::BlockClosed(_) => 17,
            Self::Probe { .. }
            | Self::Release { .. }
            | Self::Expire { .. }
            | Self::SynUnanswered { .. }
            | Self::SynDropped { .. }
            | Self::Drained { .. } => return None,
        })
    }
}

/// What ended a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Closed {
    /// Its timer ran out.
    Expired,
    /// It made room for a new one: a bound on sessions.
    EvictedForSession,
    /// It made room for a new one of its client's: a quota.
    EvictedForQuota,
    /// It made room for a new one to its peer: no port left.
    EvictedForPort,
    /// The caller said so: [`SnatPool::close`](crate::SnatPool::close).
    Ordered,
}

impl Closed {
    /// The reason of this number.
    pub(crate) fn of(number: u16) -> Option<Self> {
        Self::ALL.get(usize::from(number)).copied()
    }

    pub(crate) const ALL: [Self; 5] = [
        Self::Expired,
        Self::EvictedForSession,
        Self::EvictedForQuota,
        Self::EvictedForPort,
        Self::Ordered,
    ];
}

/// A range of ports that is one client's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PortBlock {
    /// The pool that the client drew from.
    pub pool: PoolId,
    /// The inside address.
    pub client: IpAddr,
    /// The outside address.
    pub address: IpAddr,
    /// The first port, and the first ICMP identifier.
    pub first: u16,
    /// The last one.
    pub last: u16,
}

/// No port of `address` was left for a flow to `peer`.
///
/// Its `Display` is the log line that operators of this kind of gateway know.
///
/// ```
/// use snatpool::{Exhausted, Protocol, TransportAddress};
/// let notice = Exhausted {
///     address: "192.0.2.1".parse().unwrap(),
///     peer: TransportAddress::new("198.51.100.7".parse().unwrap(), 443),
///     protocol: Protocol::Tcp,
/// };
/// assert_eq!(
///     notice.to_string(),
///     "Inet port exhaustion on 192.0.2.1 to 198.51.100.7:443 (proto 6)"
/// );
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exhausted {
    /// The SNAT address.
    pub address: IpAddr,
    /// The peer of the flow that was refused.
    pub peer: TransportAddress,
    /// Its protocol.
    pub protocol: Protocol,
}

impl fmt::Display for Exhausted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            address,
            peer,
            protocol,
        } = self;
        let number = protocol.number(Family::of(*address));
        let (host, port) = (peer.address, peer.port);
        write!(
            f,
            "Inet port exhaustion on {address} to {host}:{port} (proto {number})"
        )
    }
}
