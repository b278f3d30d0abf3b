//! Exhaustion, told once per address, peer and interval.

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::vec;

use crate::event::Exhausted;
use crate::hash::{Keys, Purpose};
use crate::record::Octets;
use crate::time::Ticks;

/// How many notices are remembered, and how many may wait.
const REMEMBERED: usize = 256;

/// A notice is remembered at the place its hash names; another that falls there replaces it, which
/// can only repeat a notice early.
#[derive(Debug)]
pub(crate) struct Notices {
    told: Box<[Option<(Exhausted, Ticks)>]>,
    waiting: VecDeque<Exhausted>,
    interval: Ticks,
    suppressed: u64,
}

impl Notices {
    pub(crate) fn new(interval: Ticks) -> Self {
        Self {
            told: vec![None; REMEMBERED].into_boxed_slice(),
            waiting: VecDeque::with_capacity(REMEMBERED),
            interval,
            suppressed: 0,
        }
    }

    pub(crate) fn tell(&mut self, keys: &Keys, now: Ticks, notice: Exhausted) {
        let Exhausted {
            address,
            peer,
            protocol,
        } = notice;
        let head = u64::from(peer.port) << 16 | (protocol as u64) << 8 | Purpose::Notice as u64;
        let hash = keys.place_both(head, Octets::of(address), Octets::of(peer.address));
        let place = hash as usize % REMEMBERED;
        let Some(told) = self.told.get_mut(place) else {
            return;
        };
        let again = told.is_some_and(|(old, at)| old == notice && now < at.plus(self.interval));
        if again || self.waiting.len() == REMEMBERED {
            self.suppressed += 1;
            return;
        }
        *told = Some((notice, now));
        self.waiting.push_back(notice);
    }

    pub(crate) fn poll(&mut self) -> Option<Exhausted> {
        self.waiting.pop_front()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Exhaustions that were not told.
    pub(crate) const fn suppressed(&self) -> u64 {
        self.suppressed
    }
}
