//! A session as the caller sees it.

use core::time::Duration;

use crate::config::PoolId;
use crate::lifetime::State;
use crate::tuple::Tuple;

/// Names a session until its [`Event::Closed`](crate::Event::Closed) was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionId {
    pub(crate) slot: u32,
    pub(crate) generation: u16,
}

impl SessionId {
    /// A number below [`SnatPool::slots`](crate::SnatPool::slots), unique among live sessions: for
    /// tables indexed by session.
    #[must_use]
    pub const fn slot(self) -> u32 {
        self.slot
    }

    /// Tells apart the sessions that use a slot one after another: counts them modulo 65,536.
    #[must_use]
    pub const fn generation(self) -> u16 {
        self.generation
    }
}

/// What is known of one session: an inside pair and an outside pair of transport addresses, each
/// of either family (RFC 6146 §3.2: the session entry).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Session {
    /// Its id.
    pub id: SessionId,
    /// The pool that its SNAT transport address is from.
    pub pool: PoolId,
    /// Source: the client. Destination: the peer as the client sees it.
    pub inside: Tuple,
    /// Source: the SNAT transport address. Destination: the peer.
    pub outside: Tuple,
    /// Where it stands.
    pub state: State,
    /// When it ends if nothing refreshes it.
    pub expires_at: Duration,
    /// Whether it was pinned.
    pub pinned: bool,
    /// Whether the peer opened it, through an endpoint-independent binding.
    pub from_outside: bool,
}
