//! SIEVE eviction (Zhang et al., NSDI 2024): a queue in the order of arrival, one bit for "asked for
//! again", and a hand that goes from the oldest to the newest and takes the first without the bit.

/// No neighbour.
const NONE: u32 = u32::MAX;

/// Steps of the hand per victim. A queue whose every entry was asked for again would otherwise be
/// walked whole by one insertion.
const STEPS: u32 = 64;

/// An entry's place in its queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Link {
    newer: u32,
    older: u32,
}

impl Link {
    pub(crate) const FREE: Self = Self {
        newer: NONE,
        older: NONE,
    };
}

/// Where the links of a queue are kept: beside the entries.
pub(crate) trait Links {
    fn link(&self, slot: u32) -> Option<&Link>;
    fn link_mut(&mut self, slot: u32) -> Option<&mut Link>;
    /// Whether it was asked for again since the hand was last here; from now on, it was not.
    fn take_visited(&mut self, slot: u32) -> bool;
    /// Whether this entry is of no more use, however often it was asked for.
    fn is_spent(&self, slot: u32) -> bool;
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct Sieve {
    newest: u32,
    oldest: u32,
    hand: u32,
}

impl Sieve {
    pub(crate) const EMPTY: Self = Self {
        newest: NONE,
        oldest: NONE,
        hand: NONE,
    };

    pub(crate) fn insert(&mut self, links: &mut impl Links, slot: u32) {
        if let Some(link) = links.link_mut(slot) {
            *link = Link {
                newer: NONE,
                older: self.newest,
            };
        }
        match links.link_mut(self.newest) {
            Some(link) => link.newer = slot,
            None => self.oldest = slot,
        }
        self.newest = slot;
    }

    pub(crate) fn remove(&mut self, links: &mut impl Links, slot: u32) {
        let Some(Link { newer, older, .. }) = links.link(slot).copied() else {
            return;
        };
        match links.link_mut(newer) {
            Some(link) => link.older = older,
            None => self.newest = older,
        }
        match links.link_mut(older) {
            Some(link) => link.newer = newer,
            None => self.oldest = newer,
        }
        if self.hand == slot {
            self.hand = newer;
        }
    }

    /// Who goes next; not removed yet. `None` if the queue is empty.
    pub(crate) fn victim(&mut self, links: &mut impl Links) -> Option<u32> {
        let mut at = if self.hand == NONE {
            self.oldest
        } else {
            self.hand
        };
        for _ in 0..STEPS {
            let link = *links.link(at)?;
            if links.is_spent(at) || !links.take_visited(at) {
                break;
            }
            at = if link.newer == NONE {
                self.oldest
            } else {
                link.newer
            };
        }
        self.hand = at;
        (at != NONE).then_some(at)
    }
}
