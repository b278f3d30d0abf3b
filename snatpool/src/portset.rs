//! Free ports, known exactly, where guessing no longer finds them.

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use crate::bits::Bits;
use crate::hash::{Keys, Purpose, home};
use crate::lines::Lines;
use crate::port::{Ports, Shuffle};
use crate::record::Octets;
use crate::time::Ticks;
use crate::tuple::Protocol;

/// What a set of free ports is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SetKey {
    pub(crate) address: u16,
    pub(crate) protocol: Protocol,
    /// Per flow: ports are counted towards each peer. Endpoint-independent: `None`.
    pub(crate) peer: Option<(Octets, u16)>,
}

impl SetKey {
    fn head(&self, purpose: Purpose) -> (u64, Octets) {
        let (peer, port) = self.peer.unwrap_or((Octets::ZERO, 0));
        let head = u64::from(port) << 48
            | u64::from(self.address) << 32
            | u64::from(self.peer.is_some()) << 16
            | (self.protocol as u64) << 8
            | purpose as u64;
        (head, peer)
    }

    fn place(&self, keys: &Keys) -> u64 {
        let (head, peer) = self.head(Purpose::Ports);
        keys.place_pair(head, peer)
    }
}

/// A bounded number of sets. A set starts with every port free and heals itself: a port that is
/// offered but found in use is struck out.
#[derive(Debug)]
pub(crate) struct PortSets {
    sets: Vec<PortSet>,
    index: Lines,
    vacant: Vec<u32>,
    /// Sets of peers in use.
    peers: u32,
}

#[derive(Debug)]
pub(crate) struct PortSet {
    key: SetKey,
    /// Positions of ports that may be free.
    free: Bits,
    /// Ports struck out because they are in use.
    used: u32,
    /// Ports freed last, oldest first, still struck out: taken when there is no other, so that
    /// the port freed longest ago goes first.
    recent: VecDeque<(u16, Ticks)>,
    recent_bound: usize,
    shuffle: Shuffle,
    cursors: [u32; 4],
}

/// How many ports freed last a peer's set keeps in order.
const RECENT_OF_PEER: usize = 32;
/// How many ports found in use one search may strike out.
const STRIKES: u32 = 24;

impl PortSets {
    /// Room for `peers` sets of peers, and one for each of `own`, whose freed ports rest in a list
    /// of the given length.
    pub(crate) fn new(keys: &Keys, peers: usize, own: &[(SetKey, usize)]) -> Self {
        let mut sets = Self {
            sets: Vec::with_capacity(peers + own.len()),
            index: Lines::new(peers + own.len()),
            vacant: Vec::with_capacity(peers),
            peers: 0,
        };
        for (key, recent) in own {
            let slot = sets.sets.len() as u32;
            sets.sets.push(PortSet::new(keys, *key, *recent));
            sets.index.insert(key.place(keys), slot);
        }
        for _ in 0..peers {
            sets.vacant.push(sets.sets.len() as u32);
            let nobody = SetKey {
                address: 0,
                protocol: Protocol::Tcp,
                peer: None,
            };
            sets.sets.push(PortSet::new(keys, nobody, RECENT_OF_PEER));
        }
        sets
    }

    /// Whether any peer has a set.
    pub(crate) const fn any_of_peers(&self) -> bool {
        self.peers > 0
    }

    /// The set of this key, if there is one.
    pub(crate) fn get(&mut self, keys: &Keys, key: &SetKey) -> Option<&mut PortSet> {
        let slot = self.find(keys, key)?;
        self.sets.get_mut(slot as usize)
    }

    fn find(&self, keys: &Keys, key: &SetKey) -> Option<u32> {
        if key.peer.is_some() && self.peers == 0 {
            return None;
        }
        let hash = key.place(keys);
        let is = |slot| {
            self.sets
                .get(slot as usize)
                .is_some_and(|set: &PortSet| set.key == *key)
        };
        self.index.find(hash, is)
    }

    /// The set of this key, made if need be and possible.
    pub(crate) fn promote(&mut self, keys: &Keys, key: &SetKey) -> Option<&mut PortSet> {
        let slot = match self.find(keys, key) {
            Some(slot) => slot,
            None => {
                let slot = self.vacant.pop()?;
                let set = self.sets.get_mut(slot as usize)?;
                set.key = *key;
                set.reseed(keys);
                self.index.insert(key.place(keys), slot);
                self.peers += 1;
                slot
            }
        };
        self.sets.get_mut(slot as usize)
    }

    /// A port is free again. `in_use` says of another port whether a session has it.
    pub(crate) fn release(
        &mut self,
        keys: &Keys,
        now: Ticks,
        key: &SetKey,
        ports: &Ports,
        port: u16,
        in_use: impl Fn(u16) -> bool,
    ) {
        let Some(slot) = self.find(keys, key) else {
            return;
        };
        let Some(set) = self.sets.get_mut(slot as usize) else {
            return;
        };
        set.release(now, ports, port, in_use);
        if set.used == 0 && key.peer.is_some() {
            while let Some((port, _)) = set.recent.pop_front() {
                set.offer(ports, port);
            }
            self.index.remove(home(key.place(keys)), slot);
            self.vacant.push(slot);
            self.peers = self.peers.saturating_sub(1);
        }
    }
}

impl PortSet {
    fn new(keys: &Keys, key: SetKey, recent_bound: usize) -> Self {
        let mut free = Bits::new(Ports::POSITIONS);
        for position in 0..Ports::POSITIONS {
            free.insert(position);
        }
        let mut set = Self {
            key,
            free,
            used: 0,
            recent: VecDeque::with_capacity(recent_bound + 1),
            recent_bound,
            shuffle: Shuffle(0),
            cursors: [0; 4],
        };
        set.reseed(keys);
        set
    }

    fn reseed(&mut self, keys: &Keys) {
        let (head, peer) = self.key.head(Purpose::Shuffle);
        self.shuffle = Shuffle(keys.secret_pair(head, peer));
        self.cursors = [0; 4];
    }

    /// Picks a port: one not used lately if there is one, else the one freed longest ago, if that
    /// is at least `rest` ago.
    pub(crate) fn pick(
        &mut self,
        now: Ticks,
        ports: &Ports,
        order: [usize; 4],
        rest: Ticks,
        in_use: impl Fn(u16) -> bool,
    ) -> Option<u16> {
        let mut strikes = 0;
        for number in order {
            while let Some(port) = self.strike_next(ports, number) {
                self.used += 1;
                if !in_use(port) {
                    return Some(port);
                }
                strikes += 1;
                if strikes == STRIKES {
                    return None;
                }
            }
        }
        while let Some((port, freed)) = self.recent.front().copied() {
            if freed.plus(rest) > now {
                return None;
            }
            self.recent.pop_front();
            if !in_use(port) {
                self.take(ports, port);
                return Some(port);
            }
        }
        None
    }

    /// Strikes out the next port of a run that may be free.
    fn strike_next(&mut self, ports: &Ports, number: usize) -> Option<u16> {
        let run = ports.run(number)?;
        let cursor = self.cursors.get_mut(number)?;
        let end = (run.base + run.len) as usize;
        let start = (run.base + (*cursor).min(run.len)) as usize;
        let below = |position: &usize| *position < end;
        let position = self
            .free
            .next(start)
            .filter(below)
            .or_else(|| self.free.next(run.base as usize).filter(below))?;
        self.free.remove(position);
        let index = position as u32 - run.base;
        *cursor = index + 1;
        Some(run.port(self.shuffle.apply(index, run.len)))
    }

    /// A port that [`pick`](Self::pick) gave is not used yet.
    pub(crate) fn give_back(&mut self, ports: &Ports, port: u16) {
        self.used = self.used.saturating_sub(1);
        self.offer(ports, port);
    }

    /// A port that was found free is now used.
    pub(crate) fn take(&mut self, ports: &Ports, port: u16) {
        if let Some(position) = self.position(ports, port) {
            self.free.remove(position);
            self.used += 1;
        }
    }

    /// Whether a port that no session has was freed less than `rest` ago.
    pub(crate) fn rests(&mut self, now: Ticks, ports: &Ports, port: u16, rest: Ticks) -> bool {
        for _ in 0..RECENT_OF_PEER {
            match self.recent.front().copied() {
                Some((rested, freed)) if freed.plus(rest) <= now => {
                    self.recent.pop_front();
                    self.offer(ports, rested);
                }
                Some(_) | None => break,
            }
        }
        self.position(ports, port)
            .is_some_and(|position| !self.free.contains(position))
    }

    fn release(&mut self, now: Ticks, ports: &Ports, port: u16, in_use: impl Fn(u16) -> bool) {
        let Some(position) = self.position(ports, port) else {
            return;
        };
        if self.free.contains(position) {
            return;
        }
        self.used = self.used.saturating_sub(1);
        self.recent.push_back((port, now));
        if self.recent.len() > self.recent_bound
            && let Some((oldest, _)) = self.recent.pop_front()
            && !in_use(oldest)
        {
            self.offer(ports, oldest);
        }
    }

    fn offer(&mut self, ports: &Ports, port: u16) {
        if let Some(position) = self.position(ports, port) {
            self.free.insert(position);
        }
    }

    fn position(&self, ports: &Ports, port: u16) -> Option<usize> {
        let (number, index) = ports.locate(port)?;
        let run = ports.run(number)?;
        Some((run.base + self.shuffle.invert(index, run.len)) as usize)
    }
}
