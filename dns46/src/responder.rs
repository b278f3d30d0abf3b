//! The whole: mapping table, replies made from it, and the store that must know first.

mod asking;
mod learning;
mod loading;
mod making;
mod storing;

pub use learning::Learned;

use alloc::collections::{BTreeMap, VecDeque};
use alloc::vec::Vec;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use core::ops::RangeInclusive;
use core::time::Duration;

use hickory_proto::op::ResponseCode;

use crate::message::Response;
use crate::policy::{self, Decision, Settings};
use crate::store::{OperationId, Operations, StoreAction, StoreOperation, StoreReply};
use crate::synthesis::{self, Exclusion, Made, Outcome};
use crate::table::{Mapping, StaticError, Table};
use crate::{Config, Event};
use asking::{Askers, asker};

/// DNS46 and DNS64 without I/O: replies in, made replies and store operations out.
///
/// After every call that takes input, drain [`poll_store`](Self::poll_store) and
/// [`poll_event`](Self::poll_event); then wait for input or for
/// [`poll_timeout`](Self::poll_timeout). The front page of this crate has the loop.
#[derive(Debug)]
pub struct Dns46 {
    pub(crate) table: Option<Table>,
    pub(crate) settings: Settings,
    exclusion: Exclusion,
    operations: Operations,
    /// Replies whose mappings are being stored.
    waiting: BTreeMap<Ticket, Waiting>,
    /// Who waits for the mapping of an address to be stored.
    puts: BTreeMap<Ipv4Addr, (OperationId, Vec<Ticket>)>,
    gets: BTreeMap<Ipv4Addr, Ticket>,
    unknown: BTreeMap<Ipv4Addr, Duration>,
    /// Pairs that the store should have forgotten, and when it is told again.
    unforgotten: BTreeMap<Ipv4Addr, (Ipv6Addr, Duration)>,
    /// When the lease of another replica's mapping is renewed.
    renewals: BTreeMap<Ipv4Addr, Duration>,
    /// When the store failed last.
    failed_at: Option<Duration>,
    askers: Askers,
    tickets: u64,
    events: VecDeque<Event>,
    stats: Stats,
    /// The latest moment that was told.
    now: Duration,
}

/// Names a reply, or a packet, that waits for the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ticket(u64);

#[derive(Debug)]
struct Waiting {
    made: Made,
    /// Mappings that are not stored yet.
    missing: usize,
    failed: bool,
}

/// What becomes of two plain replies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Pair {
    /// The lent buffer begins with a made reply.
    Reply(Synthesized),
    /// It speaks of a mapping that must be stored first: [`Event::Stored`] or
    /// [`Event::StoreFailed`] will say when to call [`Dns46::finish`].
    Wait(Ticket),
    /// The first reply is the answer.
    Pass,
    /// SERVFAIL is the answer, with the reason as text (RFC 8914 §4.1).
    Refuse(Refusal),
}

/// A made reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Synthesized {
    /// Octets of the lent buffer.
    pub len: usize,
    /// How long it may be kept: no longer than its mappings hold. Whole seconds.
    pub ttl: Duration,
    /// Whether it may be kept at all.
    pub cacheable: bool,
    /// It names the sorry address: to be told as EDE 4, *Forged Answer* (RFC 8914 §4.5).
    pub is_sorry: bool,
}

/// Why no reply is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// A message that cannot be read, or a chain of aliases that goes round.
    #[error("malformed upstream reply")]
    Malformed,
    /// No address is free, and there is no sorry address.
    #[error("no address is free")]
    Exhausted,
    /// The client has as many mappings that nobody uses as it may have, and there is no sorry address.
    #[error("too many new names at once")]
    OverQuota,
    /// The other type could not be asked for.
    #[error("the question for the other type failed")]
    SecondFailed,
    /// Too many replies wait for the store.
    #[error("too many replies wait for the store")]
    Busy,
    /// The mapping could not be stored in time.
    #[error("the mapping could not be stored")]
    StoreFailed,
    /// The mapping was removed while its reply waited.
    #[error("the mapping was removed")]
    Removed,
    /// The lent buffer is too small.
    #[error("a reply of {wanted} octets, room for {found}")]
    NoSpace {
        /// Octets of the lent buffer.
        found: usize,
        /// Octets of the reply.
        wanted: usize,
    },
}

/// What an address of the pool stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Lookup {
    /// This host.
    Host(Ipv6Addr),
    /// The store is being asked: [`Event::Known`] or [`Event::Unknown`] will tell.
    Ask(Ticket),
    /// Nothing.
    Unmapped,
}

/// Counters that only grow.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// Replies with addresses of the pool or under the NAT64 prefix.
    pub synthesized: u64,
    /// Replies with the sorry address.
    pub sorry: u64,
    /// Replies that were refused.
    pub refused: u64,
    /// Replies that waited for the store.
    pub waited: u64,
    /// Operations that the store did not acknowledge in time, or failed.
    pub store_failures: u64,
    /// Addresses that stood for another host in the store.
    pub store_conflicts: u64,
}

impl Dns46 {
    /// `pool` switches DNS46 on. `seed` keys the hashes.
    #[must_use]
    pub fn new(pool: Option<Config>, settings: Settings, seed: [u8; 32]) -> Self {
        Self {
            exclusion: Exclusion::new(&settings, pool.as_ref().map(|pool| pool.subnet)),
            table: pool.map(|pool| Table::new(pool, seed)),
            settings,
            operations: Operations::default(),
            waiting: BTreeMap::new(),
            puts: BTreeMap::new(),
            gets: BTreeMap::new(),
            unknown: BTreeMap::new(),
            unforgotten: BTreeMap::new(),
            renewals: BTreeMap::new(),
            failed_at: None,
            askers: Askers::default(),
            tickets: 0,
            events: VecDeque::new(),
            stats: Stats::default(),
            now: Duration::ZERO,
        }
    }

    /// The policy of a client's question: answers that are made for it are kept under this number,
    /// and where it is 0, none are: 1 for DNS46 (A, asked over IPv4), 2 for DNS64 (AAAA, asked over
    /// IPv6).
    #[must_use]
    pub fn policy(&self, client: IpAddr, record_type: u16) -> u8 {
        let settings = &self.settings;
        match (client, record_type) {
            (IpAddr::V4(_), policy::A) if self.table.is_some() => {
                u8::from(settings.dns46_scope.has_client(client))
            }
            (IpAddr::V6(_), policy::AAAA) if !settings.nat64.is_empty() => {
                2 * u8::from(settings.dns64_scope.has_client(client))
            }
            _ => 0,
        }
    }

    /// What becomes of a plain reply. It depends on the reply alone, so that a cache can keep the
    /// decision beside it.
    #[must_use]
    pub fn on_answer(&self, reply: &[u8]) -> Decision {
        // Most replies need no reading: those about other types.
        let Some(response) = Response::read(reply) else {
            return Decision::Pass;
        };
        let settings = &self.settings;
        let (decision, scope, after_failure) = match u16::from(response.record_type) {
            policy::A if self.table.is_some() => (
                Decision::AskAaaa,
                &settings.dns46_scope,
                settings.dns46_after_failure,
            ),
            policy::AAAA if !settings.nat64.is_empty() => (
                Decision::AskA,
                &settings.dns64_scope,
                settings.dns64_after_failure,
            ),
            _ => return Decision::Pass,
        };
        // RFC 6147 §5.1.2: a name that does not exist does not exist; what was not validated
        // (RFC 8914 §4.7 and on) is not asked around either.
        let asks = match response.message.metadata.response_code {
            ResponseCode::NoError => {
                synthesis::state(&self.exclusion, &response) != synthesis::State::Clean
            }
            ResponseCode::NXDomain => false,
            _ => after_failure && !response.is_bogus(),
        };
        if asks && scope.has_name(&response.question) {
            decision
        } else {
            Decision::Pass
        }
    }

    /// Makes a reply for `client`: `first` is the plain reply to its question, which has no address,
    /// and `second` answers the other type. The new reply goes to `out`.
    pub fn on_pair(
        &mut self,
        now: Duration,
        client: IpAddr,
        first: &[u8],
        second: &[u8],
        out: &mut [u8],
    ) -> Pair {
        self.now = now;
        let (Some(first), Some(second)) = (Response::read(first), Response::read(second)) else {
            return self.refuse(Refusal::Malformed);
        };
        let most = self.settings.tentative_per_client;
        let over_quota = self.askers.left(client, most) == 0;
        let outcome = self.synthesize(now, client, &first, &second);
        self.take_table_events(now);
        let why = match &outcome {
            Outcome::Made(made) if made.is_sorry && over_quota => Some(Refusal::OverQuota),
            Outcome::Made(made) if made.is_sorry => Some(Refusal::Exhausted),
            Outcome::Exhausted => Some(Refusal::Exhausted),
            Outcome::OverQuota => Some(Refusal::OverQuota),
            _ => None,
        };
        if let Some(why) = why {
            self.events.push_back(Event::Refused {
                asker: asker(client, &first),
                why,
                is_sorry: matches!(outcome, Outcome::Made(_)),
            });
        }
        let made = match outcome {
            Outcome::Made(made) => made,
            Outcome::Pass => return Pair::Pass,
            Outcome::Exhausted => return self.refuse(Refusal::Exhausted),
            Outcome::OverQuota => return self.refuse(Refusal::OverQuota),
            Outcome::SecondFailed => return self.refuse(Refusal::SecondFailed),
            Outcome::Malformed => return self.refuse(Refusal::Malformed),
        };
        let missing: Vec<(Ipv4Addr, Ipv6Addr)> = made
            .mappings
            .iter()
            .filter(|(address, _)| {
                let table = self.table.as_ref();
                table.is_some_and(|table| !table.is_stored(*address))
            })
            .copied()
            .collect();
        if missing.is_empty() {
            return self.give(&made, out);
        }
        if self.waiting.len() >= self.settings.waiting {
            return self.refuse(Refusal::Busy);
        }
        let ticket = self.ticket();
        self.stats.waited += 1;
        for (address, host) in &missing {
            if let Some(table) = &mut self.table {
                table.withhold(*address);
            }
            self.put(now, *address, *host, ticket);
        }
        let waiting = Waiting {
            made,
            missing: missing.len(),
            failed: false,
        };
        self.waiting.insert(ticket, waiting);
        Pair::Wait(ticket)
    }

    /// The reply that waited, or why there is none. An unknown ticket, or one that still waits, gets
    /// [`Refusal::StoreFailed`]; it is over in every case.
    pub fn finish(&mut self, now: Duration, ticket: Ticket, out: &mut [u8]) -> Pair {
        self.now = now;
        let Some(waiting) = self.waiting.remove(&ticket) else {
            return self.refuse(Refusal::StoreFailed);
        };
        if waiting.failed || waiting.missing > 0 {
            return self.refuse(Refusal::StoreFailed);
        }
        let made = waiting.made;
        // Time has passed: what the answer promises counts from now.
        let renewed = made.mappings.iter().all(|(address, host)| {
            let table = self.table.as_mut();
            table.is_some_and(|table| table.renew(now, *address, *host, made.ttl))
        });
        if renewed {
            self.give(&made, out)
        } else {
            self.refuse(Refusal::Removed)
        }
    }

    /// The host behind an address of the pool: an array read. An address that this replica knows
    /// nothing of is asked of the store, since another replica may have mapped it.
    pub fn lookup(&mut self, now: Duration, address: Ipv4Addr) -> Lookup {
        self.now = now;
        let Some(table) = &self.table else {
            return Lookup::Unmapped;
        };
        if let Some(host) = table.lookup(address) {
            return Lookup::Host(host);
        }
        // What the store has yet to forget stands for nothing any more.
        let is_over = self.unforgotten.contains_key(&address);
        let is_unknown = self.unknown.get(&address).is_some_and(|at| *at > now);
        if is_over || is_unknown || !table.is_askable(address) {
            return Lookup::Unmapped;
        }
        if let Some(ticket) = self.gets.get(&address) {
            return Lookup::Ask(*ticket);
        }
        if self.gets.len() >= self.settings.asking {
            return Lookup::Unmapped;
        }
        let lease = table.lease();
        let ticket = self.ticket();
        let deadline_at = now.saturating_add(self.settings.store_deadline);
        self.operations
            .push(StoreAction::Get { address, lease }, deadline_at);
        self.gets.insert(address, ticket);
        Lookup::Ask(ticket)
    }

    /// A session to the address was opened. `false`: it stands for nothing.
    pub fn retain(&mut self, address: Ipv4Addr) -> bool {
        let Some(table) = &mut self.table else {
            return false;
        };
        let retained = table.retain(address);
        if retained && !table.is_stored(address) && table.is_foreign(address) {
            // It goes on from another life of this replica; its owner must hear of it.
            self.renewals.entry(address).or_insert(self.now);
        }
        retained
    }

    /// A session to the address ended.
    pub fn release(&mut self, now: Duration, address: Ipv4Addr) {
        if let Some(table) = &mut self.table {
            table.release(now, address);
        }
    }

    /// Ends a mapping at once, here and in the store; gives its host until now.
    pub fn remove(&mut self, now: Duration, address: Ipv4Addr) -> Option<Ipv6Addr> {
        self.now = now;
        let host = self.table.as_mut()?.remove(now, address)?;
        let deadline_at = now.saturating_add(self.settings.store_deadline);
        self.operations
            .push(StoreAction::Delete { address, host }, deadline_at);
        Some(host)
    }

    /// Lets an address of the reserved range stand for `host` until it is [removed](Self::remove): it
    /// is translated and answered like any other, and kept by the store. Setting what is set already
    /// does nothing.
    ///
    /// # Errors
    ///
    /// See [`StaticError`]; without DNS46, the address is not in the reserved range.
    pub fn set_static(
        &mut self,
        now: Duration,
        address: Ipv4Addr,
        host: Ipv6Addr,
    ) -> Result<(), StaticError> {
        self.now = now;
        let table = self
            .table
            .as_mut()
            .ok_or(StaticError::NotReserved { address })?;
        table.set_static(address, host)?;
        if !table.is_stored(address) {
            let deadline_at = now.saturating_add(self.settings.store_deadline);
            self.operations
                .push(StoreAction::Put { address, host }, deadline_at);
        }
        Ok(())
    }

    /// The next thing for the store to do.
    pub fn poll_store(&mut self) -> Option<StoreOperation> {
        self.operations.poll()
    }

    /// What the store replied. Replies after the deadline are ignored: the mapping is stored again
    /// with the next answer.
    pub fn handle_store(&mut self, now: Duration, id: OperationId, reply: StoreReply) {
        self.now = now;
        match self.operations.close(id) {
            Some(action) => self.settle(now, action, reply),
            None => self.stats.store_failures += 1,
        }
    }

    /// What happened, oldest first.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.take_table_events(self.now);
        self.events.pop_front()
    }

    /// When [`handle_timeout`](Self::handle_timeout) has something to do; the past while anything
    /// waits to be polled.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Duration> {
        let told = self.table.as_ref().is_some_and(Table::has_events);
        if told || !self.events.is_empty() || self.operations.has_output() {
            return Some(self.now);
        }
        let table = self.table.as_ref().and_then(Table::poll_timeout);
        let store = self.operations.poll_timeout();
        let forgets_at = storing::forgets_at(self.failed_at);
        let again = self
            .unforgotten
            .values()
            .map(|(_, again_at)| *again_at.max(&forgets_at))
            .min();
        let renewals = self.renewals.values().min().copied();
        let all = table.into_iter().chain(store).chain(again);
        all.chain(renewals).min()
    }

    /// Lets time pass; early or late calls do no harm.
    pub fn handle_timeout(&mut self, now: Duration) {
        self.now = now;
        if let Some(table) = &mut self.table {
            table.handle_timeout(now);
        }
        while let Some(action) = self.operations.expire(now) {
            self.settle(now, action, StoreReply::Failed);
        }
        self.forget_again(now);
        self.renew(now);
        self.take_table_events(now);
    }

    /// Every address that is not free.
    pub fn mappings(&self) -> impl Iterator<Item = Mapping> {
        self.table.iter().flat_map(Table::mappings)
    }

    /// Those of some addresses: who goes through all of them need not do so at once.
    pub fn mappings_in(
        &self,
        addresses: RangeInclusive<Ipv4Addr>,
    ) -> impl Iterator<Item = Mapping> {
        let table = self.table.iter();
        table.flat_map(move |table| table.mappings_in(addresses.clone()))
    }

    /// Addresses that may be handed out now.
    #[must_use]
    pub fn free(&self) -> u32 {
        self.table.as_ref().map_or(0, Table::free)
    }

    /// What has been counted.
    #[must_use]
    pub const fn stats(&self) -> Stats {
        self.stats
    }

    /// Passes on what happened in the table; an address that drained is forgotten by the store, if it
    /// is this replica's.
    fn take_table_events(&mut self, now: Duration) {
        let Some(table) = &mut self.table else {
            return;
        };
        while let Some(event) = table.poll_event() {
            match &event {
                Event::Drained { address, host, .. } if table.is_own(*address) => {
                    let (address, host) = (*address, *host);
                    if storing::forgets_at(self.failed_at) <= now {
                        let deadline_at = now.saturating_add(self.settings.store_deadline);
                        self.operations
                            .push(StoreAction::Delete { address, host }, deadline_at);
                    } else {
                        let again_at = now.saturating_add(storing::FORGET_AGAIN);
                        self.unforgotten.insert(address, (host, again_at));
                    }
                }
                Event::Drained { address, .. } => {
                    self.renewals.remove(address);
                }
                Event::Mapped { address, .. } => {
                    self.unknown.remove(address);
                }
                _ => {}
            }
            let event = self.askers.tell(event, &self.settings);
            self.events.push_back(event);
        }
        self.askers.now = None;
    }

    fn give(&mut self, made: &Made, out: &mut [u8]) -> Pair {
        let (found, wanted) = (out.len(), made.bytes.len());
        let Some(place) = out.get_mut(..wanted) else {
            return self.refuse(Refusal::NoSpace { found, wanted });
        };
        place.copy_from_slice(&made.bytes);
        if made.is_sorry {
            self.stats.sorry += 1;
        } else {
            self.stats.synthesized += 1;
        }
        Pair::Reply(Synthesized {
            len: wanted,
            ttl: made.ttl,
            cacheable: !made.ttl.is_zero(),
            is_sorry: made.is_sorry,
        })
    }

    fn refuse(&mut self, why: Refusal) -> Pair {
        self.stats.refused += 1;
        Pair::Refuse(why)
    }

    fn ticket(&mut self) -> Ticket {
        self.tickets += 1;
        Ticket(self.tickets)
    }
}
