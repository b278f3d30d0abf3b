//! Which slot a record is kept in: chunks of fourteen, found by one byte each.

use alloc::boxed::Box;
use alloc::vec;

use wide::u8x16;

use crate::hash::home;
use crate::meter::touch;
use crate::row::{Away, bucket};

/// Places of a chunk. Two more bytes are an [`Away`], so that a search reads one line.
const WIDTH: usize = 14;
const PLACES: u32 = (1 << WIDTH) - 1;
/// With so many, a chunk sends newcomers on, if the next of their row has fewer.
const CROWDED: u32 = WIDTH as u32 - 1;
/// A free slot.
const EMPTY: u8 = 0;
/// A slot whose record ended, kept from reuse until its event was taken.
const PARKED: u8 = 1;

/// The tags of all slots. Nothing moves: a slot found once is the record's until it ends.
#[derive(Debug)]
pub(crate) struct Tags {
    chunks: Box<[Chunk]>,
}

type Chunk = [u8; 16];

/// A slot that a record was given, and whether it is in another chunk than the record's home.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Given {
    pub(crate) slot: u32,
    pub(crate) away: bool,
}

impl Tags {
    /// For up to `records`, at a load of six sevenths.
    pub(crate) fn new(records: usize) -> Self {
        let chunks = (records + records / 6).div_ceil(WIDTH) + 1;
        Self {
            chunks: vec![[EMPTY; 16]; chunks].into_boxed_slice(),
        }
    }

    pub(crate) const fn slots(&self) -> usize {
        self.chunks.len() * WIDTH
    }

    /// The live slot with this hash that `is` the one.
    #[inline]
    pub(crate) fn find(&self, hash: u64, mut is: impl FnMut(u32) -> bool) -> Option<u32> {
        let (home, tag) = (home(hash), tag(hash));
        let mut index = bucket(home, 0, self.chunks.len());
        let first = self.chunks.get(index)?;
        let (mut chunk, mut passed) = (first, 0);
        loop {
            touch(1);
            let mut hits = matches(chunk, tag);
            while hits != 0 {
                let slot = slot(index, hits.trailing_zeros());
                if is(slot) {
                    return Some(slot);
                }
                hits &= hits - 1;
            }
            if !away(first).goes_on(passed) {
                return None;
            }
            passed += 1;
            index = bucket(home, passed, self.chunks.len());
            chunk = self.chunks.get(index)?;
        }
    }

    /// Reads the first line of a search, and the slot it points at, ahead of the search.
    #[inline]
    pub(crate) fn first_hit(&self, hash: u64) -> Option<u32> {
        let index = bucket(home(hash), 0, self.chunks.len());
        let hits = matches(self.chunks.get(index)?, tag(hash));
        (hits != 0).then(|| slot(index, hits.trailing_zeros()))
    }

    /// Takes a free slot for this hash. `None` only when next to every slot is taken.
    pub(crate) fn insert(&mut self, hash: u64) -> Option<Given> {
        let home = home(hash);
        let first = bucket(home, 0, self.chunks.len());
        let (mut index, mut passed) = (first, 0);
        let mut room = self.room(index);
        if room.count_ones() <= WIDTH as u32 - CROWDED {
            let second = bucket(home, 1, self.chunks.len());
            let next = self.room(second);
            if next.count_ones() > room.count_ones() {
                (index, passed, room) = (second, 1, next);
            }
            while room == 0 && passed < u8::MAX {
                passed += 1;
                index = bucket(home, passed, self.chunks.len());
                room = self.room(index);
            }
        }
        let free = room.trailing_zeros();
        if room == 0 {
            return None;
        }
        *self.chunks.get_mut(index)?.get_mut(free as usize)? = tag(hash);
        if passed > 0 {
            self.count(first, |away| away.add(passed));
        }
        Some(Given {
            slot: slot(index, free),
            away: passed > 0,
        })
    }

    /// Makes a slot unreachable, but not free.
    pub(crate) fn park(&mut self, slot: u32) {
        touch(1);
        self.set(slot, PARKED);
    }

    /// Frees a slot. The home of its hash is needed if the slot is [away](Given::away) from it.
    pub(crate) fn free(&mut self, slot: u32, home: Option<u32>) {
        touch(1);
        self.set(slot, EMPTY);
        if let Some(home) = home {
            touch(1);
            let first = bucket(home, 0, self.chunks.len());
            if slot as usize / WIDTH != first {
                self.count(first, Away::take);
            }
        }
    }

    /// The free places of a chunk.
    fn room(&self, index: usize) -> u32 {
        touch(1);
        let chunk = self.chunks.get(index);
        chunk.map_or(0, |chunk| matches(chunk, EMPTY))
    }

    fn count(&mut self, index: usize, change: impl FnOnce(&mut Away)) {
        if let Some(chunk) = self.chunks.get_mut(index) {
            let mut counts = away(chunk);
            change(&mut counts);
            let [.., count, reach] = chunk;
            (*count, *reach) = (counts.count, counts.reach);
        }
    }

    fn set(&mut self, slot: u32, tag: u8) {
        let slot = slot as usize;
        if let Some(place) = self
            .chunks
            .get_mut(slot / WIDTH)
            .and_then(|chunk| chunk.get_mut(slot % WIDTH))
        {
            *place = tag;
        }
    }
}

#[inline]
const fn away(chunk: &Chunk) -> Away {
    let [.., count, reach] = *chunk;
    Away { count, reach }
}

/// A bit for each place of the chunk that has this tag.
#[inline]
fn matches(chunk: &Chunk, tag: u8) -> u32 {
    u8x16::new(*chunk).simd_eq(u8x16::splat(tag)).to_bitmask() & PLACES
}

const fn slot(chunk: usize, offset: u32) -> u32 {
    (chunk * WIDTH) as u32 + offset
}

const fn tag(hash: u64) -> u8 {
    let low = hash as u8;
    if low <= PARKED { PARKED + 1 } else { low }
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Few distinct homes, so that chunks overflow all the time.
        #[test]
        fn agrees_with_a_list(
            steps in prop::collection::vec((0_u64..4, 2_u64..5, any::<prop::sample::Index>()), 1..300),
        ) {
            let mut tags = Tags::new(60);
            let mut model: Vec<(u64, Given)> = Vec::new();
            for (high, low, which) in steps {
                let hash = high << 62 | low;
                if model.len() < 60 && low != 4 {
                    let given = tags.insert(hash);
                    prop_assert!(given.is_some());
                    let given = given.unwrap();
                    prop_assert!(model.iter().all(|entry| entry.1.slot != given.slot));
                    model.push((hash, given));
                } else if !model.is_empty() {
                    let (hash, given) = model.swap_remove(which.index(model.len()));
                    tags.free(given.slot, given.away.then_some(home(hash)));
                    prop_assert_eq!(tags.find(hash, |found| found == given.slot), None);
                }
                for (hash, Given { slot, .. }) in &model {
                    prop_assert_eq!(tags.find(*hash, |found| found == *slot), Some(*slot));
                }
            }
            for (hash, given) in model {
                tags.free(given.slot, given.away.then_some(home(hash)));
            }
            let none = Away { count: 0, reach: 0 };
            prop_assert!(tags.chunks.iter().all(|chunk| away(chunk) == none));
        }
    }
}
