//! Where a record goes that has no room at home: on through a row of buckets that follow from its
//! home as if by lot, so that full buckets do not make their neighbours full.

use crate::hash::scale;

/// The bucket in which a record may lie that had no place in `passed` others.
#[inline]
pub(crate) const fn bucket(home: u32, passed: u8, buckets: usize) -> usize {
    let lot = match passed {
        0 => home,
        _ => home
            .wrapping_add(passed as u32)
            .wrapping_mul(0x9E37_79B1 ^ (passed as u32) << 8),
    };
    scale(lot, buckets)
}

/// How many records that are at home in a bucket lie in another: a search for what is not there is
/// short though the table is nearly full. At 255 a count sticks, and searches go on further than
/// needed, which is safe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Away {
    /// In the second of their row or further.
    pub(crate) any: u8,
    /// In the third or further.
    pub(crate) far: u8,
}

impl Away {
    /// Whether a search that passed so many buckets after home goes on; `longest` is the most that
    /// any record of the table passed.
    #[inline]
    pub(crate) const fn goes_on(self, passed: u8, longest: u8) -> bool {
        match passed {
            0 => self.any != 0,
            1 => self.far != 0,
            _ => passed < longest,
        }
    }

    pub(crate) const fn add(&mut self, passed: u8) {
        if passed > 0 {
            self.any = self.any.saturating_add(1);
        }
        if passed > 1 {
            self.far = self.far.saturating_add(1);
        }
    }

    pub(crate) const fn take(&mut self, passed: u8) {
        if passed > 0 {
            leave(&mut self.any);
        }
        if passed > 1 {
            leave(&mut self.far);
        }
    }
}

const fn leave(count: &mut u8) {
    if *count != u8::MAX {
        *count = count.saturating_sub(1);
    }
}
