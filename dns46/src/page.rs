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
    pub(crate) kind: Kind,
    /// Sessions to the address now.
    pub(crate) sessions: u32,
    /// Until then a TTL that was handed out may be believed.
    pub(crate) promised_until: Seconds,
    /// The last answer or the end of the last session.
    pub(crate) idle_since: Seconds,
    /// The store has acknowledged it.
    pub(crate) stored: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Answered, no session yet.
    Tentative,
    /// A session was opened.
    Live,
    /// Set by an operator; never expires.
    Static,
    /// Freed; rests until then.
    Quarantine { until: Seconds },
}

/// Entries by offset from the subnet's network address.
#[derive(Debug)]
pub(crate) struct Pages(Vec<Option<Box<Page>>>);

#[derive(Debug)]
struct Page {
    /// What the data path reads: hosts that addresses stand for now; `::` for none.
    hosts: [Ipv6Addr; ENTRIES],
    entries: [Option<Entry>; ENTRIES],
}

impl Pages {
    pub(crate) fn new(addresses: u32) -> Self {
        let pages = (addresses as usize).div_ceil(ENTRIES);
        Self((0..pages).map(|_| None).collect())
    }

    /// The host that an address stands for.
    #[inline]
    pub(crate) fn host(&self, offset: u32) -> Option<Ipv6Addr> {
        let page = self.0.get(offset as usize / ENTRIES)?.as_ref()?;
        let host = page.hosts.get(offset as usize % ENTRIES)?;
        (!host.is_unspecified()).then_some(*host)
    }

    /// The address stands for nothing from now on; its entry stays.
    pub(crate) fn withdraw(&mut self, offset: u32) {
        let page = self.0.get_mut(offset as usize / ENTRIES);
        if let Some(Some(page)) = page
            && let Some(host) = page.hosts.get_mut(offset as usize % ENTRIES)
        {
            *host = Ipv6Addr::UNSPECIFIED;
        }
    }

    /// The address stands for its entry's host again.
    pub(crate) fn publish(&mut self, offset: u32) {
        let page = self.0.get_mut(offset as usize / ENTRIES);
        let index = offset as usize % ENTRIES;
        if let Some(Some(page)) = page
            && let Some(Some(entry)) = page.entries.get(index)
            && let Some(host) = page.hosts.get_mut(index)
        {
            *host = entry.host;
        }
    }

    pub(crate) fn get(&self, offset: u32) -> Option<&Entry> {
        let page = self.0.get(offset as usize / ENTRIES)?.as_ref()?;
        page.entries.get(offset as usize % ENTRIES)?.as_ref()
    }

    pub(crate) fn get_mut(&mut self, offset: u32) -> Option<&mut Entry> {
        let page = self.0.get_mut(offset as usize / ENTRIES)?.as_mut()?;
        page.entries.get_mut(offset as usize % ENTRIES)?.as_mut()
    }

    /// Sets or clears an entry; a page is made for the first one in it.
    pub(crate) fn set(&mut self, offset: u32, entry: Option<Entry>) {
        if let Some(page) = self.0.get_mut(offset as usize / ENTRIES) {
            let page = page.get_or_insert_with(|| {
                Box::new(Page {
                    hosts: [Ipv6Addr::UNSPECIFIED; ENTRIES],
                    entries: [None; ENTRIES],
                })
            });
            let index = offset as usize % ENTRIES;
            if let Some(slot) = page.entries.get_mut(index)
                && let Some(host) = page.hosts.get_mut(index)
            {
                *host = entry.map_or(Ipv6Addr::UNSPECIFIED, |entry| entry.host);
                *slot = entry;
            }
        }
    }

    /// The entries of some offsets, by address, without a look at the others' pages.
    pub(crate) fn iter_in(
        &self,
        offsets: RangeInclusive<u32>,
    ) -> impl Iterator<Item = (u32, &Entry)> {
        let (first, last) = (
            *offsets.start() as usize / ENTRIES,
            *offsets.end() as usize / ENTRIES,
        );
        let pages = self.0.iter().enumerate().take(last + 1).skip(first);
        let all = pages.flat_map(|(number, page)| {
            let entries = page.iter().flat_map(|page| page.entries.iter().enumerate());
            entries.filter_map(move |(index, entry)| {
                Some(((number * ENTRIES + index) as u32, entry.as_ref()?))
            })
        });
        all.filter(move |(offset, _)| offsets.contains(offset))
    }
}
