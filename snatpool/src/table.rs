//! All sessions, and the two indexes that find them.

use alloc::boxed::Box;
use alloc::vec;

use crate::hash::{Keys, Purpose};
use crate::lines::Lines;
use crate::meter::touch;
use crate::record::{Cold, Hot, Kind, Octets};
use crate::session::SessionId;
use crate::tags::Tags;
use crate::tuple::Tuple;

/// A session is found from inside by the tags of its own slot, from outside by a line that names
/// its slot. Both were made once.
#[derive(Debug)]
pub(crate) struct Table {
    tags: Tags,
    lines: Lines,
    pub(crate) hot: Box<[Hot]>,
    pub(crate) cold: Box<[Cold]>,
}

/// What finds a session from inside.
#[derive(Clone, Copy, Debug)]
pub(crate) struct OutboundKey {
    pub(crate) client: Octets,
    pub(crate) target: Octets,
    pub(crate) client_port: u16,
    pub(crate) target_port: u16,
    pub(crate) kind: u8,
}

impl OutboundKey {
    /// Of an inside tuple, whose `kind` says its protocol and family.
    pub(crate) const fn new(inside: &Tuple, kind: Kind) -> Self {
        Self {
            client: Octets::of(inside.source.address),
            target: Octets::of(inside.destination.address),
            client_port: inside.source.port,
            target_port: inside.destination.port,
            kind: kind.inside_key(),
        }
    }

    const fn of(hot: &Hot) -> Self {
        Self {
            client: hot.client,
            target: hot.target,
            client_port: hot.client_port,
            target_port: hot.target_port,
            kind: hot.kind.inside_key(),
        }
    }

    #[inline]
    pub(crate) fn hash(&self, keys: &Keys) -> u64 {
        let mut bytes = [0; 40];
        let ports = u32::from(self.client_port) << 16 | u32::from(self.target_port);
        let head = (u64::from(ports)) << 16 | u64::from(self.kind) << 8 | Purpose::Outbound as u64;
        let (head_bytes, rest) = bytes.split_at_mut(8);
        let (client, target) = rest.split_at_mut(16);
        head_bytes.copy_from_slice(&head.to_le_bytes());
        client.copy_from_slice(&self.client.0);
        target.copy_from_slice(&self.target.0);
        keys.place(&bytes)
    }

    #[inline]
    fn is(&self, hot: &Hot) -> bool {
        self.client == hot.client
            && self.target == hot.target
            && self.client_port == hot.client_port
            && self.target_port == hot.target_port
            && self.kind == hot.kind.inside_key()
    }
}

/// What finds a session from outside.
#[derive(Clone, Copy, Debug)]
pub(crate) struct InboundKey {
    pub(crate) address: u16,
    pub(crate) port: u16,
    pub(crate) peer: Octets,
    pub(crate) peer_port: u16,
    pub(crate) kind: u8,
}

impl InboundKey {
    pub(crate) const fn of(hot: &Hot) -> Self {
        Self {
            address: hot.address,
            port: hot.port,
            peer: hot.peer,
            peer_port: hot.peer_port,
            kind: hot.kind.outside_key(),
        }
    }

    #[inline]
    pub(crate) fn hash(&self, keys: &Keys) -> u64 {
        let ports = u32::from(self.port) << 16 | u32::from(self.peer_port);
        let head = u64::from(ports) << 32
            | u64::from(self.address) << 16
            | u64::from(self.kind) << 8
            | Purpose::Inbound as u64;
        keys.place_pair(head, self.peer)
    }

    #[inline]
    fn is(&self, hot: &Hot) -> bool {
        self.address == hot.address
            && self.port == hot.port
            && self.peer == hot.peer
            && self.peer_port == hot.peer_port
            && self.kind == hot.kind.outside_key()
    }
}

impl Table {
    pub(crate) fn new(sessions: usize) -> Self {
        let tags = Tags::new(sessions);
        let slots = tags.slots();
        Self {
            lines: Lines::new(sessions),
            hot: vec![Hot::EMPTY; slots].into_boxed_slice(),
            cold: vec![Cold::EMPTY; slots].into_boxed_slice(),
            tags,
        }
    }

    pub(crate) const fn slots(&self) -> usize {
        self.tags.slots()
    }

    #[inline]
    pub(crate) fn outbound(&self, hash: u64, key: &OutboundKey) -> Option<u32> {
        self.tags.find(hash, |slot| {
            touch(1);
            self.hot.get(slot as usize).is_some_and(|hot| key.is(hot))
        })
    }

    /// A closed session that is pinned is found too: it keeps its port.
    #[inline]
    pub(crate) fn inbound(&self, hash: u64, key: &InboundKey) -> Option<u32> {
        self.lines.find(hash, |slot| {
            touch(1);
            self.hot.get(slot as usize).is_some_and(|hot| key.is(hot))
        })
    }

    /// The slots that a search would look at first, so that a batch can bring them all at once.
    #[inline]
    pub(crate) fn first_outbound(&self, hash: u64) -> Option<u32> {
        self.tags.first_hit(hash)
    }

    #[inline]
    pub(crate) fn first_inbound(&self, hash: u64) -> Option<u32> {
        self.lines.first_hit(hash)
    }

    /// Adds a session that neither index has. `None` only when every slot is taken.
    pub(crate) fn insert(&mut self, keys: &Keys, hot: Hot, client: u32) -> Option<u32> {
        let slot = self.tags.insert(OutboundKey::of(&hot).hash(keys))?;
        self.lines.insert(InboundKey::of(&hot).hash(keys), slot);
        if let Some(place) = self.hot.get_mut(slot as usize) {
            *place = hot;
        }
        if let Some(place) = self.cold.get_mut(slot as usize) {
            let Cold { generation, .. } = *place;
            *place = Cold {
                client,
                generation,
                ..Cold::EMPTY
            };
        }
        Some(slot)
    }

    /// Makes a session unreachable from inside. Its slot stays taken.
    pub(crate) fn park(&mut self, slot: u32) {
        self.tags.park(slot);
    }

    /// Makes a session unreachable from outside: its port is free.
    pub(crate) fn unlist(&mut self, keys: &Keys, slot: u32) {
        if let Some(hot) = self.hot.get(slot as usize) {
            self.lines.remove(InboundKey::of(hot).hash(keys), slot);
        }
    }

    /// Frees the slot of a parked session. Ids of it are dead from here on.
    pub(crate) fn free(&mut self, keys: &Keys, slot: u32) {
        if let Some(hot) = self.hot.get(slot as usize) {
            self.tags.free(OutboundKey::of(hot).hash(keys), slot);
        }
        if let Some(cold) = self.cold.get_mut(slot as usize) {
            cold.generation = cold.generation.wrapping_add(1);
        }
    }

    /// The live session of this id.
    pub(crate) fn live(&self, id: SessionId) -> Option<&Hot> {
        self.known(id).filter(|hot| !hot.kind.closed())
    }

    /// The session of this id, though it may have ended.
    pub(crate) fn known(&self, id: SessionId) -> Option<&Hot> {
        let hot = self.hot.get(id.slot as usize)?;
        let cold = self.cold.get(id.slot as usize)?;
        (cold.generation == id.generation && cold.client != crate::record::NONE).then_some(hot)
    }

    pub(crate) fn id(&self, slot: u32) -> SessionId {
        let generation = self
            .cold
            .get(slot as usize)
            .map_or(0, |cold| cold.generation);
        SessionId { slot, generation }
    }
}
