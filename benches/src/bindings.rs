//! Sessions to be looked up, IPv6 on both sides, and the floor beneath every table of them.

use core::net::{IpAddr, Ipv6Addr};
use core::time::Duration;

use hashbrown::HashTable;
use siphasher::sip::SipHasher13;
use snatpool::{
    Config, PoolConfig, PoolId, Protocol, SessionId, Signal, SnatPool, TransportAddress, Tuple,
};

/// Flows of one client, each from a port of its own.
const FLOWS_PER_CLIENT: u32 = 64;
const PEERS: u32 = 4099;
/// How many others are opened before a flow is closed again.
pub const LIVES: usize = 1024;
const ADDRESSES: u16 = 16;

/// A pool with so many confirmed UDP sessions.
pub struct Flows {
    /// The pool.
    pub nat: SnatPool,
    outside: Vec<Tuple>,
    young: Box<[Option<SessionId>]>,
}

/// A flow to be looked up.
#[derive(Clone, Copy)]
pub struct Turn {
    /// Which one.
    pub index: u32,
    /// A packet from inside.
    pub inside: Tuple,
    /// A packet from outside.
    pub outside: Tuple,
}

impl Flows {
    /// Opens and confirms `sessions`.
    ///
    /// # Panics
    /// If one is refused.
    #[must_use]
    pub fn open(sessions: u32) -> Self {
        let address = |index| IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0x46, 0, 0, 0, 0, index));
        let pool = PoolConfig::new((1..=ADDRESSES).map(address).collect());
        let room = sessions + sessions / 8 + LIVES as u32 + 16;
        let config = Config::new(room, vec![pool]);
        let mut nat = SnatPool::new(config, [7; 32]).expect("a sound configuration");
        let now = Duration::ZERO;
        let mut outside = Vec::with_capacity(sessions as usize);
        for index in 0..sessions {
            let id = bind(&mut nat, now, index).expect("room for all");
            while nat.poll_event().is_some() {}
            let reply = nat.session(id).expect("just opened").outside.reversed();
            let _ = nat.inbound(now, &reply, Signal::None);
            outside.push(reply);
        }
        let young = vec![None; LIVES].into();
        Self {
            nat,
            outside,
            young,
        }
    }

    /// `count` flows in no order.
    #[must_use]
    pub fn turns(&self, count: usize) -> Vec<Turn> {
        let mut state = 0x9e37_79b9_7f4a_7c15_u64;
        let mut next = || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state >> 33) as usize % self.outside.len()
        };
        let turn = |index: usize| Turn {
            index: index as u32,
            inside: inside(index as u32),
            outside: self.outside[index],
        };
        (0..count).map(|_| turn(next())).collect()
    }

    /// Opens the flow `index`, and closes the one that was opened [`LIVES`] calls ago; `false` if
    /// either failed.
    pub fn open_and_close(&mut self, now: Duration, index: u32) -> bool {
        let Some(id) = bind(&mut self.nat, now, index) else {
            return false;
        };
        let place = index as usize % LIVES;
        let oldest = self.young[place].replace(id);
        let closed = oldest.is_none_or(|oldest| self.nat.close(now, oldest));
        while self.nat.poll_event().is_some() {}
        closed
    }
}

fn bind(nat: &mut SnatPool, now: Duration, index: u32) -> Option<SessionId> {
    let tuple = inside(index);
    let peer = tuple.destination.address;
    nat.bind(now, PoolId(0), &tuple, peer, None, Signal::None)
        .ok()
}

fn inside(index: u32) -> Tuple {
    let client = index / FLOWS_PER_CLIENT;
    let peer = index % PEERS;
    let address = |group, number: u32| {
        let [high, low] = [(number >> 16) as u16, number as u16];
        IpAddr::V6(Ipv6Addr::new(0xfd00, group, 0, 0, 0, 0, high, low))
    };
    Tuple {
        protocol: Protocol::Udp,
        source: TransportAddress::new(
            address(1, client),
            20_000 + (index % FLOWS_PER_CLIENT) as u16,
        ),
        destination: TransportAddress::new(address(2, peer), 443),
    }
}

/// A hashbrown table of slots, and a record of 64 bytes in each.
pub struct Floor {
    hasher: SipHasher13,
    slots: HashTable<u32>,
    records: Vec<Record>,
}

#[repr(align(64))]
#[derive(Clone, Copy)]
struct Record {
    key: [u8; 40],
    seen: u32,
}

impl Floor {
    /// With `sessions` records, and room for a few more.
    #[must_use]
    pub fn open(sessions: u32) -> Self {
        let room = sessions as usize + sessions as usize / 8 + LIVES + 16;
        let mut floor = Self {
            hasher: SipHasher13::new_with_keys(1, 2),
            slots: HashTable::with_capacity(room),
            records: vec![
                Record {
                    key: [0; 40],
                    seen: 0
                };
                room
            ],
        };
        (0..sessions).for_each(|index| floor.insert(&Self::key(index), index));
        floor
    }

    /// The key of a flow.
    #[must_use]
    pub fn key(index: u32) -> [u8; 40] {
        Self::key_of(&inside(index))
    }

    /// The key of a flow, made of what a packet says.
    #[inline]
    #[must_use]
    pub fn key_of(tuple: &Tuple) -> [u8; 40] {
        let (source, destination) = (tuple.source, tuple.destination);
        let mut key = [0; 40];
        let (words, _) = key.as_chunks_mut::<8>();
        let [one, two] = words_of(source.address);
        let [three, four] = words_of(destination.address);
        let ports = u64::from(source.port) << 16 | u64::from(destination.port);
        for (place, word) in words.iter_mut().zip([one, two, three, four, ports]) {
            *place = word.to_ne_bytes();
        }
        key
    }

    /// Finds a record, compares its key, and stamps it.
    pub fn touch(&mut self, key: &[u8; 40], now: u32) -> bool {
        let hash = self.hasher.hash(key);
        let records = &self.records;
        let found = self
            .slots
            .find(hash, |slot| records[*slot as usize].key == *key);
        let Some(slot) = found else { return false };
        self.records[*slot as usize].seen = now;
        true
    }

    /// Makes the flow `index` in both tables, and removes the one that was made [`LIVES`] calls
    /// ago; `false` if it is not there.
    pub fn insert_and_remove(tables: [&mut Self; 2], index: u32, first: u32) -> bool {
        let key = Self::key(index);
        let old = index.checked_sub(LIVES as u32).filter(|old| *old >= first);
        let old = old.map(Self::key);
        let mut removed = true;
        for table in tables {
            table.insert(&key, index);
            removed &= old.is_none_or(|old| table.remove(&old));
        }
        removed
    }

    /// Writes a record and its slot; the record of `index` is where it fits.
    pub fn insert(&mut self, key: &[u8; 40], index: u32) {
        let slot = index % self.records.len() as u32;
        self.records[slot as usize].key = *key;
        let (hasher, records) = (self.hasher, &self.records);
        self.slots.insert_unique(hasher.hash(key), slot, |slot| {
            hasher.hash(&records[*slot as usize].key)
        });
    }

    /// Forgets a slot.
    pub fn remove(&mut self, key: &[u8; 40]) -> bool {
        let hash = self.hasher.hash(key);
        let records = &self.records;
        let entry = self
            .slots
            .find_entry(hash, |slot| records[*slot as usize].key == *key);
        entry.map(|entry| entry.remove()).is_ok()
    }
}

/// Whole words, so that the hash finds in the store buffer what it reads.
fn words_of(address: IpAddr) -> [u64; 2] {
    let IpAddr::V6(address) = address else {
        return [0; 2];
    };
    let bits = u128::from_ne_bytes(address.octets());
    [bits as u64, (bits >> 64) as u64]
}
