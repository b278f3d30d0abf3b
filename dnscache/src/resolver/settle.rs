//! What comes back from upstream, or does not, and who is told.

use core::mem;
use core::time::Duration;

use super::Resolver;
use crate::cache::Freshness;
use crate::client::Ticket;
use crate::entry::{Age, Entry};
use crate::event::{Event, FetchId};
use crate::key::Key;
use crate::ticket::{Failure, Other, State};
use crate::understand::Kind;
use crate::wire::rcode;

/// How long a failure is remembered: at first, and at most (RFC 9520 §3.2).
const FAILURE: (u32, u32) = (1, 300);

/// After a failure, an expired answer is given at once for so long (RFC 8767 §5, "failure recheck
/// timer", RECOMMENDED).
const FAILURE_RECHECK: Duration = Duration::from_secs(30);

/// How long a ticket whose time is over may still be answered.
const GRACE: Duration = Duration::from_secs(1);

impl Resolver {
    /// Keeps a received reply, and wakes who waits for it. Tag 0: serve it as it is; any other:
    /// clients with a policy want an answer derived from it.
    pub fn accept(&mut self, now: Duration, fetch: FetchId, tag: u8) {
        self.now = now;
        let Some((key, zone, understood)) = self.forwarder.take(fetch) else {
            return;
        };
        let waiting = self.waiting.remove(&fetch).unwrap_or_default();
        let Some(mut entry) = Entry::new(now, understood, tag) else {
            self.wake_failed(now, &key, fetch, &waiting, Failure::Unusable(None));
            return;
        };
        entry.zone = u16::try_from(zone.0).unwrap_or(u16::MAX);
        // Whatever the new answer says, the old one does not hold any more, TTL 0 included.
        self.store.remove(&key.asked());
        let denied = key.with_type(0);
        // A tag is about one type, a denial about all.
        if entry.kind == Kind::NameError && entry.direct && tag == 0 {
            self.keep(now, zone, &denied, entry.clone());
        } else {
            self.store.remove(&denied.asked());
            self.keep(now, zone, &key, entry.clone());
        }
        for ticket in waiting {
            let Some(parked) = self.tickets.get_mut(ticket.0) else {
                continue;
            };
            match &mut parked.state {
                State::Waiting(waited) if *waited == fetch => {
                    parked.state = State::Here(entry.clone());
                }
                State::Deriving { other, .. } => {
                    let Other::Waiting {
                        rtype,
                        fetch: waited,
                    } = *other
                    else {
                        continue;
                    };
                    if waited != fetch {
                        continue;
                    }
                    let mut entry = entry.clone();
                    entry.refresh(now, entry.age(now), &parked_other(&key));
                    *other = Other::Here { rtype, entry };
                }
                State::Waiting(_) | State::Here(_) | State::Stale | State::Failed(_) => continue,
            }
            self.announce(ticket);
        }
    }

    fn keep(&mut self, now: Duration, zone: crate::zone::ZoneIndex, key: &Key, entry: Entry) {
        if self.forwarder.zones.is_cached(zone) {
            self.store.insert(now, key, entry, 0);
        }
    }

    /// Passes on what the forwarder has to tell.
    pub(super) fn settle(&mut self, now: Duration) {
        while let Some(event) = self.forwarder.events.pop_front() {
            if let Event::Failed { fetch, .. } = &event {
                self.failed(now, *fetch);
            }
            self.events.push_back(event);
        }
    }

    fn failed(&mut self, now: Duration, fetch: FetchId) {
        let Some((key, zone, unusable)) = self.forwarder.take_failed(fetch) else {
            return;
        };
        let waiting = self.waiting.remove(&fetch).unwrap_or_default();
        let failure = unusable.map_or(Failure::NoReply, |last| Failure::Unusable(last.error));
        match self.lookup(now, &key.asked()) {
            Some(found) if found.state != Freshness::Fresh => {
                let recheck_at = now.saturating_add(FAILURE_RECHECK);
                self.store.set_recheck(&key.asked(), recheck_at);
                let denied = key.asked().with_type(0);
                self.store.set_recheck(&denied, recheck_at);
            }
            // A prefetch that failed: what is there still holds.
            Some(_) => {}
            None => {
                let failures = self.store.failures(&key.asked()).saturating_add(1);
                let (first, most) = FAILURE;
                let doubled = first.checked_shl(u32::from(failures) - 1).unwrap_or(most);
                let entry = Entry::failure(now, key.question(), doubled.min(most));
                if let (Some(mut entry), true) = (entry, self.forwarder.zones.is_cached(zone)) {
                    entry.zone = u16::try_from(zone.0).unwrap_or(u16::MAX);
                    self.store.insert(now, &key, entry, failures.min(16));
                }
            }
        }
        self.wake_failed(now, &key, fetch, &waiting, failure);
    }

    fn wake_failed(
        &mut self,
        now: Duration,
        key: &Key,
        fetch: FetchId,
        waiting: &[Ticket],
        failure: Failure,
    ) {
        for ticket in waiting {
            let Some(parked) = self.tickets.get_mut(ticket.0) else {
                continue;
            };
            match &mut parked.state {
                State::Waiting(waited) if *waited == fetch => {
                    parked.state = State::Failed(failure);
                    self.try_stale(now, key, *ticket);
                }
                State::Deriving { other, .. } => {
                    let Other::Waiting {
                        rtype,
                        fetch: waited,
                    } = *other
                    else {
                        continue;
                    };
                    if waited != fetch {
                        continue;
                    }
                    *other = Other::Failed {
                        rtype,
                        rcode: rcode::SERVFAIL,
                    };
                }
                State::Waiting(_) | State::Here(_) | State::Stale | State::Failed(_) => continue,
            }
            self.announce(*ticket);
        }
    }

    /// Lets a ticket have an expired answer, if there is one; only for RD=1 (RFC 8767 §5).
    fn try_stale(&mut self, now: Duration, key: &Key, ticket: Ticket) -> bool {
        let Some(parked) = self.tickets.get(ticket.0) else {
            return false;
        };
        let policy = parked.policy;
        if !parked.query().recursion_desired() {
            return false;
        }
        let Some(found) = self.lookup(now, &key.asked()) else {
            return false;
        };
        if found.state == Freshness::Fresh {
            return false;
        }
        let state = if self.stale_is_whole(found, policy) {
            State::Stale
        } else {
            // What is derived from an expired answer is derived anew: its mapping is renewed.
            let Some(mut entry) = self.store.entry(found).cloned() else {
                return false;
            };
            let Some(parked) = self.tickets.get(ticket.0) else {
                return false;
            };
            entry.refresh(now, Age::Stale, &parked.query());
            State::Here(entry)
        };
        if let Some(parked) = self.tickets.get_mut(ticket.0) {
            parked.state = state;
        }
        true
    }

    fn announce(&mut self, ticket: Ticket) {
        let Some(parked) = self.tickets.get_mut(ticket.0) else {
            return;
        };
        if !mem::replace(&mut parked.announced, true) {
            self.events.push_back(Event::Ready { ticket });
        }
    }

    pub(super) fn expire_tickets(&mut self, now: Duration) {
        while let Some(slot) = self.tickets.expired(now) {
            let ticket = Ticket(slot);
            let hash = self.store.hash;
            let Some(parked) = self.tickets.get_mut(slot) else {
                continue;
            };
            let query = parked.query();
            let variant = crate::key::Variant::of(&query);
            let key = Key::new(hash, query.question_wire(), variant);
            let deadline_at = parked.deadline_at;
            if now < deadline_at {
                self.tickets.set_timer(slot, deadline_at);
                let waits = self
                    .tickets
                    .get(slot)
                    .is_some_and(|parked| matches!(parked.state, State::Waiting(_)));
                if waits && self.try_stale(now, &key, ticket) {
                    self.announce(ticket);
                }
                continue;
            }
            if parked.late {
                self.tickets.remove(slot);
                continue;
            }
            parked.late = true;
            self.stats.late += 1;
            let waits = match parked.state {
                State::Waiting(_) => true,
                State::Deriving { .. } => {
                    parked.state = State::Failed(Failure::Underived);
                    false
                }
                State::Here(_) | State::Stale | State::Failed(_) => false,
            };
            if waits {
                parked.state = State::Failed(Failure::NoReply);
                self.try_stale(now, &key, ticket);
            }
            self.tickets.set_timer(slot, now.saturating_add(GRACE));
            self.announce(ticket);
        }
    }
}

/// The question of a fetch as a query, for its message to be read under.
fn parked_other(key: &Key) -> crate::wire::Query<'_> {
    crate::wire::Query::from_parts(0, 0, key.question(), None)
}
