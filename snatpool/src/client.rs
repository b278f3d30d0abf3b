//! What is kept of each inside address: its outside addresses and its share.

use alloc::vec::Vec;

use crate::block::Blocks;
use crate::config::{ClientLimits, PoolId};
use crate::hash::{Keys, Purpose, home};
use crate::lines::Lines;
use crate::meter::touch;
use crate::pool::NO_ADDRESS;
use crate::record::{NONE, Octets};
use crate::refused::Refused;
use crate::time::Ticks;
use crate::tuple::Family;

/// Clients by inside address and pool. A client is forgotten some time after its last session
/// ended, or when its record is needed.
#[derive(Debug)]
pub(crate) struct Clients {
    records: Vec<Client>,
    pub(crate) blocks: Blocks,
    index: Lines,
    bound: usize,
    limits: ClientLimits,
    /// Unused records.
    vacant: u32,
    /// Clients without a session, the longest idle first.
    idle_head: u32,
    idle_tail: u32,
    /// The one found last: flows of a client come in bursts.
    last: u32,
}

/// One client of one pool.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Client {
    address: Octets,
    family: Family,
    pub(crate) pool: PoolId,
    /// The outside address of each family that all its flows use (RFC 4787 REQ-2).
    ipv4: u16,
    ipv6: u16,
    pub(crate) sessions: u32,
    pub(crate) ports: u32,
    /// Its sessions that eviction may take, as a list through [`Own`](crate::own::Own).
    pub(crate) evictable: u32,
    /// Its port blocks, as a list.
    pub(crate) blocks: u32,
    /// The second that `opened` counts.
    second: u32,
    opened: u16,
    idle_at: Ticks,
    next: u32,
    prev: u32,
}

/// How many idle clients a search for a block may look at.
const LOOKED_AT: usize = 24;

impl Clients {
    pub(crate) fn new(bound: usize, limits: ClientLimits, blocks: Blocks) -> Self {
        Self {
            blocks,
            records: Vec::with_capacity(bound),
            index: Lines::new(bound),
            bound,
            limits,
            vacant: NONE,
            idle_head: NONE,
            idle_tail: NONE,
            last: NONE,
        }
    }

    pub(crate) fn get(&self, slot: u32) -> Option<&Client> {
        self.records.get(slot as usize)
    }

    pub(crate) fn get_mut(&mut self, slot: u32) -> Option<&mut Client> {
        self.records.get_mut(slot as usize)
    }

    pub(crate) fn find(
        &self,
        keys: &Keys,
        pool: PoolId,
        family: Family,
        address: Octets,
    ) -> Option<u32> {
        self.index.find(hash(keys, pool, family, address), |slot| {
            touch(1);
            self.get(slot)
                .is_some_and(|client| client.is(pool, family, address))
        })
    }

    /// The client of this address. A new one is idle until it [opens](Self::open) a session.
    /// `None` if every record is a client with sessions.
    pub(crate) fn find_or_add(
        &mut self,
        keys: &Keys,
        now: Ticks,
        pool: PoolId,
        family: Family,
        address: Octets,
    ) -> Option<u32> {
        if self
            .get(self.last)
            .is_some_and(|client| client.is(pool, family, address))
        {
            return Some(self.last);
        }
        if let Some(slot) = self.find(keys, pool, family, address) {
            self.last = slot;
            return Some(slot);
        }
        let slot = self.vacate(keys)?;
        if let Some(client) = self.get_mut(slot) {
            *client = Client {
                address,
                family,
                pool,
                idle_at: now,
                ..Client::EMPTY
            };
        }
        self.index.insert(hash(keys, pool, family, address), slot);
        self.set_idle(now, slot);
        Some(slot)
    }

    /// A record for a new client: unused, or never used, or that of the longest idle client.
    fn vacate(&mut self, keys: &Keys) -> Option<u32> {
        if self.vacant == NONE {
            if self.records.len() < self.bound {
                self.records.push(Client::EMPTY);
                return Some(self.records.len() as u32 - 1);
            }
            if self.idle_head == NONE {
                return None;
            }
            self.forget(keys, self.idle_head);
        }
        let slot = self.vacant;
        self.vacant = self.get(slot)?.next;
        Some(slot)
    }

    /// Forgets clients that fell idle before `limit`, at most `count` of them. Returns whether
    /// there may be more.
    pub(crate) fn forget_idle(&mut self, keys: &Keys, limit: Ticks, count: u32) -> bool {
        for _ in 0..count {
            match self.soonest_idle() {
                Some(idle_at) if idle_at <= limit => self.forget(keys, self.idle_head),
                Some(_) | None => return false,
            }
        }
        true
    }

    /// Since when the longest idle client is idle.
    pub(crate) fn soonest_idle(&self) -> Option<Ticks> {
        self.get(self.idle_head).map(|client| client.idle_at)
    }

    fn forget(&mut self, keys: &Keys, slot: u32) {
        self.end_idle(slot);
        let vacant = self.vacant;
        let Some(client) = self.records.get_mut(slot as usize) else {
            return;
        };
        while client.blocks != NONE {
            self.blocks.close(client.blocks, &mut client.blocks);
        }
        client.next = vacant;
        let hash = hash(keys, client.pool, client.family, client.address);
        self.vacant = slot;
        if self.last == slot {
            self.last = NONE;
        }
        self.index.remove(home(hash), slot);
    }

    /// Why this client may not open another session now, if so; `port` says whether it would take
    /// another outside port (RFC 6888 REQ-4, REQ-5).
    pub(crate) fn refuses(&self, now: Ticks, slot: u32, port: bool) -> Option<Refused> {
        let client = self.get(slot)?;
        let ClientLimits {
            sessions,
            ports,
            new_per_second,
        } = self.limits;
        if new_per_second.is_some_and(|most| client.second == now.second() && client.opened >= most)
        {
            return Some(Refused::QuotaRate);
        }
        if sessions.is_some_and(|most| client.sessions >= most) {
            return Some(Refused::QuotaSessions);
        }
        if port && ports.is_some_and(|most| client.ports >= most) {
            return Some(Refused::QuotaPorts);
        }
        None
    }

    /// The client has one more session, and with it one more port if `port`.
    pub(crate) fn open(&mut self, now: Ticks, slot: u32, port: bool) {
        if self.get(slot).is_some_and(|client| client.sessions == 0) {
            self.end_idle(slot);
        }
        let Some(client) = self.get_mut(slot) else {
            return;
        };
        client.sessions += 1;
        client.ports += u32::from(port);
        if client.second != now.second() {
            client.second = now.second();
            client.opened = 0;
        }
        client.opened = client.opened.saturating_add(1);
    }

    /// One session less.
    pub(crate) fn close(&mut self, now: Ticks, slot: u32, port: bool) {
        let Some(client) = self.get_mut(slot) else {
            return;
        };
        client.sessions = client.sessions.saturating_sub(1);
        client.ports = client.ports.saturating_sub(u32::from(port));
        if client.sessions == 0 {
            self.set_idle(now, slot);
        }
    }

    /// A block of ports of this address for a client: an unused one, or one of a client that is
    /// idle, which is forgotten.
    pub(crate) fn grant_block(&mut self, keys: &Keys, slot: u32, address: u16) -> Option<u32> {
        if let Some(number) = self.grant_unused(slot, address) {
            return Some(number);
        }
        let mut idle = self.idle_head;
        for _ in 0..LOOKED_AT {
            touch(1);
            let client = self.get(idle)?;
            let next = client.next;
            let block = self.blocks.get(client.blocks);
            if idle != slot && block.is_some_and(|block| block.address == address) {
                self.forget(keys, idle);
                return self.grant_unused(slot, address);
            }
            idle = next;
        }
        None
    }

    fn grant_unused(&mut self, slot: u32, address: u16) -> Option<u32> {
        let client = self.records.get_mut(slot as usize)?;
        let owner = (client.pool, client.address.to_address(client.family));
        self.blocks.grant(address, owner, &mut client.blocks)
    }

    /// Whether a client has as many sessions or ports as it may have.
    pub(crate) fn over_share(&self, slot: u32) -> bool {
        let Some(client) = self.get(slot) else {
            return true;
        };
        let full = |limit: Option<u32>, count| limit.is_some_and(|most| count >= most);
        full(self.limits.sessions, client.sessions) || full(self.limits.ports, client.ports)
    }

    /// Gives a client the block that a port is in; `false` if another has it, or it is in none
    /// though its address is cut into blocks.
    pub(crate) fn claim_block(&mut self, slot: u32, address: u16, port: u16) -> bool {
        let Some(most) = self.blocks.per_client(address) else {
            return true;
        };
        let Some(number) = self.blocks.of_port(address, port) else {
            return false;
        };
        let Some(client) = self.records.get_mut(slot as usize) else {
            return false;
        };
        let owner = (client.pool, client.address.to_address(client.family));
        if self.blocks.is_of(number, owner) {
            return true;
        }
        self.blocks.count_of(address, client.blocks) < most
            && self.blocks.grant_this(number, owner, &mut client.blocks)
    }

    /// A session of this client has a port.
    pub(crate) fn enter_block(&mut self, address: u16, port: u16) {
        if let Some(number) = self.blocks.of_port(address, port) {
            self.blocks.enter(number);
        }
    }

    /// It gave it back. The client's last block stays.
    pub(crate) fn leave_block(&mut self, slot: u32, address: u16, port: u16) {
        let Some(number) = self.blocks.of_port(address, port) else {
            return;
        };
        let empty = self.blocks.leave(number);
        let Some(client) = self.records.get_mut(slot as usize) else {
            return;
        };
        let only = self
            .blocks
            .get(client.blocks)
            .is_none_or(|first| first.next == NONE);
        if empty && !only {
            self.blocks.close(number, &mut client.blocks);
        }
    }

    fn set_idle(&mut self, now: Ticks, slot: u32) {
        let tail = self.idle_tail;
        if let Some(client) = self.get_mut(slot) {
            client.idle_at = now;
            client.next = NONE;
            client.prev = tail;
        }
        match self.get_mut(tail) {
            Some(before) => before.next = slot,
            None => self.idle_head = slot,
        }
        self.idle_tail = slot;
    }

    fn end_idle(&mut self, slot: u32) {
        let Some(Client { next, prev, .. }) = self.get(slot).copied() else {
            return;
        };
        match self.get_mut(prev) {
            Some(before) => before.next = next,
            None => self.idle_head = next,
        }
        match self.get_mut(next) {
            Some(after) => after.prev = prev,
            None => self.idle_tail = prev,
        }
    }
}

impl Client {
    const EMPTY: Self = Self {
        address: Octets::ZERO,
        family: Family::Ipv4,
        pool: PoolId(0),
        ipv4: NO_ADDRESS,
        ipv6: NO_ADDRESS,
        sessions: 0,
        ports: 0,
        evictable: NONE,
        blocks: NONE,
        second: 0,
        opened: 0,
        idle_at: Ticks::ZERO,
        next: NONE,
        prev: NONE,
    };

    fn is(&self, pool: PoolId, family: Family, address: Octets) -> bool {
        self.address == address && self.family == family && self.pool == pool
    }

    /// The outside address that this client is paired with.
    pub(crate) const fn paired(&self, family: Family) -> Option<u16> {
        let number = match family {
            Family::Ipv4 => self.ipv4,
            Family::Ipv6 => self.ipv6,
        };
        if number == NO_ADDRESS {
            None
        } else {
            Some(number)
        }
    }

    pub(crate) const fn pair(&mut self, family: Family, number: u16) {
        match family {
            Family::Ipv4 => self.ipv4 = number,
            Family::Ipv6 => self.ipv6 = number,
        }
    }
}

fn hash(keys: &Keys, pool: PoolId, family: Family, address: Octets) -> u64 {
    let head = u64::from(pool.0) << 16 | (family as u64) << 8 | Purpose::Client as u64;
    keys.place_pair(head, address)
}
