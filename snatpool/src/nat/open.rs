//! The first packet of a flow.

use core::net::IpAddr;
use core::time::Duration;

use super::SnatPool;
use super::choice::Choice;
use super::lookup::{fits, opens, outbound_key};
use crate::binding::Binding;
use crate::config::{Evict, Mapping, PoolId};
use crate::event::Closed;
use crate::key::peer_port;
use crate::lifetime::State;
use crate::looks::Looks;
use crate::notice::Notice;
use crate::record::{Hot, Kind, Octets};
use crate::refused::Refused;
use crate::session::SessionId;
use crate::table::Hashes;
use crate::time::Ticks;
use crate::tuple::{Family, Protocol, Side, Signal, TransportAddress, Tuple};

impl SnatPool {
    /// Opens a session for a packet from inside that has none.
    ///
    /// `inside` is the packet's tuple as it is on the wire inside; `peer` is the address it will go
    /// to outside, at the same port: the mapped IPv6 host for NAT46, the embedded IPv4 host for
    /// NAT64, the same for NAT within a family. `next_hop` is the router on the way to it, if that is known
    /// before the source address is.
    ///
    /// If the flow has a session after all, that one is moved on and returned.
    ///
    /// # Errors
    ///
    /// [`Refused`] says why the packet must be dropped. It must not be forwarded untranslated.
    pub fn bind(
        &mut self,
        now: Duration,
        pool: PoolId,
        inside: &Tuple,
        peer: IpAddr,
        next_hop: Option<IpAddr>,
        signal: Signal,
    ) -> Result<SessionId, Refused> {
        self.clock(now);
        let result = self.try_bind(pool, inside, peer, next_hop, signal);
        result.inspect_err(|why| {
            self.counters.refused(*why);
            self.tell(*why, pool, inside.source.address);
        })
    }

    /// Opens a session for a packet from outside that [`Lookup::Admit`](crate::Lookup::Admit) let
    /// in. `outside` is the packet's tuple as it is on the wire outside; `peer` is its source
    /// address as the client will see it.
    ///
    /// # Errors
    ///
    /// As for [`bind`](Self::bind).
    pub fn accept(
        &mut self,
        now: Duration,
        outside: &Tuple,
        peer: IpAddr,
        signal: Signal,
    ) -> Result<SessionId, Refused> {
        self.clock(now);
        let result = self.try_accept(outside, peer, signal);
        result.inspect_err(|why| self.counters.refused(*why))
    }

    /// Tells of a refusal that operators can do something about.
    fn tell(&mut self, why: Refused, pool: PoolId, client: IpAddr) {
        let notice = match why {
            Refused::NoAddress(family) => Notice::Addresses { pool, family },
            Refused::QuotaSessions | Refused::QuotaPorts | Refused::QuotaRate => {
                Notice::Quota { pool, client, why }
            }
            _ => return,
        };
        self.notices.tell(&self.keys, self.now, notice);
    }

    fn try_bind(
        &mut self,
        pool: PoolId,
        inside: &Tuple,
        peer: IpAddr,
        next_hop: Option<IpAddr>,
        signal: Signal,
    ) -> Result<SessionId, Refused> {
        let protocol = inside.protocol;
        if !fits(protocol, signal) {
            return Err(Refused::BadFlags);
        }
        let key = outbound_key(inside).ok_or(Refused::MixedFamilies)?;
        let outbound = key.hash(&self.keys);
        if let Some(slot) = self.table.outbound(outbound, &key)
            && self.settle(slot)
        {
            self.advance(slot, Side::Inside, signal);
            return Ok(self.table.id(slot));
        }
        if !opens(signal) {
            return Err(Refused::NotOpening);
        }
        let mapping = self.pools.pool(pool).ok_or(Refused::UnknownPool)?.mapping;
        self.refuse_hairpin(mapping, peer)?;
        let (near, far) = (Family::of(inside.source.address), Family::of(peer));
        let kind = Kind::new(protocol, near, far);
        let owner = Octets::of(inside.source.address);
        let client = self
            .clients
            .find_or_add(&self.keys, self.now, pool, near, owner);
        let (client, new) = client.ok_or(Refused::Sessions)?;
        let choice = Choice {
            pool,
            kind,
            client,
            port: inside.source.port,
            peer: Octets::of(peer),
            peer_port: peer_port(protocol, inside.destination.port),
            next_hop,
        };
        let opened = self.open_flow(&choice, mapping, inside, outbound, signal);
        if new && opened.is_err() {
            self.clients.forget_unless_busy(&self.keys, client);
        }
        opened
    }

    /// Opens a session for a flow that has none, of a client that is known.
    fn open_flow(
        &mut self,
        choice: &Choice,
        mapping: Mapping,
        inside: &Tuple,
        outbound: u64,
        signal: Signal,
    ) -> Result<SessionId, Refused> {
        let &Choice { kind, client, .. } = choice;
        let owner = Octets::of(inside.source.address);
        let binding = match mapping {
            Mapping::PerFlow => None,
            Mapping::EndpointIndependent => {
                self.bindings
                    .inside(&self.keys, choice.pool, kind, owner, choice.port)
            }
        };
        let mut looks = Looks::new(mapping);
        self.check_quota(client, binding.is_none(), &mut looks)?;
        let outside = match binding.and_then(|slot| self.bindings.get(slot)) {
            Some(&Binding { address, port, .. }) => self
                .free_to_peer(choice, address, port)
                .ok_or(Refused::Ambiguous)?,
            None => self.choose(choice, mapping, &mut looks)?,
        };
        self.make_room()?;
        let mut hot = Hot {
            client: owner,
            target: Octets::of(inside.destination.address),
            peer: choice.peer,
            client_port: choice.port,
            peer_port: choice.peer_port,
            port: outside.port,
            address: outside.address,
            generation: 0,
            kind,
            state: match signal {
                Signal::None => State::Unconfirmed,
                Signal::Tcp { .. } => State::InInit,
            },
            due: Ticks::ZERO,
        };
        if inside.protocol == Protocol::Tcp && self.syns.answer(self.inbound_tuple(&hot).as_ref()) {
            hot.state = State::Established;
        }
        let hashes = Hashes {
            outbound,
            inbound: outside.hash,
        };
        let id = self.insert(hot, hashes, client, mapping)?;
        self.note_first(id, Side::Inside, signal);
        Ok(id)
    }

    fn try_accept(
        &mut self,
        outside: &Tuple,
        peer: IpAddr,
        signal: Signal,
    ) -> Result<SessionId, Refused> {
        let protocol = outside.protocol;
        if !fits(protocol, signal) {
            return Err(Refused::BadFlags);
        }
        if !opens(signal) {
            return Err(Refused::NotOpening);
        }
        let Some(key) = self.inbound_key(outside) else {
            return Err(Refused::MixedFamilies);
        };
        let inbound = key.hash(&self.keys);
        if let Some(slot) = self.table.inbound(inbound, &key)
            && self.settle(slot)
        {
            self.advance(slot, Side::Outside, signal);
            return Ok(self.table.id(slot));
        }
        if self.table.inbound(inbound, &key).is_some() {
            // One like it ended, but is pinned: its place is not free yet.
            return Err(Refused::Ambiguous);
        }
        let entry = self.pools.address(key.address()).ok_or(Refused::Filtered)?;
        let (filter, most) = (entry.filter, entry.inbound_sessions);
        let binding = self
            .bindings
            .outside(&self.keys, protocol, key.address(), key.port())
            .ok_or(Refused::Filtered)?;
        let inside_source = self.admits(binding, key.peer(), filter, most)?;
        let Some(&Binding {
            client: owner,
            kind,
            pool,
            ..
        }) = self.bindings.get(binding)
        else {
            return Err(Refused::Filtered);
        };
        if Family::of(peer) != kind.inside() {
            return Err(Refused::MixedFamilies);
        }
        let client = self.clients.find(&self.keys, pool, kind.inside(), owner);
        let client = client.ok_or(Refused::Filtered)?;
        let target_port = match protocol {
            Protocol::Tcp | Protocol::Udp => outside.source.port,
            Protocol::Icmp => inside_source.port,
        };
        let target = TransportAddress::new(peer, target_port);
        let inside = Tuple {
            protocol,
            source: inside_source,
            destination: target,
        };
        let inside_key = outbound_key(&inside).ok_or(Refused::MixedFamilies)?;
        let outbound = inside_key.hash(&self.keys);
        if let Some(slot) = self.table.outbound(outbound, &inside_key)
            && self.settle(slot)
        {
            return Err(Refused::Ambiguous);
        }
        let mut looks = Looks::new(Mapping::EndpointIndependent);
        self.check_quota(client, false, &mut looks)?;
        self.make_room()?;
        let mut kind = kind;
        kind.set_from_outside();
        let hot = Hot {
            client: owner,
            target: Octets::of(peer),
            peer: key.peer(),
            client_port: inside_source.port,
            peer_port: key.peer_port(),
            port: key.port(),
            address: key.address(),
            generation: 0,
            kind,
            state: match signal {
                Signal::None => State::Unconfirmed,
                Signal::Tcp { .. } => State::OutInit,
            },
            due: Ticks::ZERO,
        };
        let hashes = Hashes { outbound, inbound };
        let id = self.insert(hot, hashes, client, Mapping::EndpointIndependent)?;
        self.note_first(id, Side::Outside, signal);
        Ok(id)
    }

    /// Notes the sequence number of the SYN that opened a session, for judging a RST by it.
    fn note_first(&mut self, id: SessionId, side: Side, signal: Signal) {
        if self.policy.validate_rst
            && let Signal::Tcp { sequence, .. } = signal
            && let Some(cold) = self.table.cold.get_mut(id.slot as usize)
        {
            match side {
                Side::Inside => cold.sequence_in = sequence,
                Side::Outside => cold.sequence_out = sequence,
            }
        }
    }

    /// RFC 4787 REQ-9 needs bindings that do not name the peer.
    fn refuse_hairpin(&self, mapping: Mapping, peer: IpAddr) -> Result<(), Refused> {
        let Some(entry) = self
            .pools
            .find(peer)
            .and_then(|number| self.pools.address(number))
        else {
            return Ok(());
        };
        match (mapping, entry.mapping) {
            (Mapping::EndpointIndependent, Mapping::EndpointIndependent) => Ok(()),
            (Mapping::PerFlow, _) | (_, Mapping::PerFlow) => Err(Refused::Hairpin),
        }
    }

    /// A client at its quota makes room among its own.
    fn check_quota(&mut self, client: u32, port: bool, looks: &mut Looks) -> Result<(), Refused> {
        let Some(why) = self.clients.refuses(self.now, client, port) else {
            return Ok(());
        };
        match (why, self.policy.evict) {
            (Refused::QuotaSessions | Refused::QuotaPorts, Evict::Transitory) => {
                let for_port = why == Refused::QuotaPorts;
                let victim = self.victim_of_client(client, for_port, looks);
                let victim = victim.ok_or(why)?;
                self.end(victim, Closed::EvictedForQuota);
                self.clients
                    .refuses(self.now, client, port)
                    .map_or(Ok(()), Err)
            }
            _ => Err(why),
        }
    }

    /// One more session must fit.
    fn make_room(&mut self) -> Result<(), Refused> {
        if self.holding >= self.policy.sessions {
            let victim = match self.policy.evict {
                Evict::Never => None,
                Evict::Transitory => self.victim(),
            };
            self.end(victim.ok_or(Refused::Sessions)?, Closed::EvictedForSession);
        }
        if self.taken >= self.policy.slots {
            Err(Refused::Sessions)
        } else {
            Ok(())
        }
    }

    /// Adds a session whose keys, port and room were checked.
    pub(super) fn insert(
        &mut self,
        mut hot: Hot,
        hashes: Hashes,
        client: u32,
        mapping: Mapping,
    ) -> Result<SessionId, Refused> {
        hot.kind.set_opened(true);
        hot.due = self.seen.plus(self.lifetimes.of(&hot));
        let owner = self.clients.get(client).ok_or(Refused::Sessions)?;
        let pool = owner.pool;
        let slot = self
            .table
            .insert(hashes, hot, client, pool)
            .ok_or(Refused::Sessions)?;
        let new_port = self.claim_port(&hot, pool, mapping);
        if !self.clients.blocks.is_unused() {
            self.clients.enter_block(hot.address, hot.port);
        }
        self.clients.open(self.now, client, new_port);
        if let Some(entry) = self.pools.address_mut(hot.address) {
            entry.sessions += 1;
            entry.high_water = entry.high_water.max(entry.sessions);
            if entry.is_sampled(hashes.inbound as u32) {
                self.sample_ports(&hot);
            }
        }
        self.holding += 1;
        self.taken += 1;
        self.counters.opened();
        self.top.count(&self.keys, &hot);
        self.arm(slot);
        self.queue.push(&mut self.table.cold, slot);
        Ok(self.table.id(slot))
    }

    /// What a packet from outside to this session carries.
    fn inbound_tuple(&self, hot: &Hot) -> Option<Tuple> {
        let address = self.pools.address(hot.address)?.address;
        Some(Tuple {
            protocol: hot.kind.protocol(),
            source: hot.peer(),
            destination: TransportAddress::new(address, hot.port),
        })
    }
}
