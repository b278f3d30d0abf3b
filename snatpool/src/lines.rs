//! An index from keys kept elsewhere to their slots: buckets of one cache line, made once.

use alloc::boxed::Box;
use alloc::vec;

use wide::u32x8;

use crate::hash::{home, scale};
use crate::meter::touch;

const WIDTH: usize = 8;

/// The index never grows, moves or rehashes. A full line sends newcomers on to the next and
/// counts them, so that a search stops where nothing went on and removal leaves no tombstone.
#[derive(Debug)]
pub(crate) struct Lines {
    lines: Box<[Line]>,
    /// How many entries passed this line on their way from home. At 255 it sticks: the search
    /// goes on further than needed, which is safe.
    passed: Box<[u8]>,
}

#[derive(Clone, Copy, Debug)]
#[repr(C, align(64))]
struct Line {
    /// The low half of the hash, 0 for an empty place.
    tags: [u32; WIDTH],
    slots: [u32; WIDTH],
}

/// The line that an entry is in, and how many it passed on the way there. In six bytes, because every
/// session has one.
#[derive(Clone, Copy, Debug)]
#[repr(C, packed(2))]
pub(crate) struct Place {
    line: u32,
    passed: u16,
}

impl Place {
    pub(crate) const NONE: Self = Self { line: 0, passed: 0 };
}

impl Line {
    /// Takes an entry out, if it is in this line.
    fn take(&mut self, slot: u32) -> bool {
        for (tag, place) in self.tags.iter_mut().zip(&self.slots) {
            if *place == slot && *tag != 0 {
                *tag = 0;
                return true;
            }
        }
        false
    }
}

impl Lines {
    /// For up to `entries`, at a load of four fifths.
    pub(crate) fn new(entries: usize) -> Self {
        let lines = (entries + entries / 4).div_ceil(WIDTH) + 1;
        let empty = Line {
            tags: [0; WIDTH],
            slots: [0; WIDTH],
        };
        Self {
            lines: vec![empty; lines].into_boxed_slice(),
            passed: vec![0; lines].into_boxed_slice(),
        }
    }

    /// The slot with this hash that `is` the one.
    #[inline]
    pub(crate) fn find(&self, hash: u64, mut is: impl FnMut(u32) -> bool) -> Option<u32> {
        let tag = tag(hash);
        let mut index = scale(home(hash), self.lines.len());
        for _ in 0..self.lines.len() {
            touch(1);
            let line = self.lines.get(index)?;
            let mut hits = matches(&line.tags, tag);
            while hits != 0 {
                let slot = *line.slots.get(hits.trailing_zeros() as usize)?;
                if is(slot) {
                    return Some(slot);
                }
                hits &= hits - 1;
            }
            if self.passed.get(index).is_none_or(|passed| *passed == 0) {
                return None;
            }
            index = self.after(index);
        }
        None
    }

    /// Reads the first line of a search, and names the first slot in it with this hash.
    #[inline]
    pub(crate) fn first_hit(&self, hash: u64) -> Option<u32> {
        let tag = tag(hash);
        let line = self.lines.get(scale(home(hash), self.lines.len()))?;
        let place = matches(&line.tags, tag).trailing_zeros();
        line.slots.get(place as usize).copied()
    }

    /// Adds an entry. `None` only when every place is taken, which callers rule out by counting.
    pub(crate) fn insert(&mut self, hash: u64, slot: u32) -> Option<Place> {
        let home = scale(home(hash), self.lines.len());
        let mut index = home;
        for passed in 0..self.lines.len().min(usize::from(u16::MAX)) {
            touch(1);
            let line = self.lines.get_mut(index)?;
            for (found, place) in line.tags.iter_mut().zip(&mut line.slots) {
                if *found == 0 {
                    *found = tag(hash);
                    *place = slot;
                    self.pass(home, index, |passed| passed.saturating_add(1));
                    let (line, passed) = (index as u32, passed as u16);
                    return Some(Place { line, passed });
                }
            }
            index = self.after(index);
        }
        None
    }

    /// Takes an entry out, if it is there. A hash with the same home will do.
    pub(crate) fn remove(&mut self, home: u32, slot: u32) -> bool {
        let home = scale(home, self.lines.len());
        let mut index = home;
        for _ in 0..self.lines.len() {
            touch(1);
            let Some(line) = self.lines.get_mut(index) else {
                return false;
            };
            if line.take(slot) {
                self.unpass(home, index);
                return true;
            }
            if self.passed.get(index).is_none_or(|passed| *passed == 0) {
                return false;
            }
            index = self.after(index);
        }
        false
    }

    /// The same, by what [`insert`](Self::insert) said of it: without a search.
    pub(crate) fn remove_from(&mut self, Place { line, passed }: Place, slot: u32) {
        touch(1);
        let (line, passed) = (line as usize, usize::from(passed));
        if self.lines.get_mut(line).is_some_and(|line| line.take(slot)) {
            let before_start = (line + self.lines.len()).saturating_sub(passed);
            self.unpass(before_start % self.lines.len(), line);
        }
    }

    fn unpass(&mut self, home: usize, end: usize) {
        self.pass(home, end, |passed| {
            if passed == u8::MAX {
                passed
            } else {
                passed.saturating_sub(1)
            }
        });
    }

    /// Changes the counts of the lines from `home` up to, not including, `end`.
    fn pass(&mut self, home: usize, end: usize, change: impl Fn(u8) -> u8) {
        let mut index = home;
        while index != end {
            if let Some(passed) = self.passed.get_mut(index) {
                *passed = change(*passed);
            }
            index = self.after(index);
        }
    }

    const fn after(&self, index: usize) -> usize {
        let next = index + 1;
        if next == self.lines.len() { 0 } else { next }
    }
}

/// A bit for each place of the line that has this tag.
#[inline]
fn matches(tags: &[u32; WIDTH], tag: u32) -> u32 {
    u32x8::new(*tags).simd_eq(u32x8::splat(tag)).to_bitmask()
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
                    prop_assert!(lines.insert(hash, slot).is_some());
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
            prop_assert!(lines.passed.iter().all(|passed| *passed == 0));
        }
    }
}
