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
const ADDRESSES: u16 = 16;

/// A pool with so many confirmed UDP sessions.
pub struct Flows {
    /// The pool.
    pub nat: SnatPool,
    outside: Vec<Tuple>,
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
        let config = Config::new(sessions + sessions / 8 + 16, vec![pool]);
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
        Self { nat, outside }
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

    /// Opens the flow `index` and closes it; `false` if it was refused.
    pub fn open_and_close(&mut self, now: Duration, index: u32) -> bool {
        let Some(id) = bind(&mut self.nat, now, index) else {
            return false;
        };
        let closed = self.nat.close(now, id);
        while self.nat.poll_event().is_some() {}
        closed
    }
}

fn bind(nat: &mut SnatPool, now: Duration, index: u32) -> Option<SessionId> {
    let tuple = inside(index);
    let peer = tuple.destination;
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
        let room = sessions as usize + sessions as usize / 8 + 16;
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
        let tuple = inside(index);
        let mut key = [0; 40];
        let (IpAddr::V6(source), IpAddr::V6(destination)) =
            (tuple.source.address, tuple.destination.address)
        else {
            return key;
        };
        key[..16].copy_from_slice(&source.octets());
        key[16..32].copy_from_slice(&destination.octets());
        key[32..34].copy_from_slice(&tuple.source.port.to_be_bytes());
        key[34..36].copy_from_slice(&tuple.destination.port.to_be_bytes());
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
