//! All sessions, and the two indexes that find them.

use alloc::boxed::Box;
use alloc::vec;

use crate::config::PoolId;
use crate::hash::{Keys, home};
use crate::key::{InboundKey, OutboundKey};
use crate::lines::Lines;
use crate::meter::touch;
use crate::record::{Cold, Hot, Marks};
use crate::session::SessionId;
use crate::tags::{Given, Tags};

/// A session is found from inside by the tags of its own slot, from outside by a line that names
/// its slot. Both were made once.
#[derive(Debug)]
pub(crate) struct Table {
    tags: Tags,
    lines: Lines,
    pub(crate) hot: Box<[Hot]>,
    pub(crate) cold: Box<[Cold]>,
}

/// The hashes of both keys of a session.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Hashes {
    pub(crate) outbound: u64,
    pub(crate) inbound: u64,
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

    /// Adds a session that neither index has, under the hashes of its two keys. `None` only when
    /// every slot is taken.
    pub(crate) fn insert(
        &mut self,
        hashes: Hashes,
        hot: Hot,
        client: u32,
        pool: PoolId,
    ) -> Option<u32> {
        let Given { slot, away } = self.tags.insert(hashes.outbound)?;
        self.lines.insert(hashes.inbound, slot);
        if let Some(place) = self.hot.get_mut(slot as usize) {
            let Hot { generation, .. } = *place;
            *place = Hot { generation, ..hot };
        }
        if let Some(place) = self.cold.get_mut(slot as usize) {
            *place = Cold {
                client,
                pool,
                marks: Marks::new(away),
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
            let hash = InboundKey::of(hot).hash(keys);
            self.lines.remove(home(hash), slot);
        }
    }

    /// Frees the slot of a parked session. Ids of it are dead from here on.
    pub(crate) fn free(&mut self, keys: &Keys, slot: u32) {
        if let Some(hot) = self.hot.get_mut(slot as usize) {
            let away = self
                .cold
                .get(slot as usize)
                .is_some_and(|cold| cold.marks.away());
            let home = away.then(|| home(OutboundKey::of(hot).hash(keys)));
            self.tags.free(slot, home);
            hot.generation = hot.generation.wrapping_add(1);
        }
    }

    /// The live session of this id.
    pub(crate) fn live(&self, id: SessionId) -> Option<&Hot> {
        self.known(id).filter(|hot| !hot.kind.closed())
    }

    /// The session of this id, though it may have ended.
    pub(crate) fn known(&self, id: SessionId) -> Option<&Hot> {
        let hot = self.hot.get(id.slot as usize)?;
        (hot.generation == id.generation).then_some(hot)
    }

    pub(crate) fn id(&self, slot: u32) -> SessionId {
        let generation = self.hot.get(slot as usize).map_or(0, |hot| hot.generation);
        SessionId { slot, generation }
    }
}
