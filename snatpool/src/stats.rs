//! Counters.

use crate::event::Closed;
use crate::refused::Refused;

/// What happened since the start, counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counters {
    opened: u64,
    live: u64,
    closed: [u64; Closed::ALL.len()],
    refused: [u64; Refused::COUNT],
    pub(crate) high_water: u64,
    pub(crate) spilled: u64,
    pub(crate) implausible_rsts: u64,
    pub(crate) searches_without_set: u64,
}

impl Counters {
    pub(crate) fn opened(&mut self) {
        self.opened += 1;
        self.live += 1;
        self.high_water = self.high_water.max(self.live);
    }

    pub(crate) fn closed(&mut self, why: Closed) {
        if let Some(count) = self.closed.get_mut(why as usize) {
            *count += 1;
        }
        self.live = self.live.saturating_sub(1);
    }

    pub(crate) fn refused(&mut self, why: Refused) {
        if let Some(count) = self.refused.get_mut(why.index()) {
            *count += 1;
        }
    }

    pub(crate) const fn spilled(&mut self) {
        self.spilled += 1;
    }

    pub(crate) const fn implausible_rst(&mut self) {
        self.implausible_rsts += 1;
    }

    pub(crate) const fn searched_without_set(&mut self) {
        self.searches_without_set += 1;
    }

    pub(crate) const fn opened_in_all(&self) -> u64 {
        self.opened
    }

    pub(crate) fn closed_by(&self, why: Closed) -> u64 {
        self.closed.get(why as usize).copied().unwrap_or_default()
    }

    pub(crate) fn refused_by(&self, why: Refused) -> u64 {
        self.refused.get(why.index()).copied().unwrap_or_default()
    }

    /// Goes on from what a former pool counted: what this one has counted of taking over its sessions was
    /// counted there already. Sizes stay its own.
    pub(crate) fn continue_from(&mut self, former: &Self) {
        *self = Self {
            live: self.live,
            high_water: self.high_water,
            ..*former
        };
    }

    pub(crate) const fn live(&self) -> u64 {
        self.live
    }
}
