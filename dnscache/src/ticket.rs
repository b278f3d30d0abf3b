//! Queries that wait, each until it has its one answer.

use alloc::boxed::Box;
use alloc::collections::{BTreeMap, BTreeSet};
use core::net::IpAddr;
use core::time::Duration;

use crate::client::{Client, DropReason};
use crate::entry::Entry;
use crate::event::FetchId;
use crate::slab::{Key, Slab};
use crate::wire::{Edns, Query};

/// A query that waits.
#[derive(Debug)]
pub(crate) struct Parked {
    pub(crate) client: Client,
    pub(crate) policy: u8,
    pub(crate) state: State,
    /// By when the client gets an answer, or a failure.
    pub(crate) deadline_at: Duration,
    timer_at: Duration,
    /// The caller was told to ask for the answer, and has not yet.
    pub(crate) announced: bool,
    /// The deadline has passed: soon the ticket goes, answered or not.
    pub(crate) late: bool,
    id: u16,
    flags: u16,
    question: Box<[u8]>,
    edns: Option<Edns>,
}

/// What a query waits for.
#[derive(Debug)]
pub(crate) enum State {
    /// The plain answer is asked for upstream.
    Waiting(FetchId),
    /// The plain answer is here.
    Here(Entry),
    /// An expired answer is to be given.
    Stale,
    /// Whoever derives answers is at it.
    Deriving {
        /// The plain answer, up to date when it was given out.
        plain: Entry,
        other: Other,
    },
    /// There is none, for this reason.
    Failed(Failure),
}

/// The answer of the other type.
#[derive(Debug)]
pub(crate) enum Other {
    Unasked,
    Waiting { rtype: u16, fetch: FetchId },
    Here { rtype: u16, entry: Entry },
    Failed { rtype: u16, rcode: u8 },
}

/// Why a client gets SERVFAIL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Failure {
    /// The zone has no server.
    NoServer,
    /// No server answered in time.
    NoReply,
    /// The servers' answers were failures; with the extended error of the last, if it had one.
    Unusable(Option<u16>),
    /// Too many questions are under way.
    Overloaded,
    /// Whoever derives answers did not, or made none that can be sent.
    Underived,
}

/// All of them.
#[derive(Debug)]
pub(crate) struct Tickets {
    parked: Slab<Parked>,
    per_client: BTreeMap<IpAddr, usize>,
    bound_per_client: usize,
    timers: BTreeSet<(Duration, Key)>,
}

impl Parked {
    pub(crate) fn query(&self) -> Query<'_> {
        Query::from_parts(self.id, self.flags, &self.question, self.edns)
    }
}

impl Tickets {
    pub(crate) fn new(bound: usize, bound_per_client: usize) -> Self {
        Self {
            parked: Slab::new(bound),
            per_client: BTreeMap::new(),
            bound_per_client,
            timers: BTreeSet::new(),
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.parked.len()
    }

    pub(crate) fn park(
        &mut self,
        client: Client,
        query: &Query<'_>,
        policy: u8,
        state: State,
        deadline_at: Duration,
    ) -> Result<Key, DropReason> {
        let address = client.address.ip();
        let waiting = self.per_client.get(&address).copied().unwrap_or(0);
        if waiting >= self.bound_per_client {
            return Err(DropReason::ClientOverloaded);
        }
        let key = self
            .parked
            .insert(Parked {
                client,
                policy,
                state,
                deadline_at,
                timer_at: deadline_at,
                announced: false,
                late: false,
                id: query.id(),
                flags: query.flags(),
                question: query.question_wire().into(),
                edns: query.edns(),
            })
            .ok_or(DropReason::Overloaded)?;
        self.per_client.insert(address, waiting.saturating_add(1));
        self.timers.insert((deadline_at, key));
        Ok(key)
    }

    pub(crate) fn get(&self, key: Key) -> Option<&Parked> {
        self.parked.get(key)
    }

    pub(crate) fn get_mut(&mut self, key: Key) -> Option<&mut Parked> {
        self.parked.get_mut(key)
    }

    pub(crate) fn remove(&mut self, key: Key) -> Option<Parked> {
        let parked = self.parked.remove(key)?;
        self.timers.remove(&(parked.timer_at, key));
        let address = parked.client.address.ip();
        if let Some(waiting) = self.per_client.get_mut(&address) {
            *waiting = waiting.saturating_sub(1);
            if *waiting == 0 {
                self.per_client.remove(&address);
            }
        }
        Some(parked)
    }

    /// Replaces the moment at which [`expired`](Self::expired) gives the ticket.
    pub(crate) fn set_timer(&mut self, key: Key, at: Duration) {
        if let Some(parked) = self.parked.get_mut(key) {
            self.timers.remove(&(parked.timer_at, key));
            parked.timer_at = at;
            self.timers.insert((at, key));
        }
    }

    pub(crate) fn poll_timeout(&self) -> Option<Duration> {
        self.timers.first().map(|(at, _)| *at)
    }

    /// The next ticket whose moment has come; its timer is gone.
    pub(crate) fn expired(&mut self, now: Duration) -> Option<Key> {
        let (at, key) = self.timers.first().copied()?;
        if at > now {
            return None;
        }
        self.timers.remove(&(at, key));
        Some(key)
    }
}
