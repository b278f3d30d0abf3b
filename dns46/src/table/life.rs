//! How mappings end: drained, resting, free again.

use core::net::{Ipv4Addr, Ipv6Addr};
use core::time::Duration;

use super::Table;
use crate::Event;
use crate::page::{Entry, Kind, Life};
use crate::time::Seconds;

/// Under this share of free addresses, idle mappings make room.
const PRESSURE_SHARE: u32 = 10;

impl Table {
    /// Drains mappings whose hold is over, and frees addresses that have rested. Early calls do no
    /// harm.
    pub fn handle_timeout(&mut self, now: Duration) {
        while let Some((since, offset)) = self.idle.first().copied()
            && since.plus(self.config.hold) <= Seconds::at_most(now)
        {
            self.drain(now, since, offset);
        }
        while let Some((since, offset)) = self.borrowed.first().copied()
            && since.plus(self.config.lease) <= Seconds::at_most(now)
        {
            self.give_back(since, offset);
        }
        while let Some((until, offset)) = self.resting.first().copied()
            && until <= Seconds::at_most(now)
        {
            self.resting.remove(&(until, offset));
            if let Some(life) = self.pages.life_mut(offset)
                && life.sessions > 0
            {
                // A session to the former host goes on: the address must not get another meanwhile.
                let until = Seconds::at_least(now).plus(self.config.quarantine);
                life.until = until;
                self.resting.insert((until, offset));
                continue;
            }
            if let Some(Entry { host, .. }) = self.pages.clear(offset) {
                let address = self.address(offset);
                self.events.push_back(Event::Freed {
                    address,
                    host,
                    asker: None,
                });
            }
            if self.config.slice.contains(&offset) {
                self.freed.push_back(offset - self.config.slice.start());
            }
        }
    }

    /// The address that has been free for the longest; one that another replica or the store brought back
    /// meanwhile is passed over.
    pub(super) fn take_freed(&mut self) -> Option<u32> {
        let start = *self.config.slice.start();
        loop {
            let number = self.freed.pop_front()?;
            if self.pages.life(start + number).is_none() {
                return Some(number);
            }
        }
    }

    /// Under pressure, the mapping that was idle for the longest makes room for later answers.
    pub(super) fn relieve(&mut self, now: Duration) {
        let size = self.config.slice.end() - self.config.slice.start() + 1;
        if self.free() >= size.div_ceil(PRESSURE_SHARE) {
            return;
        }
        let idle = self.config.idle;
        let victim = self
            .idle
            .iter()
            .take_while(|(since, _)| since.plus(idle) <= Seconds::at_most(now))
            .find(|(_, offset)| {
                self.pages
                    .life(*offset)
                    .is_some_and(|life| life.until <= Seconds::at_most(now))
            });
        if let Some((since, offset)) = victim.copied() {
            self.drain(now, since, offset);
        }
    }

    pub(super) fn drain(&mut self, now: Duration, since: Seconds, offset: u32) {
        self.end_idle(since, offset);
        let address = self.address(offset);
        if let Some(host) = self.rest(now, offset) {
            self.events.push_back(Event::Drained {
                address,
                host,
                asker: None,
            });
        }
    }

    /// A mapping of another replica is not used here any more. It need not rest: whether the address may stand
    /// for another host is up to its owner, whom a new use asks.
    fn give_back(&mut self, since: Seconds, offset: u32) {
        let entry = self.pages.get(offset);
        self.borrowed.remove(&(since, offset));
        self.clear(offset);
        if let Some(entry) = entry {
            self.events.push_back(Event::Drained {
                address: self.address(offset),
                host: entry.host,
                asker: None,
            });
        }
    }

    /// The address stands for nothing from now on; gives its host until now.
    pub(super) fn rest(&mut self, now: Duration, offset: u32) -> Option<Ipv6Addr> {
        let until = Seconds::at_least(now).plus(self.config.quarantine);
        let life = self.pages.life_mut(offset)?;
        (life.kind, life.until) = (Kind::Quarantine, until);
        let host = self.pages.host(offset)?;
        self.pages.withdraw(offset);
        self.by_host.remove(host, offset);
        self.resting.insert((until, offset));
        Some(host)
    }

    pub(super) fn promise(&mut self, now: Duration, offset: u32, ttl: Duration) {
        let Some(life) = self.pages.life_mut(offset) else {
            return;
        };
        life.until = life.until.max(Seconds::at_least(now + ttl));
        let since = life.idle_since;
        life.idle_since = since.max(Seconds::at_least(now));
        let now = life.idle_since;
        if self.end_idle(since, offset) {
            self.begin_idle(now, offset);
        }
    }

    /// An address that drained stands for its host again: another replica had a lease of it.
    pub(crate) fn restore(&mut self, now: Duration, address: Ipv4Addr, host: Ipv6Addr) {
        let Some(offset) = self.offset(address) else {
            return;
        };
        let Some(Entry { host: rested, life }) = self.pages.get(offset) else {
            self.adopt(now, address, host);
            return;
        };
        if !life.rests() || rested != host {
            return;
        }
        self.resting.remove(&(life.until, offset));
        let is_used = life.sessions > 0;
        let life = Life {
            kind: if is_used { Kind::Live } else { Kind::Tentative },
            idle_since: Seconds::at_least(now),
            ..life
        };
        self.pages.set(offset, host, life);
        self.by_host.insert_if_none(&self.pages, host, offset);
        if !is_used {
            self.begin_idle(life.idle_since, offset);
        }
        self.events.push_back(Event::Mapped {
            address,
            host,
            asker: None,
        });
    }

    pub(super) fn begin_idle(&mut self, since: Seconds, offset: u32) {
        if self.config.slice.contains(&offset) {
            self.idle.insert((since, offset));
        } else {
            self.borrowed.insert((since, offset));
        }
    }

    /// `false`: it was not idle.
    pub(super) fn end_idle(&mut self, since: Seconds, offset: u32) -> bool {
        if self.config.slice.contains(&offset) {
            self.idle.remove(&(since, offset))
        } else {
            self.borrowed.remove(&(since, offset))
        }
    }
}
