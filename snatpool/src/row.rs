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

/// What a bucket knows of the records that are at home in it and lie in another: a search for what is
/// not there is short though the table is nearly full.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Away {
    /// How many there are. At 255 it sticks, and searches go on further than needed, which is safe.
    pub(crate) count: u8,
    /// The most buckets that any of them passed.
    pub(crate) reach: u8,
}

impl Away {
    /// Whether a search that passed so many buckets looks into another.
    #[inline]
    pub(crate) const fn goes_on(self, passed: u8) -> bool {
        passed < self.reach
    }

    /// A record passed so many buckets, at least one.
    pub(crate) const fn add(&mut self, passed: u8) {
        self.count = self.count.saturating_add(1);
        if self.reach < passed {
            self.reach = passed;
        }
    }

    /// One that passed any is gone.
    pub(crate) const fn take(&mut self) {
        if self.count < u8::MAX {
            self.count = self.count.saturating_sub(1);
        }
        if self.count == 0 {
            self.reach = 0;
        }
    }
}
