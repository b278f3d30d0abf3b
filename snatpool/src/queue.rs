//! Sessions whose opening or end has not been told yet, in order.

use crate::record::{Cold, NONE};

/// A list through the sessions themselves, so that it is never too short.
#[derive(Debug)]
pub(crate) struct Queue {
    head: u32,
    tail: u32,
}

/// The link of the last one; [`NONE`] is that of a session that is not in the list.
const END: u32 = NONE - 1;

impl Queue {
    pub(crate) const fn new() -> Self {
        Self {
            head: END,
            tail: END,
        }
    }

    /// Puts a session last, unless it is in the list already.
    pub(crate) fn push(&mut self, cold: &mut [Cold], slot: u32) {
        let Some(record) = cold.get_mut(slot as usize) else {
            return;
        };
        if record.event != NONE {
            return;
        }
        record.event = END;
        match cold.get_mut(self.tail as usize) {
            Some(last) => last.event = slot,
            None => self.head = slot,
        }
        self.tail = slot;
    }

    pub(crate) const fn first(&self) -> Option<u32> {
        if self.head == END {
            None
        } else {
            Some(self.head)
        }
    }

    /// Takes the first one out.
    pub(crate) fn pop(&mut self, cold: &mut [Cold]) {
        if let Some(record) = cold.get_mut(self.head as usize) {
            self.head = record.event;
            record.event = NONE;
            if self.head == END {
                self.tail = END;
            }
        }
    }

    pub(crate) const fn holds(cold: &Cold) -> bool {
        cold.event != NONE
    }
}
