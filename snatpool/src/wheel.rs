//! When to look at a session next.

use alloc::boxed::Box;
use alloc::vec;

use crate::bits::Bits;
use crate::lifetime::Class;
use crate::meter::touch;
use crate::record::{Cold, NONE};

/// One ring of seconds for each [`Class`]: the first occupied slot of a class is its soonest
/// deadline. A slot is a list through the `next` and `prev` of its sessions, oldest first.
#[derive(Debug)]
pub(crate) struct Wheel {
    rings: [Ring; Class::COUNT],
    mask: u32,
}

#[derive(Debug)]
struct Ring {
    heads: Box<[u32]>,
    occupied: Bits,
    /// Sessions that stand in it.
    len: u32,
    /// No occupied slot stands for a second before this one.
    base: u32,
}

/// `armed` holds the class above these bits and the place in its ring in them.
const PLACE_BITS: u32 = 13;
/// Of a session that stands nowhere.
pub(crate) const UNARMED: u16 = u16::MAX;

impl Wheel {
    /// For deadlines up to `span` seconds ahead; later ones are looked at early and sent on.
    pub(crate) fn new(span: u32) -> Self {
        let len = span
            .saturating_add(2)
            .next_power_of_two()
            .clamp(64, 1 << PLACE_BITS);
        let ring = || Ring {
            heads: vec![NONE; len as usize].into_boxed_slice(),
            occupied: Bits::new(len as usize),
            len: 0,
            base: 0,
        };
        Self {
            rings: [ring(), ring(), ring(), ring()],
            mask: len - 1,
        }
    }

    /// Puts a session that stands nowhere behind those of its second. `now` is the second it is.
    pub(crate) fn arm(
        &mut self,
        cold: &mut [Cold],
        slot: u32,
        class: Class,
        second: u32,
        now: u32,
    ) {
        touch(1);
        let mask = self.mask;
        let Some(ring) = self.rings.get_mut(class as usize) else {
            return;
        };
        if ring.len == 0 {
            // Nobody may have called for longer than the ring spans. Not up to `second`: a deadline
            // beyond the span must not make all sooner ones of its class late.
            ring.base = ring.base.max(now);
        }
        let second = second.clamp(ring.base, ring.base.saturating_add(mask));
        let place = second & mask;
        let Some(head) = ring.heads.get_mut(place as usize) else {
            return;
        };
        let (next, prev) = if *head == NONE {
            *head = slot;
            ring.occupied.insert(place as usize);
            (slot, slot)
        } else {
            let next = *head;
            let prev = cold.get(next as usize).map_or(next, |record| record.prev);
            (next, prev)
        };
        if let Some(record) = cold.get_mut(slot as usize) {
            record.next = next;
            record.prev = prev;
            record.armed = (class as u16) << PLACE_BITS | place as u16;
            ring.len += 1;
        }
        if next != slot {
            if let Some(record) = cold.get_mut(next as usize) {
                record.prev = slot;
            }
            if let Some(record) = cold.get_mut(prev as usize) {
                record.next = slot;
            }
        }
    }

    /// Takes a session out of its list.
    pub(crate) fn disarm(&mut self, cold: &mut [Cold], slot: u32) {
        touch(1);
        let Some(record) = cold.get_mut(slot as usize) else {
            return;
        };
        let Cold {
            next, prev, armed, ..
        } = *record;
        if armed == UNARMED {
            return;
        }
        record.armed = UNARMED;
        if let Some(record) = cold.get_mut(next as usize) {
            record.prev = prev;
        }
        if let Some(record) = cold.get_mut(prev as usize) {
            record.next = next;
        }
        let place = u32::from(armed) & self.mask;
        let Some(ring) = self.rings.get_mut(usize::from(armed >> PLACE_BITS)) else {
            return;
        };
        ring.len = ring.len.saturating_sub(1);
        let Some(head) = ring.heads.get_mut(place as usize) else {
            return;
        };
        if *head == slot {
            if next == slot {
                *head = NONE;
                ring.occupied.remove(place as usize);
            } else {
                *head = next;
            }
        }
    }

    /// The class of a session that stands somewhere, and the second it stands for.
    pub(crate) fn standing(&self, cold: &Cold) -> Option<(u16, u32)> {
        let class = cold.armed >> PLACE_BITS;
        let ring = self.rings.get(usize::from(class))?;
        let ahead = u32::from(cold.armed).wrapping_sub(ring.base) & self.mask;
        Some((class, ring.base.saturating_add(ahead)))
    }

    /// The soonest second of a class, and the session that has stood there longest.
    pub(crate) fn soonest(&self, class: Class) -> Option<(u32, u32)> {
        let ring = self.rings.get(class as usize).filter(|ring| ring.len > 0)?;
        let base = (ring.base & self.mask) as usize;
        let place = ring.occupied.next(base).or_else(|| ring.occupied.next(0))?;
        let ahead = (place as u32).wrapping_sub(base as u32) & self.mask;
        let head = ring.heads.get(place)?;
        Some((ring.base.saturating_add(ahead), *head))
    }

    /// Nothing of this class stands before `second` any more.
    pub(crate) fn advance(&mut self, class: Class, second: u32) {
        if let Some(ring) = self.rings.get_mut(class as usize) {
            ring.base = ring.base.max(second);
        }
    }
}
