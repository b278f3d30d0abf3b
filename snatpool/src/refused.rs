//! Why a packet has no session and gets none.

use crate::tuple::Family;

/// Why a packet must not pass. Never a reason to forward it untranslated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum Refused {
    /// The pool has no address of this family that takes new flows.
    #[error("the pool has no {0} address that takes new flows")]
    NoAddress(Family),
    /// No port is left towards this peer (RFC 5508 REQ-8: ICMP 3/13 to the client).
    #[error("no port is left towards this peer")]
    PortsExhausted,
    /// All sessions are in use, or their events wait to be taken.
    #[error("all sessions are in use")]
    Sessions,
    /// The client has all the sessions it may have.
    #[error("the client has all the sessions it may have")]
    QuotaSessions,
    /// The client has all the ports it may have.
    #[error("the client has all the ports it may have")]
    QuotaPorts,
    /// The client opens faster than it may.
    #[error("the client opens faster than it may")]
    QuotaRate,
    /// Peers opened all the sessions that the binding admits.
    #[error("peers opened all the sessions that the binding admits")]
    QuotaInbound,
    /// A TCP segment without a session that is no SYN (RFC 5382 §5 leaves the answer open).
    #[error("a TCP segment without a session that is no SYN")]
    NotOpening,
    /// TCP flags that no TCP sends, or a signal of another protocol than the tuple's.
    #[error("TCP flags that no TCP sends")]
    BadFlags,
    /// Source and destination of different families, or a peer of the family that the SNAT
    /// address has not.
    #[error("source and destination of different families")]
    MixedFamilies,
    /// The peer is one of our own SNAT addresses, and the pool binds per flow (RFC 4787 REQ-9
    /// needs endpoint-independent mapping).
    #[error("the peer is a SNAT address of our own, and the pool binds per flow")]
    Hairpin,
    /// Two inside destinations stand for one peer, and the client uses one source for both: the
    /// replies could not be told apart. Or a session like the new one ended, but is still pinned.
    #[error("replies of two inside destinations could not be told apart")]
    Ambiguous,
    /// The destination is a SNAT address, but nothing there lets this peer in.
    #[error("nothing at this SNAT address lets the peer in")]
    Filtered,
    /// A [`PoolId`](crate::PoolId) that the configuration has not.
    #[error("the configuration has no such pool")]
    UnknownPool,
    /// An unsolicited SYN, and no room to hold it (RFC 5382 REQ-4).
    #[error("no room to hold an unsolicited SYN")]
    SynsHeld,
}

impl Refused {
    pub(crate) const COUNT: usize = 15;

    /// Position in the counters.
    pub(crate) const fn index(self) -> usize {
        match self {
            Self::NoAddress(Family::Ipv4 | Family::Ipv6) => 0,
            Self::PortsExhausted => 1,
            Self::Sessions => 2,
            Self::QuotaSessions => 3,
            Self::QuotaPorts => 4,
            Self::QuotaRate => 5,
            Self::QuotaInbound => 6,
            Self::NotOpening => 7,
            Self::BadFlags => 8,
            Self::MixedFamilies => 9,
            Self::Hairpin => 10,
            Self::Ambiguous => 11,
            Self::Filtered => 12,
            Self::UnknownPool => 13,
            Self::SynsHeld => 14,
        }
    }
}
