//! The way of a query: an answer at once where the cache has it, else a ticket.

use core::time::Duration;

use super::Resolver;
use crate::cache::{Found, Freshness};
use crate::client::{Client, DropReason, Ticket, Transport, Verdict};
use crate::entry::{Age, Entry, seconds, write_empty, write_refusal};
use crate::key::{Asked, Key};
use crate::ticket::{Failure, Other, State};
use crate::understand::{self, Kind};
use crate::wire::{ExtendedError, Query, QueryError, rcode};
use crate::zone::{Route, ZoneIndex};

/// After this wait a client is given an expired answer, if there is one (RFC 8767 §5, "client response
/// timer", RECOMMENDED).
const CLIENT_RESPONSE_TIMER: Duration = Duration::from_millis(1_800);

/// AA, in the third octet of a message (RFC 1035 §4.1.1).
const AUTHORITATIVE: u8 = 0x04;

impl Resolver {
    /// A query from a client. Policy 0: it gets plain answers only; others say which derived
    /// answers apply to it.
    pub fn handle_query(
        &mut self,
        now: Duration,
        client: Client,
        query: &[u8],
        policy: u8,
        out: &mut [u8],
    ) -> Verdict {
        self.now = now;
        self.stats.count_query(client.transport);
        if !self.limiter.is_open() && !self.limiter.admit(now, client.address.ip()) {
            return self.limited(client.transport, query, out);
        }
        match self.hit_at_once(now, client.transport, query, policy, out) {
            Some(length) => Verdict::Reply(length),
            None => match Query::parse(query) {
                Ok(query) => self.resolve(now, &client, &query, policy, out),
                Err(error) => self.refuse_message(query, &error, out),
            },
        }
    }

    /// The short way: a query as almost all are, and an answer that holds and fits. `None`: go the long
    /// way; nothing has been done. Whatever is not gone into here can change nothing about such a reply.
    #[inline(always)]
    fn hit_at_once(
        &mut self,
        now: Duration,
        transport: Transport,
        query: &[u8],
        policy: u8,
        out: &mut [u8],
    ) -> Option<usize> {
        if self.local.is_some() {
            return None;
        }
        let query = Query::assume(query)?;
        let asked = Asked::of(self.store.hash, &query);
        let plain = self.store.fresh(now, &asked)?;
        let kind = plain.entry.kind;
        if kind == Kind::Failure || (plain.popular && plain.entry.is_ending(plain.age)) {
            return None;
        }
        let (slot, zone, is_lower) = (plain.slot, plain.entry.zone, plain.is_lower);
        let (mut given, mut entry, mut age) = (slot, plain.entry, plain.age);
        let derives = entry.tag != 0 && policy != 0 && !query.checking_disabled();
        if derives {
            // Passed in pieces: what is passed by its address needs a place in memory.
            let (question, name_hash) = (query.question_wire(), asked.name_hash());
            let variant = asked.variant.with_policy(policy);
            given = self
                .store
                .fresh_derived(now, question, name_hash, variant)?;
            entry = self.store.at(given)?;
            age = entry.nanos_since(now);
        }
        let limit = self.limit(transport, &query);
        let udp_bytes = self.config.udp_bytes;
        let seconds = seconds(age);
        let length = entry.write_whole(seconds, &query, is_lower, limit, udp_bytes, out)?;
        let kind = entry.kind;
        self.stats.types.count(query.rtype());
        self.stats.count_zone(usize::from(zone));
        self.stats.count_hit(kind, derives);
        self.stats.count_reply(out);
        self.store.visit(slot);
        if derives {
            self.store.visit(given);
        }
        Some(length)
    }

    /// A query over the limit.
    #[cold]
    fn limited(&mut self, transport: Transport, query: &[u8], out: &mut [u8]) -> Verdict {
        match Query::parse(query) {
            Ok(query) if self.config.limited_truncate && transport == Transport::Udp => {
                let envelope = self.envelope(transport, &query, None);
                let reply = write_empty(&query, rcode::NOERROR, true, envelope, out);
                self.finish(reply, out)
            }
            Ok(_) | Err(_) => self.drop_query(DropReason::RateLimited),
        }
    }

    #[cold]
    fn refuse_message(&mut self, query: &[u8], error: &QueryError, out: &mut [u8]) -> Verdict {
        match (error, error.rcode()) {
            (QueryError::Response, _) => self.drop_query(DropReason::Response),
            (_, None) => self.drop_query(DropReason::Short),
            (_, Some(code)) => {
                let reply = write_refusal(query, code, self.config.udp_bytes, out);
                self.finish(reply, out)
            }
        }
    }

    /// The long way.
    #[inline(never)]
    fn resolve(
        &mut self,
        now: Duration,
        client: &Client,
        query: &Query<'_>,
        policy: u8,
        out: &mut [u8],
    ) -> Verdict {
        self.stats.types.count(query.rtype());
        let asked = &Asked::of(self.store.hash, query);
        let local = self.local.as_ref();
        if let Some(message) = local.and_then(|local| local.answer(query, asked.to_key().name())) {
            return self.reply_local(now, client.transport, query, &message, out);
        }
        let policy = if query.checking_disabled() { 0 } else { policy };
        match self.lookup(now, asked) {
            Some(found) if found.state == Freshness::Fresh => {
                self.hit(now, client, query, asked, found, policy, out)
            }
            found => self.miss(now, client, query, asked, policy, found, out),
        }
    }

    /// An answer that is made here, and authoritative (RFC 6303 §3).
    fn reply_local(
        &mut self,
        now: Duration,
        transport: Transport,
        query: &Query<'_>,
        message: &[u8],
        out: &mut [u8],
    ) -> Verdict {
        let own = understand::own(message, query.question_wire());
        let Some(entry) = own.and_then(|own| Entry::new(now, own, 0)) else {
            return self.drop_query(DropReason::NoSpace);
        };
        let envelope = self.envelope(transport, query, None);
        let reply = entry.write_reply(entry.age(now), query, envelope, out);
        if let Some(flags) = out.get_mut(2) {
            *flags |= AUTHORITATIVE;
        }
        self.stats.local_replies += 1;
        self.finish(reply, out)
    }

    /// An answer to the question, or the denial of its name (RFC 2308 §5, RFC 8020 §2).
    pub(super) fn lookup(&mut self, now: Duration, asked: &Asked<'_>) -> Option<Found> {
        let exact = self.store.probe(now, asked);
        if exact.is_some_and(|found| found.state == Freshness::Fresh) {
            return exact;
        }
        match self.store.probe(now, &asked.with_type(0)) {
            denied @ Some(Found {
                state: Freshness::Fresh,
                ..
            }) => denied,
            denied => self.denied_above(now, asked).or(exact).or(denied),
        }
    }

    /// The denial of a name above (RFC 8020 §2), made into one of this name. Not for DO=1: the proof
    /// would be that of another name.
    fn denied_above(&mut self, now: Duration, asked: &Asked<'_>) -> Option<Found> {
        if !self.config.name_error_cut || asked.variant.dnssec_ok() {
            return None;
        }
        let mut above = asked.with_type(0);
        loop {
            above = above.parent(self.store.hash)?;
            let found = self.store.probe(now, &above);
            let Some(found) = found.filter(|found| found.state == Freshness::Fresh) else {
                continue;
            };
            let denied = asked.with_type(0).to_key();
            let entry = self
                .store
                .entry(found)?
                .denied_below(now, &above.to_key(), &denied)?;
            self.store.insert(now, &denied, entry, 0);
            return self.store.probe(now, &denied.asked());
        }
    }

    #[expect(
        clippy::too_many_arguments,
        reason = "the parts of one query, passed on once"
    )]
    fn hit(
        &mut self,
        now: Duration,
        client: &Client,
        query: &Query<'_>,
        asked: &Asked<'_>,
        found: Found,
        policy: u8,
        out: &mut [u8],
    ) -> Verdict {
        let Some(entry) = self.store.entry(found) else {
            return self.drop_query(DropReason::NoSpace);
        };
        let (zone, kind) = (usize::from(entry.zone), entry.kind);
        let ending = found.popular && kind != Kind::Failure && entry.is_ending(found.age);
        let reply = if entry.tag != 0 && policy != 0 {
            None
        } else {
            let error = (kind == Kind::Failure).then_some(ExtendedError::CACHED);
            let envelope = self.envelope(client.transport, query, error);
            Some(entry.write_reply(Age::Seconds(seconds(found.age)), query, envelope, out))
        };
        self.stats.count_zone(zone);
        if ending {
            self.prefetch(now, asked);
        }
        match reply {
            Some(reply) => {
                self.stats.count_hit(kind, false);
                self.finish(reply, out)
            }
            None => self.hit_derived(now, client, query, asked, found, policy, out),
        }
    }

    /// A plain answer that is to be derived from: the derived one, or a ticket to make it.
    #[expect(
        clippy::too_many_arguments,
        reason = "the parts of one query, passed on once"
    )]
    fn hit_derived(
        &mut self,
        now: Duration,
        client: &Client,
        query: &Query<'_>,
        asked: &Asked<'_>,
        plain: Found,
        policy: u8,
        out: &mut [u8],
    ) -> Verdict {
        let envelope = self.envelope(client.transport, query, None);
        let derived = self.store.probe(now, &asked.with_policy(policy));
        if let Some(entry) = derived.and_then(|found| self.store.entry(found)) {
            let reply = entry.write_reply(entry.age(now), query, envelope, out);
            let kind = entry.kind;
            self.stats.count_hit(kind, true);
            return self.finish(reply, out);
        }
        let Some(mut plain) = self.store.entry(plain).cloned() else {
            return self.drop_query(DropReason::NoSpace);
        };
        plain.refresh(now, plain.age(now), query);
        let state = State::Deriving {
            plain,
            other: Other::Unasked,
        };
        let deadline_at = now.saturating_add(self.config.client_deadline);
        match self
            .tickets
            .park(*client, query, policy, state, deadline_at)
        {
            Ok(key) => Verdict::Derive(Ticket(key)),
            Err(reason) => self.drop_query(reason),
        }
    }

    #[expect(
        clippy::too_many_arguments,
        reason = "the parts of one query, passed on once"
    )]
    fn miss(
        &mut self,
        now: Duration,
        client: &Client,
        query: &Query<'_>,
        asked: &Asked<'_>,
        policy: u8,
        expired: Option<Found>,
        out: &mut [u8],
    ) -> Verdict {
        if let Some(found) = expired
            && found.state == Freshness::StaleUnanswered
            && self.stale_is_whole(found, policy)
            && query.recursion_desired()
        {
            return self.reply_stale(client.transport, query, found, out);
        }
        let key = &asked.to_key();
        let zone = match self.forwarder.zones.route(key.name()) {
            Route::Ask(zone) => zone,
            Route::Fail => {
                self.stats.count_zone(usize::MAX);
                return self.fail(client.transport, query, Failure::NoServer, out);
            }
            Route::Refuse => {
                self.stats.count_zone(usize::MAX);
                let error = Some(ExtendedError::PROHIBITED);
                return self.empty(client.transport, query, rcode::REFUSED, error, out);
            }
        };
        self.stats.count_zone(zone.0);
        self.stats.misses += 1;
        let deadline_at = now.saturating_add(self.config.client_deadline);
        // The state is known once the question is asked, and the question is asked once there is room.
        let state = State::Failed(Failure::Overloaded);
        let ticket = match self
            .tickets
            .park(*client, query, policy, state, deadline_at)
        {
            Ok(key) => Ticket(key),
            Err(reason) => return self.drop_query(reason),
        };
        let Some(fetch) = self.ask(now, key, zone, ticket) else {
            self.tickets.remove(ticket.0);
            return self.drop_query(DropReason::Overloaded);
        };
        if let Some(parked) = self.tickets.get_mut(ticket.0) {
            parked.state = State::Waiting(fetch);
        }
        if expired.is_some() && query.recursion_desired() {
            let at = now.saturating_add(CLIENT_RESPONSE_TIMER).min(deadline_at);
            self.tickets.set_timer(ticket.0, at);
        }
        self.settle(now);
        Verdict::Parked(ticket)
    }

    /// Asks a question on behalf of a ticket.
    pub(super) fn ask(
        &mut self,
        now: Duration,
        key: &Key,
        zone: ZoneIndex,
        ticket: Ticket,
    ) -> Option<crate::event::FetchId> {
        let Some(fetch) = self.forwarder.ask(now, key, zone) else {
            self.forwarder.stats.refused += 1;
            return None;
        };
        self.waiting.entry(fetch).or_default().push(ticket);
        Some(fetch)
    }

    /// Asks again for what is asked for often, in the last tenth of its life.
    #[cold]
    fn prefetch(&mut self, now: Duration, asked: &Asked<'_>) {
        let key = &asked.to_key();
        if !self.config.prefetch || self.forwarder.is_asked(key) {
            return;
        }
        if let Route::Ask(zone) = self.forwarder.zones.route(key.name())
            && self.forwarder.ask(now, key, zone).is_some()
        {
            self.forwarder.stats.prefetched += 1;
            self.settle(now);
        }
    }

    /// Whether an expired answer can be given to this client as it is: never one to derive from.
    pub(super) fn stale_is_whole(&self, found: Found, policy: u8) -> bool {
        self.store
            .entry(found)
            .is_some_and(|entry| entry.tag == 0 || policy == 0)
    }

    pub(super) fn reply_stale(
        &mut self,
        transport: Transport,
        query: &Query<'_>,
        found: Found,
        out: &mut [u8],
    ) -> Verdict {
        let Some(kind) = self.store.entry(found).map(|entry| entry.kind) else {
            return self.drop_query(DropReason::NoSpace);
        };
        let error = match kind {
            Kind::NameError => ExtendedError::STALE_NXDOMAIN,
            Kind::Answer | Kind::NoData | Kind::Failure => ExtendedError::STALE,
        };
        let envelope = self.envelope(transport, query, Some(error));
        let reply = self
            .store
            .entry(found)
            .and_then(|entry| entry.write_reply(Age::Stale, query, envelope, out));
        self.stats.stale_replies += 1;
        self.finish(reply, out)
    }

    /// SERVFAIL, and why.
    pub(super) fn fail(
        &mut self,
        transport: Transport,
        query: &Query<'_>,
        failure: Failure,
        out: &mut [u8],
    ) -> Verdict {
        let error = match failure {
            Failure::NoServer => Some(ExtendedError {
                text: "no server for this zone",
                ..ExtendedError::OTHER
            }),
            Failure::NoReply => Some(ExtendedError::NO_REACHABLE_AUTHORITY),
            Failure::Unusable(code) => code.map(|code| ExtendedError { code, text: "" }),
            Failure::Underived => Some(ExtendedError {
                text: "no answer could be made",
                ..ExtendedError::OTHER
            }),
            Failure::Overloaded => Some(ExtendedError {
                text: "busy",
                ..ExtendedError::OTHER
            }),
        };
        self.empty(transport, query, rcode::SERVFAIL, error, out)
    }

    pub(super) fn empty(
        &mut self,
        transport: Transport,
        query: &Query<'_>,
        code: u8,
        error: Option<ExtendedError<'_>>,
        out: &mut [u8],
    ) -> Verdict {
        let envelope = self.envelope(transport, query, error);
        let reply = write_empty(query, code, false, envelope, out);
        self.finish(reply, out)
    }

    /// Counts a reply that leaves.
    #[inline]
    pub(super) fn finish(&mut self, reply: Option<usize>, out: &[u8]) -> Verdict {
        match reply {
            Some(length) => {
                self.stats.count_reply(out);
                Verdict::Reply(length)
            }
            None => self.drop_query(DropReason::NoSpace),
        }
    }

    pub(super) fn drop_query(&mut self, reason: DropReason) -> Verdict {
        self.stats.drops.count(reason);
        Verdict::Drop(reason)
    }
}
