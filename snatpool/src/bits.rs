//! A fixed set of small numbers that finds its next member in a few words.

use alloc::boxed::Box;
use alloc::vec;

use crate::meter::touch;

const WORD: usize = u64::BITS as usize;

/// A bit a number, and above each 64 words one word that says which of them are not empty.
#[derive(Debug)]
pub(crate) struct Bits {
    words: Box<[u64]>,
    summary: Box<[u64]>,
}

impl Bits {
    /// The empty set of numbers below `len`.
    pub(crate) fn new(len: usize) -> Self {
        let words = len.div_ceil(WORD).max(1);
        Self {
            words: vec![0; words].into_boxed_slice(),
            summary: vec![0; words.div_ceil(WORD)].into_boxed_slice(),
        }
    }

    pub(crate) fn contains(&self, number: usize) -> bool {
        touch(1);
        self.words
            .get(number / WORD)
            .is_some_and(|word| word >> (number % WORD) & 1 == 1)
    }

    pub(crate) fn insert(&mut self, number: usize) {
        touch(1);
        let index = number / WORD;
        if let Some(word) = self.words.get_mut(index) {
            *word |= 1 << (number % WORD);
            if let Some(summary) = self.summary.get_mut(index / WORD) {
                *summary |= 1 << (index % WORD);
            }
        }
    }

    pub(crate) fn remove(&mut self, number: usize) {
        touch(1);
        let index = number / WORD;
        if let Some(word) = self.words.get_mut(index) {
            *word &= !(1 << (number % WORD));
            if *word == 0
                && let Some(summary) = self.summary.get_mut(index / WORD)
            {
                *summary &= !(1 << (index % WORD));
            }
        }
    }

    /// The least member that is not below `from`.
    pub(crate) fn next(&self, from: usize) -> Option<usize> {
        touch(1);
        let index = from / WORD;
        let head = self.words.get(index)? & (u64::MAX << (from % WORD));
        if head != 0 {
            return Some(index * WORD + head.trailing_zeros() as usize);
        }
        let index = next_in(&self.summary, index + 1)?;
        let word = self.words.get(index)?;
        Some(index * WORD + word.trailing_zeros() as usize)
    }
}

/// The least set bit of `words` that is not below `from`.
fn next_in(words: &[u64], from: usize) -> Option<usize> {
    let mut mask = u64::MAX << (from % WORD);
    for (index, word) in words.iter().enumerate().skip(from / WORD) {
        touch(1);
        let head = word & mask;
        if head != 0 {
            return Some(index * WORD + head.trailing_zeros() as usize);
        }
        mask = u64::MAX;
    }
    None
}

#[cfg(test)]
mod tests {
    use alloc::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn agrees_with_a_btree_set(
            steps in prop::collection::vec((0_usize..9000, 0_u8..3), 1..200),
        ) {
            let mut bits = Bits::new(9000);
            let mut model = BTreeSet::new();
            for (number, step) in steps {
                match step {
                    0 => { bits.insert(number); model.insert(number); }
                    1 => { bits.remove(number); model.remove(&number); }
                    _ => {}
                }
                prop_assert_eq!(bits.contains(number), model.contains(&number));
                prop_assert_eq!(bits.next(number), model.range(number..).next().copied());
            }
        }
    }
}
