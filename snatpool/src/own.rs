//! Each client's sessions that eviction may take: a client at its quota makes room among its own.

use alloc::boxed::Box;
use alloc::vec;

use crate::record::NONE;

/// Rings through the sessions of a client, the one armed longest ago first. Takes memory only if
/// there are quotas.
#[derive(Debug)]
pub(crate) struct Own {
    links: Box<[Link]>,
}

#[derive(Clone, Copy, Debug)]
struct Link {
    next: u32,
    prev: u32,
}

const UNLINKED: Link = Link {
    next: NONE,
    prev: NONE,
};

impl Own {
    pub(crate) fn new(slots: usize) -> Self {
        Self {
            links: vec![UNLINKED; slots].into_boxed_slice(),
        }
    }

    /// Without quotas there is nothing to keep.
    pub(crate) const fn is_unused(&self) -> bool {
        self.links.is_empty()
    }

    /// Puts a session last in the ring that starts at `head`.
    pub(crate) fn link(&mut self, head: &mut u32, slot: u32) {
        if slot as usize >= self.links.len() {
            return;
        }
        let (next, prev) = match self.links.get(*head as usize) {
            Some(first) => (*head, first.prev),
            None => {
                *head = slot;
                (slot, slot)
            }
        };
        self.set(slot, Link { next, prev });
        if next != slot {
            if let Some(first) = self.links.get_mut(next as usize) {
                first.prev = slot;
            }
            if let Some(last) = self.links.get_mut(prev as usize) {
                last.next = slot;
            }
        }
    }

    /// Takes a session out, if it is in.
    pub(crate) fn unlink(&mut self, head: &mut u32, slot: u32) {
        let Some(Link { next, prev }) = self.links.get(slot as usize).copied() else {
            return;
        };
        if next == NONE {
            return;
        }
        if let Some(after) = self.links.get_mut(next as usize) {
            after.prev = prev;
        }
        if let Some(before) = self.links.get_mut(prev as usize) {
            before.next = next;
        }
        self.set(slot, UNLINKED);
        if *head == slot {
            *head = if next == slot { NONE } else { next };
        }
    }

    /// The one after `slot`.
    pub(crate) fn next(&self, slot: u32) -> Option<u32> {
        self.links.get(slot as usize).map(|link| link.next)
    }

    fn set(&mut self, slot: u32, link: Link) {
        if let Some(place) = self.links.get_mut(slot as usize) {
            *place = link;
        }
    }
}
