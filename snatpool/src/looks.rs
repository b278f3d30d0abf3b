//! What one call may spend on seeking a port, a block or somebody who makes room.

use crate::config::Mapping;

/// What is left. One search after another in the same call draws on it, so that they are bounded
/// together; the rest of a call touches less than 30 slots and words.
#[derive(Debug)]
pub(crate) struct Looks(u32);

impl Looks {
    /// A port in use is a line of the index and the session that it names.
    pub(crate) const PORT: u32 = 2;
    /// The next port of a set is a word of it more.
    pub(crate) const PORT_OF_SET: u32 = 3;
    /// An entry of a list.
    pub(crate) const ENTRY: u32 = 1;

    /// For a new session. Where a binding and its correspondent are made and ended too, that has its
    /// price.
    pub(crate) const fn new(mapping: Mapping) -> Self {
        Self(match mapping {
            Mapping::PerFlow => 40,
            Mapping::EndpointIndependent => 30,
        })
    }

    pub(crate) const fn left(&self) -> u32 {
        self.0
    }

    /// Keeps up to `count` of what is left for another search; [`add`](Self::add) gives it to that.
    pub(crate) fn set_aside(&mut self, count: u32) -> u32 {
        let aside = count.min(self.0);
        self.0 -= aside;
        aside
    }

    pub(crate) const fn add(&mut self, aside: u32) {
        self.0 += aside;
    }

    /// Spends `cost`, if so much is left.
    pub(crate) const fn take(&mut self, cost: u32) -> bool {
        match self.0.checked_sub(cost) {
            Some(left) => {
                self.0 = left;
                true
            }
            None => false,
        }
    }
}
