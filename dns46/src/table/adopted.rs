//! Mappings that others made: another replica, or a life before.

use core::net::{Ipv4Addr, Ipv6Addr};
use core::time::Duration;

use super::{Table, is_host};
use crate::Event;
use crate::page::{Entry, Kind};
use crate::time::Seconds;

/// What became of a mapping that somebody else made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum TakenIn {
    New,
    Known,
    No,
}

impl Table {
    /// Takes in a mapping that was made elsewhere or before: by another replica, by hand, or by this
    /// one before it started anew. It has a full hold from now on. `false`: the address is no host of
    /// the pool, or stands for another host, or rests.
    ///
    /// Where the host has another address already, both stand for it; that one is answered.
    pub fn adopt(&mut self, now: Duration, address: Ipv4Addr, host: Ipv6Addr) -> bool {
        let taken = self.take_in(now, address, host);
        if taken == TakenIn::New {
            self.events.push_back(Event::Mapped {
                address,
                host,
                asker: None,
            });
        }
        taken != TakenIn::No
    }

    /// The same of what was there before this life: nothing is told of it.
    pub(crate) fn recall(&mut self, now: Duration, address: Ipv4Addr, host: Ipv6Addr) -> bool {
        self.take_in(now, address, host) != TakenIn::No
    }

    /// Makes room for so many mappings at once.
    pub(crate) fn reserve(&mut self, mappings: usize) {
        let pool = 1_usize << (32 - self.config.subnet.prefix_len()).min(31);
        self.by_host.reserve(mappings.min(pool));
    }

    fn take_in(&mut self, now: Duration, address: Ipv4Addr, host: Ipv6Addr) -> TakenIn {
        let Some(offset) = self.offset(address) else {
            return TakenIn::No;
        };
        if let Some(entry) = self.pages.get(offset).copied() {
            let rests = matches!(entry.kind, Kind::Quarantine { .. });
            if entry.host == host || entry.stored || rests {
                if entry.host == host && !entry.stored && !rests {
                    self.touch(now, offset);
                }
                self.set_stored(address, host);
                return if entry.host == host && !rests {
                    TakenIn::Known
                } else {
                    TakenIn::No
                };
            }
            // Nobody has heard of what stood here: it was never stored.
            self.end_idle(entry.idle_since, offset);
            if self.by_host.get(&entry.host) == Some(&offset) {
                self.by_host.remove(&entry.host);
            }
            self.pages.set(offset, None);
        }
        let last = u32::from(self.config.subnet.broadcast()) - self.network;
        if !is_host(offset, last) {
            return TakenIn::No;
        }
        let is_static = self.reserved(address).is_some();
        let entry = Entry {
            host,
            kind: if is_static {
                Kind::Static
            } else {
                Kind::Tentative
            },
            sessions: 0,
            promised_until: Seconds::at_least(now),
            idle_since: Seconds::at_least(now),
            stored: true,
        };
        self.pages.set(offset, Some(entry));
        self.by_host.entry(host).or_insert(offset);
        if !is_static {
            self.begin_idle(entry.idle_since, offset);
        }
        if self.config.slice.contains(&offset) {
            let number = offset - self.config.slice.start();
            self.free.remove(number);
            self.freed.retain(|freed| *freed != number);
        }
        TakenIn::New
    }
}
