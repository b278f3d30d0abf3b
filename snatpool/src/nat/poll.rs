//! What happened, one at a time.

use super::SnatPool;
use crate::event::{Closed, Event};
use crate::lifetime::State;

impl SnatPool {
    /// The next event. To be called until it returns `None` after every call that takes `now`.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.poll_session()
            .or_else(|| self.poll_probe())
            .or_else(|| self.fragments.poll())
            .or_else(|| self.syns.poll())
            .or_else(|| {
                self.drained
                    .pop_front()
                    .map(|address| Event::Drained { address })
            })
            .or_else(|| self.clients.blocks.poll())
            .or_else(|| self.notices.poll())
    }

    pub(super) fn has_event(&self) -> bool {
        self.queue.first().is_some()
            || !self.probes.is_empty()
            || self.fragments.has_event()
            || self.syns.has_event()
            || self.clients.blocks.has_event()
            || !self.drained.is_empty()
            || !self.notices.is_empty()
    }

    fn poll_session(&mut self) -> Option<Event> {
        loop {
            let slot = self.queue.first()?;
            let session = self.table.id(slot);
            let outside = self.outside(slot)?;
            let pool = self.pool_of(slot)?;
            let why = self
                .table
                .cold
                .get(slot as usize)
                .and_then(|cold| Closed::of(cold.armed));
            let hot = self.table.hot.get_mut(slot as usize)?;
            let inside = hot.inside();
            let kind = hot.kind;
            hot.kind.set_opened(false);
            if kind.opened() {
                if !kind.closed() {
                    self.queue.pop(&mut self.table.cold);
                }
                return Some(Event::Opened {
                    session,
                    pool,
                    inside,
                    outside,
                });
            }
            self.queue.pop(&mut self.table.cold);
            if kind.closed() {
                if !kind.pinned() {
                    self.free(slot);
                }
                let why = why.unwrap_or(Closed::Expired);
                return Some(Event::Closed {
                    session,
                    pool,
                    why,
                    inside,
                    outside,
                });
            }
        }
    }

    fn poll_probe(&mut self) -> Option<Event> {
        loop {
            let session = self.probes.pop_front()?;
            let Some(hot) = self.table.live(session) else {
                continue;
            };
            if hot.state != State::Transitory {
                continue;
            }
            let inside = hot.inside();
            if let Some(outside) = self.outside(session.slot) {
                return Some(Event::Probe {
                    session,
                    inside,
                    outside,
                });
            }
        }
    }
}
