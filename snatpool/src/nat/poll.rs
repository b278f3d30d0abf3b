//! What happened, one at a time.

use super::SnatPool;
use crate::event::{Closed, Event};
use crate::lifetime::State;
use crate::session::SessionId;

impl SnatPool {
    /// The next event. To be called until it returns `None` after every call that takes `now`.
    pub fn poll_event(&mut self) -> Option<Event> {
        match self.queue.first() {
            Some(slot) => self.poll_session(slot),
            None if self.has_event() => self.poll_rest(),
            None => None,
        }
    }

    #[inline(never)]
    fn poll_rest(&mut self) -> Option<Event> {
        self.poll_probe()
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

    /// Of the session that is first in the queue.
    #[inline]
    fn poll_session(&mut self, slot: u32) -> Option<Event> {
        let cold = self.table.cold.get(slot as usize)?;
        let (pool, why) = (cold.pool, cold.armed);
        let hot = self.table.hot.get_mut(slot as usize)?;
        let address = self.pools.address(hot.address)?.address;
        let (inside, outside) = (hot.inside(), hot.outside(address));
        let (kind, generation) = (hot.kind, hot.generation);
        hot.kind.set_opened(false);
        let session = SessionId { slot, generation };
        let last = !(kind.opened() && kind.closed());
        if last {
            self.queue.pop(&mut self.table.cold);
        }
        if kind.opened() {
            return Some(Event::Opened {
                session,
                pool,
                inside,
                outside,
            });
        }
        if !kind.pinned() {
            self.free(slot);
        }
        Some(Event::Closed {
            session,
            pool,
            why: Closed::of(why).unwrap_or(Closed::Expired),
            inside,
            outside,
        })
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
