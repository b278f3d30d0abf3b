//! The mapping table: which IPv4 address stands for which IPv6 host, and until when.

use alloc::collections::{BTreeSet, VecDeque};
use core::net::{Ipv4Addr, Ipv6Addr};
use core::ops::RangeInclusive;
use core::time::Duration;

use ipnet::Ipv4Net;

use crate::free::FreeSet;
use crate::hash::KeyedHash;
use crate::hosts::Hosts;
use crate::page::{Entry, Kind, Life, Pages};
use crate::time::Seconds;
use crate::{Config, Event};

mod adopted;
mod learn;
mod life;

#[cfg(test)]
mod tests;

/// IPv4 addresses that stand for IPv6 hosts.
///
/// The direction from IPv4 to IPv6 is the authority: while a TTL that was handed out, the hold or a
/// session is alive, an address stands for the same host. It never changes its host without a rest.
#[derive(Debug)]
pub struct Table {
    config: Config,
    network: u32,
    pages: Pages,
    by_host: Hosts,
    hash: KeyedHash,
    /// Offsets from the start of the slice, of addresses that were never handed out.
    free: FreeSet,
    /// The same of those that were, the longest free first: they are used when none of the others is left.
    freed: VecDeque<u32>,
    /// Mappings of the slice without a session, the longest idle first.
    idle: BTreeSet<(Seconds, u32)>,
    /// The same of those that another replica made: they hold here no longer than a lease.
    borrowed: BTreeSet<(Seconds, u32)>,
    /// Freed addresses, by the end of their rest.
    resting: BTreeSet<(Seconds, u32)>,
    events: VecDeque<Event>,
}

/// The address that an answer may name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Assigned {
    /// Stands for the host.
    pub address: Ipv4Addr,
    /// What the answer's TTL may be: at most what was wanted, and within the mapping's hold. Whole
    /// seconds.
    pub ttl: Duration,
    /// The mapping was made for this answer: it must be stored before the answer leaves.
    pub is_new: bool,
}

/// No address of the slice is free.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no address of the slice is free")]
pub struct Exhausted;

/// A mapping, for tables of people.
#[non_exhaustive]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mapping {
    /// The address.
    pub address: Ipv4Addr,
    /// What it stands for.
    pub host: Ipv6Addr,
    /// Where it is in its life.
    pub state: State,
    /// Sessions to it now.
    pub sessions: u32,
    /// The store has it; until then it is not used.
    pub stored: bool,
}

/// The states of an address that is not free.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Answered, no session yet.
    Tentative,
    /// A session was opened.
    Live,
    /// Set by an operator.
    Static,
    /// Stands for nothing, and rests.
    Quarantine,
}

/// Why a static entry is refused.
#[non_exhaustive]
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum StaticError {
    /// Static entries live in the reserved range, without network and broadcast address.
    #[error("{address} is not in the reserved range")]
    NotReserved {
        /// The address.
        address: Ipv4Addr,
    },
    /// The address stands for another host.
    #[error("{address} stands for {host}")]
    Taken {
        /// The address.
        address: Ipv4Addr,
        /// Its host.
        host: Ipv6Addr,
    },
    /// The host has an address.
    #[error("{host} has the address {address}")]
    Mapped {
        /// The host.
        host: Ipv6Addr,
        /// Its address.
        address: Ipv4Addr,
    },
}

impl Table {
    /// An empty table. `seed` keys its hashes, so that nobody outside foretells or floods them.
    #[must_use]
    pub fn new(config: Config, seed: [u8; 32]) -> Self {
        let network = u32::from(config.subnet.network());
        let last = u32::from(config.subnet.broadcast()) - network;
        let slice = config.slice.clone();
        let mut free = FreeSet::new(slice.end() - slice.start() + 1);
        for offset in slice.clone() {
            if is_host(offset, last) {
                free.insert(offset - slice.start());
            }
        }
        let hash = KeyedHash::new(&seed);
        Self {
            network,
            pages: Pages::new(last.saturating_add(1)),
            by_host: Hosts::new(hash.clone()),
            hash,
            free,
            freed: VecDeque::new(),
            idle: BTreeSet::new(),
            borrowed: BTreeSet::new(),
            resting: BTreeSet::new(),
            events: VecDeque::new(),
            config,
        }
    }

    /// The address for an answer about `host` whose TTL would be `ttl`: the one that stands for it,
    /// or a free one, found from a keyed hash of the host on.
    ///
    /// # Errors
    ///
    /// [`Exhausted`]: then the sorry address is the answer, or a server failure.
    pub fn assign(
        &mut self,
        now: Duration,
        host: Ipv6Addr,
        ttl: Duration,
    ) -> Result<Assigned, Exhausted> {
        self.handle_timeout(now);
        let ttl = Duration::from_secs(ttl.min(self.config.hold).as_secs());
        if let Some(offset) = self.by_host.get(&self.pages, host) {
            self.promise(now, offset, ttl);
            return Ok(Assigned {
                address: self.address(offset),
                ttl,
                is_new: false,
            });
        }
        self.relieve(now);
        let start = *self.config.slice.start();
        let size = u64::from(self.config.slice.end() - start + 1);
        let wish = (self.hash.of(host) % size) as u32;
        let fresh = self.free.take_from(wish);
        let offset = start + fresh.or_else(|| self.take_freed()).ok_or(Exhausted)?;
        let life = Life {
            until: Seconds::at_least(now + ttl),
            ..Life::new(Kind::Tentative, Seconds::at_least(now))
        };
        self.pages.set(offset, host, life);
        self.by_host.insert(&self.pages, host, offset);
        self.begin_idle(life.idle_since, offset);
        self.events.push_back(Event::Mapped {
            address: self.address(offset),
            host,
            asker: None,
        });
        Ok(Assigned {
            address: self.address(offset),
            ttl,
            is_new: true,
        })
    }

    /// The host that an address stands for: an array read. `None` for addresses that stand for
    /// nothing or rest.
    #[must_use]
    #[inline]
    pub fn lookup(&self, address: Ipv4Addr) -> Option<Ipv6Addr> {
        // Below the network the offset wraps, to far beyond the last page.
        self.pages
            .shown(u32::from(address).wrapping_sub(self.network))
    }

    pub(crate) const fn lease(&self) -> Duration {
        self.config.lease
    }

    /// The pool's subnet.
    #[must_use]
    pub const fn subnet(&self) -> Ipv4Net {
        self.config.subnet
    }

    /// The address that stands for a host.
    #[must_use]
    pub fn address_of(&self, host: Ipv6Addr) -> Option<Ipv4Addr> {
        let offset = self.by_host.get(&self.pages, host)?;
        Some(self.address(offset))
    }

    /// A session to the address was opened: the mapping lives as long as it does. `false`: the
    /// address stands for nothing.
    pub fn retain(&mut self, address: Ipv4Addr) -> bool {
        let Some(offset) = self.offset(address) else {
            return false;
        };
        let Some(life) = self.pages.life_mut(offset) else {
            return false;
        };
        let before = *life;
        match before.kind {
            Kind::Quarantine => return false,
            Kind::Static => {}
            Kind::Tentative | Kind::Live => life.kind = Kind::Live,
        }
        life.sessions = life.sessions.saturating_add(1);
        self.end_idle(before.idle_since, offset);
        if before.kind == Kind::Tentative
            && let Some(host) = self.pages.host(offset)
        {
            self.events.push_back(Event::Promoted {
                address,
                host,
                asker: None,
            });
        }
        true
    }

    /// A session to the address ended: the hold begins anew with the last one.
    pub fn release(&mut self, now: Duration, address: Ipv4Addr) {
        let Some(offset) = self.offset(address) else {
            return;
        };
        let Some(life) = self.pages.life_mut(offset) else {
            return;
        };
        if life.sessions == 0 {
            return;
        }
        life.sessions -= 1;
        if life.sessions == 0 && life.kind == Kind::Live {
            life.idle_since = life.idle_since.max(Seconds::at_least(now));
            let since = life.idle_since;
            self.begin_idle(since, offset);
        }
    }

    /// Lets an address of the reserved range stand for `host` until [`remove_static`](Self::remove_static).
    /// Setting an entry that is there already does nothing.
    ///
    /// # Errors
    ///
    /// See [`StaticError`].
    pub fn set_static(&mut self, address: Ipv4Addr, host: Ipv6Addr) -> Result<(), StaticError> {
        let offset = self
            .reserved(address)
            .ok_or(StaticError::NotReserved { address })?;
        if let Some(entry) = self.pages.get(offset) {
            if entry.host == host {
                return Ok(());
            }
            return Err(StaticError::Taken {
                address,
                host: entry.host,
            });
        }
        if let Some(other) = self.by_host.get(&self.pages, host) {
            return Err(StaticError::Mapped {
                host,
                address: self.address(other),
            });
        }
        self.set_reserved(offset, host, Life::new(Kind::Static, Seconds::ZERO));
        Ok(())
    }

    fn set_reserved(&mut self, offset: u32, host: Ipv6Addr, life: Life) {
        self.pages.set(offset, host, life);
        self.by_host.insert(&self.pages, host, offset);
        self.events.push_back(Event::Mapped {
            address: self.address(offset),
            host,
            asker: None,
        });
    }

    /// Ends a static entry at once. `false`: there is none.
    pub fn remove_static(&mut self, address: Ipv4Addr) -> bool {
        let Some(offset) = self.reserved(address) else {
            return false;
        };
        let Some(Entry { host, .. }) = self.pages.clear(offset) else {
            return false;
        };
        self.by_host.remove(host, offset);
        self.events.push_back(Event::Removed {
            address,
            host,
            asker: None,
        });
        true
    }

    /// Ends a mapping at once, whoever may still believe in it; gives its host until now. The address
    /// rests, and for as long as a session to the former host goes on.
    pub fn remove(&mut self, now: Duration, address: Ipv4Addr) -> Option<Ipv6Addr> {
        let offset = self.offset(address)?;
        let life = self.pages.life(offset)?;
        if life.rests() {
            return None;
        }
        let since = life.idle_since;
        self.end_idle(since, offset);
        let host = self.rest(now, offset)?;
        self.events.push_back(Event::Removed {
            address,
            host,
            asker: None,
        });
        Some(host)
    }

    /// Renews what an answer promises: `address` stands for `host` for at least `ttl`. `false`: it
    /// does not.
    pub(crate) fn renew(
        &mut self,
        now: Duration,
        address: Ipv4Addr,
        host: Ipv6Addr,
        ttl: Duration,
    ) -> bool {
        let Some(offset) = self.offset(address) else {
            return false;
        };
        let stands = self.stands_for(address, host);
        if stands {
            self.promise(now, offset, ttl);
        }
        stands
    }

    /// The address is one that this replica hands out.
    pub(crate) fn is_own(&self, address: Ipv4Addr) -> bool {
        self.offset(address)
            .is_some_and(|offset| self.config.slice.contains(&offset))
    }

    pub(crate) fn is_reserved(&self, address: Ipv4Addr) -> bool {
        self.reserved(address).is_some()
    }

    /// The host that an address has an entry for, withheld or not, unless it rests.
    pub(crate) fn standing(&self, address: Ipv4Addr) -> Option<Ipv6Addr> {
        let entry = self.pages.get(self.offset(address)?)?;
        (!entry.life.rests()).then_some(entry.host)
    }

    pub(crate) fn stands_for(&self, address: Ipv4Addr, host: Ipv6Addr) -> bool {
        self.standing(address) == Some(host)
    }

    /// The address is in the pool, not resting, and not stored as far as is known here.
    pub(crate) fn is_askable(&self, address: Ipv4Addr) -> bool {
        let last = u32::from(self.config.subnet.broadcast()) - self.network;
        let Some(offset) = self.offset(address) else {
            return false;
        };
        let is_open = self
            .pages
            .life(offset)
            .is_none_or(|life| !life.stored && !life.rests());
        is_host(offset, last) && is_open
    }

    /// The address is not to be used before it is [stored](Self::set_stored).
    pub(crate) fn withhold(&mut self, address: Ipv4Addr) {
        if let Some(offset) = self.offset(address) {
            self.pages.withdraw(offset);
            if let Some(life) = self.pages.life_mut(offset) {
                life.stored = false;
            }
        }
    }

    pub(crate) fn is_stored(&self, address: Ipv4Addr) -> bool {
        self.offset(address)
            .and_then(|offset| self.pages.life(offset))
            .is_some_and(|life| life.stored)
    }

    pub(crate) fn set_stored(&mut self, address: Ipv4Addr, host: Ipv6Addr) {
        if let Some(offset) = self.offset(address)
            && self.pages.host(offset) == Some(host)
            && let Some(life) = self.pages.life_mut(offset)
        {
            life.stored = true;
            let life = *life;
            if !life.rests() {
                self.pages.publish(offset);
            }
            // One that was only known of is used from now on, and ends like any other.
            if life.kind == Kind::Tentative && life.sessions == 0 {
                self.begin_idle(life.idle_since, offset);
            }
        }
    }

    /// Whether an event waits to be taken.
    pub(crate) fn has_events(&self) -> bool {
        !self.events.is_empty()
    }

    /// Everything that is not free, by address.
    pub fn mappings(&self) -> impl Iterator<Item = Mapping> {
        self.mappings_in(self.config.subnet.network()..=Ipv4Addr::BROADCAST)
    }

    /// Those of some addresses: who goes through all of them need not do so at once.
    pub fn mappings_in(
        &self,
        addresses: RangeInclusive<Ipv4Addr>,
    ) -> impl Iterator<Item = Mapping> {
        let first = addresses.start().to_bits().saturating_sub(self.network);
        let last = addresses.end().to_bits().checked_sub(self.network);
        let entries = last.map(|last| self.pages.iter_in(first..=last));
        entries
            .into_iter()
            .flatten()
            .map(|(offset, entry)| Mapping {
                address: self.address(offset),
                host: entry.host,
                state: match entry.life.kind {
                    Kind::Tentative => State::Tentative,
                    Kind::Live => State::Live,
                    Kind::Static => State::Static,
                    Kind::Quarantine => State::Quarantine,
                },
                sessions: entry.life.sessions,
                stored: entry.life.stored,
            })
    }

    /// Addresses of the slice that may be handed out now.
    #[must_use]
    pub fn free(&self) -> u32 {
        self.free.len() + self.freed.len() as u32
    }

    /// What happened, in order.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// When [`handle_timeout`](Self::handle_timeout) has something to do.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Duration> {
        let drains_at = self
            .idle
            .first()
            .map(|(since, _)| since.plus(self.config.hold).to_duration());
        let returned_at = self
            .borrowed
            .first()
            .map(|(since, _)| since.plus(self.config.lease).to_duration());
        let rested_at = self.resting.first().map(|(until, _)| until.to_duration());
        drains_at
            .into_iter()
            .chain(returned_at)
            .chain(rested_at)
            .min()
    }

    fn address(&self, offset: u32) -> Ipv4Addr {
        Ipv4Addr::from(self.network + offset)
    }

    fn offset(&self, address: Ipv4Addr) -> Option<u32> {
        let subnet = &self.config.subnet;
        subnet
            .contains(&address)
            .then(|| u32::from(address) - self.network)
    }

    fn reserved(&self, address: Ipv4Addr) -> Option<u32> {
        let offset = self.offset(address)?;
        let last = u32::from(self.config.subnet.broadcast()) - self.network;
        let range = self.config.reserved.as_ref()?;
        (range.contains(&offset) && is_host(offset, last)).then_some(offset)
    }
}

/// Neither the network nor the broadcast address.
fn is_host(offset: u32, last: u32) -> bool {
    offset != 0 && offset != last
}
