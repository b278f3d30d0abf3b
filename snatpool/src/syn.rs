//! Unsolicited SYNs that wait for their counterpart (RFC 5382 REQ-4).

use alloc::boxed::Box;
use alloc::vec;

use crate::event::Event;
use crate::refused::Refused;
use crate::time::Ticks;
use crate::tuple::Tuple;

/// A SYN from outside that the caller holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SynTicket {
    pub(crate) index: u8,
    pub(crate) generation: u32,
}

/// The SYNs on hold. A SYN makes no session, so that its retransmission finds none.
#[derive(Debug)]
pub(crate) struct Syns {
    held: Box<[Held]>,
    hold_for: Ticks,
    /// Tickets that wait for their counterpart or their time.
    waiting: usize,
    /// Tickets whose event waits.
    settled: usize,
}

#[derive(Clone, Copy, Debug)]
struct Held {
    generation: u32,
    stage: Stage,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Vacant,
    Waiting { outside: Tuple, until: Ticks },
    Unanswered { outside: Tuple },
    Answered,
}

impl Syns {
    pub(crate) fn new(bound: u8, hold_for: Ticks) -> Self {
        let vacant = Held {
            generation: 0,
            stage: Stage::Vacant,
        };
        let held = vec![vacant; usize::from(bound)].into_boxed_slice();
        Self {
            held,
            hold_for,
            waiting: 0,
            settled: 0,
        }
    }

    pub(crate) fn hold(&mut self, now: Ticks, outside: &Tuple) -> Result<SynTicket, Refused> {
        let again =
            |held: &Held| matches!(held.stage, Stage::Waiting { outside: o, .. } if o == *outside);
        if self.waiting > 0 && self.held.iter().any(again) {
            return Err(Refused::Filtered);
        }
        let vacant = (0_u8..)
            .zip(&mut self.held)
            .find(|(_, held)| held.stage == Stage::Vacant);
        let (index, held) = vacant.ok_or(Refused::SynsHeld)?;
        held.stage = Stage::Waiting {
            outside: *outside,
            until: now.plus(self.hold_for),
        };
        self.waiting += 1;
        Ok(SynTicket {
            index,
            generation: held.generation,
        })
    }

    /// A SYN left towards where `outside` came from; says whether one like that is held.
    pub(crate) fn answer(&mut self, outside: Option<&Tuple>) -> bool {
        if self.waiting == 0 {
            return false;
        }
        let met = self.held.iter_mut().find(|held| match &held.stage {
            Stage::Waiting {
                outside: waiting, ..
            } => Some(waiting) == outside,
            Stage::Vacant | Stage::Unanswered { .. } | Stage::Answered => false,
        });
        let Some(held) = met else { return false };
        held.stage = Stage::Answered;
        self.waiting -= 1;
        self.settled += 1;
        true
    }

    pub(crate) fn soonest(&self) -> Option<Ticks> {
        if self.waiting == 0 {
            return None;
        }
        self.held
            .iter()
            .filter_map(|held| match held.stage {
                Stage::Waiting { until, .. } => Some(until),
                Stage::Vacant | Stage::Unanswered { .. } | Stage::Answered => None,
            })
            .min()
    }

    pub(crate) fn expire(&mut self, now: Ticks) {
        if self.waiting == 0 {
            return;
        }
        for held in &mut self.held {
            if let Stage::Waiting { outside, until } = held.stage
                && until <= now
            {
                held.stage = Stage::Unanswered { outside };
                self.waiting -= 1;
                self.settled += 1;
            }
        }
    }

    pub(crate) const fn has_event(&self) -> bool {
        self.settled > 0
    }

    pub(crate) fn poll(&mut self) -> Option<Event> {
        if self.settled == 0 {
            return None;
        }
        for (index, held) in (0_u8..).zip(&mut self.held) {
            let ticket = SynTicket {
                index,
                generation: held.generation,
            };
            let event = match held.stage {
                Stage::Vacant | Stage::Waiting { .. } => continue,
                Stage::Unanswered { outside } => Event::SynUnanswered { ticket, outside },
                Stage::Answered => Event::SynDropped { ticket },
            };
            held.stage = Stage::Vacant;
            held.generation = held.generation.wrapping_add(1);
            self.settled -= 1;
            return Some(event);
        }
        None
    }
}
