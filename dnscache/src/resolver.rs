//! A forwarding resolver with a cache: ties clients, cache and upstream servers together.

use core::net::SocketAddr;
use core::time::Duration;

use crate::client::{Client, DropReason, Fetch, Ticket, Verdict};
use crate::config::Config;
use crate::event::{Event, FetchId, Mismatch, Transmit};
use crate::stats::Stats;
use crate::wire::{ExtendedError, Question};

/// A caching forwarder without I/O.
#[derive(Debug)]
pub struct Resolver {
    stats: Stats,
}

impl Resolver {
    /// An empty cache and no question in flight.
    pub fn new(_config: Config, _seed: [u8; 32]) -> Self {
        Self {
            stats: Stats::default(),
        }
    }

    /// A query from a client. Policy 0: it gets plain answers only; others say which derived
    /// answers apply.
    pub fn handle_query(
        &mut self,
        _now: Duration,
        _client: Client,
        _query: &[u8],
        _policy: u8,
        _out: &mut [u8],
    ) -> Verdict {
        Verdict::Drop(DropReason::Short)
    }

    /// A datagram from upstream, or from anyone who pretends.
    ///
    /// # Errors
    /// The reason why it is no reply to any question in flight.
    pub fn handle_datagram(
        &mut self,
        _now: Duration,
        _from: SocketAddr,
        _to: SocketAddr,
        _bytes: &[u8],
    ) -> Result<FetchId, Mismatch> {
        Err(Mismatch::Malformed)
    }

    /// The next upstream query to send.
    pub fn poll_transmit(&mut self, _now: Duration, _buf: &mut [u8]) -> Option<Transmit> {
        None
    }

    /// A query could not be sent: the server is passed over, without a mark against it.
    pub fn transmit_failed(&mut self, _now: Duration, _transmit: &Transmit) {}

    /// What happened, oldest first.
    pub fn poll_event(&mut self) -> Option<Event> {
        None
    }

    /// The upstream's message that waits to be tagged; its OPT record is still there.
    pub fn reply(&self, _fetch: FetchId) -> Option<&[u8]> {
        None
    }

    /// What a fetch asks.
    pub fn question(&self, _fetch: FetchId) -> Option<Question> {
        None
    }

    /// Keeps a received reply. Tag 0: serve it as it is; others: clients with a policy want a
    /// derived answer.
    pub fn accept(&mut self, _now: Duration, _fetch: FetchId, _tag: u8) {}

    /// What becomes of a ticket that is ready.
    pub fn answer(&mut self, _now: Duration, _ticket: Ticket, _out: &mut [u8]) -> Verdict {
        Verdict::Drop(DropReason::UnknownTicket)
    }

    /// Of a ticket to be derived: the plain reply, with the TTLs that were left at the verdict.
    pub fn plain(&self, _ticket: Ticket) -> Option<&[u8]> {
        None
    }

    /// Of a ticket to be derived: the tag of the plain reply.
    pub fn tag(&self, _ticket: Ticket) -> Option<u8> {
        None
    }

    /// Of a ticket to be derived: the answer to the same question of another type.
    pub fn fetch(&mut self, _now: Duration, _ticket: Ticket, _rtype: u16) -> Fetch<'_> {
        Fetch::UnknownTicket
    }

    /// Ends a ticket with a derived reply, kept for `ttl` under its question and policy if `cache`.
    pub fn derive(
        &mut self,
        _now: Duration,
        _ticket: Ticket,
        _reply: &[u8],
        _ttl: Duration,
        _cache: bool,
        _out: &mut [u8],
    ) -> Verdict {
        Verdict::Drop(DropReason::UnknownTicket)
    }

    /// Ends a ticket with the plain reply after all.
    pub fn pass(&mut self, _now: Duration, _ticket: Ticket, _out: &mut [u8]) -> Verdict {
        Verdict::Drop(DropReason::UnknownTicket)
    }

    /// Ends a ticket with a response code and no records.
    pub fn refuse(
        &mut self,
        _now: Duration,
        _ticket: Ticket,
        _rcode: u8,
        _error: Option<ExtendedError<'_>>,
        _out: &mut [u8],
    ) -> Verdict {
        Verdict::Drop(DropReason::UnknownTicket)
    }

    /// Whose query a ticket is.
    pub fn client(&self, _ticket: Ticket) -> Option<Client> {
        None
    }

    /// Forgets every derived answer at once.
    pub fn invalidate_derived(&mut self) {}

    /// When to call [`handle_timeout`](Self::handle_timeout) next.
    pub fn poll_timeout(&self) -> Option<Duration> {
        None
    }

    /// Lets time pass; early or late calls do no harm.
    pub fn handle_timeout(&mut self, _now: Duration) {}

    /// What has been counted.
    pub fn stats(&self) -> &Stats {
        &self.stats
    }
}
