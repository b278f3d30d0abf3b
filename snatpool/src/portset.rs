//! Free ports, known exactly, where guessing no longer finds them.

use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::ops::RangeInclusive;

use crate::bits::Bits;
use crate::hash::{Keys, Purpose, home};
use crate::lines::Lines;
use crate::looks::Looks;
use crate::port::{Ports, Run, Shuffle};
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

/// A set that is there from the beginning.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Kept {
    pub(crate) key: SetKey,
    pub(crate) ports: Ports,
    /// Whether its address is cut into blocks.
    pub(crate) cut: bool,
    /// How many freed ports rest in a list.
    pub(crate) resting: usize,
}

/// Why no port was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Nowhere {
    /// None is free, as far as can be known.
    Full,
    /// Those that are free must rest, or would have to.
    Resting,
    /// It was sought for long enough.
    Unknown,
}

/// A bounded number of sets. A set starts with every port free and heals itself: a port that is
/// offered but found in use is struck out, and so is, bit by bit, every port that was in use before
/// the set was made.
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
    /// How many of them each run has.
    left: [u32; 4],
    /// Positions below were held to the sessions once, so that the set knows of all from before it
    /// was made.
    swept: usize,
    /// Ports struck out because they are in use.
    used: u32,
    /// Ports freed last, oldest first, still struck out: taken when there is no other, so that
    /// the port freed longest ago goes first.
    recent: VecDeque<(u16, Ticks)>,
    recent_bound: usize,
    /// `None` keeps ports that are neighbours so: where an address is cut into blocks.
    shuffle: Option<Shuffle>,
    cursors: [u32; 4],
}

/// How many ports freed last a peer's set keeps in order.
const RECENT_OF_PEER: usize = 8;
/// How many resting ports one call may see to.
const RESTED: usize = 4;
/// How many positions are held to the sessions for each new one. A set is made when about a third of
/// the ports are in use, and knows all before they are.
const SWEPT: u32 = 4;

impl PortSets {
    /// Room for `peers` sets of peers, and for those that are there from the beginning.
    pub(crate) fn new(keys: &Keys, peers: usize, kept: &[Kept]) -> Self {
        let mut sets = Self {
            sets: Vec::with_capacity(peers + kept.len()),
            index: Lines::new(peers + kept.len()),
            vacant: Vec::with_capacity(peers),
            peers: 0,
        };
        for Kept {
            key,
            ports,
            cut,
            resting,
        } in kept
        {
            let slot = sets.sets.len() as u32;
            let mut set = PortSet::new(*key, *resting);
            set.begin(keys, ports, *cut);
            // There are no sessions yet.
            set.swept = Ports::POSITIONS;
            sets.sets.push(set);
            sets.index.insert(key.place(keys), slot);
        }
        for _ in 0..peers {
            sets.vacant.push(sets.sets.len() as u32);
            let nobody = SetKey {
                address: 0,
                protocol: Protocol::Tcp,
                peer: None,
            };
            sets.sets.push(PortSet::new(nobody, RECENT_OF_PEER));
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

    /// The set of this key, made if need be and possible, of these ports of an address that may be cut
    /// into blocks.
    pub(crate) fn promote(
        &mut self,
        keys: &Keys,
        key: &SetKey,
        ports: &Ports,
        cut: bool,
    ) -> Option<&mut PortSet> {
        let slot = match self.find(keys, key) {
            Some(slot) => slot,
            None => {
                let slot = self.vacant.pop()?;
                let set = self.sets.get_mut(slot as usize)?;
                set.key = *key;
                set.begin(keys, ports, cut);
                // Where a port is sought in one block, the order of all freed ones is of no use.
                set.recent_bound = if cut { 0 } else { RECENT_OF_PEER };
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
    fn new(key: SetKey, recent_bound: usize) -> Self {
        let mut free = Bits::new(Ports::POSITIONS);
        for position in 0..Ports::POSITIONS {
            free.insert(position);
        }
        Self {
            key,
            free,
            left: [0; 4],
            swept: 0,
            used: 0,
            recent: VecDeque::with_capacity(recent_bound + 1),
            recent_bound,
            shuffle: None,
            cursors: [0; 4],
        }
    }

    /// Serves its key from now on, with every port free as far as it knows.
    fn begin(&mut self, keys: &Keys, ports: &Ports, cut: bool) {
        let (head, peer) = self.key.head(Purpose::Shuffle);
        self.shuffle = (!cut).then(|| Shuffle(keys.secret_pair(head, peer)));
        self.left = ports.lens();
        self.swept = 0;
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
        looks: &mut Looks,
        in_use: impl Fn(u16) -> bool,
    ) -> Result<u16, Nowhere> {
        for number in order {
            while self.left.get(number).is_some_and(|left| *left > 0) {
                if !looks.take(Looks::PORT_OF_SET) {
                    return Err(Nowhere::Unknown);
                }
                let Some(port) = self.strike_next(ports, number) else {
                    break;
                };
                if !in_use(port) {
                    return Ok(port);
                }
            }
        }
        while let Some((port, freed)) = self.recent.front().copied() {
            if freed.plus(rest) > now {
                return Err(Nowhere::Resting);
            }
            if !looks.take(Looks::PORT) {
                return Err(Nowhere::Unknown);
            }
            self.recent.pop_front();
            if !in_use(port) {
                self.take(ports, port);
                return Ok(port);
            }
        }
        // One that became free now would have to rest.
        Err(if rest > Ticks::ZERO {
            Nowhere::Resting
        } else {
            Nowhere::Full
        })
    }

    /// The same within a range of ports, from a place in it on that `lot` decides. Of ports that
    /// have rested any will do.
    pub(crate) fn pick_within(
        &mut self,
        ports: &Ports,
        (order, lot): ([usize; 4], u32),
        range: &RangeInclusive<u16>,
        looks: &mut Looks,
        in_use: impl Fn(u16) -> bool,
    ) -> Result<u16, Nowhere> {
        for number in order {
            let Some(run) = ports.run(number).copied() else {
                continue;
            };
            let (first, len) = run.part(range);
            if len == 0 || self.left.get(number).is_none_or(|left| *left == 0) {
                continue;
            }
            let start = (run.base + first) as usize;
            let (lot, end) = (start + (lot % len) as usize, start + len as usize);
            for (from, to) in [(lot, end), (start, lot)] {
                loop {
                    if !looks.take(Looks::PORT_OF_SET) {
                        return Err(Nowhere::Unknown);
                    }
                    let Some(port) = self.strike(&run, number, from, to) else {
                        break;
                    };
                    if !in_use(port) {
                        return Ok(port);
                    }
                }
            }
        }
        Err(Nowhere::Full)
    }

    /// Strikes out the next port of a run that may be free.
    fn strike_next(&mut self, ports: &Ports, number: usize) -> Option<u16> {
        let run = *ports.run(number)?;
        let cursor = self.cursors.get(number).copied()?;
        let (base, end) = (run.base as usize, (run.base + run.len) as usize);
        let start = base + cursor.min(run.len) as usize;
        self.strike(&run, number, start, end)
            .or_else(|| self.strike(&run, number, base, end))
    }

    /// The same between two positions of the run.
    fn strike(&mut self, run: &Run, number: usize, from: usize, end: usize) -> Option<u16> {
        let position = self.free.take_next(from, end)?;
        let index = position as u32 - run.base;
        if let (Some(left), Some(cursor)) =
            (self.left.get_mut(number), self.cursors.get_mut(number))
        {
            *left = left.saturating_sub(1);
            *cursor = index + 1;
        }
        self.used += 1;
        Some(
            run.port(
                self.shuffle
                    .map_or(index, |shuffle| shuffle.apply(index, run.len)),
            ),
        )
    }

    /// Strikes out ports that were in use before the set was made, a few at a time.
    pub(crate) fn sweep(&mut self, ports: &Ports, in_use: impl Fn(u16) -> bool) {
        for _ in 0..SWEPT {
            if self.swept >= Ports::POSITIONS {
                return;
            }
            let Some(position) = self.free.next(self.swept) else {
                self.swept = Ports::POSITIONS;
                return;
            };
            self.swept = position + 1;
            let run = ports.runs().find(|(_, run)| run.has(position as u32));
            let Some((number, run)) = run else {
                // Nothing but the rest of a word, or of all words.
                let behind = (position | 63) + 1;
                let more = ports
                    .runs()
                    .any(|(_, run)| run.len > 0 && run.base as usize >= behind);
                self.swept = if more { behind } else { Ports::POSITIONS };
                continue;
            };
            let index = position as u32 - run.base;
            let port = self
                .shuffle
                .map_or(index, |shuffle| shuffle.apply(index, run.len));
            if in_use(run.port(port)) {
                let cursor = self.cursors;
                self.strike(run, number, position, position + 1);
                self.cursors = cursor;
            }
        }
    }

    /// A port that [`pick`](Self::pick) gave is not used yet.
    pub(crate) fn give_back(&mut self, ports: &Ports, port: u16) {
        self.used = self.used.saturating_sub(1);
        self.offer(ports, port);
    }

    /// A port that was found free is now used.
    pub(crate) fn take(&mut self, ports: &Ports, port: u16) {
        if let Some((number, position)) = self.position(ports, port) {
            if self.free.remove(position)
                && let Some(left) = self.left.get_mut(number)
            {
                *left = left.saturating_sub(1);
            }
            self.used += 1;
        }
    }

    /// Whether a port that no session has was freed less than `rest` ago.
    pub(crate) fn rests(&mut self, now: Ticks, ports: &Ports, port: u16, rest: Ticks) -> bool {
        self.see_to_resting(now, ports, rest);
        self.position(ports, port)
            .is_some_and(|(_, position)| !self.free.contains(position))
    }

    /// Offers the ports that have rested for long enough, a few at a time.
    pub(crate) fn see_to_resting(&mut self, now: Ticks, ports: &Ports, rest: Ticks) {
        for _ in 0..RESTED {
            match self.recent.front().copied() {
                Some((rested, freed)) if freed.plus(rest) <= now => {
                    self.recent.pop_front();
                    self.offer(ports, rested);
                }
                Some(_) | None => return,
            }
        }
    }

    fn release(&mut self, now: Ticks, ports: &Ports, port: u16, in_use: impl Fn(u16) -> bool) {
        let Some((_, position)) = self.position(ports, port) else {
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
        if let Some((number, position)) = self.position(ports, port)
            && self.free.insert(position)
            && let Some(left) = self.left.get_mut(number)
        {
            *left += 1;
        }
    }

    /// The run of a port, and its position.
    fn position(&self, ports: &Ports, port: u16) -> Option<(usize, usize)> {
        let (number, index) = ports.locate(port)?;
        let run = ports.run(number)?;
        let place = self
            .shuffle
            .map_or(index, |shuffle| shuffle.invert(index, run.len));
        Some((number, (run.base + place) as usize))
    }
}

#[cfg(test)]
mod tests;
