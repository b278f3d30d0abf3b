//! Fragments that the caller holds.

use alloc::boxed::Box;
use alloc::vec;

use crate::event::Event;
use crate::session::SessionId;

/// A fragment that the caller holds until an event names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ticket {
    index: u16,
    generation: u32,
}

impl Ticket {
    /// A number below 1024, unique among the fragments held: for tables indexed by ticket.
    #[must_use]
    pub const fn index(self) -> u16 {
        self.index
    }
}

/// Tickets of one datagram, or those whose event waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct List {
    head: u16,
    tail: u16,
}

const END: u16 = u16::MAX;

impl List {
    pub(crate) const EMPTY: Self = Self {
        head: END,
        tail: END,
    };
}

impl Default for List {
    fn default() -> Self {
        Self::EMPTY
    }
}

/// All tickets there are.
#[derive(Debug)]
pub(crate) struct Tickets {
    entries: Box<[Entry]>,
    vacant: List,
    events: List,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    generation: u32,
    length: u16,
    next: u16,
    /// Where it may go; only looked at once its event waits.
    session: Option<SessionId>,
}

impl Tickets {
    pub(crate) fn new(bound: u16) -> Self {
        let entry = Entry {
            generation: 0,
            length: 0,
            next: END,
            session: None,
        };
        let mut entries = vec![entry; usize::from(bound)].into_boxed_slice();
        for (index, entry) in (1..).zip(&mut entries) {
            entry.next = if index == bound { END } else { index };
        }
        let vacant = if bound == 0 {
            List::EMPTY
        } else {
            List {
                head: 0,
                tail: bound - 1,
            }
        };
        Self {
            entries,
            vacant,
            events: List::EMPTY,
        }
    }

    pub(crate) const fn has_room(&self) -> bool {
        self.vacant.head != END
    }

    /// Takes a ticket for a fragment of this length and puts it last in `list`.
    pub(crate) fn hold(&mut self, list: &mut List, length: u16) -> Option<Ticket> {
        let index = self.vacant.head;
        let entry = self.entries.get_mut(usize::from(index))?;
        self.vacant.head = entry.next;
        entry.length = length;
        entry.next = END;
        let ticket = Ticket {
            index,
            generation: entry.generation,
        };
        append(&mut self.entries, list, index);
        Some(ticket)
    }

    /// Makes every ticket of a list an event: it may go, or must be dropped. Returns the bytes
    /// that are held no more.
    pub(crate) fn settle(&mut self, list: List, session: Option<SessionId>) -> u32 {
        let mut bytes = 0;
        let mut index = list.head;
        while let Some(entry) = self.entries.get_mut(usize::from(index)) {
            entry.session = session;
            bytes += u32::from(entry.length);
            let next = entry.next;
            entry.next = END;
            append(&mut self.entries, &mut self.events, index);
            index = next;
        }
        bytes
    }

    pub(crate) const fn has_event(&self) -> bool {
        self.events.head != END
    }

    pub(crate) fn poll(&mut self) -> Option<Event> {
        let index = self.events.head;
        let entry = self.entries.get_mut(usize::from(index))?;
        self.events.head = entry.next;
        let ticket = Ticket {
            index,
            generation: entry.generation,
        };
        let event = match entry.session {
            Some(session) => Event::Release { ticket, session },
            None => Event::Expire { ticket },
        };
        entry.generation = entry.generation.wrapping_add(1);
        entry.next = self.vacant.head;
        self.vacant.head = index;
        Some(event)
    }
}

fn append(entries: &mut [Entry], list: &mut List, index: u16) {
    if list.head == END {
        list.head = index;
    } else if let Some(last) = entries.get_mut(usize::from(list.tail)) {
        last.next = index;
    }
    list.tail = index;
}
