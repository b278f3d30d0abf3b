//! Which addresses of the slice are free: a bitmap, searched by words.

use alloc::vec;
use alloc::vec::Vec;

/// A set of the numbers below a bound.
#[derive(Debug, Clone)]
pub(crate) struct FreeSet {
    words: Vec<u64>,
    bound: u32,
    len: u32,
}

impl FreeSet {
    /// The empty set of numbers below `bound`.
    pub(crate) fn new(bound: u32) -> Self {
        Self {
            words: vec![0; bound.div_ceil(64) as usize],
            bound,
            len: 0,
        }
    }

    pub(crate) fn len(&self) -> u32 {
        self.len
    }

    pub(crate) fn insert(&mut self, number: u32) {
        let bit = 1 << (number % 64);
        if number < self.bound
            && let Some(word) = self.words.get_mut((number / 64) as usize)
            && *word & bit == 0
        {
            *word |= bit;
            self.len += 1;
        }
    }

    pub(crate) fn remove(&mut self, number: u32) {
        let bit = 1 << (number % 64);
        if number < self.bound
            && let Some(word) = self.words.get_mut((number / 64) as usize)
            && *word & bit != 0
        {
            *word &= !bit;
            self.len -= 1;
        }
    }

    /// Takes the first member at or after `start`, going round at the bound. Looks at each word
    /// once at most, and at none when the set is empty.
    pub(crate) fn take_from(&mut self, start: u32) -> Option<u32> {
        if self.len == 0 {
            return None;
        }
        let start = start % self.bound;
        let words = self.words.len();
        let first = (start / 64) as usize;
        // The first word is looked at twice: above the start, and at the end of the round below it.
        for step in 0..=words {
            let index = (first + step) % words;
            let mask = match step {
                0 => u64::MAX << (start % 64),
                _ => u64::MAX,
            };
            let word = self.words.get_mut(index)?;
            let candidates = *word & mask;
            if candidates != 0 {
                let bit = candidates.trailing_zeros();
                *word &= !(1 << bit);
                self.len -= 1;
                return Some(index as u32 * 64 + bit);
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_member_is_taken_once_from_any_start() {
        for start in [0, 1, 63, 64, 129, 130] {
            let mut free = FreeSet::new(130);
            (0..130).for_each(|number| free.insert(number));
            let mut taken: Vec<u32> = core::iter::from_fn(|| free.take_from(start)).collect();
            assert_eq!(taken.first(), Some(&(start % 130)));
            taken.sort_unstable();
            assert_eq!(taken, (0..130).collect::<Vec<u32>>());
            assert_eq!(free.len(), 0);
        }
    }

    #[test]
    fn numbers_beyond_the_bound_are_no_members() {
        let mut free = FreeSet::new(65);
        free.insert(65);
        free.insert(64);
        free.insert(64);
        assert_eq!(
            (free.len(), free.take_from(0), free.take_from(0)),
            (1, Some(64), None)
        );
        free.insert(3);
        free.remove(3);
        free.remove(3);
        free.remove(65);
        assert_eq!((free.len(), free.take_from(0)), (0, None));
    }
}
