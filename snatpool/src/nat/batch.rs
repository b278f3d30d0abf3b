//! Many packets at once, so that their cache misses overlap.

use core::hint::black_box;
use core::time::Duration;

use super::SnatPool;
use super::lookup::{Lookup, outbound_key};
use crate::refused::Refused;
use crate::tuple::{Signal, Tuple};

/// How many packets are worked on together.
const WIDTH: usize = 32;

impl SnatPool {
    /// As [`outbound`](Self::outbound) for each packet in turn; `lookups` takes one result for
    /// each, as far as both reach. Faster than one by one where sessions are many and cold.
    pub fn outbound_batch(
        &mut self,
        now: Duration,
        packets: &[(Tuple, Signal)],
        lookups: &mut [Lookup],
    ) {
        self.clock(now);
        for (packets, lookups) in packets.chunks(WIDTH).zip(lookups.chunks_mut(WIDTH)) {
            let mut keys = [None; WIDTH];
            for (place, (tuple, _)) in keys.iter_mut().zip(packets) {
                *place = outbound_key(tuple).map(|key| (key.hash(&self.keys), key));
            }
            let mut slots = [None; WIDTH];
            for (slot, key) in slots.iter_mut().zip(&keys) {
                *slot = key.and_then(|(hash, _)| self.table.first_outbound(hash));
            }
            self.touch(&slots);
            for ((lookup, (tuple, signal)), key) in lookups.iter_mut().zip(packets).zip(&keys) {
                *lookup = match key {
                    Some((hash, key)) => self.outbound_at(*hash, key, tuple, *signal),
                    None => self.refuse(Refused::MixedFamilies),
                };
            }
        }
    }

    /// As [`inbound`](Self::inbound) for each packet in turn; see
    /// [`outbound_batch`](Self::outbound_batch).
    pub fn inbound_batch(
        &mut self,
        now: Duration,
        packets: &[(Tuple, Signal)],
        lookups: &mut [Lookup],
    ) {
        self.clock(now);
        for (packets, lookups) in packets.chunks(WIDTH).zip(lookups.chunks_mut(WIDTH)) {
            let mut keys = [None; WIDTH];
            for (place, (tuple, _)) in keys.iter_mut().zip(packets) {
                let key = self.inbound_key(tuple);
                *place = key.map(|key| (key.hash(&self.keys), key));
            }
            let mut slots = [None; WIDTH];
            for (slot, key) in slots.iter_mut().zip(&keys) {
                *slot = key.and_then(|(hash, _)| self.table.first_inbound(hash));
            }
            self.touch(&slots);
            for ((lookup, (tuple, signal)), key) in lookups.iter_mut().zip(packets).zip(&keys) {
                *lookup = match key {
                    Some((hash, key)) => self.inbound_at(*hash, key, tuple, *signal),
                    None => self.foreign(tuple),
                };
            }
        }
    }

    /// Reads the records, independently of each other, and uses what was read for nothing.
    fn touch(&self, slots: &[Option<u32>; WIDTH]) {
        let records = slots
            .iter()
            .flatten()
            .filter_map(|slot| self.table.hot.get(*slot as usize));
        black_box(records.fold(0, |sum, hot| sum ^ hot.due.0));
    }
}
