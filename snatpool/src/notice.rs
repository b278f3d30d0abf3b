//! What ran out, told once per subject and interval.

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::vec;
use core::net::IpAddr;

use crate::config::PoolId;
use crate::event::{Event, Exhausted};
use crate::hash::{Keys, Purpose};
use crate::record::Octets;
use crate::refused::Refused;
use crate::time::Ticks;
use crate::tuple::Family;

/// How many notices are remembered, and how many may wait.
const REMEMBERED: usize = 256;

/// A notice is remembered at the place its hash names; another that falls there replaces it, which
/// can only repeat a notice early.
#[derive(Debug)]
pub(crate) struct Notices {
    told: Box<[Option<(Notice, Ticks)>]>,
    waiting: VecDeque<Notice>,
    interval: Ticks,
    suppressed: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Notice {
    Ports(Exhausted),
    Addresses {
        pool: PoolId,
        family: Family,
    },
    Quota {
        pool: PoolId,
        client: IpAddr,
        why: Refused,
    },
}

impl Notice {
    fn hash(&self, keys: &Keys) -> u64 {
        let head = |kind: u8, low: u8, high: u16| {
            u64::from(high) << 24
                | u64::from(low) << 16
                | u64::from(kind) << 8
                | Purpose::Notice as u64
        };
        let none = Octets::ZERO;
        match *self {
            Self::Ports(Exhausted {
                address,
                peer,
                protocol,
            }) => {
                let (one, other) = (Octets::of(address), Octets::of(peer.address));
                keys.place_both(head(0, protocol as u8, peer.port), one, other)
            }
            Self::Addresses { pool, family } => {
                keys.place_both(head(1, pool.0, family as u16), none, none)
            }
            Self::Quota { pool, client, why } => {
                let head = head(2, pool.0, why.index() as u16);
                keys.place_both(head, Octets::of(client), none)
            }
        }
    }
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

    pub(crate) fn tell(&mut self, keys: &Keys, now: Ticks, notice: Notice) {
        let place = notice.hash(keys) as usize % REMEMBERED;
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

    pub(crate) fn poll(&mut self) -> Option<Event> {
        let notice = self.waiting.pop_front()?;
        Some(match notice {
            Notice::Ports(exhausted) => Event::Exhausted(exhausted),
            Notice::Addresses { pool, family } => Event::NoAddress { pool, family },
            Notice::Quota { pool, client, why } => Event::QuotaExceeded { pool, client, why },
        })
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Goes on from another's count.
    pub(crate) fn continue_from(&mut self, former: &Self) {
        self.suppressed = self.suppressed.saturating_add(former.suppressed);
    }

    /// Notices that were not told.
    pub(crate) const fn suppressed(&self) -> u64 {
        self.suppressed
    }
}
