//! Mappings that others made: another replica, or a life before.

use alloc::collections::BTreeSet;
use alloc::vec::Vec;
use core::net::{Ipv4Addr, Ipv6Addr};
use core::time::Duration;

use super::{Table, is_host};
use crate::Event;
use crate::page::{Entry, Kind, Life};
use crate::time::Seconds;

/// What became of a mapping that somebody else made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum TakenIn {
    /// Idle since then, which is to be noted; `None` if it does not end by itself.
    New(Option<Seconds>),
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
        if let TakenIn::New(since) = taken {
            if let Some((since, offset)) = since.zip(self.offset(address)) {
                self.begin_idle(since, offset);
            }
            self.events.push_back(Event::Mapped {
                address,
                host,
                asker: None,
            });
        }
        taken != TakenIn::No
    }

    /// The same of many that were there before this life: nothing is told of them. `taken` is called with the
    /// address of each that is taken; gives how many are.
    pub(crate) fn recall(
        &mut self,
        now: Duration,
        mappings: impl Iterator<Item = (Ipv4Addr, Ipv6Addr)>,
        mut taken: impl FnMut(&mut Self, Ipv4Addr),
    ) -> usize {
        let pool = 1_usize << (32 - self.config.subnet.prefix_len()).min(31);
        let least = mappings.size_hint().0.min(pool);
        self.by_host.reserve(least);
        let (mut own, mut borrowed) = (Vec::with_capacity(least), Vec::new());
        let mut count = 0;
        for (address, host) in mappings {
            match self.take_in(now, address, host) {
                TakenIn::New(since) => {
                    let is_own = self.is_own(address);
                    let idle = if is_own { &mut own } else { &mut borrowed };
                    idle.extend(since.zip(self.offset(address)));
                }
                TakenIn::Known => {}
                TakenIn::No => continue,
            }
            taken(self, address);
            count += 1;
        }
        // In order most often, which makes a tree at once.
        self.idle.append(&mut BTreeSet::from_iter(own));
        self.borrowed.append(&mut BTreeSet::from_iter(borrowed));
        count
    }

    #[inline]
    fn take_in(&mut self, now: Duration, address: Ipv4Addr, host: Ipv6Addr) -> TakenIn {
        let Some(offset) = self.offset(address) else {
            return TakenIn::No;
        };
        if let Some(Entry { host: before, life }) = self.pages.get(offset) {
            let rests = life.rests();
            if before == host || life.stored || rests {
                if before == host && !life.stored && !rests {
                    self.touch(now, offset);
                }
                self.set_stored(address, host);
                return if before == host && !rests {
                    TakenIn::Known
                } else {
                    TakenIn::No
                };
            }
            // Nobody has heard of what stood here: it was never stored.
            self.clear(offset);
        }
        let last = u32::from(self.config.subnet.broadcast()) - self.network;
        if !is_host(offset, last) {
            return TakenIn::No;
        }
        let is_static = self.reserved(address).is_some();
        let kind = if is_static {
            Kind::Static
        } else {
            Kind::Tentative
        };
        let since = Seconds::at_least(now);
        let life = Life {
            stored: true,
            ..Life::new(kind, since)
        };
        self.pages.set(offset, host, life);
        self.by_host.insert_if_none(&self.pages, host, offset);
        if self.config.slice.contains(&offset) {
            let number = offset - self.config.slice.start();
            self.free.remove(number);
            self.freed.retain(|freed| *freed != number);
        }
        TakenIn::New((!is_static).then_some(since))
    }
}
