//! Which slot a session is kept in: chunks of sixteen, found by one byte each.

use alloc::boxed::Box;
use alloc::vec;

use wide::u8x16;

use crate::hash::{home, scale};
use crate::meter::touch;

const WIDTH: usize = 16;
/// A free slot.
const EMPTY: u8 = 0;
/// A slot whose session ended, kept from reuse until its event was taken.
const PARKED: u8 = 1;

/// The tags of all slots. As in [`Lines`](crate::lines::Lines) nothing moves: a slot found once
/// is the session's until it ends.
#[derive(Debug)]
pub(crate) struct Tags {
    chunks: Box<[[u8; WIDTH]]>,
    passed: Box<[u8]>,
}

impl Tags {
    /// For up to `sessions`, at a load of four fifths.
    pub(crate) fn new(sessions: usize) -> Self {
        let chunks = (sessions + sessions / 4).div_ceil(WIDTH) + 1;
        Self {
            chunks: vec![[EMPTY; WIDTH]; chunks].into_boxed_slice(),
            passed: vec![0; chunks].into_boxed_slice(),
        }
    }

    pub(crate) const fn slots(&self) -> usize {
        self.chunks.len() * WIDTH
    }

    /// The live slot with this hash that `is` the one.
    #[inline]
    pub(crate) fn find(&self, hash: u64, mut is: impl FnMut(u32) -> bool) -> Option<u32> {
        let tag = tag(hash);
        let mut index = scale(home(hash), self.chunks.len());
        for _ in 0..self.chunks.len() {
            touch(1);
            let mut hits = matches(self.chunks.get(index)?, tag);
            while hits != 0 {
                let slot = slot(index, hits.trailing_zeros());
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

    /// Reads the first line of a search, and the slot it points at, ahead of the search.
    #[inline]
    pub(crate) fn first_hit(&self, hash: u64) -> Option<u32> {
        let index = scale(home(hash), self.chunks.len());
        let hits = matches(self.chunks.get(index)?, tag(hash));
        (hits != 0).then(|| slot(index, hits.trailing_zeros()))
    }

    /// Takes a free slot for this hash. `None` only when every slot is taken.
    pub(crate) fn insert(&mut self, hash: u64) -> Option<u32> {
        let home = scale(home(hash), self.chunks.len());
        let mut index = home;
        for _ in 0..self.chunks.len() {
            touch(1);
            let chunk = self.chunks.get_mut(index)?;
            let empty = matches(chunk, EMPTY);
            if empty != 0
                && let Some(place) = chunk.get_mut(empty.trailing_zeros() as usize)
            {
                *place = tag(hash);
                self.pass(home, index, |passed| passed.saturating_add(1));
                return Some(slot(index, empty.trailing_zeros()));
            }
            index = self.after(index);
        }
        None
    }

    /// Makes a slot unreachable, but not free.
    pub(crate) fn park(&mut self, slot: u32) {
        touch(1);
        self.set(slot, PARKED);
    }

    /// Frees a slot that [`insert`](Self::insert) gave for a hash with this home.
    pub(crate) fn free(&mut self, home: u32, slot: u32) {
        touch(1);
        self.set(slot, EMPTY);
        let home = scale(home, self.chunks.len());
        self.pass(home, slot as usize / WIDTH, |passed| {
            if passed == u8::MAX {
                passed
            } else {
                passed.saturating_sub(1)
            }
        });
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
        if next == self.chunks.len() { 0 } else { next }
    }
}

/// A bit for each place of the chunk that has this tag.
#[inline]
fn matches(chunk: &[u8; WIDTH], tag: u8) -> u32 {
    u8x16::new(*chunk).simd_eq(u8x16::splat(tag)).to_bitmask()
}

const fn slot(chunk: usize, offset: u32) -> u32 {
    (chunk * WIDTH) as u32 + offset
}

const fn tag(hash: u64) -> u8 {
    let low = hash as u8;
    if low <= PARKED { PARKED + 1 } else { low }
}
