//! Tickets that are ready, and answers that are made from other answers.

use core::time::Duration;

use super::Resolver;
use crate::cache::Freshness;
use crate::client::{DropReason, Fetch, Ticket, Verdict};
use crate::entry::Entry;
use crate::key::{Key, Variant};
use crate::ticket::{Failure, Other, Parked, State};
use crate::understand::{Kind, own};
use crate::wire::{ExtendedError, Query, rcode};
use crate::zone::Route;

/// What is to become of a ticket.
enum Next {
    Wait,
    Reply,
    Derive,
    Stale,
    Fail(Failure),
}

impl Resolver {
    /// What becomes of a ticket that is ready.
    pub fn answer(&mut self, now: Duration, ticket: Ticket, out: &mut [u8]) -> Verdict {
        self.now = now;
        let Some(parked) = self.tickets.get_mut(ticket.0) else {
            return Verdict::Drop(DropReason::UnknownTicket);
        };
        parked.announced = false;
        let next = match &parked.state {
            State::Waiting(_)
            | State::Deriving {
                other: Other::Waiting { .. },
                ..
            } => Next::Wait,
            State::Here(entry) if entry.tag != 0 && parked.policy != 0 => Next::Derive,
            State::Deriving { .. } => Next::Derive,
            State::Here(_) => Next::Reply,
            State::Stale => Next::Stale,
            State::Failed(failure) => Next::Fail(*failure),
        };
        match next {
            Next::Wait => Verdict::Parked(ticket),
            Next::Derive => self.answer_derived(now, ticket, out),
            Next::Reply => self.pass(now, ticket, out),
            Next::Stale => {
                let Some(parked) = self.tickets.remove(ticket.0) else {
                    return Verdict::Drop(DropReason::UnknownTicket);
                };
                let query = parked.query();
                let key = Key::new(self.store.hash, query.question_wire(), Variant::of(&query));
                match self.lookup(now, &key.asked()) {
                    Some(found) => self.reply_stale(parked.client.transport, &query, found, out),
                    None => self.fail(parked.client.transport, &query, Failure::NoReply, out),
                }
            }
            Next::Fail(failure) => match self.tickets.remove(ticket.0) {
                Some(parked) => self.fail(parked.client.transport, &parked.query(), failure, out),
                None => Verdict::Drop(DropReason::UnknownTicket),
            },
        }
    }

    /// The derived answer, which another client's ticket may have brought meanwhile.
    fn answer_derived(&mut self, now: Duration, ticket: Ticket, out: &mut [u8]) -> Verdict {
        let Some(parked) = self.tickets.get(ticket.0) else {
            return Verdict::Drop(DropReason::UnknownTicket);
        };
        let query = parked.query();
        let key = Key::new(self.store.hash, query.question_wire(), Variant::of(&query))
            .with_policy(parked.policy);
        if let Some(found) = self.store.probe(now, &key.asked())
            && let Some(parked) = self.tickets.remove(ticket.0)
        {
            let query = parked.query();
            let envelope = self.envelope(parked.client.transport, &query, None);
            let entry = self.store.entry(found);
            let reply =
                entry.and_then(|entry| entry.write_reply(entry.age(now), &query, envelope, out));
            self.stats.count_hit(Kind::Answer, true);
            return self.finish(reply, out);
        }
        if let Some(parked) = self.tickets.get_mut(ticket.0)
            && let State::Here(_) = parked.state
        {
            let state = core::mem::replace(&mut parked.state, State::Stale);
            if let State::Here(mut plain) = state {
                plain.refresh(now, plain.age(now), &parked.query());
                parked.state = State::Deriving {
                    plain,
                    other: Other::Unasked,
                };
            }
        }
        Verdict::Derive(ticket)
    }

    /// Of a ticket to be derived: the plain reply, with the TTLs that were left at the verdict.
    pub fn plain(&self, ticket: Ticket) -> Option<&[u8]> {
        Some(plain(self.tickets.get(ticket.0)?)?.message())
    }

    /// Of a ticket to be derived: the tag of the plain reply.
    pub fn tag(&self, ticket: Ticket) -> Option<u8> {
        Some(plain(self.tickets.get(ticket.0)?)?.tag)
    }

    /// Of a ticket to be derived: the answer to the same question of another type, which is asked for
    /// if it is not here.
    pub fn fetch(&mut self, now: Duration, ticket: Ticket, rtype: u16) -> Fetch<'_> {
        self.now = now;
        let Some(parked) = self.tickets.get(ticket.0) else {
            return Fetch::UnknownTicket;
        };
        let State::Deriving { other, .. } = &parked.state else {
            return Fetch::UnknownTicket;
        };
        let known = match other {
            Other::Unasked => false,
            Other::Waiting { rtype: known, .. }
            | Other::Here { rtype: known, .. }
            | Other::Failed { rtype: known, .. } => *known == rtype,
        };
        if !known {
            let other = self.find_other(now, ticket, rtype);
            if let Some(Parked {
                state: State::Deriving { other: place, .. },
                ..
            }) = self.tickets.get_mut(ticket.0)
            {
                *place = other;
            }
            self.settle(now);
        }
        match self.tickets.get(ticket.0).map(|parked| &parked.state) {
            Some(State::Deriving { plain, other }) => match other {
                Other::Unasked | Other::Waiting { .. } => Fetch::Waiting,
                Other::Failed { rcode, .. } => Fetch::Failed { rcode: *rcode },
                Other::Here { entry, .. } => Fetch::Answer {
                    plain: plain.message(),
                    other: entry.message(),
                },
            },
            Some(State::Waiting(_) | State::Here(_) | State::Stale | State::Failed(_)) | None => {
                Fetch::UnknownTicket
            }
        }
    }

    /// The other type's answer from the cache, or a question for it.
    fn find_other(&mut self, now: Duration, ticket: Ticket, rtype: u16) -> Other {
        let failed = Other::Failed {
            rtype,
            rcode: rcode::SERVFAIL,
        };
        let Some(parked) = self.tickets.get(ticket.0) else {
            return failed;
        };
        let query = parked.query();
        let key = Key::new(self.store.hash, query.question_wire(), Variant::of(&query));
        let key = key.with_type(rtype);
        if let Some(found) = self.lookup(now, &key.asked())
            && found.state == Freshness::Fresh
            && let Some(entry) = self.store.entry(found)
        {
            if entry.kind == Kind::Failure {
                return failed;
            }
            let mut entry = entry.clone();
            entry.refresh(
                now,
                entry.age(now),
                &Query::from_parts(0, 0, key.question(), None),
            );
            return Other::Here { rtype, entry };
        }
        match self.forwarder.zones.route(key.name()) {
            Route::Ask(zone) => match self.ask(now, &key, zone, ticket) {
                Some(fetch) => Other::Waiting { rtype, fetch },
                None => failed,
            },
            Route::Fail | Route::Refuse => failed,
        }
    }

    /// Ends a ticket with a derived reply: a message with the ticket's question. If `cache`, it is kept
    /// for `ttl`, or for its own shortest TTL if that is less, under the ticket's question and policy.
    ///
    /// `error` is told with this reply, not with later ones from the cache. A message that is not whole,
    /// or has another question, becomes SERVFAIL.
    #[expect(
        clippy::too_many_arguments,
        reason = "a reply, how to keep it, and what to say beside it"
    )]
    pub fn derive(
        &mut self,
        now: Duration,
        ticket: Ticket,
        reply: &[u8],
        ttl: Duration,
        cache: bool,
        error: Option<ExtendedError<'_>>,
        out: &mut [u8],
    ) -> Verdict {
        self.now = now;
        let Some(parked) = self.tickets.remove(ticket.0) else {
            return Verdict::Drop(DropReason::UnknownTicket);
        };
        let query = parked.query();
        let own = own(reply, query.question_wire());
        let Some(mut entry) = own.and_then(|own| Entry::new(now, own, 0)) else {
            return self.fail(parked.client.transport, &query, Failure::Underived, out);
        };
        entry.set_life(
            entry
                .life()
                .min(u32::try_from(ttl.as_secs()).unwrap_or(u32::MAX)),
        );
        if cache && parked.policy != 0 && !query.checking_disabled() {
            let key = Key::new(self.store.hash, query.question_wire(), Variant::of(&query));
            self.store
                .insert(now, &key.with_policy(parked.policy), entry.clone(), 0);
        }
        let envelope = self.envelope(parked.client.transport, &query, error);
        let reply = entry.write_reply(entry.age(now), &query, envelope, out);
        self.stats.derived += 1;
        self.finish(reply, out)
    }

    /// Ends a ticket with the plain reply.
    pub fn pass(&mut self, now: Duration, ticket: Ticket, out: &mut [u8]) -> Verdict {
        self.now = now;
        let known = self.tickets.get(ticket.0).and_then(plain).is_some();
        let Some(parked) = self.tickets.remove(ticket.0).filter(|_| known) else {
            return Verdict::Drop(DropReason::UnknownTicket);
        };
        let query = parked.query();
        let envelope = self.envelope(parked.client.transport, &query, None);
        let reply = plain(&parked)
            .and_then(|plain| plain.write_reply(plain.age(now), &query, envelope, out));
        self.finish(reply, out)
    }

    /// Ends a ticket with a response code and no records.
    pub fn refuse(
        &mut self,
        now: Duration,
        ticket: Ticket,
        rcode: u8,
        error: Option<ExtendedError<'_>>,
        out: &mut [u8],
    ) -> Verdict {
        self.now = now;
        match self.tickets.remove(ticket.0) {
            Some(parked) => self.empty(parked.client.transport, &parked.query(), rcode, error, out),
            None => Verdict::Drop(DropReason::UnknownTicket),
        }
    }
}

fn plain(parked: &Parked) -> Option<&Entry> {
    match &parked.state {
        State::Here(plain) | State::Deriving { plain, .. } => Some(plain),
        State::Waiting(_) | State::Stale | State::Failed(_) => None,
    }
}
