//! The peers with the most sessions: the Space-Saving algorithm (Metwally, Agrawal and El Abbadi,
//! 2005), which needs no record per destination.

use alloc::boxed::Box;
use alloc::vec;
use alloc::vec::Vec;

use crate::hash::{Keys, Purpose, home};
use crate::lines::Lines;
use crate::record::{Hot, Kind, NONE, Octets};
use crate::tuple::{Protocol, TransportAddress};

/// A fixed number of counters. Those of equal count form a group, groups stand in the order of
/// their counts, and so one more session is a step from group to group.
#[derive(Debug)]
pub(crate) struct Top {
    counters: Vec<Counter>,
    groups: Box<[Group]>,
    index: Lines,
    bound: usize,
    /// The group of the lowest count, and that of the highest.
    least: u32,
    most: u32,
    unused: u32,
}

#[derive(Clone, Copy, Debug)]
struct Counter {
    key: Key,
    over: u64,
    group: u32,
    next: u32,
    prev: u32,
}

#[derive(Clone, Copy, Debug)]
struct Group {
    count: u64,
    /// One of its counters.
    head: u32,
    /// The groups of the next higher and the next lower count.
    above: u32,
    below: u32,
}

/// What sessions are counted by: the peer as it is outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Key {
    peer: Octets,
    port: u16,
    kind: Kind,
}

impl Key {
    fn hash(&self, keys: &Keys) -> u64 {
        let kind = u64::from(self.kind.outside_key());
        let head = u64::from(self.port) << 16 | kind << 8 | Purpose::Top as u64;
        keys.place_pair(head, self.peer)
    }
}

/// A destination of many sessions: see
/// [`SnatPool::top_destinations`](crate::SnatPool::top_destinations).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Destination {
    /// The peer outside. Port 0 for ICMP.
    pub peer: TransportAddress,
    /// Its protocol.
    pub protocol: Protocol,
    /// At most so many sessions were opened to it.
    pub opened: u64,
    /// So many of them may be another's.
    pub over: u64,
}

const UNUSED: Group = Group {
    count: 0,
    head: NONE,
    above: NONE,
    below: NONE,
};

impl Top {
    pub(crate) fn new(bound: usize) -> Self {
        let mut top = Self {
            counters: Vec::with_capacity(bound),
            // One more than counters: a counter may stand between two groups for a moment.
            groups: vec![UNUSED; if bound == 0 { 0 } else { bound + 1 }].into_boxed_slice(),
            index: Lines::new(bound),
            bound,
            least: NONE,
            most: NONE,
            unused: if bound == 0 { NONE } else { 0 },
        };
        let len = top.groups.len() as u32;
        for (number, group) in (1_u32..).zip(&mut top.groups) {
            group.above = if number == len { NONE } else { number };
        }
        top
    }

    /// One more session to this peer.
    pub(crate) fn count(&mut self, keys: &Keys, hot: &Hot) {
        if self.bound == 0 {
            return;
        }
        let kind = Kind::new(hot.kind.protocol(), hot.kind.outside(), hot.kind.outside());
        let key = Key {
            peer: hot.peer,
            port: hot.peer_port,
            kind,
        };
        let hash = key.hash(keys);
        let is = |slot: u32| {
            self.counters
                .get(slot as usize)
                .is_some_and(|counter| counter.key == key)
        };
        if let Some(slot) = self.index.find(hash, is) {
            self.raise(slot);
        } else if self.counters.len() < self.bound {
            let slot = self.counters.len() as u32;
            self.counters.push(Counter {
                key,
                over: 0,
                group: NONE,
                next: slot,
                prev: slot,
            });
            self.index.insert(hash, slot);
            self.join(slot, 1, NONE);
        } else {
            self.replace(keys, hash, key);
        }
    }

    /// Of the counters with the lowest count, one changes hands: its count is what the newcomer
    /// may have had at most.
    fn replace(&mut self, keys: &Keys, hash: u64, key: Key) {
        let Some(group) = self.groups.get(self.least as usize).copied() else {
            return;
        };
        let slot = group.head;
        let Some(counter) = self.counters.get_mut(slot as usize) else {
            return;
        };
        let old = counter.key;
        counter.key = key;
        counter.over = group.count;
        self.index.remove(home(old.hash(keys)), slot);
        self.index.insert(hash, slot);
        self.raise(slot);
    }

    /// A counter goes up by one.
    fn raise(&mut self, slot: u32) {
        let Some(Counter {
            group, next, prev, ..
        }) = self.counters.get(slot as usize).copied()
        else {
            return;
        };
        let Some(from) = self.groups.get_mut(group as usize) else {
            return;
        };
        let count = from.count + 1;
        if next == slot {
            from.head = NONE;
        } else {
            from.head = next;
            if let Some(after) = self.counters.get_mut(next as usize) {
                after.prev = prev;
            }
            if let Some(before) = self.counters.get_mut(prev as usize) {
                before.next = next;
            }
        }
        self.join(slot, count, group);
        self.drop_if_empty(group);
    }

    /// Puts a counter into the group of `count`, which stands next above `below`.
    fn join(&mut self, slot: u32, count: u64, below: u32) {
        let above = match self.groups.get(below as usize) {
            Some(group) => group.above,
            None => self.least,
        };
        let group = match self.groups.get(above as usize) {
            Some(found) if found.count == count => above,
            Some(_) | None => self.make(count, below, above),
        };
        let Some(into) = self.groups.get_mut(group as usize) else {
            return;
        };
        let head = into.head;
        if head == NONE {
            into.head = slot;
        }
        let (next, prev) = match self.counters.get(head as usize) {
            Some(first) => (head, first.prev),
            None => (slot, slot),
        };
        if let Some(counter) = self.counters.get_mut(slot as usize) {
            counter.group = group;
            counter.next = next;
            counter.prev = prev;
        }
        if next != slot {
            if let Some(first) = self.counters.get_mut(next as usize) {
                first.prev = slot;
            }
            if let Some(last) = self.counters.get_mut(prev as usize) {
                last.next = slot;
            }
        }
    }

    fn make(&mut self, count: u64, below: u32, above: u32) -> u32 {
        let number = self.unused;
        let Some(group) = self.groups.get_mut(number as usize) else {
            return NONE;
        };
        self.unused = group.above;
        *group = Group {
            count,
            head: NONE,
            above,
            below,
        };
        self.link(below, number, above);
        number
    }

    fn drop_if_empty(&mut self, number: u32) {
        let Some(Group {
            head, above, below, ..
        }) = self.groups.get(number as usize).copied()
        else {
            return;
        };
        if head != NONE {
            return;
        }
        match self.groups.get_mut(below as usize) {
            Some(group) => group.above = above,
            None => self.least = above,
        }
        match self.groups.get_mut(above as usize) {
            Some(group) => group.below = below,
            None => self.most = below,
        }
        let unused = self.unused;
        if let Some(group) = self.groups.get_mut(number as usize) {
            *group = Group {
                above: unused,
                ..UNUSED
            };
            self.unused = number;
        }
    }

    fn link(&mut self, below: u32, number: u32, above: u32) {
        match self.groups.get_mut(below as usize) {
            Some(group) => group.above = number,
            None => self.least = number,
        }
        match self.groups.get_mut(above as usize) {
            Some(group) => group.below = number,
            None => self.most = number,
        }
    }

    /// Every counted destination, the greatest first.
    pub(crate) fn iter(&self) -> impl Iterator<Item = Destination> + '_ {
        let get = |number: u32| self.groups.get(number as usize);
        let groups = core::iter::successors(get(self.most), move |group| get(group.below));
        groups.flat_map(move |group| {
            let first = self.counters.get(group.head as usize);
            let next = move |counter: &&Counter| {
                let next = counter.next;
                (next != group.head)
                    .then(|| self.counters.get(next as usize))
                    .flatten()
            };
            core::iter::successors(first, next).map(|counter| {
                let Key { peer, port, kind } = counter.key;
                Destination {
                    peer: TransportAddress::new(peer.to_address(kind.outside()), port),
                    protocol: kind.protocol(),
                    opened: group.count,
                    over: counter.over,
                }
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use alloc::collections::BTreeMap;
    use core::net::{IpAddr, Ipv4Addr};

    use proptest::prelude::*;

    use super::*;
    use crate::tuple::Family;

    fn to(number: u8) -> Hot {
        let peer = IpAddr::V4(Ipv4Addr::new(192, 0, 2, number));
        Hot {
            peer: Octets::of(peer),
            peer_port: 443,
            kind: Kind::new(Protocol::Tcp, Family::Ipv4, Family::Ipv4),
            ..Hot::EMPTY
        }
    }

    proptest! {
        /// The algorithm's promises: a count is never too low, and too high by `over` at most; all
        /// counts together are all sessions; who has more than its share is in the list.
        #[test]
        fn space_saving_bounds(peers in proptest::collection::vec(0_u8..40, 0..600), bound in 1_usize..12) {
            let keys = Keys::new([7; 32]);
            let mut top = Top::new(bound);
            let mut exact: BTreeMap<u8, u64> = BTreeMap::new();
            for peer in &peers {
                // A few are asked for far more often.
                let peer = if peer % 2 == 0 { peer % 6 } else { *peer };
                top.count(&keys, &to(peer));
                *exact.entry(peer).or_default() += 1;
            }
            let listed: Vec<_> = top.iter().collect();
            prop_assert!(listed.len() == exact.len().min(bound));
            prop_assert!(listed.is_sorted_by(|one, next| one.opened >= next.opened));
            prop_assert_eq!(listed.iter().map(|entry| entry.opened).sum::<u64>(), peers.len() as u64);
            for (peer, count) in exact {
                let address = IpAddr::V4(Ipv4Addr::new(192, 0, 2, peer));
                match listed.iter().find(|entry| entry.peer.address == address) {
                    Some(entry) => {
                        prop_assert!(entry.opened >= count && entry.opened - entry.over <= count);
                    }
                    None => prop_assert!(count <= peers.len() as u64 / bound as u64),
                }
            }
        }
    }

    #[test]
    fn none_wanted_none_counted() {
        let mut top = Top::new(0);
        top.count(&Keys::new([7; 32]), &to(1));
        assert_eq!(top.iter().count(), 0);
    }
}
