//! What others write in the store, as far as it is known without asking.

use core::net::{Ipv4Addr, Ipv6Addr};
use core::time::Duration;

use super::{Table, is_host};
use crate::Event;
use crate::page::{Kind, Life};
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
        if !is_host(offset, last) || self.pages.life(offset).is_some() {
            return false;
        }
        let life = Life::new(Kind::Tentative, Seconds::at_least(now));
        self.pages.set(offset, host, life);
        self.pages.withdraw(offset);
        self.by_host.insert_if_none(&self.pages, host, offset);
        true
    }

    /// Forgets an entry that is only known of: no lease was noted, no session uses it.
    pub(crate) fn forget(&mut self, address: Ipv4Addr) -> bool {
        let Some(offset) = self.offset(address) else {
            return false;
        };
        let is_only_known = self
            .pages
            .life(offset)
            .is_some_and(|life| !life.stored && life.sessions == 0 && life.kind == Kind::Tentative);
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
        let before = self.pages.get(offset);
        let stands = before.filter(|entry| entry.life.kind == Kind::Static);
        if stands.map(|entry| entry.host) == host {
            if let Some(host) = host {
                self.set_stored(address, host);
            }
            return false;
        }
        if let Some(entry) = before {
            if entry.life.rests() {
                self.resting.remove(&(entry.life.until, offset));
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
        let life = Life {
            sessions: before.map_or(0, |entry| entry.life.sessions),
            stored: true,
            ..Life::new(Kind::Static, Seconds::ZERO)
        };
        self.set_reserved(offset, host, life);
        true
    }

    /// An address that is used anew counts as idle from now on.
    pub(super) fn touch(&mut self, now: Duration, offset: u32) {
        let Some(life) = self.pages.life_mut(offset) else {
            return;
        };
        let before = life.idle_since;
        life.idle_since = before.max(Seconds::at_least(now));
        let since = life.idle_since;
        if self.end_idle(before, offset) {
            self.begin_idle(since, offset);
        }
    }

    pub(super) fn clear(&mut self, offset: u32) {
        if let Some(entry) = self.pages.clear(offset) {
            self.end_idle(entry.life.idle_since, offset);
            self.by_host.remove(entry.host, offset);
        }
    }
}
