//! Endpoint-independent bindings: RFC 6146 §3.1's BIB, and who may send through it.

use alloc::vec::Vec;

use crate::config::PoolId;
use crate::hash::{Keys, Purpose, home};
use crate::lines::Lines;
use crate::meter::touch;
use crate::record::{Kind, NONE, Octets};
use crate::tuple::Protocol;

/// Bindings by inside and by outside transport address, and the peer addresses that each was used
/// for.
#[derive(Debug)]
pub(crate) struct Bindings {
    records: Slab<Binding>,
    inside: Lines,
    outside: Lines,
    correspondents: Slab<Correspondent>,
    by_binding: Lines,
}

/// One binding: it lives as long as it has sessions.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Binding {
    pub(crate) client: Octets,
    pub(crate) client_port: u16,
    /// The outside port.
    pub(crate) port: u16,
    /// The number of the outside address.
    pub(crate) address: u16,
    /// Protocol and both families.
    pub(crate) kind: Kind,
    pub(crate) pool: PoolId,
    pub(crate) sessions: u32,
    /// Those of `sessions` that a peer opened.
    pub(crate) inbound: u16,
}

/// A peer address that a binding's client sent to.
#[derive(Clone, Copy, Debug)]
struct Correspondent {
    binding: u32,
    peer: Octets,
    sessions: u32,
}

impl Bindings {
    pub(crate) fn new(bound: usize) -> Self {
        Self {
            records: Slab::new(bound),
            inside: Lines::new(bound),
            outside: Lines::new(bound),
            correspondents: Slab::new(bound),
            by_binding: Lines::new(bound),
        }
    }

    pub(crate) fn get(&self, slot: u32) -> Option<&Binding> {
        self.records.get(slot)
    }

    /// The binding of an inside transport address, for flows of the protocol and families of
    /// `kind`.
    pub(crate) fn inside(
        &self,
        keys: &Keys,
        pool: PoolId,
        kind: Kind,
        client: Octets,
        client_port: u16,
    ) -> Option<u32> {
        let hash = inside_hash(keys, pool, kind, client, client_port);
        self.inside.find(hash, |slot| {
            touch(1);
            self.get(slot).is_some_and(|binding| {
                binding.client == client
                    && binding.client_port == client_port
                    && binding.pool == pool
                    && binding.kind.inside_key() == kind.inside_key()
                    && binding.kind.outside_key() == kind.outside_key()
            })
        })
    }

    /// The binding of an outside transport address.
    pub(crate) fn outside(
        &self,
        keys: &Keys,
        protocol: Protocol,
        address: u16,
        port: u16,
    ) -> Option<u32> {
        self.outside
            .find(outside_hash(keys, protocol, address, port), |slot| {
                touch(1);
                self.get(slot).is_some_and(|binding| {
                    binding.address == address
                        && binding.port == port
                        && binding.kind.protocol() == protocol
                })
            })
    }

    /// Adds a binding that neither index has.
    pub(crate) fn insert(&mut self, keys: &Keys, binding: Binding) -> Option<u32> {
        let Binding {
            client,
            client_port,
            port,
            address,
            kind,
            pool,
            ..
        } = binding;
        let slot = self.records.insert(binding)?;
        self.inside
            .insert(inside_hash(keys, pool, kind, client, client_port), slot);
        self.outside
            .insert(outside_hash(keys, kind.protocol(), address, port), slot);
        Some(slot)
    }

    /// The binding has one more session, to `peer`.
    pub(crate) fn open(&mut self, keys: &Keys, slot: u32, peer: Octets, from_outside: bool) {
        let Some(binding) = self.records.get_mut(slot) else {
            return;
        };
        binding.sessions += 1;
        if from_outside {
            binding.inbound = binding.inbound.saturating_add(1);
            return;
        }
        match self.correspondent(keys, slot, peer) {
            Some(number) => {
                if let Some(known) = self.correspondents.get_mut(number) {
                    known.sessions += 1;
                }
            }
            None => {
                let new = Correspondent {
                    binding: slot,
                    peer,
                    sessions: 1,
                };
                if let Some(number) = self.correspondents.insert(new) {
                    self.by_binding.insert(peer_hash(keys, slot, peer), number);
                }
            }
        }
    }

    /// One session less; `true` when it was the last, and the binding is gone.
    pub(crate) fn close(
        &mut self,
        keys: &Keys,
        slot: u32,
        peer: Octets,
        from_outside: bool,
    ) -> bool {
        if !from_outside && let Some(number) = self.correspondent(keys, slot, peer) {
            let last = self.correspondents.get_mut(number).is_some_and(|known| {
                known.sessions = known.sessions.saturating_sub(1);
                known.sessions == 0
            });
            if last {
                self.by_binding
                    .remove(home(peer_hash(keys, slot, peer)), number);
                self.correspondents.remove(number);
            }
        }
        let Some(binding) = self.records.get_mut(slot) else {
            return false;
        };
        binding.sessions = binding.sessions.saturating_sub(1);
        binding.inbound = binding.inbound.saturating_sub(u16::from(from_outside));
        if binding.sessions > 0 {
            return false;
        }
        let Binding {
            client,
            client_port,
            port,
            address,
            kind,
            pool,
            ..
        } = *binding;
        self.inside.remove(
            home(inside_hash(keys, pool, kind, client, client_port)),
            slot,
        );
        self.outside.remove(
            home(outside_hash(keys, kind.protocol(), address, port)),
            slot,
        );
        self.records.remove(slot);
        true
    }

    /// Whether the client of this binding has a session that it opened to this peer address.
    pub(crate) fn knows(&self, keys: &Keys, slot: u32, peer: Octets) -> bool {
        self.correspondent(keys, slot, peer).is_some()
    }

    fn correspondent(&self, keys: &Keys, binding: u32, peer: Octets) -> Option<u32> {
        self.by_binding
            .find(peer_hash(keys, binding, peer), |number| {
                touch(1);
                self.correspondents
                    .get(number)
                    .is_some_and(|known| known.binding == binding && known.peer == peer)
            })
    }
}

fn inside_hash(keys: &Keys, pool: PoolId, kind: Kind, client: Octets, port: u16) -> u64 {
    let families = kind.inside_key() | kind.outside_key();
    let head = u64::from(port) << 24
        | u64::from(pool.0) << 16
        | u64::from(families) << 8
        | Purpose::BindingInside as u64;
    keys.place_pair(head, client)
}

fn outside_hash(keys: &Keys, protocol: Protocol, address: u16, port: u16) -> u64 {
    let head = u64::from(port) << 32
        | u64::from(address) << 16
        | (protocol as u64) << 8
        | Purpose::BindingOutside as u64;
    keys.place(&head.to_le_bytes())
}

fn peer_hash(keys: &Keys, binding: u32, peer: Octets) -> u64 {
    keys.place_pair(
        u64::from(binding) << 8 | Purpose::Correspondent as u64,
        peer,
    )
}

/// Records in slots that stay; memory is taken once and touched as needed.
#[derive(Debug)]
struct Slab<T> {
    records: Vec<(T, u32)>,
    bound: usize,
    vacant: u32,
}

impl<T> Slab<T> {
    fn new(bound: usize) -> Self {
        Self {
            records: Vec::with_capacity(bound),
            bound,
            vacant: NONE,
        }
    }

    fn get(&self, slot: u32) -> Option<&T> {
        self.records.get(slot as usize).map(|(record, _)| record)
    }

    fn get_mut(&mut self, slot: u32) -> Option<&mut T> {
        self.records
            .get_mut(slot as usize)
            .map(|(record, _)| record)
    }

    fn insert(&mut self, record: T) -> Option<u32> {
        if let Some(place) = self.records.get_mut(self.vacant as usize) {
            let slot = self.vacant;
            self.vacant = place.1;
            *place = (record, NONE);
            return Some(slot);
        }
        if self.records.len() >= self.bound {
            return None;
        }
        self.records.push((record, NONE));
        Some(self.records.len() as u32 - 1)
    }

    fn remove(&mut self, slot: u32) {
        if let Some(place) = self.records.get_mut(slot as usize) {
            place.1 = self.vacant;
            self.vacant = slot;
        }
    }
}
