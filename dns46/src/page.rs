//! The entries by address: an array in pages that are made on first use.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::net::Ipv6Addr;
use core::ops::RangeInclusive;

use crate::time::Seconds;

const ENTRIES: usize = 256;

/// What an address stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) host: Ipv6Addr,
    pub(crate) life: Life,
}

/// Where it is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Life {
    pub(crate) kind: Kind,
    /// The store has acknowledged it.
    pub(crate) stored: bool,
    /// Sessions to the address now.
    pub(crate) sessions: u32,
    /// Until then a TTL that was handed out may be believed, or the address rests.
    pub(crate) until: Seconds,
    /// The last answer or the end of the last session.
    pub(crate) idle_since: Seconds,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Answered, no session yet.
    Tentative,
    /// A session was opened.
    Live,
    /// Set by an operator; never expires.
    Static,
    /// Freed; rests for a while.
    Quarantine,
}

impl Life {
    /// One that begins now, not yet in the store.
    pub(crate) const fn new(kind: Kind, now: Seconds) -> Self {
        Self {
            kind,
            stored: false,
            sessions: 0,
            until: now,
            idle_since: now,
        }
    }

    pub(crate) fn rests(&self) -> bool {
        self.kind == Kind::Quarantine
    }
}

/// Entries by offset from the subnet's network address.
#[derive(Debug)]
pub(crate) struct Pages(Vec<Option<Box<Page>>>);

/// 32 bytes for an address, and a bit: what is loaded at a start is written once.
#[derive(Debug)]
struct Page {
    /// Addresses that stand for their host now, for the data path.
    shown: [u64; ENTRIES / 64],
    hosts: [Ipv6Addr; ENTRIES],
    lives: [Option<Life>; ENTRIES],
}

const _: () = assert!(size_of::<Option<Life>>() == 16);

impl Pages {
    pub(crate) fn new(addresses: u32) -> Self {
        let pages = (addresses as usize).div_ceil(ENTRIES);
        Self((0..pages).map(|_| None).collect())
    }

    /// The host that an address stands for.
    #[inline]
    pub(crate) fn shown(&self, offset: u32) -> Option<Ipv6Addr> {
        let page = self.0.get(offset as usize / ENTRIES)?.as_ref()?;
        let index = offset as usize % ENTRIES;
        let is_shown = page.shown.get(index / 64)? >> (index % 64) & 1 == 1;
        is_shown.then(|| page.hosts.get(index).copied())?
    }

    /// The address stands for nothing from now on; its entry stays.
    pub(crate) fn withdraw(&mut self, offset: u32) {
        self.show(offset, false);
    }

    /// The address stands for its entry's host again.
    pub(crate) fn publish(&mut self, offset: u32) {
        self.show(offset, self.life(offset).is_some());
    }

    fn show(&mut self, offset: u32, is_shown: bool) {
        let page = self.0.get_mut(offset as usize / ENTRIES);
        let index = offset as usize % ENTRIES;
        if let Some(Some(page)) = page
            && let Some(word) = page.shown.get_mut(index / 64)
        {
            *word = *word & !(1 << (index % 64)) | u64::from(is_shown) << (index % 64);
        }
    }

    pub(crate) fn get(&self, offset: u32) -> Option<Entry> {
        let page = self.0.get(offset as usize / ENTRIES)?.as_ref()?;
        let index = offset as usize % ENTRIES;
        let life = (*page.lives.get(index)?)?;
        let host = *page.hosts.get(index)?;
        Some(Entry { host, life })
    }

    /// The host that an address has an entry for, whether it stands for it or not.
    pub(crate) fn host(&self, offset: u32) -> Option<Ipv6Addr> {
        self.get(offset).map(|entry| entry.host)
    }

    pub(crate) fn life(&self, offset: u32) -> Option<&Life> {
        let page = self.0.get(offset as usize / ENTRIES)?.as_ref()?;
        page.lives.get(offset as usize % ENTRIES)?.as_ref()
    }

    pub(crate) fn life_mut(&mut self, offset: u32) -> Option<&mut Life> {
        let page = self.0.get_mut(offset as usize / ENTRIES)?.as_mut()?;
        page.lives.get_mut(offset as usize % ENTRIES)?.as_mut()
    }

    /// Makes an entry, of an address that stands for its host now; a page is made for the first one in it.
    pub(crate) fn set(&mut self, offset: u32, host: Ipv6Addr, life: Life) {
        if let Some(page) = self.0.get_mut(offset as usize / ENTRIES) {
            let page = page.get_or_insert_with(|| {
                Box::new(Page {
                    shown: [0; ENTRIES / 64],
                    hosts: [Ipv6Addr::UNSPECIFIED; ENTRIES],
                    lives: [None; ENTRIES],
                })
            });
            let index = offset as usize % ENTRIES;
            if let Some(slot) = page.lives.get_mut(index)
                && let Some(to) = page.hosts.get_mut(index)
            {
                *to = host;
                *slot = Some(life);
            }
            self.show(offset, true);
        }
    }

    /// Ends an entry; gives what it was.
    pub(crate) fn clear(&mut self, offset: u32) -> Option<Entry> {
        let entry = self.get(offset)?;
        self.withdraw(offset);
        let page = self.0.get_mut(offset as usize / ENTRIES)?.as_mut()?;
        *page.lives.get_mut(offset as usize % ENTRIES)? = None;
        Some(entry)
    }

    /// The entries of some offsets, by address, without a look at the others' pages.
    pub(crate) fn iter_in(
        &self,
        offsets: RangeInclusive<u32>,
    ) -> impl Iterator<Item = (u32, Entry)> {
        let (first, last) = (
            *offsets.start() as usize / ENTRIES,
            *offsets.end() as usize / ENTRIES,
        );
        let pages = self.0.iter().enumerate().take(last + 1).skip(first);
        let all = pages.flat_map(|(number, page)| {
            let entries = page
                .iter()
                .flat_map(|page| page.hosts.iter().zip(&page.lives));
            entries
                .enumerate()
                .filter_map(move |(index, (host, life))| {
                    let (host, life) = (*host, (*life)?);
                    Some(((number * ENTRIES + index) as u32, Entry { host, life }))
                })
        });
        all.filter(move |(offset, _)| offsets.contains(offset))
    }
}
