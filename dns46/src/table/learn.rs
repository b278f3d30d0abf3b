//! What others write in the store, as far as it is known without asking.

use core::net::{Ipv4Addr, Ipv6Addr};
use core::time::Duration;

use super::{Table, is_host};
use crate::Event;
use crate::page::{Entry, Kind};
use crate::time::Seconds;

impl Table {
    /// Another replica may hand out the address.
    pub(crate) fn is_foreign(&self, address: Ipv4Addr) -> bool {
        !self.is_own(address) && !self.is_reserved(address)
    }

    /// The address of another replica's slice stands for `host`: answers may name it once a lease is noted.
    /// `false`: it has an entry here, or is no host of the pool.
    pub(crate) fn know(&mut self, now: Duration, address: Ipv4Addr, host: Ipv6Addr) -> bool {
        let Some(offset) = self.offset(address) else {
            return false;
        };
        let last = u32::from(self.config.subnet.broadcast()) - self.network;
        if !is_host(offset, last) || self.pages.get(offset).is_some() {
            return false;
        }
        let entry = Entry {
            host,
            kind: Kind::Tentative,
            sessions: 0,
            promised_until: Seconds::at_least(now),
            idle_since: Seconds::at_least(now),
            stored: false,
        };
        self.pages.set(offset, Some(entry));
        self.pages.withdraw(offset);
        self.by_host.entry(host).or_insert(offset);
        true
    }

    /// Forgets an entry that is only known of: no lease was noted, no session uses it.
    pub(crate) fn forget(&mut self, address: Ipv4Addr) -> bool {
        let Some(offset) = self.offset(address) else {
            return false;
        };
        let is_only_known = self.pages.get(offset).is_some_and(|entry| {
            !entry.stored && entry.sessions == 0 && entry.kind == Kind::Tentative
        });
        if is_only_known && self.is_foreign(address) {
            self.clear(offset);
            return true;
        }
        false
    }

    /// Forgets all of them.
    pub(crate) fn forget_known(&mut self) {
        let known = self.mappings().filter(|mapping| !mapping.stored);
        let known: alloc::vec::Vec<Ipv4Addr> = known.map(|mapping| mapping.address).collect();
        for address in known {
            self.forget(address);
        }
    }

    /// An operator says what a reserved address stands for, `None` for nothing: at once, without a rest. Whether
    /// that changes anything.
    pub(crate) fn order(&mut self, address: Ipv4Addr, host: Option<Ipv6Addr>) -> bool {
        let Some(offset) = self.reserved(address) else {
            return false;
        };
        let before = self.pages.get(offset).copied();
        let stands = before.filter(|entry| entry.kind == Kind::Static);
        if stands.map(|entry| entry.host) == host {
            if let Some(host) = host {
                self.set_stored(address, host);
            }
            return false;
        }
        if let Some(entry) = before {
            if let Kind::Quarantine { until } = entry.kind {
                self.resting.remove(&(until, offset));
            }
            self.clear(offset);
        }
        if let Some(entry) = stands {
            self.events.push_back(Event::Removed {
                address,
                host: entry.host,
                asker: None,
            });
        }
        let Some(host) = host else {
            return stands.is_some();
        };
        let entry = Entry {
            host,
            kind: Kind::Static,
            sessions: before.map_or(0, |entry| entry.sessions),
            promised_until: Seconds::ZERO,
            idle_since: Seconds::ZERO,
            stored: true,
        };
        self.pages.set(offset, Some(entry));
        self.by_host.insert(host, offset);
        self.events.push_back(Event::Mapped {
            address,
            host,
            asker: None,
        });
        true
    }

    /// An address that is used anew counts as idle from now on.
    pub(super) fn touch(&mut self, now: Duration, offset: u32) {
        let Some(entry) = self.pages.get_mut(offset) else {
            return;
        };
        let before = entry.idle_since;
        entry.idle_since = before.max(Seconds::at_least(now));
        let since = entry.idle_since;
        if self.end_idle(before, offset) {
            self.begin_idle(since, offset);
        }
    }

    pub(super) fn clear(&mut self, offset: u32) {
        let Some(entry) = self.pages.get(offset).copied() else {
            return;
        };
        self.end_idle(entry.idle_since, offset);
        if self.by_host.get(&entry.host) == Some(&offset) {
            self.by_host.remove(&entry.host);
        }
        self.pages.set(offset, None);
    }
}
