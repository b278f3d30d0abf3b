//! An index from keys kept elsewhere to their slots: buckets of one cache line, made once.

use alloc::boxed::Box;
use alloc::vec;

use wide::u32x8;

use crate::hash::home;
use crate::meter::touch;
use crate::row::{Away, bucket};

const WIDTH: usize = 7;
const PLACES: u32 = (1 << WIDTH) - 1;

/// The index never grows, moves or rehashes.
#[derive(Debug)]
pub(crate) struct Lines {
    lines: Box<[Line]>,
}

#[derive(Clone, Copy, Debug)]
#[repr(C, align(64))]
struct Line {
    /// The low half of the hash, 0 for an empty place; the last is an [`Away`].
    tags: [u32; WIDTH + 1],
    /// The last is not used.
    slots: [u32; WIDTH + 1],
}

impl Line {
    const EMPTY: Self = Self {
        tags: [0; WIDTH + 1],
        slots: [0; WIDTH + 1],
    };

    /// Puts an entry in, if there is room.
    fn put(&mut self, tag: u32, slot: u32) -> bool {
        let free = matches(&self.tags, 0).trailing_zeros() as usize;
        let (Some(found), Some(place)) = (self.tags.get_mut(free), self.slots.get_mut(free)) else {
            return false;
        };
        (*found, *place) = (tag, slot);
        true
    }

    /// Takes an entry out, if it is in this line.
    fn take(&mut self, slot: u32) -> bool {
        let found = matches(&self.slots, slot) & !matches(&self.tags, 0);
        let Some(tag) = self.tags.get_mut(found.trailing_zeros() as usize) else {
            return false;
        };
        *tag = 0;
        true
    }

    #[inline]
    const fn away(&self) -> Away {
        let [.., counts] = self.tags;
        let [count, reach, ..] = counts.to_le_bytes();
        Away { count, reach }
    }

    const fn set_away(&mut self, Away { count, reach }: Away) {
        let [.., counts] = &mut self.tags;
        *counts = u32::from_le_bytes([count, reach, 0, 0]);
    }
}

impl Lines {
    /// For up to `entries`, at a load of seven tenths.
    pub(crate) fn new(entries: usize) -> Self {
        let lines = (entries + entries * 3 / 7).div_ceil(WIDTH) + 2;
        Self {
            lines: vec![Line::EMPTY; lines & !1].into_boxed_slice(),
        }
    }

    /// The slot with this hash that `is` the one.
    #[inline]
    pub(crate) fn find(&self, hash: u64, mut is: impl FnMut(u32) -> bool) -> Option<u32> {
        let (home, tag) = (home(hash), tag(hash));
        let first = self.lines.get(self.index(home, 0))?;
        let (mut line, mut passed) = (first, 0);
        loop {
            touch(1);
            let mut hits = matches(&line.tags, tag);
            while hits != 0 {
                let slot = *line.slots.get(hits.trailing_zeros() as usize)?;
                if is(slot) {
                    return Some(slot);
                }
                hits &= hits - 1;
            }
            if !first.away().goes_on(passed) {
                return None;
            }
            passed += 1;
            line = self.lines.get(self.index(home, passed))?;
        }
    }

    /// Reads the first line of a search, and names the first slot in it with this hash.
    #[inline]
    pub(crate) fn first_hit(&self, hash: u64) -> Option<u32> {
        let line = self.lines.get(self.index(home(hash), 0))?;
        let place = matches(&line.tags, tag(hash)).trailing_zeros();
        line.slots.get(place as usize).copied()
    }

    /// Adds an entry. `false` only when next to every place is taken, which callers rule out by
    /// counting.
    pub(crate) fn insert(&mut self, hash: u64, slot: u32) -> bool {
        let (home, tag) = (home(hash), tag(hash));
        for passed in 0..u8::MAX {
            touch(1);
            let index = self.index(home, passed);
            if self
                .lines
                .get_mut(index)
                .is_some_and(|line| line.put(tag, slot))
            {
                if passed > 0 {
                    self.count(home, |away| away.add(passed));
                }
                return true;
            }
        }
        false
    }

    /// Takes an entry out, if it is there. A hash with the same home will do.
    pub(crate) fn remove(&mut self, home: u32, slot: u32) -> bool {
        let Some(first) = self.lines.get_mut(self.index(home, 0)) else {
            return false;
        };
        touch(1);
        if first.take(slot) {
            return true;
        }
        for passed in 1..=first.away().reach {
            touch(1);
            let index = self.index(home, passed);
            if self
                .lines
                .get_mut(index)
                .is_some_and(|line| line.take(slot))
            {
                self.count(home, Away::take);
                return true;
            }
        }
        false
    }

    /// The line in which an entry may be that had no place in `passed` others. The second is the
    /// neighbour of the first, which memory brings along.
    #[inline]
    fn index(&self, home: u32, passed: u8) -> usize {
        match passed {
            1 => bucket(home, 0, self.lines.len()) ^ 1,
            _ => bucket(home, passed, self.lines.len()),
        }
    }

    fn count(&mut self, home: u32, change: impl FnOnce(&mut Away)) {
        let index = self.index(home, 0);
        if let Some(line) = self.lines.get_mut(index) {
            let mut counts = line.away();
            change(&mut counts);
            line.set_away(counts);
        }
    }
}

/// A bit for each place of the line that has this tag, or this slot.
#[inline]
fn matches(words: &[u32; WIDTH + 1], word: u32) -> u32 {
    u32x8::new(*words).simd_eq(u32x8::splat(word)).to_bitmask() & PLACES
}

const fn tag(hash: u64) -> u32 {
    let low = hash as u32;
    if low == 0 { 1 } else { low }
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Few distinct hashes, so that lines overflow and wrap all the time.
        #[test]
        fn agrees_with_a_list(
            steps in prop::collection::vec((0_u64..4, 0_u64..3, 0_u32..60, any::<bool>()), 1..300),
        ) {
            let mut lines = Lines::new(60);
            let mut model: Vec<(u64, u32)> = Vec::new();
            for (high, low, slot, add) in steps {
                let hash = high << 62 | low;
                // A slot is in one place only, and callers take it out by the hash it went in with.
                let present = model.iter().position(|entry| entry.1 == slot);
                let hash = present.map_or(hash, |at| model[at].0);
                if add && model.iter().all(|entry| entry.1 != slot) {
                    prop_assert!(lines.insert(hash, slot));
                    model.push((hash, slot));
                } else if !add {
                    prop_assert_eq!(lines.remove(home(hash), slot), present.is_some());
                    if let Some(at) = present {
                        model.swap_remove(at);
                    }
                }
                for (hash, slot) in &model {
                    prop_assert_eq!(lines.find(*hash, |found| found == *slot), Some(*slot));
                }
                let gone = 60..70;
                for slot in gone {
                    prop_assert_eq!(lines.find(hash, |found| found == slot), None);
                }
            }
            for (hash, slot) in model {
                prop_assert!(lines.remove(home(hash), slot));
            }
            let none = Away { count: 0, reach: 0 };
            prop_assert!(lines.lines.iter().all(|line| line.away() == none));
        }
    }
}
