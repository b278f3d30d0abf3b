//! Addresses by host: a keyed hash table of offsets, whose hosts stand in the pages.

use core::net::Ipv6Addr;

use hashbrown::HashTable;

use crate::hash::KeyedHash;
use crate::page::Pages;

/// The offset of the address that stands for each host. Every offset in it has an entry in the pages, of
/// the host that it was inserted under.
#[derive(Debug)]
pub(crate) struct Hosts {
    slots: HashTable<Slot>,
    hash: KeyedHash,
}

/// With its hash, so that neither growth nor a host that is not there reads a page.
#[derive(Debug, Clone, Copy)]
struct Slot {
    hash: u32,
    offset: u32,
}

impl Hosts {
    pub(crate) fn new(hash: KeyedHash) -> Self {
        Self {
            slots: HashTable::new(),
            hash,
        }
    }

    pub(crate) fn reserve(&mut self, additional: usize) {
        self.slots.reserve(additional, |slot| spread(slot.hash));
    }

    #[inline]
    pub(crate) fn get(&self, pages: &Pages, host: Ipv6Addr) -> Option<u32> {
        let hash = self.hash_of(host);
        let found = self.slots.find(spread(hash), |slot| {
            slot.hash == hash && is_host(pages, slot.offset, host)
        });
        found.map(|slot| slot.offset)
    }

    /// `offset` stands for `host` from now on, whatever did before.
    pub(crate) fn insert(&mut self, pages: &Pages, host: Ipv6Addr, offset: u32) {
        let slot = self.slot(pages, host, offset);
        slot.offset = offset;
    }

    /// The same, unless another offset stands for it.
    pub(crate) fn insert_if_none(&mut self, pages: &Pages, host: Ipv6Addr, offset: u32) {
        self.slot(pages, host, offset);
    }

    /// `offset` stands for `host` no longer, if it did.
    pub(crate) fn remove(&mut self, host: Ipv6Addr, offset: u32) {
        let hash = spread(self.hash_of(host));
        if let Ok(slot) = self.slots.find_entry(hash, |slot| slot.offset == offset) {
            slot.remove();
        }
    }

    fn slot(&mut self, pages: &Pages, host: Ipv6Addr, offset: u32) -> &mut Slot {
        let hash = self.hash_of(host);
        let is_same = |slot: &Slot| slot.hash == hash && is_host(pages, slot.offset, host);
        let entry = self
            .slots
            .entry(spread(hash), is_same, |slot| spread(slot.hash));
        entry.or_insert(Slot { hash, offset }).into_mut()
    }

    fn hash_of(&self, host: Ipv6Addr) -> u32 {
        // Its upper half: the lower decides where the search for a free address begins.
        (self.hash.of(host) >> 32) as u32
    }
}

fn is_host(pages: &Pages, offset: u32, host: Ipv6Addr) -> bool {
    pages.host(offset) == Some(host)
}

/// The table takes its place from the lower bits, and a tag from the upper seven.
fn spread(hash: u32) -> u64 {
    u64::from(hash) << 32 | u64::from(hash)
}
