//! Which outside transport address a new flow gets.

use core::net::IpAddr;

use super::SnatPool;
use crate::binding::{Binding, Bindings};
use crate::config::{Evict, Mapping, PoolId};
use crate::event::{Closed, Exhausted};
use crate::hash::{Keys, Purpose};
use crate::key::InboundKey;
use crate::looks::Looks;
use crate::notice::Notice;
use crate::port::Ports;
use crate::portset::{Nowhere, SetKey};
use crate::record::{Hot, Kind, Octets};
use crate::refused::Refused;
use crate::table::Table;
use crate::time::Ticks;
use crate::tuple::{Protocol, TransportAddress};

/// What a new flow is known by.
#[derive(Clone, Copy, Debug)]
pub(super) struct Choice {
    pub(super) pool: PoolId,
    pub(super) kind: Kind,
    pub(super) client: u32,
    /// The client's own port.
    pub(super) port: u16,
    pub(super) peer: Octets,
    pub(super) peer_port: u16,
    pub(super) next_hop: Option<IpAddr>,
}

/// An outside transport address that is free, and the hash of the key that finds it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Outside {
    pub(super) address: u16,
    pub(super) port: u16,
    pub(super) hash: u64,
}

impl Choice {
    pub(super) const fn inbound_key(&self, address: u16, port: u16) -> InboundKey {
        InboundKey::new(address, port, self.peer, self.peer_port, self.kind)
    }

    /// Whether a port of an address is another's: of a session to the same peer, or of any binding, if
    /// those do not name the peer.
    #[inline]
    pub(super) fn is_taken(
        &self,
        (table, bindings, keys): (&Table, &Bindings, &Keys),
        address: u16,
        port: u16,
        mapping: Mapping,
    ) -> bool {
        match mapping {
            Mapping::PerFlow => {
                let key = self.inbound_key(address, port);
                table.inbound(key.hash(keys), &key).is_some()
            }
            Mapping::EndpointIndependent => bindings
                .outside(keys, self.kind.protocol(), address, port)
                .is_some(),
        }
    }

    pub(super) const fn set_key(&self, address: u16, mapping: Mapping) -> SetKey {
        SetKey {
            address,
            protocol: self.kind.protocol(),
            peer: match mapping {
                Mapping::PerFlow => Some((self.peer, self.peer_port)),
                Mapping::EndpointIndependent => None,
            },
        }
    }
}

/// How many ports are guessed before a set of free ones is kept; and how many more in each of two
/// runs when none can be had.
const GUESSES: u32 = 4;
/// What is kept for finding another address, and a port of it.
const SPILLING: u32 = 16;

impl SnatPool {
    /// The outside address and port of a new flow.
    pub(super) fn choose(
        &mut self,
        choice: &Choice,
        mapping: Mapping,
        looks: &mut Looks,
    ) -> Result<Outside, Refused> {
        let family = choice.kind.outside();
        let paired = self
            .clients
            .get(choice.client)
            .and_then(|client| client.paired(family));
        let usable = |number: &u16| {
            self.pools
                .address(*number)
                .is_some_and(|entry| !entry.draining)
        };
        let address = match paired.filter(usable) {
            Some(address) => address,
            None => {
                let fresh = self
                    .pools
                    .choose(choice.pool, family, choice.next_hop, None, looks);
                let fresh = fresh.ok_or(Refused::NoAddress(family))?;
                if let Some(client) = self.clients.get_mut(choice.client) {
                    client.pair(family, fresh);
                }
                fresh
            }
        };
        if let Some(most) = self.clients.blocks.per_client(address) {
            return self
                .find_in_blocks(choice, address, mapping, most, looks)
                .inspect_err(|why| self.tell_refused(*why, choice, address));
        }
        let spill = self.pools.pool(choice.pool).is_some_and(|pool| pool.spill);
        let spilling = SPILLING.min(looks.left() / 2);
        let aside = looks.set_aside(if spill { spilling } else { 0 });
        let nowhere = match self.find_port(choice, address, mapping, looks) {
            Ok(outside) => return Ok(outside),
            Err(nowhere) => nowhere,
        };
        // No session ends for a port while there may be a free one, or where its own must rest.
        if nowhere == Nowhere::Full
            && self.policy.evict == Evict::Transitory
            && let Some(victim) = self.victim_to_peer(choice, address, mapping, looks)
            && let Some(port) = self.table.hot.get(victim as usize).map(|hot| hot.port)
        {
            self.end(victim, Closed::EvictedForPort);
            if let Some(outside) = self.free_to_bind(choice, address, port, mapping) {
                return Ok(outside);
            }
        }
        looks.add(aside);
        if spill
            && let Some(other) =
                self.pools
                    .choose(choice.pool, family, choice.next_hop, Some(address), looks)
            && let Ok(outside) = self.find_port(choice, other, mapping, looks)
        {
            self.counters.spilled();
            return Ok(outside);
        }
        self.tell_exhausted(choice, address);
        Err(Refused::PortsExhausted)
    }

    /// A free port: the client's own if it may be kept, then a few guesses, then what a set of
    /// free ports says.
    fn find_port(
        &mut self,
        choice: &Choice,
        address: u16,
        mapping: Mapping,
        looks: &mut Looks,
    ) -> Result<Outside, Nowhere> {
        let protocol = choice.kind.protocol();
        let (Some(pool), Some(&ports), Some(rest)) = (
            self.pools.pool(choice.pool),
            self.pools.ports(address, protocol),
            self.rest(address, protocol),
        ) else {
            return Err(Nowhere::Unknown);
        };
        let keep_parity = pool.keep_parity && protocol == Protocol::Udp;
        let key = choice.set_key(address, mapping);
        if pool.preserve_port
            && ports.contains(choice.port)
            && let Some(outside) = self.free_to_bind(choice, address, choice.port, mapping)
            && !self.port_rests(&key, &ports, choice.port, rest)
        {
            return Ok(outside);
        }
        let coin = self.guess() & 1 == 1;
        let order = Ports::order(choice.port, keep_parity, coin);
        let promoted = self.sets.get(&self.keys, &key).is_some();
        if !promoted
            && let Some(outside) =
                self.guess_port(choice, address, mapping, (&ports, order), 1, looks)
        {
            return Ok(outside);
        }
        let Some(set) = self.sets.promote(&self.keys, &key, &ports, false) else {
            self.counters.searched_without_set();
            return self
                .guess_port(choice, address, mapping, (&ports, order), 2, looks)
                .ok_or(Nowhere::Full);
        };
        let known = (&self.table, &self.bindings, &self.keys);
        let port = set.pick(self.now, &ports, order, rest, looks, |port| {
            choice.is_taken(known, address, port, mapping)
        });
        if port == Err(Nowhere::Unknown) {
            self.counters.searched_without_set();
        }
        let port = port?;
        // Not struck out twice: `claim_port` strikes out what it is given.
        set.give_back(&ports, port);
        let hash = choice.inbound_key(address, port).hash(&self.keys);
        Ok(Outside {
            address,
            port,
            hash,
        })
    }

    /// How long a freed port of an address rests.
    pub(super) fn rest(&self, address: u16, protocol: Protocol) -> Option<Ticks> {
        match protocol {
            // RFC 6888 REQ-8a: TCP is tracked, so that a freed port is truly free.
            Protocol::Tcp => Some(Ticks::ZERO),
            Protocol::Udp | Protocol::Icmp => self.pools.address(address).map(|entry| entry.rest),
        }
    }

    /// Guesses in the first runs that have ports at all.
    fn guess_port(
        &mut self,
        choice: &Choice,
        address: u16,
        mapping: Mapping,
        (ports, order): (&Ports, [usize; 4]),
        in_runs: usize,
        looks: &mut Looks,
    ) -> Option<Outside> {
        let runs = order.iter().filter_map(|number| ports.run(*number));
        for run in runs.filter(|run| run.len > 0).take(in_runs) {
            for _ in 0..GUESSES {
                if !looks.take(Looks::PORT) {
                    return None;
                }
                let index = self.guess() % u64::from(run.len);
                let port = run.port(index as u32);
                let outside = self.free_to_bind(choice, address, port, mapping);
                if outside.is_some() {
                    return outside;
                }
            }
        }
        None
    }

    /// Whether many ports are in use towards the peer of a session just opened: then it gets a set of
    /// the free ones, which knows all of them before the last are sought. Clients that keep their own
    /// ports would otherwise have none made until then.
    #[cold]
    pub(super) fn sample_ports(&mut self, hot: &Hot) {
        let protocol = hot.kind.protocol();
        let key = SetKey {
            address: hot.address,
            protocol,
            peer: Some((hot.peer, hot.peer_port)),
        };
        let (Some(entry), Some(&ports)) = (
            self.pools.address(hot.address),
            self.pools.ports(hot.address, protocol),
        ) else {
            return;
        };
        let samples = entry.samples();
        if self.sets.get(&self.keys, &key).is_some() {
            return;
        }
        for _ in 0..samples {
            let lot = self.guess() % u64::from(ports.count().max(1));
            let Some(port) = ports.nth(lot as u32) else {
                return;
            };
            let key = InboundKey::of(&Hot { port, ..*hot });
            if self.table.inbound(key.hash(&self.keys), &key).is_none() {
                return;
            }
        }
        self.sets.promote(&self.keys, &key, &ports, false);
    }

    /// An unguessable number, another one at each call (RFC 6056 §3.3.2: random, from a keyed hash
    /// of a counter).
    pub(super) fn guess(&mut self) -> u64 {
        self.guesses = self.guesses.wrapping_add(1);
        let [a, b, c, d, e, f, g, h] = self.guesses.to_le_bytes();
        self.keys
            .secret(&[Purpose::Guess as u8, a, b, c, d, e, f, g, h])
    }

    /// This outside transport address, if no session to this peer has it.
    pub(super) fn free_to_peer(&self, choice: &Choice, address: u16, port: u16) -> Option<Outside> {
        let key = choice.inbound_key(address, port);
        let hash = key.hash(&self.keys);
        let outside = Outside {
            address,
            port,
            hash,
        };
        self.table.inbound(hash, &key).is_none().then_some(outside)
    }

    /// The same, if a new binding may have it.
    pub(super) fn free_to_bind(
        &self,
        choice: &Choice,
        address: u16,
        port: u16,
        mapping: Mapping,
    ) -> Option<Outside> {
        let bound = match mapping {
            Mapping::PerFlow => None,
            Mapping::EndpointIndependent => {
                let protocol = choice.kind.protocol();
                self.bindings.outside(&self.keys, protocol, address, port)
            }
        };
        bound
            .is_none()
            .then(|| self.free_to_peer(choice, address, port))
            .flatten()
    }

    pub(super) fn port_rests(
        &mut self,
        key: &SetKey,
        ports: &Ports,
        port: u16,
        rest: Ticks,
    ) -> bool {
        rest > Ticks::ZERO
            && self
                .sets
                .get(&self.keys, key)
                .is_some_and(|set| set.rests(self.now, ports, port, rest))
    }

    /// Notes that a new session has its port; says whether no other session of its client shares
    /// it.
    pub(super) fn claim_port(&mut self, hot: &Hot, pool: PoolId, mapping: Mapping) -> bool {
        if mapping == Mapping::PerFlow && !self.sets.any_of_peers() {
            return true;
        }
        let protocol = hot.kind.protocol();
        let (mut new_port, mut peer) = (true, Some((hot.peer, hot.peer_port)));
        match mapping {
            Mapping::PerFlow => {}
            Mapping::EndpointIndependent => {
                peer = None;
                let known = self
                    .bindings
                    .outside(&self.keys, protocol, hot.address, hot.port);
                new_port = known.is_none();
                let binding = known.or_else(|| {
                    let binding = Binding {
                        client: hot.client,
                        client_port: hot.client_port,
                        port: hot.port,
                        address: hot.address,
                        kind: Kind::new(protocol, hot.kind.inside(), hot.kind.outside()),
                        pool,
                        sessions: 0,
                        inbound: 0,
                    };
                    self.bindings.insert(&self.keys, binding)
                });
                if let Some(slot) = binding {
                    self.bindings
                        .open(&self.keys, slot, hot.peer, hot.kind.is_from_outside());
                }
            }
        }
        if new_port
            && let Some(ports) = self.pools.ports(hot.address, protocol)
            && let Some(set) = self.sets.get(
                &self.keys,
                &SetKey {
                    address: hot.address,
                    protocol,
                    peer,
                },
            )
        {
            set.take(ports, hot.port);
            let (table, keys) = (&self.table, &self.keys);
            set.sweep(ports, |port| {
                let key = InboundKey::of(&Hot { port, ..*hot });
                table.inbound(key.hash(keys), &key).is_some()
            });
        }
        new_port
    }

    /// Undoes [`claim_port`](Self::claim_port) for a session that ended; says whether the port is
    /// free now.
    pub(super) fn release_port(&mut self, slot: u32) -> bool {
        self.table.unlist(&self.keys, slot);
        let Some(hot) = self.table.hot.get(slot as usize) else {
            return false;
        };
        let Some(mapping) = self.pools.address(hot.address).map(|entry| entry.mapping) else {
            return false;
        };
        if mapping == Mapping::PerFlow && !self.sets.any_of_peers() {
            return true;
        }
        let hot = *hot;
        let protocol = hot.kind.protocol();
        let mut peer = Some((hot.peer, hot.peer_port));
        match mapping {
            Mapping::PerFlow => {}
            Mapping::EndpointIndependent => {
                peer = None;
                let known = self
                    .bindings
                    .outside(&self.keys, protocol, hot.address, hot.port);
                let Some(binding) = known else { return false };
                let from_outside = hot.kind.is_from_outside();
                if !self
                    .bindings
                    .close(&self.keys, binding, hot.peer, from_outside)
                {
                    return false;
                }
            }
        }
        let key = SetKey {
            address: hot.address,
            protocol,
            peer,
        };
        let (table, bindings, keys) = (&self.table, &self.bindings, &self.keys);
        if let Some(ports) = self.pools.ports(hot.address, protocol) {
            self.sets.release(
                keys,
                self.now,
                &key,
                ports,
                hot.port,
                |port| match mapping {
                    Mapping::PerFlow => {
                        let key = InboundKey::of(&Hot { port, ..hot });
                        table.inbound(key.hash(keys), &key).is_some()
                    }
                    Mapping::EndpointIndependent => bindings
                        .outside(keys, protocol, hot.address, port)
                        .is_some(),
                },
            );
        }
        true
    }

    fn tell_refused(&mut self, why: Refused, choice: &Choice, address: u16) {
        if why == Refused::PortsExhausted {
            self.tell_exhausted(choice, address);
        }
    }

    fn tell_exhausted(&mut self, choice: &Choice, address: u16) {
        let Some(entry) = self.pools.address(address) else {
            return;
        };
        let peer = choice.peer.to_address(choice.kind.outside());
        let notice = Notice::Ports(Exhausted {
            address: entry.address,
            peer: TransportAddress::new(peer, choice.peer_port),
            protocol: choice.kind.protocol(),
        });
        self.notices.tell(&self.keys, self.now, notice);
    }
}
