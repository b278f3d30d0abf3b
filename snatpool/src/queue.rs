//! Sessions whose opening or end has not been told yet, in order.

use alloc::boxed::Box;
use alloc::vec;

use crate::record::Cold;

/// A ring with a place for every slot, so that it is never too short. It starts over whenever it
/// runs empty: memory is touched only as far as events were left waiting.
#[derive(Debug)]
pub(crate) struct Queue {
    slots: Box<[u32]>,
    first: usize,
    len: usize,
}

impl Queue {
    pub(crate) fn new(slots: usize) -> Self {
        Self {
            slots: vec![0; slots].into_boxed_slice(),
            first: 0,
            len: 0,
        }
    }

    /// Puts a session last, unless it waits already.
    pub(crate) fn push(&mut self, cold: &mut [Cold], slot: u32) {
        let Some(record) = cold.get_mut(slot as usize) else {
            return;
        };
        if record.marks.waits() {
            return;
        }
        let mut last = self.first + self.len;
        if last >= self.slots.len() {
            last -= self.slots.len();
        }
        if let Some(place) = self.slots.get_mut(last) {
            *place = slot;
            record.marks.set_waits(true);
            self.len += 1;
        }
    }

    pub(crate) fn first(&self) -> Option<u32> {
        if self.len == 0 {
            None
        } else {
            self.slots.get(self.first).copied()
        }
    }

    /// Takes the first one out.
    pub(crate) fn pop(&mut self, cold: &mut [Cold]) {
        let Some(slot) = self.first() else { return };
        if let Some(record) = cold.get_mut(slot as usize) {
            record.marks.set_waits(false);
        }
        self.len -= 1;
        self.first += 1;
        if self.len == 0 || self.first == self.slots.len() {
            self.first = 0;
        }
    }
}
