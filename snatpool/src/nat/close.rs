//! How sessions end, and what keeps an ended one in place.

use core::time::Duration;

use super::SnatPool;
use crate::event::Closed;
use crate::lifetime::{Class, State};
use crate::record::Hot;
use crate::session::SessionId;

impl SnatPool {
    /// Ends a session at once, whatever its state. Returns whether it was live.
    pub fn close(&mut self, now: Duration, id: SessionId) -> bool {
        self.clock(now);
        let live = self.table.live(id).is_some();
        if live {
            self.end(id.slot, Closed::Ordered);
        }
        live
    }

    /// Keeps a session's slot and port from being given to another until it is
    /// [unpinned](Self::unpin), though it may end; eviction spares it. For whoever repeats the
    /// session's translation elsewhere and needs time to stop. Returns whether the session lives.
    ///
    /// A pinned session that ends is unreachable, and its [`Event::Closed`](crate::Event::Closed)
    /// comes as always.
    pub fn pin(&mut self, id: SessionId) -> bool {
        if self.table.live(id).is_none() {
            return false;
        }
        if let Some(hot) = self.table.hot.get_mut(id.slot as usize)
            && !hot.kind.pinned()
        {
            hot.kind.set_pinned(true);
            if self.policy.validate_rst
                && !matches!(hot.state, State::BothFin | State::Reopening)
                && let Some(cold) = self.table.cold.get_mut(id.slot as usize)
            {
                // Segments pass elsewhere now, and what was noted of them grows old.
                (cold.sequence_in, cold.sequence_out) = (0, 0);
            }
            self.rearm(id.slot);
        }
        true
    }

    /// Undoes [`pin`](Self::pin). An ended session gives up its slot and port.
    pub fn unpin(&mut self, now: Duration, id: SessionId) {
        self.clock(now);
        let Some(kind) = self.table.known(id).map(|hot| hot.kind) else {
            return;
        };
        if !kind.pinned() {
            return;
        }
        if let Some(hot) = self.table.hot.get_mut(id.slot as usize) {
            hot.kind.set_pinned(false);
        }
        if !kind.closed() {
            self.rearm(id.slot);
            return;
        }
        self.release(id.slot);
        let waits = self
            .table
            .cold
            .get(id.slot as usize)
            .is_some_and(|cold| cold.marks.waits());
        if !waits {
            self.free(id.slot);
        }
    }

    /// Says that a packet of a pinned session passed elsewhere at `seen_at`, from whatever side
    /// keeps it alive. A packet that passed before the session's deadline counts though the deadline
    /// is over at `now`. Returns whether the session lives.
    pub fn refresh(&mut self, now: Duration, id: SessionId, seen_at: Duration) -> bool {
        self.clock(now);
        if self.table.live(id).is_none() {
            return false;
        }
        let seen = crate::time::Ticks::at_least(seen_at).min(self.seen);
        // A packet that was in time counts, though word of it comes after the deadline.
        if let Some(hot) = self.table.hot.get_mut(id.slot as usize)
            && hot.state.is_established()
            && seen < hot.due
        {
            hot.due = hot.due.max(seen.plus(self.lifetimes.of(hot)));
        }
        self.settle(id.slot)
    }

    /// Ends a live session.
    pub(super) fn end(&mut self, slot: u32, why: Closed) {
        self.wheel.disarm(&mut self.table.cold, slot);
        self.disown(slot);
        self.table.park(slot);
        let Some(hot) = self.table.hot.get_mut(slot as usize) else {
            return;
        };
        hot.kind.set_closed();
        hot.due = crate::time::Ticks::ZERO;
        let pinned = hot.kind.pinned();
        if !pinned {
            self.release(slot);
        }
        if let Some(cold) = self.table.cold.get_mut(slot as usize) {
            cold.armed = why as u16;
        }
        self.counters.closed(why);
        self.queue.push(&mut self.table.cold, slot);
    }

    /// Gives up the port of an ended session.
    fn release(&mut self, slot: u32) {
        let Some(Hot { address, port, .. }) = self.table.hot.get(slot as usize).copied() else {
            return;
        };
        let free = self.release_port(slot);
        if let Some(cold) = self.table.cold.get(slot as usize) {
            if !self.clients.blocks.is_unused() {
                self.clients.leave_block(cold.client, address, port);
            }
            self.clients.close(self.now, cold.client, free);
        }
        self.holding = self.holding.saturating_sub(1);
        if let Some(entry) = self.pools.address_mut(address) {
            entry.sessions = entry.sessions.saturating_sub(1);
            if entry.draining && entry.sessions == 0 {
                self.drained.push_back(entry.address);
            }
        }
    }

    /// Gives up the slot of an ended session whose end was told and that nothing pins.
    pub(super) fn free(&mut self, slot: u32) {
        self.table.free(&self.keys, slot);
        self.taken = self.taken.saturating_sub(1);
    }

    /// Puts a live session where its class and deadline say.
    pub(super) fn rearm(&mut self, slot: u32) {
        self.wheel.disarm(&mut self.table.cold, slot);
        self.disown(slot);
        self.arm(slot);
    }

    /// The same of one that stands nowhere yet.
    pub(super) fn arm(&mut self, slot: u32) {
        let Some(due) = self.due(slot) else { return };
        let Some(hot) = self.table.hot.get(slot as usize) else {
            return;
        };
        let class = if hot.kind.pinned() {
            Class::Protected
        } else {
            hot.state.class()
        };
        let (second, now) = (due.second_after(), self.now.second());
        self.wheel
            .arm(&mut self.table.cold, slot, class, second, now);
        if class != Class::Protected && !self.own.is_unused() {
            let Some(cold) = self.table.cold.get(slot as usize) else {
                return;
            };
            if let Some(share) = self.clients.share_mut(cold.client) {
                self.own.link(&mut share.evictable, slot);
            }
        }
    }

    fn disown(&mut self, slot: u32) {
        if self.own.is_unused() {
            return;
        }
        let Some(cold) = self.table.cold.get(slot as usize) else {
            return;
        };
        if let Some(share) = self.clients.share_mut(cold.client) {
            self.own.unlink(&mut share.evictable, slot);
        }
    }
}
