//! A fixed set of small numbers that finds its next member in a few words.

use alloc::boxed::Box;
use alloc::vec;

use crate::meter::touch;

const WORD: usize = u64::BITS as usize;

/// A bit a number, above each 64 words one word that says which of them are not empty, and one above
/// those: up to 262,144 numbers.
#[derive(Debug)]
pub(crate) struct Bits {
    words: Box<[u64]>,
    summary: Box<[u64]>,
    top: u64,
}

impl Bits {
    /// The empty set of numbers below `len`.
    pub(crate) fn new(len: usize) -> Self {
        let words = len.div_ceil(WORD).max(1);
        let summary = words.div_ceil(WORD);
        debug_assert!(summary <= WORD, "{len} numbers");
        Self {
            words: vec![0; words].into_boxed_slice(),
            summary: vec![0; summary].into_boxed_slice(),
            top: 0,
        }
    }

    pub(crate) fn contains(&self, number: usize) -> bool {
        touch(1);
        self.words
            .get(number / WORD)
            .is_some_and(|word| word >> (number % WORD) & 1 == 1)
    }

    /// Adds a number; `false` if it was in already.
    pub(crate) fn insert(&mut self, number: usize) -> bool {
        touch(1);
        let (index, bit) = (number / WORD, 1 << (number % WORD));
        let Some(word) = self.words.get_mut(index) else {
            return false;
        };
        let before = *word;
        *word |= bit;
        if before == 0
            && let Some(summary) = self.summary.get_mut(index / WORD)
        {
            *summary |= 1 << (index % WORD);
            self.top |= 1 << (index / WORD % WORD);
        }
        before & bit == 0
    }

    /// Takes a number out; `false` if it was not in.
    pub(crate) fn remove(&mut self, number: usize) -> bool {
        touch(1);
        self.clear(number)
    }

    fn clear(&mut self, number: usize) -> bool {
        let (index, bit) = (number / WORD, 1 << (number % WORD));
        let Some(word) = self.words.get_mut(index) else {
            return false;
        };
        let before = *word;
        *word &= !bit;
        if *word == 0
            && let Some(summary) = self.summary.get_mut(index / WORD)
        {
            *summary &= !(1 << (index % WORD));
            if *summary == 0 {
                self.top &= !(1 << (index / WORD % WORD));
            }
        }
        before & bit != 0
    }

    /// The least member that is not below `from`.
    pub(crate) fn next(&self, from: usize) -> Option<usize> {
        touch(1);
        let index = from / WORD;
        let head = self.words.get(index)? & (u64::MAX << (from % WORD));
        if head != 0 {
            return Some(index * WORD + head.trailing_zeros() as usize);
        }
        let index = self.next_word(index + 1)?;
        touch(1);
        let word = self.words.get(index)?;
        Some(index * WORD + word.trailing_zeros() as usize)
    }

    /// Takes out the least member of `from..end`.
    pub(crate) fn take_next(&mut self, from: usize, end: usize) -> Option<usize> {
        let number = self.next(from).filter(|number| *number < end)?;
        // The word is at hand.
        self.clear(number);
        Some(number)
    }

    /// The first word that is not empty, of those not before `from`.
    fn next_word(&self, from: usize) -> Option<usize> {
        touch(1);
        let index = from / WORD;
        let head = self.summary.get(index)? & (u64::MAX << (from % WORD));
        if head != 0 {
            return Some(index * WORD + head.trailing_zeros() as usize);
        }
        let above = self.top & u64::MAX.checked_shl(index as u32 + 1).unwrap_or_default();
        if above == 0 {
            return None;
        }
        touch(1);
        let index = above.trailing_zeros() as usize;
        let summary = self.summary.get(index)?;
        Some(index * WORD + summary.trailing_zeros() as usize)
    }
}

#[cfg(test)]
mod tests {
    use alloc::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn agrees_with_a_btree_set(
            steps in prop::collection::vec((0_usize..90_000, 0_u8..4), 1..200),
            crowded in any::<bool>(),
        ) {
            let mut bits = Bits::new(90_000);
            let mut model = BTreeSet::new();
            for (number, step) in steps {
                let number = if crowded { number % 200 } else { number };
                match step {
                    0 => prop_assert_eq!(bits.insert(number), model.insert(number)),
                    1 => prop_assert_eq!(bits.remove(number), model.remove(&number)),
                    2 => {
                        let first = model.range(number..number + 300).next().copied();
                        prop_assert_eq!(bits.take_next(number, number + 300), first);
                        first.map(|first| model.remove(&first));
                    }
                    _ => {}
                }
                prop_assert_eq!(bits.contains(number), model.contains(&number));
                prop_assert_eq!(bits.next(number), model.range(number..).next().copied());
            }
        }
    }
}
