//! Answers under their questions, within a budget of bytes.

use alloc::vec::Vec;
use core::ops::Range;
use core::time::Duration;

use hashbrown::HashTable;

use crate::entry::Entry;
use crate::hash::HashKey;
use crate::key::{Asked, Case, Key, Variant};
use crate::sieve::{Link, Links, Sieve};
use crate::stats::CacheStats;
use crate::understand::Kind;

/// Bookkeeping of the allocator and the index per entry, in octets: rounded, for the budget only.
const OVERHEAD: usize = 28;

/// How long and within which bounds answers are kept; the fields of
/// [`Config`](crate::Config) have the same names.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    pub(crate) message_bytes: usize,
    pub(crate) negative_bytes: usize,
    pub(crate) ttl_ceiling: u32,
    pub(crate) ttl_floor: u32,
    pub(crate) negative_ceiling: u32,
    pub(crate) stale: Duration,
}

/// The answers.
#[derive(Debug)]
pub(crate) struct Store {
    index: HashTable<u32>,
    slots: Slots,
    free: Vec<u32>,
    queues: [Queue; 2],
    limits: Limits,
    generation: u32,
    pub(crate) hash: HashKey,
    pub(crate) stats: CacheStats,
}

#[derive(Debug)]
struct Queue {
    sieve: Sieve,
    bytes: usize,
    budget: usize,
}

#[derive(Debug)]
struct Slots {
    slots: Vec<Slot>,
    /// The moment of the insertion that looks for a victim.
    now: Duration,
    stale: Duration,
}

/// One line of a processor's cache.
#[derive(Debug)]
#[repr(align(64))]
struct Slot {
    entry: Option<Entry>,
    hash: u64,
    link: Link,
    /// Of a derived entry: it holds only while this is the store's generation. Of a plain one that has
    /// expired: whole seconds since zero until which no server need be asked again (RFC 8767 §5,
    /// "failure recheck timer").
    mark: u32,
    variant: Variant,
    /// Asked for again since the eviction's hand was last here.
    visited: bool,
    /// Of a failure: how many there were in a row.
    failures: u8,
}

const _: () = assert!(size_of::<Slot>() == 64);

/// Where an entry is, and how it stands; good until the store changes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Found {
    slot: u32,
    pub(crate) state: Freshness,
    /// Nanoseconds since it was received.
    pub(crate) age: u64,
    /// It was asked for before, since it came or since the eviction's hand passed.
    pub(crate) popular: bool,
}

/// An answer that holds.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Fresh<'a> {
    pub(crate) entry: &'a Entry,
    pub(crate) slot: u32,
    /// Nanoseconds since it was received.
    pub(crate) age: u64,
    pub(crate) popular: bool,
    /// The question has no letter in upper case.
    pub(crate) is_lower: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Freshness {
    Fresh,
    /// Expired; to be served only if no server answers.
    Stale,
    /// Expired, and no server has answered a short while ago.
    StaleUnanswered,
}

impl Links for Slots {
    fn link(&self, slot: u32) -> Option<&Link> {
        Some(&self.slots.get(usize::try_from(slot).ok()?)?.link)
    }

    fn link_mut(&mut self, slot: u32) -> Option<&mut Link> {
        Some(&mut self.slots.get_mut(usize::try_from(slot).ok()?)?.link)
    }

    fn is_spent(&self, slot: u32) -> bool {
        usize::try_from(slot)
            .ok()
            .and_then(|slot| self.slots.get(slot))
            .and_then(|slot| slot.entry.as_ref())
            .is_some_and(|entry| entry.is_expired_for(self.now, self.stale))
    }

    fn take_visited(&mut self, slot: u32) -> bool {
        let slot = usize::try_from(slot)
            .ok()
            .and_then(|slot| self.slots.get_mut(slot));
        slot.is_some_and(|slot| core::mem::take(&mut slot.visited))
    }
}

impl Slots {
    fn get(&self, slot: u32) -> Option<&Slot> {
        self.slots.get(usize::try_from(slot).ok()?)
    }

    fn get_mut(&mut self, slot: u32) -> Option<&mut Slot> {
        self.slots.get_mut(usize::try_from(slot).ok()?)
    }
}

impl Slot {
    #[inline]
    fn holds(&self, asked: &Asked<'_>, hash: u64) -> bool {
        self.hash == hash
            && self.variant == asked.variant
            && self
                .entry
                .as_ref()
                .is_some_and(|entry| asked.compare(asked.numbers(), entry.question()).is_some())
    }

    fn is_negative(&self) -> bool {
        self.entry
            .as_ref()
            .is_some_and(|entry| is_negative(entry.kind))
    }

    fn cost(&self) -> usize {
        let heap = self.entry.as_ref().map_or(0, Entry::heap_bytes);
        heap.saturating_add(size_of::<Self>())
            .saturating_add(OVERHEAD)
    }
}

/// Which of the two budgets an answer counts against.
fn is_negative(kind: Kind) -> bool {
    match kind {
        Kind::Answer => false,
        Kind::NoData | Kind::NameError | Kind::Failure => true,
    }
}

impl Store {
    pub(crate) fn new(limits: Limits, seed: [u8; 16]) -> Self {
        let queue = |budget| Queue {
            sieve: Sieve::EMPTY,
            bytes: 0,
            budget,
        };
        Self {
            index: HashTable::new(),
            slots: Slots {
                slots: Vec::new(),
                now: Duration::ZERO,
                stale: limits.stale,
            },
            free: Vec::new(),
            queues: [queue(limits.message_bytes), queue(limits.negative_bytes)],
            limits,
            generation: 0,
            hash: HashKey::new(seed),
            stats: CacheStats::default(),
        }
    }

    #[inline]
    fn find(&self, asked: &Asked<'_>) -> Option<u32> {
        let hash = asked.hash();
        self.index
            .find(hash, |slot| {
                self.slots
                    .get(*slot)
                    .is_some_and(|slot| slot.holds(asked, hash))
            })
            .copied()
    }

    /// What [`probe`](Self::probe) finds of a question, or of the denial of its name, if it holds; without
    /// being seen. `None` says little: an answer that has expired hides a denial, and of two equal hashes
    /// only one is looked at.
    #[inline(always)]
    pub(crate) fn fresh(&self, now: Duration, asked: &Asked<'_>) -> Option<Fresh<'_>> {
        let exact = self.by_hash(asked.hash());
        let (index, numbers) = match exact {
            Some(index) => (index, asked.numbers()),
            None => {
                let denied = asked.with_type(0);
                (self.by_hash(denied.hash())?, denied.numbers())
            }
        };
        let slot = self.slots.get(index)?;
        let entry = slot.entry.as_ref()?;
        let case = asked.compare(numbers, entry.question())?;
        let age = entry.nanos_since(now);
        let holds = slot.variant == asked.variant
            && entry.is_fresh(age)
            && (asked.variant.policy() == 0 || slot.mark == self.generation);
        holds.then_some(Fresh {
            entry,
            slot: index,
            age,
            popular: slot.visited,
            is_lower: case == Case::Lower,
        })
    }

    #[inline(always)]
    fn by_hash(&self, hash: u64) -> Option<u32> {
        let matches = |slot: &u32| self.slots.get(*slot).is_some_and(|slot| slot.hash == hash);
        self.index.find(hash, matches).copied()
    }

    /// Where the derived answer to a question is, if it holds.
    #[inline(never)]
    pub(crate) fn fresh_derived(
        &self,
        now: Duration,
        question: &[u8],
        name_hash: u64,
        variant: Variant,
    ) -> Option<u32> {
        let asked = Asked::hashed(name_hash, question, variant);
        Some(self.fresh(now, &asked)?.slot)
    }

    /// What is there.
    #[inline]
    pub(crate) fn at(&self, slot: u32) -> Option<&Entry> {
        self.slots.get(slot)?.entry.as_ref()
    }

    /// An answer is given.
    #[inline]
    pub(crate) fn visit(&mut self, slot: u32) {
        if let Some(slot) = self.slots.get_mut(slot) {
            slot.visited = true;
        }
    }

    /// The answer to a question, if it may still be given.
    #[inline]
    pub(crate) fn probe(&mut self, now: Duration, asked: &Asked<'_>) -> Option<Found> {
        let index = self.find(asked)?;
        let slot = self.slots.get_mut(index)?;
        let derived = asked.variant.policy() != 0;
        if derived && slot.mark != self.generation {
            return None;
        }
        let entry = slot.entry.as_ref()?;
        let age = entry.nanos_since(now);
        let state = if entry.is_fresh(age) {
            Freshness::Fresh
        } else if derived
            || entry.kind == Kind::Failure
            || entry.is_expired_for(now, self.limits.stale)
        {
            return None;
        } else if now.as_secs() < u64::from(slot.mark) {
            Freshness::StaleUnanswered
        } else {
            Freshness::Stale
        };
        let popular = core::mem::replace(&mut slot.visited, true);
        Some(Found {
            slot: index,
            state,
            age,
            popular,
        })
    }

    /// How many places there are, filled or not.
    pub(crate) fn slots(&self) -> u32 {
        u32::try_from(self.slots.slots.len()).unwrap_or(u32::MAX)
    }

    /// The plain answer at a place, if it holds.
    pub(crate) fn kept(&self, now: Duration, index: u32) -> Option<(&Entry, Variant)> {
        let slot = self.slots.get(index)?;
        let entry = slot.entry.as_ref()?;
        let plain = slot.variant.policy() == 0 && entry.kind != Kind::Failure;
        (plain && entry.is_fresh(entry.nanos_since(now))).then_some((entry, slot.variant))
    }

    /// What was found.
    #[inline]
    pub(crate) fn entry(&self, found: Found) -> Option<&Entry> {
        self.slots.get(found.slot)?.entry.as_ref()
    }

    /// How many failures in a row an entry stands for, expired or not.
    pub(crate) fn failures(&self, asked: &Asked<'_>) -> u8 {
        self.find(asked)
            .and_then(|slot| self.slots.get(slot))
            .map_or(0, |slot| slot.failures)
    }

    /// Keeps an answer in place of what was there; not if it holds for no time at all.
    ///
    /// The TTLs of the kept copy are brought within the bounds; those of `entry` were never changed.
    pub(crate) fn insert(&mut self, now: Duration, key: &Key, mut entry: Entry, failures: u8) {
        let derived = key.variant.policy() != 0;
        let negative = is_negative(entry.kind);
        if entry.life() == 0 {
            return;
        }
        if !derived {
            let (floor, ceiling) = match entry.kind {
                Kind::Answer => (self.limits.ttl_floor, self.limits.ttl_ceiling),
                Kind::NoData | Kind::NameError => (0, self.limits.negative_ceiling),
                Kind::Failure => (0, u32::MAX),
            };
            let ceiling = ceiling.max(floor);
            let life = entry.life().max(floor).min(ceiling);
            entry.set_life(life);
            // RFC 2308 §5: what is sent with a negative answer is no longer than it holds.
            entry.clamp_ttls(floor, if negative { life } else { ceiling });
        }
        entry.set_question(key.question());
        self.remove(&key.asked());
        let hash = key.hash();
        let slot = Slot {
            entry: Some(entry),
            hash,
            link: Link::FREE,
            mark: if derived { self.generation } else { 0 },
            variant: key.variant,
            visited: false,
            failures,
        };
        let cost = slot.cost();
        let Some(queue) = self.queues.get(usize::from(negative)) else {
            return;
        };
        if cost > queue.budget {
            self.stats.too_large += 1;
            return;
        }
        self.make_room(now, negative, cost);
        let index = match self.free.pop() {
            Some(index) => {
                if let Some(place) = self.slots.get_mut(index) {
                    *place = slot;
                }
                index
            }
            None => {
                let Ok(index) = u32::try_from(self.slots.slots.len()) else {
                    return;
                };
                self.slots.slots.push(slot);
                index
            }
        };
        let slots = &self.slots;
        self.index.insert_unique(hash, index, |slot| {
            slots.get(*slot).map_or(0, |slot| slot.hash)
        });
        if let Some(queue) = self.queues.get_mut(usize::from(negative)) {
            queue.sieve.insert(&mut self.slots, index);
            queue.bytes = queue.bytes.saturating_add(cost);
        }
        self.stats.insertions += 1;
        self.count();
    }

    fn make_room(&mut self, now: Duration, negative: bool, cost: usize) {
        self.slots.now = now;
        while let Some(queue) = self.queues.get_mut(usize::from(negative)) {
            if queue.bytes.saturating_add(cost) <= queue.budget {
                break;
            }
            let Some(victim) = queue.sieve.victim(&mut self.slots) else {
                break;
            };
            if self.slots.is_spent(victim) {
                self.stats.evicted_expired += 1;
            } else {
                self.stats.evicted_for_room += 1;
            }
            self.remove_slot(victim);
        }
    }

    /// No server answered: an expired answer may be given until `recheck_at` without asking again.
    pub(crate) fn set_recheck(&mut self, asked: &Asked<'_>, recheck_at: Duration) {
        let plain = asked.variant.policy() == 0;
        if let Some(slot) = self.find(asked).and_then(|slot| self.slots.get_mut(slot))
            && plain
        {
            slot.mark = u32::try_from(recheck_at.as_secs()).unwrap_or(u32::MAX);
        }
    }

    pub(crate) fn remove(&mut self, asked: &Asked<'_>) -> bool {
        let found = self.find(asked);
        if let Some(slot) = found {
            self.remove_slot(slot);
        }
        found.is_some()
    }

    fn remove_slot(&mut self, index: u32) {
        let Some(slot) = self.slots.get(index) else {
            return;
        };
        let (hash, negative, cost) = (slot.hash, slot.is_negative(), slot.cost());
        if let Ok(occupied) = self.index.find_entry(hash, |slot| *slot == index) {
            occupied.remove();
        }
        if let Some(queue) = self.queues.get_mut(usize::from(negative)) {
            queue.sieve.remove(&mut self.slots, index);
            queue.bytes = queue.bytes.saturating_sub(cost);
        }
        if let Some(slot) = self.slots.get_mut(index) {
            slot.entry = None;
        }
        self.free.push(index);
        self.count();
    }

    /// Removes the entries in some of these that `matches` picks by their question in lower case; gives
    /// how many.
    pub(crate) fn remove_if(
        &mut self,
        slots: Range<u32>,
        matches: impl Fn(&[u8], Variant) -> bool,
    ) -> usize {
        let mut removed = 0;
        for index in slots {
            let Some(slot) = self.slots.get(index) else {
                break;
            };
            let Some(entry) = &slot.entry else { continue };
            if matches(entry.question(), slot.variant) {
                self.remove_slot(index);
                removed += 1;
            }
        }
        removed
    }

    /// From now on, no derived answer of before is given.
    pub(crate) fn invalidate_derived(&mut self) {
        self.generation = self.generation.wrapping_add(1);
    }

    fn count(&mut self) {
        let [messages, negatives] = &self.queues;
        self.stats.message_bytes = messages.bytes;
        self.stats.negative_bytes = negatives.bytes;
        self.stats.entries = self.slots.slots.len().saturating_sub(self.free.len());
    }
}
