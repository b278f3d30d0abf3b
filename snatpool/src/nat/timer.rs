//! What time does.

use core::time::Duration;

use super::SnatPool;
use crate::event::Closed;
use crate::lifetime::{Class, State};
use crate::time::Ticks;
use crate::tuple::Protocol;

/// How many sessions one call of [`SnatPool::handle_timeout`] looks at. To end one touches a dozen
/// slots and words, and no call may touch more than 64.
const PER_CALL: u32 = 3;

/// Every class has a ring of its own.
const CLASSES: [Class; Class::COUNT] = [
    Class::Closing,
    Class::Opening,
    Class::Unconfirmed,
    Class::Protected,
];

impl SnatPool {
    /// When [`handle_timeout`](Self::handle_timeout) is due: `now` while there is more to do or an
    /// event waits, `None` while nothing lives.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Duration> {
        if self.has_event() {
            return Some(self.latest);
        }
        let sessions = CLASSES
            .into_iter()
            .filter_map(|class| self.wheel.soonest(class))
            .map(|(second, _)| Ticks::from_second(second));
        let idle = self
            .clients
            .soonest_idle()
            .map(|at| at.plus(self.policy.pairing_grace));
        let others = [idle, self.syns.soonest(), self.fragments.soonest()];
        let soonest = sessions.chain(others.into_iter().flatten()).min()?;
        Some(soonest.to_duration().max(self.latest))
    }

    /// Ends what is due, three sessions a call at most: [`poll_timeout`](Self::poll_timeout) then says
    /// "now". May be called early or late. A session that nobody looked at past its deadline is
    /// dead to packets all the same.
    pub fn handle_timeout(&mut self, now: Duration) {
        self.clock(now);
        let second = self.now.second();
        let mut left = PER_CALL;
        for class in CLASSES {
            while let Some((soonest, slot)) = self.wheel.soonest(class)
                && soonest <= second
            {
                if left == 0 {
                    return;
                }
                left -= 1;
                // Nothing stands before the soonest, and what is put back must land behind it.
                self.wheel.advance(class, soonest);
                match self.due(slot) {
                    Some(due) if due > self.now => self.rearm(slot),
                    Some(_) | None => {
                        self.expire(slot);
                    }
                }
            }
            self.wheel.advance(class, second);
        }
        self.syns.expire(self.now);
        let left = self.fragments.expire(&self.keys, self.now, left);
        let limit = self.now.minus(self.policy.pairing_grace);
        if self.now >= self.policy.pairing_grace {
            self.clients.forget_idle(&self.keys, limit, left);
        }
    }

    /// The timer of a live session ran out; `true` if it lives on in another state.
    #[cold]
    pub(super) fn expire(&mut self, slot: u32) -> bool {
        let id = self.table.id(slot);
        let Some(due) = self.due(slot) else {
            return false;
        };
        let Some(hot) = self.table.hot.get_mut(slot as usize) else {
            return false;
        };
        let idle = hot.kind.protocol() == Protocol::Tcp && hot.state == State::Established;
        if self.policy.probe && idle {
            // RFC 6146 §3.5.2.2, ESTABLISHED: the timer leads to TRANS, and a probe is sent.
            hot.state = State::Transitory;
            hot.due = due.plus(self.lifetimes.of(hot));
            if self.due(slot).is_some_and(|due| due > self.now) {
                self.rearm(slot);
                if self.probes.len() < self.probes.capacity() {
                    self.probes.push_back(id);
                }
                return true;
            }
        }
        self.end(slot, Closed::Expired);
        false
    }

    /// Puts a live session into `state`.
    pub(super) fn shift(&mut self, slot: u32, state: State, refresh: bool) {
        if let Some(hot) = self.table.hot.get_mut(slot as usize) {
            let before = self.lifetimes.of(hot);
            hot.state = state;
            let lifetime = self.lifetimes.of(hot);
            hot.due = if refresh {
                self.seen.plus(lifetime)
            } else {
                // An imported session may have been refreshed before this clock began to run.
                hot.due.plus(lifetime).minus(before)
            };
        }
        self.rearm(slot);
    }
}
