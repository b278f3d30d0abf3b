//! A forwarding resolver with a cache: ties clients, cache and upstream servers together.

mod derive;
mod dump;
mod query;
mod settle;

use alloc::collections::{BTreeMap, VecDeque};
use alloc::vec::Vec;
use core::net::SocketAddr;
use core::ops::Range;
use core::time::Duration;

use crate::cache::{Limits, Store};
use crate::client::{Client, Ticket, Transport};
use crate::config::Config;
use crate::entry::Envelope;
use crate::event::{Event, FetchId, Mismatch, Transmit};
use crate::forwarder::Forwarder;
use crate::limit::Limiter;
use crate::local::LocalZones;
use crate::stats::{ClientStats, Stats};
use crate::stream::StreamId;
use crate::ticket::Tickets;
use crate::upstream::{StreamInput, StreamTransmit};
use crate::wire::{ExtendedError, Name, Query, Question};

pub use dump::{DumpCursor, LoadError, Loaded};

/// A caching forwarder without I/O: queries and datagrams in, replies and datagrams out.
///
/// After every call that takes input, drain [`poll_event`](Self::poll_event), then
/// [`poll_transmit`](Self::poll_transmit) and [`poll_stream`](Self::poll_stream); then wait for more
/// input or for [`poll_timeout`](Self::poll_timeout). The front page of this crate has the loop.
#[derive(Debug)]
pub struct Resolver {
    store: Store,
    forwarder: Forwarder,
    tickets: Tickets,
    /// Who waits for which question.
    waiting: BTreeMap<FetchId, Vec<Ticket>>,
    limiter: Limiter,
    local: Option<LocalZones>,
    events: VecDeque<Event>,
    config: Config,
    stats: ClientStats,
    /// The latest moment that was told.
    now: Duration,
}

impl Resolver {
    /// An empty cache and no question in flight.
    ///
    /// `seed` must be unpredictable: from it come identifiers, source ports, the case of letters
    /// (RFC 5452 §9.2) and the key of the hash table. Equal seeds make equal runs.
    pub fn new(config: Config, seed: [u8; 32]) -> Self {
        let seconds = |time: Duration| u32::try_from(time.as_secs()).unwrap_or(u32::MAX);
        let limits = Limits {
            message_bytes: config.message_bytes,
            negative_bytes: config.negative_bytes,
            ttl_ceiling: seconds(config.ttl_ceiling),
            ttl_floor: seconds(config.ttl_floor),
            negative_ceiling: seconds(config.negative_ceiling),
            stale: config.stale,
        };
        let forwarder = Forwarder::new(config.clone(), seed);
        let (hash_seed, forwarder) = forwarder.draw_seed();
        let network = config.client_prefix;
        Self {
            store: Store::new(limits, hash_seed),
            stats: ClientStats::new(config.zones.len()),
            forwarder,
            tickets: Tickets::new(config.parked, config.parked_per_client),
            waiting: BTreeMap::new(),
            local: config
                .answer_default_zones
                .then(|| LocalZones::new(&config.zones)),
            limiter: Limiter::new(config.rate_limit, config.client_rate_limit, network),
            events: VecDeque::new(),
            config,
            now: Duration::ZERO,
        }
    }

    /// A datagram from upstream, or from anyone who pretends. `to` is where it was sent: its port
    /// must be the [`Transmit::source_port`] of the query.
    ///
    /// # Errors
    /// The reason why it is no reply to any question in flight; it was counted.
    pub fn handle_datagram(
        &mut self,
        now: Duration,
        from: SocketAddr,
        to: SocketAddr,
        bytes: &[u8],
    ) -> Result<FetchId, Mismatch> {
        self.now = now;
        let result = self.forwarder.handle_datagram(now, from, to, bytes);
        self.settle(now);
        result
    }

    /// The next upstream query to send over UDP. 300 octets of buffer hold any.
    pub fn poll_transmit(&mut self, now: Duration, buf: &mut [u8]) -> Option<Transmit> {
        self.now = now;
        let transmit = self.forwarder.poll_transmit(now, buf);
        self.settle(now);
        transmit
    }

    /// A query could not be sent: the server is passed over, without a mark against it.
    pub fn transmit_failed(&mut self, now: Duration, transmit: &Transmit) {
        self.now = now;
        self.forwarder.transmit_failed(now, transmit);
        self.settle(now);
    }

    /// The next thing to do about TCP connections to servers.
    pub fn poll_stream(&mut self, now: Duration, buf: &mut [u8]) -> Option<StreamTransmit> {
        self.now = now;
        self.forwarder.poll_stream(buf)
    }

    /// Something happened to a TCP connection to a server.
    pub fn handle_stream(&mut self, now: Duration, stream: StreamId, input: StreamInput<'_>) {
        self.now = now;
        self.forwarder.handle_stream(now, stream, input);
        self.settle(now);
    }

    /// What happened, oldest first.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// The upstream's message that waits to be tagged, as it came, with its OPT record.
    pub fn reply(&self, fetch: FetchId) -> Option<&[u8]> {
        self.forwarder.reply(fetch)
    }

    /// What a fetch asks.
    pub fn question(&self, fetch: FetchId) -> Option<Question> {
        self.forwarder.question(fetch)
    }

    /// Whose query a ticket is.
    pub fn client(&self, ticket: Ticket) -> Option<Client> {
        Some(self.tickets.get(ticket.0)?.client)
    }

    /// The query of a ticket.
    pub fn query(&self, ticket: Ticket) -> Option<Query<'_>> {
        Some(self.tickets.get(ticket.0)?.query())
    }

    /// The policy that a ticket's query came with.
    pub fn policy(&self, ticket: Ticket) -> Option<u8> {
        Some(self.tickets.get(ticket.0)?.policy)
    }

    /// Queries that wait now.
    pub fn parked(&self) -> usize {
        self.tickets.len()
    }

    /// Forgets every derived answer at once.
    pub fn invalidate_derived(&mut self) {
        self.store.invalidate_derived();
    }

    /// Forgets the answers to questions about `name`, of one type or of all; gives how many.
    pub fn flush(&mut self, name: &Name, rtype: Option<u16>) -> usize {
        self.store.remove_if(0..self.store.slots(), |question, _| {
            let Some((found, [high, low, _, _])) = question.split_last_chunk::<4>() else {
                return false;
            };
            let number = u16::from_be_bytes([*high, *low]);
            // A denied name is kept under type 0: it has no data of any type.
            found == name.as_wire() && (number == 0 || rtype.is_none_or(|rtype| rtype == number))
        })
    }

    /// Forgets the answers to questions about names in `zone`; gives how many.
    pub fn flush_zone(&mut self, zone: &Name) -> usize {
        self.flush_zone_in(0..self.slots(), zone)
    }

    /// Places of cached answers; their number may grow.
    #[must_use]
    pub fn slots(&self) -> u32 {
        self.store.slots()
    }

    /// The same for the answers in some of these places: who flushes all need not do so at once.
    pub fn flush_zone_in(&mut self, slots: Range<u32>, zone: &Name) -> usize {
        self.store.remove_if(slots, |question, _| {
            question.split_last_chunk::<4>().is_some_and(|(name, _)| {
                crate::wire::Labels::new(name).any(|s| s == zone.as_wire())
            })
        })
    }

    /// When to call [`handle_timeout`](Self::handle_timeout) next; the past while anything waits to
    /// be polled.
    pub fn poll_timeout(&self) -> Option<Duration> {
        if !self.events.is_empty() || self.forwarder.has_output() {
            return Some(self.now);
        }
        self.forwarder
            .poll_timeout()
            .into_iter()
            .chain(self.tickets.poll_timeout())
            .min()
    }

    /// Lets time pass; early or late calls do no harm.
    pub fn handle_timeout(&mut self, now: Duration) {
        self.now = now;
        self.forwarder.handle_timeout(now);
        self.settle(now);
        self.expire_tickets(now);
    }

    /// Lets the counters of `former`, whose answers have been [loaded](Self::load), go on here. Those by
    /// zone do if the zones are the same; sizes stay this resolver's own.
    pub fn continue_counters(&mut self, former: &Self) {
        let own = core::mem::take(&mut self.stats.zones);
        self.stats = former.stats.clone();
        let names = |of: &Self| {
            let zones = of.config.zones.iter();
            zones.map(|zone| zone.name.clone()).collect::<Vec<_>>()
        };
        if names(self) != names(former) {
            self.stats.zones = own;
        }
        self.store.stats.continue_from(&former.store.stats);
        self.forwarder.stats = former.forwarder.stats.clone();
    }

    /// What has been counted.
    pub fn stats(&self) -> Stats<'_> {
        Stats {
            clients: &self.stats,
            cache: &self.store.stats,
            upstream: &self.forwarder.stats,
        }
    }

    /// Octets that a reply may have.
    #[inline]
    fn limit(&self, transport: Transport, query: &Query<'_>) -> usize {
        match transport {
            Transport::Udp => query.udp_limit(self.config.udp_bytes),
            Transport::Tcp => usize::from(u16::MAX),
        }
    }

    fn envelope<'a>(
        &self,
        transport: Transport,
        query: &Query<'_>,
        error: Option<ExtendedError<'a>>,
    ) -> Envelope<'a> {
        Envelope {
            limit: self.limit(transport, query),
            udp_bytes: self.config.udp_bytes,
            error,
        }
    }
}
