//! How mappings end: drained, resting, free again.

use core::net::{Ipv4Addr, Ipv6Addr};
use core::time::Duration;

use super::Table;
use crate::Event;
use crate::page::{Entry, Kind};
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
            if let Some(entry) = self.pages.get_mut(offset)
                && entry.sessions > 0
            {
                // A session to the former host goes on: the address must not get another meanwhile.
                let until = Seconds::at_least(now).plus(self.config.quarantine);
                entry.kind = Kind::Quarantine { until };
                self.resting.insert((until, offset));
                continue;
            }
            let host = self.pages.get(offset).map(|entry| entry.host);
            self.pages.set(offset, None);
            if let Some(host) = host {
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
            if self.pages.get(start + number).is_none() {
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
                    .get(*offset)
                    .is_some_and(|entry| entry.promised_until <= Seconds::at_most(now))
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
        let entry = self.pages.get(offset).copied();
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
        let entry = self.pages.get_mut(offset)?;
        entry.kind = Kind::Quarantine { until };
        let host = entry.host;
        self.pages.withdraw(offset);
        if self.by_host.get(&host) == Some(&offset) {
            self.by_host.remove(&host);
        }
        self.resting.insert((until, offset));
        Some(host)
    }

    pub(super) fn promise(&mut self, now: Duration, offset: u32, ttl: Duration) {
        let Some(entry) = self.pages.get_mut(offset) else {
            return;
        };
        entry.promised_until = entry.promised_until.max(Seconds::at_least(now + ttl));
        let since = entry.idle_since;
        entry.idle_since = since.max(Seconds::at_least(now));
        let now = entry.idle_since;
        if self.end_idle(since, offset) {
            self.begin_idle(now, offset);
        }
    }

    /// An address that drained stands for its host again: another replica had a lease of it.
    pub(crate) fn restore(&mut self, now: Duration, address: Ipv4Addr, host: Ipv6Addr) {
        let Some(offset) = self.offset(address) else {
            return;
        };
        let Some(entry) = self.pages.get(offset).copied() else {
            self.adopt(now, address, host);
            return;
        };
        let Kind::Quarantine { until } = entry.kind else {
            return;
        };
        if entry.host != host {
            return;
        }
        self.resting.remove(&(until, offset));
        let is_used = entry.sessions > 0;
        let entry = Entry {
            kind: if is_used { Kind::Live } else { Kind::Tentative },
            idle_since: Seconds::at_least(now),
            ..entry
        };
        self.pages.set(offset, Some(entry));
        self.by_host.entry(host).or_insert(offset);
        if !is_used {
            self.begin_idle(entry.idle_since, offset);
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
