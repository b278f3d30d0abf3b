//! What is kept of each inside address: its outside addresses and its share.

use alloc::boxed::Box;
use alloc::vec;
use core::net::IpAddr;

use crate::block::Blocks;
use crate::config::{ClientLimits, PoolId};
use crate::hash::{Keys, Purpose, home};
use crate::looks::Looks;
use crate::meter::touch;
use crate::pool::NO_ADDRESS;
use crate::record::{NONE, Octets};
use crate::refused::Refused;
use crate::tags::Tags;
use crate::time::Ticks;
use crate::tuple::Family;

/// Clients by inside address and pool. A client is forgotten some time after its last session
/// ended, or when its record is needed.
#[derive(Debug)]
pub(crate) struct Clients {
    tags: Tags,
    records: Box<[Client]>,
    /// What quotas ask of each; empty if there are none.
    shares: Box<[Share]>,
    /// Each one's port blocks, as a list, and how many; empty if no address is cut into blocks.
    heads: Box<[u32]>,
    held: Box<[u16]>,
    pub(crate) blocks: Blocks,
    /// Clients known, and how many there may be.
    len: usize,
    bound: usize,
    limits: ClientLimits,
    /// Clients without a session, the longest idle first.
    idle_head: u32,
    idle_tail: u32,
    /// The one found last: flows of a client come in bursts.
    last: u32,
}

/// One client of one pool. Packed, for where every session is another client's.
#[derive(Clone, Copy, Debug)]
#[repr(C, packed(2))]
pub(crate) struct Client {
    address: Octets,
    family: Family,
    pub(crate) pool: PoolId,
    /// The outside address of each family that all its flows use (RFC 4787 REQ-2).
    ipv4: u16,
    ipv6: u16,
    /// Its sessions; of one without, the tick in which the last of them ended.
    sessions: u32,
    /// Its neighbours among the idle; [`BUSY`] is the next of one with sessions.
    next: u32,
    prev: u32,
}

const _: () = assert!(size_of::<Client>() == 34);

/// What quotas count of a client.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Share {
    ports: u32,
    /// Its sessions that eviction may take, as a list through [`Own`](crate::own::Own).
    pub(crate) evictable: u32,
    /// The second that `opened` counts.
    second: u32,
    opened: u16,
}

const BUSY: u32 = NONE - 1;

impl Clients {
    pub(crate) fn new(bound: usize, limits: ClientLimits, blocks: Blocks) -> Self {
        let tags = Tags::new(bound);
        let slots = tags.slots();
        let counted = if limits.any() { slots } else { 0 };
        let cut = if blocks.is_unused() { 0 } else { slots };
        Self {
            records: vec![Client::EMPTY; slots].into_boxed_slice(),
            shares: vec![Share::EMPTY; counted].into_boxed_slice(),
            heads: vec![NONE; cut].into_boxed_slice(),
            held: vec![0; cut].into_boxed_slice(),
            tags,
            blocks,
            len: 0,
            bound,
            limits,
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

    pub(crate) fn share(&self, slot: u32) -> Option<&Share> {
        self.shares.get(slot as usize)
    }

    pub(crate) fn share_mut(&mut self, slot: u32) -> Option<&mut Share> {
        self.shares.get_mut(slot as usize)
    }

    /// The first of its port blocks, or [`NONE`].
    pub(crate) fn first_block(&self, slot: u32) -> u32 {
        self.heads.get(slot as usize).copied().unwrap_or(NONE)
    }

    /// How many port blocks it has of all addresses.
    pub(crate) fn held_blocks(&self, slot: u32) -> u16 {
        self.held.get(slot as usize).copied().unwrap_or(0)
    }

    /// Whether a port is in a block of its own.
    pub(crate) fn has_block_of(&self, slot: u32, address: u16, port: u16) -> bool {
        let block = self.blocks.of_port(address, port);
        let client = self.get(slot).map(Client::owner);
        block.zip(client).is_some_and(|(block, client)| {
            touch(1);
            self.blocks.is_of(block, client)
        })
    }

    fn count_block(&mut self, slot: u32, more: bool) {
        if let Some(held) = self.held.get_mut(slot as usize) {
            *held = if more {
                held.saturating_add(1)
            } else {
                held.saturating_sub(1)
            };
        }
    }

    pub(crate) fn find(
        &self,
        keys: &Keys,
        pool: PoolId,
        family: Family,
        address: Octets,
    ) -> Option<u32> {
        self.tags.find(hash(keys, pool, family, address), |slot| {
            touch(1);
            self.get(slot)
                .is_some_and(|client| client.is(pool, family, address))
        })
    }

    /// The client of this address, and whether it is new: then it is idle until it
    /// [opens](Self::open) a session, and must be
    /// [forgotten](Self::forget_unless_busy) if it does not. `None` if every record is a client with
    /// sessions.
    pub(crate) fn find_or_add(
        &mut self,
        keys: &Keys,
        now: Ticks,
        pool: PoolId,
        family: Family,
        address: Octets,
    ) -> Option<(u32, bool)> {
        if self
            .get(self.last)
            .is_some_and(|client| client.is(pool, family, address))
        {
            return Some((self.last, false));
        }
        if let Some(slot) = self.find(keys, pool, family, address) {
            self.last = slot;
            return Some((slot, false));
        }
        if self.len >= self.bound {
            if self.idle_head == NONE {
                return None;
            }
            self.forget(keys, self.idle_head);
        }
        let slot = self.tags.insert(hash(keys, pool, family, address))?.slot;
        self.len += 1;
        if let Some(client) = self.get_mut(slot) {
            *client = Client {
                address,
                family,
                pool,
                ..Client::EMPTY
            };
        }
        if let Some(share) = self.share_mut(slot) {
            *share = Share::EMPTY;
        }
        self.set_idle(now, slot);
        self.last = slot;
        Some((slot, true))
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
        self.get(self.idle_head)
            .map(|client| Ticks(client.sessions))
    }

    /// Forgets a client that was made for a session that was refused: it would only hide others
    /// that are idle.
    pub(crate) fn forget_unless_busy(&mut self, keys: &Keys, slot: u32) {
        if self.get(slot).is_some_and(|client| client.next != BUSY) {
            self.forget(keys, slot);
        }
    }

    fn forget(&mut self, keys: &Keys, slot: u32) {
        self.end_idle(slot);
        if let Some(head) = self.heads.get_mut(slot as usize) {
            while *head != NONE {
                self.blocks.close(*head, head);
            }
        }
        if let Some(held) = self.held.get_mut(slot as usize) {
            *held = 0;
        }
        let Some(client) = self.get_mut(slot) else {
            return;
        };
        let hash = hash(keys, client.pool, client.family, client.address);
        *client = Client::EMPTY;
        if self.last == slot {
            self.last = NONE;
        }
        self.tags.free(slot, Some(home(hash)));
        self.len -= 1;
    }

    /// Why this client may not open another session now, if so; `port` says whether it would take
    /// another outside port (RFC 6888 REQ-4, REQ-5).
    pub(crate) fn refuses(&self, now: Ticks, slot: u32, port: bool) -> Option<Refused> {
        let share = self.share(slot)?;
        let ClientLimits {
            sessions,
            ports,
            new_per_second,
        } = self.limits;
        if new_per_second.is_some_and(|most| share.second == now.second() && share.opened >= most) {
            return Some(Refused::QuotaRate);
        }
        let held = self.get(slot)?.sessions();
        if sessions.is_some_and(|most| held >= most) {
            return Some(Refused::QuotaSessions);
        }
        if port && ports.is_some_and(|most| share.ports >= most) {
            return Some(Refused::QuotaPorts);
        }
        None
    }

    /// The client has one more session, and with it one more port if `port`.
    pub(crate) fn open(&mut self, now: Ticks, slot: u32, port: bool) {
        if self.get(slot).is_some_and(|client| client.next != BUSY) {
            self.end_idle(slot);
        }
        if let Some(client) = self.get_mut(slot) {
            client.sessions += 1;
        }
        if let Some(share) = self.share_mut(slot) {
            share.ports += u32::from(port);
            if share.second != now.second() {
                share.second = now.second();
                share.opened = 0;
            }
            share.opened = share.opened.saturating_add(1);
        }
    }

    /// One session less.
    pub(crate) fn close(&mut self, now: Ticks, slot: u32, port: bool) {
        if let Some(share) = self.share_mut(slot) {
            share.ports = share.ports.saturating_sub(u32::from(port));
        }
        let Some(client) = self.get_mut(slot) else {
            return;
        };
        client.sessions = client.sessions().saturating_sub(1);
        if client.sessions == 0 {
            self.set_idle(now, slot);
        }
    }

    /// A block of ports of this address for a client: an unused one, or one of a client that is
    /// idle, which is forgotten.
    pub(crate) fn grant_block(
        &mut self,
        keys: &Keys,
        slot: u32,
        address: u16,
        looks: &mut Looks,
    ) -> Option<u32> {
        if let Some(number) = self.grant_unused(slot, address) {
            return Some(number);
        }
        let mut idle = self.idle_head;
        while looks.take(Looks::ENTRY) {
            touch(1);
            let client = self.get(idle)?;
            let next = client.next;
            let block = self.blocks.get(self.first_block(idle));
            if idle != slot && block.is_some_and(|block| block.address == address) {
                self.forget(keys, idle);
                return self.grant_unused(slot, address);
            }
            idle = next;
        }
        None
    }

    fn grant_unused(&mut self, slot: u32, address: u16) -> Option<u32> {
        let owner = self.get(slot)?.owner();
        let head = self.heads.get_mut(slot as usize)?;
        let granted = self.blocks.grant(address, owner, head)?;
        self.count_block(slot, true);
        Some(granted)
    }

    /// Whether a client has as many sessions or ports as it may have.
    pub(crate) fn over_share(&self, slot: u32) -> bool {
        let Some(client) = self.get(slot) else {
            return true;
        };
        let ports = self.share(slot).map_or(0, |share| share.ports);
        let full = |limit: Option<u32>, count| limit.is_some_and(|most| count >= most);
        full(self.limits.sessions, client.sessions()) || full(self.limits.ports, ports)
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
        let Some(owner) = self.get(slot).map(Client::owner) else {
            return false;
        };
        let Some(head) = self.heads.get_mut(slot as usize) else {
            return false;
        };
        if self.blocks.is_of(number, owner) {
            return true;
        }
        let granted = self.blocks.count_of(address, *head) < most
            && self.blocks.grant_this(number, owner, head);
        if granted {
            self.count_block(slot, true);
        }
        granted
    }

    /// A session of this client has a port.
    pub(crate) fn enter_block(&mut self, address: u16, port: u16) {
        if let Some(number) = self.blocks.of_port(address, port) {
            self.blocks.enter(number);
        }
    }

    /// It gave it back. The client's last block stays; of more than one, this is where a port is free.
    pub(crate) fn leave_block(&mut self, slot: u32, address: u16, port: u16) {
        let Some(number) = self.blocks.of_port(address, port) else {
            return;
        };
        let empty = self.blocks.leave(number);
        let Some(head) = self.heads.get_mut(slot as usize) else {
            return;
        };
        let only = self
            .blocks
            .get(*head)
            .is_none_or(|first| first.next == NONE);
        if only {
            return;
        }
        if empty {
            self.blocks.close(number, head);
            self.count_block(slot, false);
        } else {
            self.blocks.put_first(number, head);
        }
    }

    fn set_idle(&mut self, now: Ticks, slot: u32) {
        let tail = self.idle_tail;
        if let Some(client) = self.get_mut(slot) {
            client.sessions = now.0;
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
        if let Some(client) = self.get_mut(slot) {
            client.sessions = 0;
            client.next = BUSY;
        }
    }
}

impl Share {
    const EMPTY: Self = Self {
        ports: 0,
        evictable: NONE,
        second: 0,
        opened: 0,
    };
}

impl Client {
    const EMPTY: Self = Self {
        address: Octets::ZERO,
        family: Family::Ipv4,
        pool: PoolId(0),
        ipv4: NO_ADDRESS,
        ipv6: NO_ADDRESS,
        sessions: 0,
        next: NONE,
        prev: NONE,
    };

    fn is(&self, pool: PoolId, family: Family, address: Octets) -> bool {
        { self.address }.is(address) && self.family == family && self.pool == pool
    }

    const fn owner(&self) -> (PoolId, IpAddr) {
        (self.pool, { self.address }.to_address(self.family))
    }

    const fn sessions(&self) -> u32 {
        if self.next == BUSY { self.sessions } else { 0 }
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
