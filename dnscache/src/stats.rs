//! Counters; plain numbers that only grow, save the cache's sizes.

use alloc::vec::Vec;
use core::time::Duration;

use crate::client::{DropReason, Transport};
use crate::event::Mismatch;
use crate::understand::Kind;
use crate::wire::rtype;

/// All counters of a [`Resolver`](crate::Resolver).
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct Stats<'a> {
    /// Queries and replies.
    pub clients: &'a ClientStats,
    /// What is kept.
    pub cache: &'a CacheStats,
    /// Questions to servers.
    pub upstream: &'a UpstreamStats,
}

/// Queries and what became of them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ClientStats {
    /// Messages from clients, whatever became of them.
    pub queries: u64,
    /// Of these, over TCP.
    pub tcp_queries: u64,
    /// Queries by type.
    pub types: TypeCounts,
    /// Replies, whatever they said.
    pub replies: u64,
    /// Replies by response code; those above 15 count as the last.
    pub rcodes: [u64; 16],
    /// Replies that were cut to TC.
    pub truncated: u64,
    /// Queries by forward zone, in the order of the configuration; the last are those under none.
    pub zones: Vec<u64>,
    /// Replies from the cache, positive.
    pub fresh_hits: u64,
    /// Replies from the cache, negative.
    pub negative_hits: u64,
    /// Replies from the cache that had been derived.
    pub derived_hits: u64,
    /// Replies from the cache that tell of a failure.
    pub failure_hits: u64,
    /// Replies from expired entries.
    pub stale_replies: u64,
    /// Replies made from what default zones say.
    pub local_replies: u64,
    /// Queries that had to wait.
    pub misses: u64,
    /// Replies that were derived anew.
    pub derived: u64,
    /// Tickets that ran out of time.
    pub late: u64,
    /// Queries without reply, by reason.
    pub drops: DropCounts,
}

/// Queries by type.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names are the types")]
#[non_exhaustive]
pub struct TypeCounts {
    pub a: u64,
    pub aaaa: u64,
    pub ptr: u64,
    pub https: u64,
    pub svcb: u64,
    pub mx: u64,
    pub txt: u64,
    pub srv: u64,
    pub ns: u64,
    pub soa: u64,
    pub cname: u64,
    pub any: u64,
    pub other: u64,
}

impl TypeCounts {
    #[inline(always)]
    pub(crate) fn count(&mut self, number: u16) {
        // Nine of ten are one of these: no table to jump by.
        match number {
            rtype::A => self.a += 1,
            rtype::AAAA => self.aaaa += 1,
            _ => self.count_rarer(number),
        }
    }

    fn count_rarer(&mut self, number: u16) {
        let counter = match number {
            rtype::PTR => &mut self.ptr,
            rtype::HTTPS => &mut self.https,
            rtype::SVCB => &mut self.svcb,
            rtype::MX => &mut self.mx,
            rtype::TXT => &mut self.txt,
            rtype::SRV => &mut self.srv,
            rtype::NS => &mut self.ns,
            rtype::SOA => &mut self.soa,
            rtype::CNAME => &mut self.cname,
            rtype::ANY => &mut self.any,
            _ => &mut self.other,
        };
        *counter += 1;
    }
}

/// Queries without reply.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names are those of `DropReason`")]
#[non_exhaustive]
pub struct DropCounts {
    pub short: u64,
    pub response: u64,
    pub rate_limited: u64,
    pub overloaded: u64,
    pub client_overloaded: u64,
    pub no_space: u64,
    pub unknown_ticket: u64,
}

impl DropCounts {
    pub(crate) fn count(&mut self, reason: DropReason) {
        let counter = match reason {
            DropReason::Short => &mut self.short,
            DropReason::Response => &mut self.response,
            DropReason::RateLimited => &mut self.rate_limited,
            DropReason::Overloaded => &mut self.overloaded,
            DropReason::ClientOverloaded => &mut self.client_overloaded,
            DropReason::NoSpace => &mut self.no_space,
            DropReason::UnknownTicket => &mut self.unknown_ticket,
        };
        *counter += 1;
    }
}

impl ClientStats {
    pub(crate) fn new(zones: usize) -> Self {
        Self {
            zones: alloc::vec![0; zones.saturating_add(1)],
            ..Self::default()
        }
    }

    pub(crate) fn count_query(&mut self, transport: Transport) {
        self.queries += 1;
        self.tcp_queries += u64::from(transport == Transport::Tcp);
    }

    #[inline(always)]
    pub(crate) fn count_zone(&mut self, zone: usize) {
        match self.zones.get_mut(zone) {
            Some(counter) => *counter += 1,
            None => self
                .zones
                .last_mut()
                .into_iter()
                .for_each(|none| *none += 1),
        }
    }

    /// A reply that is about to leave.
    #[inline(always)]
    pub(crate) fn count_reply(&mut self, reply: &[u8]) {
        self.replies += 1;
        if let [_, _, high, low, ..] = reply {
            if let Some(counter) = self.rcodes.get_mut(usize::from(low & 0x0f)) {
                *counter += 1;
            }
            self.truncated += u64::from(high & 0x02 != 0);
        }
    }

    pub(crate) fn count_hit(&mut self, kind: Kind, derived: bool) {
        let counter = match kind {
            _ if derived => &mut self.derived_hits,
            Kind::Answer => &mut self.fresh_hits,
            Kind::NoData | Kind::NameError => &mut self.negative_hits,
            Kind::Failure => &mut self.failure_hits,
        };
        *counter += 1;
    }
}

/// What is kept, and what was not.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct CacheStats {
    /// Entries now, expired ones included.
    pub entries: usize,
    /// Bytes that positive answers take now, of `message_bytes`.
    pub message_bytes: usize,
    /// Bytes that negative answers and failures take now, of `negative_bytes`.
    pub negative_bytes: usize,
    /// Answers that were kept.
    pub insertions: u64,
    /// Answers that gave way while they held.
    pub evicted_for_room: u64,
    /// Answers that gave way after they had expired.
    pub evicted_expired: u64,
    /// Answers larger than the budget.
    pub too_large: u64,
}

impl CacheStats {
    /// Goes on from a former cache's counters; sizes stay its own, and answers that were taken over count
    /// as kept once.
    pub(crate) fn continue_from(&mut self, former: &Self) {
        *self = Self {
            entries: self.entries,
            message_bytes: self.message_bytes,
            negative_bytes: self.negative_bytes,
            ..former.clone()
        };
    }
}

/// Questions to servers, and what came back.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct UpstreamStats {
    /// Questions that were asked.
    pub questions: u64,
    /// Questions that joined one that was under way.
    pub coalesced: u64,
    /// Of the questions, those asked before their answer expired.
    pub prefetched: u64,
    /// Queries sent over UDP.
    pub sent: u64,
    /// Queries sent over TCP.
    pub sent_on_streams: u64,
    /// Questions that went over to TCP.
    pub moved_to_streams: u64,
    /// Messages that arrived.
    pub received: u64,
    /// Of these, those that answered nothing.
    pub mismatches: MismatchCounts,
    /// Of these, those that did not help.
    pub unusable: u64,
    /// Tries without reply.
    pub timeouts: u64,
    /// Questions that all tries left without answer.
    pub failed: u64,
    /// Questions that were not asked because too many were under way.
    pub refused: u64,
    /// Events that nobody fetched in time.
    pub events_lost: u64,
    /// Round-trip times.
    pub rtt: RttCounts,
}

/// Datagrams that answered nothing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names are those of `Mismatch`")]
#[non_exhaustive]
pub struct MismatchCounts {
    pub malformed: u64,
    pub port: u64,
    pub server: u64,
    pub id: u64,
    pub question: u64,
    pub case: u64,
}

impl MismatchCounts {
    pub(crate) fn count(&mut self, mismatch: Mismatch) {
        let counter = match mismatch {
            Mismatch::Malformed => &mut self.malformed,
            Mismatch::Port => &mut self.port,
            Mismatch::Server => &mut self.server,
            Mismatch::Id => &mut self.id,
            Mismatch::Question => &mut self.question,
            Mismatch::Case => &mut self.case,
        };
        *counter += 1;
    }
}

/// Round-trip times in buckets: the first holds those under 1 ms, the n-th those under 2^n ms, the
/// last all others.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RttCounts {
    /// How many replies fell into each bucket.
    pub buckets: [u64; 14],
    /// Sum of all.
    pub sum: Duration,
}

impl RttCounts {
    pub(crate) fn count(&mut self, rtt: Duration) {
        let bits = u128::BITS.saturating_sub(rtt.as_millis().leading_zeros());
        let bucket = usize::try_from(bits)
            .unwrap_or(usize::MAX)
            .min(self.buckets.len() - 1);
        if let Some(counter) = self.buckets.get_mut(bucket) {
            *counter += 1;
        }
        self.sum = self.sum.saturating_add(rtt);
    }
}
