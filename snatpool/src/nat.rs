//! The table of sessions.

use core::net::IpAddr;
use core::time::Duration;

use crate::config::{Config, ConfigError, PoolId};
use crate::event::Event;
use crate::fragment::{FragmentKey, FragmentVerdict, Piece};
use crate::refused::Refused;
use crate::session::{Session, SessionId};
use crate::syn::SynTicket;
use crate::tuple::{Side, Signal, TransportAddress, Tuple};

/// What a packet's tuple leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Lookup {
    /// Its session.
    Session(SessionId),
    /// No session. From inside: [`SnatPool::bind`] makes one. From outside: not for us.
    Miss,
    /// From outside: an endpoint-independent binding lets this packet in;
    /// [`SnatPool::accept`] makes its session.
    Admit {
        /// The client that the packet is for.
        inside: TransportAddress,
    },
    /// From outside: an unsolicited SYN. Keep the packet until [`Event::SynUnanswered`] or
    /// [`Event::SynDropped`] names the ticket.
    Hold(SynTicket),
    /// Drop it.
    Refused(Refused),
}

/// Sessions, their outside transport addresses, and their timers.
#[derive(Debug)]
pub struct SnatPool {
    now: Duration,
}

impl SnatPool {
    /// Takes all memory there will be.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] says what cannot be.
    pub fn new(_config: Config, _seed: [u8; 32]) -> Result<Self, ConfigError> {
        Ok(Self {
            now: Duration::ZERO,
        })
    }

    /// A packet from inside.
    pub fn outbound(&mut self, now: Duration, _tuple: &Tuple, _signal: Signal) -> Lookup {
        self.now = now;
        Lookup::Miss
    }

    /// A packet from outside.
    pub fn inbound(&mut self, now: Duration, _tuple: &Tuple, _signal: Signal) -> Lookup {
        self.now = now;
        Lookup::Miss
    }

    /// Opens.
    ///
    /// # Errors
    ///
    /// Why not.
    pub fn bind(
        &mut self,
        _now: Duration,
        _pool: PoolId,
        _inside: &Tuple,
        _peer: TransportAddress,
        _next_hop: Option<IpAddr>,
        _signal: Signal,
    ) -> Result<SessionId, Refused> {
        Err(Refused::Sessions)
    }

    /// Opens a session for a packet from outside that [`Lookup::Admit`] let in.
    ///
    /// # Errors
    ///
    /// Why not.
    pub fn accept(
        &mut self,
        _now: Duration,
        _outside: &Tuple,
        _peer: TransportAddress,
        _signal: Signal,
    ) -> Result<SessionId, Refused> {
        Err(Refused::Sessions)
    }

    /// What is known of a session.
    #[must_use]
    pub fn session(&self, _id: SessionId) -> Option<Session> {
        None
    }

    /// The session of a packet that an ICMP error quotes.
    #[must_use]
    pub fn quoted(&self, _side: Side, _tuple: &Tuple) -> Option<SessionId> {
        None
    }

    /// Keeps slot and port.
    pub fn pin(&mut self, _id: SessionId) -> bool {
        false
    }

    /// Lets go.
    pub fn unpin(&mut self, _now: Duration, _id: SessionId) {}

    /// Ends a session.
    pub fn close(&mut self, _now: Duration, _id: SessionId) -> bool {
        false
    }

    /// The first fragment of a datagram, whose session is known.
    pub fn first_fragment(
        &mut self,
        _now: Duration,
        _key: &FragmentKey,
        _piece: Piece,
        session: SessionId,
    ) -> FragmentVerdict {
        FragmentVerdict::Session(session)
    }

    /// A fragment that is not the first.
    pub fn later_fragment(
        &mut self,
        _now: Duration,
        _key: &FragmentKey,
        _piece: Piece,
    ) -> FragmentVerdict {
        FragmentVerdict::Refused(crate::FragmentRefused::Datagrams)
    }

    /// Next event.
    pub fn poll_event(&mut self) -> Option<Event> {
        None
    }

    /// Next deadline.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Duration> {
        None
    }

    /// Time passed.
    pub fn handle_timeout(&mut self, now: Duration) {
        self.now = now;
    }

    /// Bound on [`SessionId::slot`].
    #[must_use]
    pub fn slots(&self) -> u32 {
        0
    }
}
