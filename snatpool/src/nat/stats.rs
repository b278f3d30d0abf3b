//! What operators ask.

use core::net::IpAddr;

use super::SnatPool;
use crate::config::PoolId;
use crate::event::Closed;
use crate::refused::Refused;
use crate::top::Destination;

/// A snapshot of the counters (RFC 7659's, as far as they apply).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// Sessions that live.
    pub live: u64,
    /// The most that ever lived at once.
    pub high_water: u64,
    /// Sessions that hold a port: `live`, and those that ended while pinned.
    pub holding: u64,
    /// Sessions opened in all. `opened` is `live` and all [`SnatPool::closed`], and, after
    /// [`SnatPool::continue_counters`], those that were not taken over.
    pub opened: u64,
    /// Flows that left by another address than their client's others.
    pub spilled: u64,
    /// RSTs that were passed on but not believed.
    pub implausible_rsts: u64,
    /// Ports sought by guessing alone, because every set of free ports was in use, or in vain in a
    /// set that did not know all ports in use yet: some flows may have been refused, or other
    /// sessions have made room, with a port free.
    pub searches_without_set: u64,
    /// Exhaustions that were not told, because one like it was told a short time ago.
    pub notices_suppressed: u64,
}

/// An outside address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct AddressStats {
    /// The address.
    pub address: IpAddr,
    /// The first pool that has it.
    pub pool: PoolId,
    /// Sessions that hold a port of it.
    pub sessions: u32,
    /// The most that ever did at once.
    pub high_water: u32,
    /// Whether it is being drained.
    pub draining: bool,
    /// Port blocks in use, and in all; `None` where it is not cut into blocks.
    pub blocks: Option<(u32, u32)>,
}

impl SnatPool {
    /// All counters.
    #[must_use]
    pub fn stats(&self) -> Stats {
        Stats {
            live: self.counters.live(),
            high_water: self.counters.high_water,
            holding: u64::from(self.holding),
            opened: self.counters.opened_in_all(),
            spilled: self.counters.spilled,
            implausible_rsts: self.counters.implausible_rsts,
            searches_without_set: self.counters.searches_without_set,
            notices_suppressed: self.notices.suppressed(),
        }
    }

    /// Lets the counters of `former`, whose sessions have been [imported](SnatPool::import), go on here;
    /// what lives, and the most that did, stay this pool's own.
    pub fn continue_counters(&mut self, former: &Self) {
        self.counters.continue_from(&former.counters);
        self.notices.continue_from(&former.notices);
    }

    /// Sessions that ended for this reason.
    #[must_use]
    pub fn closed(&self, why: Closed) -> u64 {
        self.counters.closed_by(why)
    }

    /// Packets refused for this reason.
    #[must_use]
    pub fn refused(&self, why: Refused) -> u64 {
        self.counters.refused_by(why)
    }

    /// The peers that most sessions were opened to since the start, the greatest first; as many as
    /// [`Config::top_destinations`](crate::Config::top_destinations) says.
    pub fn top_destinations(&self) -> impl Iterator<Item = Destination> + '_ {
        self.top.iter()
    }

    /// The outside addresses, in the order of the configuration.
    pub fn addresses(&self) -> impl Iterator<Item = AddressStats> + '_ {
        self.pools.addresses().map(|(number, entry)| AddressStats {
            blocks: self.clients.blocks.counts(number),
            address: entry.address,
            pool: entry.pool,
            sessions: entry.sessions,
            high_water: entry.high_water,
            draining: entry.draining,
        })
    }
}
