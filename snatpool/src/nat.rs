//! The table of sessions: everything else in this crate serves it.

mod batch;
mod blocks;
mod choice;
mod close;
mod drain;
mod evict;
mod export;
mod fragments;
mod import;
mod lookup;
mod open;
mod poll;
mod stats;
mod timer;

#[cfg(test)]
mod tests;

use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::net::IpAddr;
use core::ops::Range;
use core::time::Duration;

use crate::binding::Bindings;
use crate::block::Blocks;
use crate::client::Clients;
use crate::config::{Config, ConfigError, Evict, Filter, Mapping, PoolId};
use crate::fragment::Fragments;
use crate::hash::Keys;
use crate::lifetime::{Deadlines, Lifetimes, Timer};
use crate::notice::Notices;
use crate::own::Own;
use crate::pool::{Address, Pools};
use crate::portset::{Kept, PortSets, SetKey};
use crate::queue::Queue;
use crate::session::{Session, SessionId};
use crate::stats::Counters;
use crate::syn::Syns;
use crate::table::Table;
use crate::time::{TICK, Ticks};
use crate::top::Top;
use crate::tuple::{Protocol, Tuple};
use crate::wheel::Wheel;

pub use export::ExportCursor;
pub use import::{ImportError, Imported};
pub use lookup::Lookup;
pub use stats::{AddressStats, Stats};

/// Sessions, the outside transport addresses they hold, and their timers.
///
/// Every call that depends on time takes `now`: the time since a fixed point that the caller
/// picks. A `now` that is earlier than one given before counts as that one. Time is kept in
/// sixteenths of a second: no timer fires early, and none more than an eighth late.
#[derive(Debug)]
pub struct SnatPool {
    keys: Keys,
    table: Table,
    wheel: Wheel,
    pools: Pools,
    clients: Clients,
    own: Own,
    bindings: Bindings,
    sets: PortSets,
    fragments: Fragments,
    syns: Syns,
    queue: Queue,
    probes: VecDeque<SessionId>,
    drained: VecDeque<IpAddr>,
    notices: Notices,
    lifetimes: Lifetimes,
    policy: Policy,
    counters: Counters,
    top: Top,
    /// The latest `now` seen, but for later ones within the same tick.
    latest: Duration,
    /// From which nanosecond of its second on the rest is wrong.
    stale_at: u32,
    /// The latest `now`, rounded down.
    now: Ticks,
    /// It, rounded up: the moment of a refresh, so that no timer fires early.
    seen: Ticks,
    /// What a refresh at that moment makes of the deadline of a session that moves data.
    fresh: Deadlines,
    /// Sessions that hold a port: live, or ended and pinned.
    holding: u32,
    /// Slots that cannot be given out: those, and ended sessions whose event waits.
    taken: u32,
    /// Turns equal requests into different guesses at a port.
    guesses: u64,
}

/// What of the configuration is looked at later.
#[derive(Clone, Copy, Debug)]
struct Policy {
    sessions: u32,
    slots: u32,
    evict: Evict,
    pairing_grace: Ticks,
    probe: bool,
    validate_rst: bool,
    inbound_refresh: bool,
}

/// How many probes may wait to be taken.
const PROBES: usize = 256;

impl SnatPool {
    /// Takes all memory there will be. Two pools with the same seed and the same calls pick the
    /// same ports; nobody without the seed can foretell them (RFC 6056).
    ///
    /// # Errors
    ///
    /// [`ConfigError`] says what cannot be.
    pub fn new(config: Config, seed: [u8; 32]) -> Result<Self, ConfigError> {
        let sessions = config.sessions;
        if sessions == 0 || sessions > Config::MAX_SESSIONS {
            return Err(ConfigError::Sessions { found: sessions });
        }
        let keys = Keys::new(seed);
        let pools = Pools::new(&config.pools)?;
        let lifetimes = Lifetimes::new(&config.timeouts);
        let table = Table::new(sessions as usize + SPARE);
        let (kept, independent) = sets_of_addresses(&pools);
        let limits = config.per_client;
        let cut = |entry: &Address| config.pools.get(usize::from(entry.pool.0));
        let blocks = Blocks::new(pools.addresses().filter_map(|(_, entry)| {
            cut(entry).map(|pool| (entry.address, &pool.ports, pool.blocks))
        }));
        Ok(Self {
            wheel: Wheel::new(lifetimes.longest().second_after()),
            clients: Clients::new(sessions as usize + SPARE, limits, blocks),
            own: Own::new(if limits.any() { table.slots() } else { 0 }),
            bindings: Bindings::new(if independent { sessions as usize } else { 0 }),
            sets: PortSets::new(&keys, sessions as usize / SESSIONS_PER_SET + 2, &kept),
            fragments: Fragments::new(
                config.fragmented_datagrams,
                Ticks::at_least(config.timeouts.get(Timer::Fragment)),
            ),
            syns: Syns::new(
                config.held_syns,
                Ticks::at_least(config.timeouts.get(Timer::TcpIncomingSyn)),
            ),
            queue: Queue::new(table.slots()),
            probes: VecDeque::with_capacity(if config.probe { PROBES } else { 0 }),
            drained: VecDeque::new(),
            notices: Notices::new(Ticks::at_least(config.notice_interval)),
            policy: Policy {
                sessions,
                slots: sessions + sessions / 16 + SPARE as u32,
                evict: config.evict,
                pairing_grace: Ticks::at_least(config.pairing_grace),
                probe: config.probe,
                validate_rst: config.validate_rst,
                inbound_refresh: config.inbound_refresh,
            },
            counters: Counters::default(),
            top: Top::new(usize::from(config.top_destinations)),
            latest: Duration::ZERO,
            stale_at: 0,
            now: Ticks::ZERO,
            seen: Ticks::ZERO,
            fresh: lifetimes.deadlines(Ticks::ZERO),
            holding: 0,
            taken: 0,
            guesses: 0,
            keys,
            table,
            pools,
            lifetimes,
        })
    }

    /// One more than the largest [`SessionId::slot`]: the length of a table indexed by session.
    #[must_use]
    pub fn slots(&self) -> u32 {
        self.table.slots() as u32
    }

    /// Whether an address is one of the outside addresses.
    #[must_use]
    pub fn owns(&self, address: IpAddr) -> bool {
        self.pools.find(address).is_some()
    }

    /// What is known of a live session.
    #[must_use]
    pub fn session(&self, id: SessionId) -> Option<Session> {
        let hot = self.table.live(id)?;
        Some(Session {
            id,
            pool: self.pool_of(id.slot)?,
            inside: hot.inside(),
            outside: self.outside(id.slot)?,
            state: hot.state,
            expires_at: self.due(id.slot)?.to_duration(),
            pinned: hot.kind.pinned(),
            from_outside: hot.kind.is_from_outside(),
        })
    }

    /// The pool that a session draws from.
    fn pool_of(&self, slot: u32) -> Option<PoolId> {
        self.table.cold.get(slot as usize).map(|cold| cold.pool)
    }

    /// The outside pair of a session.
    fn outside(&self, slot: u32) -> Option<Tuple> {
        let hot = self.table.hot.get(slot as usize)?;
        let address = self.pools.address(hot.address)?.address;
        Some(hot.outside(address))
    }

    /// Every live session, in the order of their slots.
    pub fn sessions(&self) -> impl Iterator<Item = Session> + '_ {
        self.sessions_in(0..self.slots())
    }

    /// The live sessions whose slots are in a range: who goes through all of them need not do so at once.
    pub fn sessions_in(&self, slots: Range<u32>) -> impl Iterator<Item = Session> + '_ {
        (slots.start..slots.end.min(self.slots()))
            .filter_map(|slot| self.session(self.table.id(slot)))
    }

    /// When a session ends if nothing refreshes it.
    #[inline]
    fn due(&self, slot: u32) -> Option<Ticks> {
        self.table.hot.get(slot as usize).map(|hot| hot.due)
    }

    #[inline]
    fn clock(&mut self, now: Duration) {
        // Almost always true, and cheaper to find out than which of two moments is the later.
        let same_tick =
            now.as_secs() == self.latest.as_secs() && now.subsec_nanos() < self.stale_at;
        if !same_tick {
            self.turn_clock(now);
        }
    }

    #[inline(never)]
    fn turn_clock(&mut self, now: Duration) {
        if now < self.latest {
            return;
        }
        self.latest = now;
        (self.now, self.seen) = Ticks::around(now);
        self.fresh = self.lifetimes.deadlines(self.seen);
        self.stale_at = now.subsec_nanos() + 1;
        if self.now != self.seen {
            let tick = TICK.subsec_nanos();
            self.stale_at = now.subsec_nanos() / tick * tick + tick;
        }
    }
}

/// Slots beyond the bound, so that small tables do not run full of untold events, and records of
/// clients, so that there is one for the newcomer that others make room for.
const SPARE: usize = 64;
/// One set of free ports for this many sessions: a peer needs one when about an eighth of an
/// address's ports are in use towards it.
const SESSIONS_PER_SET: usize = 8192;
/// How many freed ports of an endpoint-independent binding may rest at once.
const RESTING: usize = 4096;

/// The sets of free ports that endpoint-independent addresses always have, and whether there are
/// any such addresses.
fn sets_of_addresses(pools: &Pools) -> (Vec<Kept>, bool) {
    let mut sets = Vec::new();
    for (address, entry) in pools.addresses() {
        match entry.mapping {
            Mapping::EndpointIndependent => {
                for protocol in [Protocol::Tcp, Protocol::Udp, Protocol::Icmp] {
                    let Some(ports) = pools.ports(address, protocol) else {
                        continue;
                    };
                    let resting = match (entry.filter, protocol) {
                        // A freed port of TCP rests only for the sake of order.
                        (Filter::Endpoint, Protocol::Tcp) if entry.cut => 0,
                        (Filter::Endpoint, _) => RESTING,
                        (Filter::Address | Filter::AddressPort, _) => 0,
                    };
                    sets.push(Kept {
                        key: SetKey {
                            address,
                            protocol,
                            peer: None,
                        },
                        ports: *ports,
                        cut: entry.cut,
                        resting,
                    });
                }
            }
            Mapping::PerFlow => {}
        }
    }
    let independent = !sets.is_empty();
    (sets, independent)
}
