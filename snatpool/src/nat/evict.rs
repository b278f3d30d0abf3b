//! Who goes first when room is needed (RFC 5382 §5).

use super::SnatPool;
use super::choice::Choice;
use crate::config::Mapping;
use crate::lifetime::Class;
use crate::looks::Looks;
use crate::meter::touch;

/// How many sessions a search for a victim may look at.
const LOOKED_AT: usize = 12;

impl SnatPool {
    /// The session that goes first: of the lowest class, the one with the soonest deadline.
    pub(super) fn victim(&self) -> Option<u32> {
        Class::EVICTABLE
            .into_iter()
            .find_map(|class| self.wheel.soonest(class))
            .map(|(_, slot)| slot)
    }

    /// The session of this client that goes first, of the 12 armed longest ago; where it is for its
    /// port, of those that share theirs with no other.
    pub(super) fn victim_of_client(
        &self,
        client: u32,
        for_port: bool,
        looks: &mut Looks,
    ) -> Option<u32> {
        let head = self.clients.share(client)?.evictable;
        let mut best = None;
        let mut slot = head;
        let cost = if for_port { Looks::PORT } else { Looks::ENTRY };
        for _ in 0..LOOKED_AT {
            if !looks.take(cost) {
                break;
            }
            touch(1);
            let Some(cold) = self.table.cold.get(slot as usize) else {
                break;
            };
            if let Some(standing) = self.wheel.standing(cold)
                && best.is_none_or(|(least, _)| standing < least)
                && (!for_port || self.is_alone(slot))
            {
                best = Some((standing, slot));
            }
            slot = self.own.next(slot)?;
            if slot == head {
                break;
            }
        }
        best.map(|(_, slot)| slot)
    }

    /// A session whose end frees a port of `address` towards this peer: the one that goes first of
    /// all, if it is such a one; else the first to go among those that have a few random ports.
    pub(super) fn victim_to_peer(
        &mut self,
        choice: &Choice,
        address: u16,
        mapping: Mapping,
        looks: &mut Looks,
    ) -> Option<u32> {
        for class in Class::EVICTABLE {
            if let Some((_, slot)) = self.wheel.soonest(class)
                && self.frees_port(slot, choice, address, mapping)
            {
                return Some(slot);
            }
        }
        let ports = *self.pools.ports(address, choice.kind.protocol())?;
        let mut best = None;
        for _ in 0..LOOKED_AT {
            if !looks.take(Looks::PORT) {
                break;
            }
            let port = ports.nth(self.guess() as u32 % ports.count().max(1))?;
            let Some(slot) = self.holder(choice, address, port, mapping) else {
                continue;
            };
            let Some(cold) = self.table.cold.get(slot as usize) else {
                continue;
            };
            let Some(standing) = self.wheel.standing(cold) else {
                continue;
            };
            let evictable = standing.0 < Class::Protected as u16;
            if evictable && best.is_none_or(|(least, _)| standing < least) {
                best = Some((standing, slot));
            }
        }
        best.map(|(_, slot)| slot)
    }

    /// The one session that has this port towards the peer; per binding, only the session to this
    /// same peer is known.
    fn holder(&self, choice: &Choice, address: u16, port: u16, mapping: Mapping) -> Option<u32> {
        let key = choice.inbound_key(address, port);
        let slot = self.table.inbound(key.hash(&self.keys), &key)?;
        let live = self
            .table
            .hot
            .get(slot as usize)
            .is_some_and(|hot| !hot.kind.closed());
        (live && self.frees_port(slot, choice, address, mapping)).then_some(slot)
    }

    fn frees_port(&self, slot: u32, choice: &Choice, address: u16, mapping: Mapping) -> bool {
        let Some(hot) = self.table.hot.get(slot as usize) else {
            return false;
        };
        if hot.address != address || hot.kind.protocol() != choice.kind.protocol() {
            return false;
        }
        match mapping {
            Mapping::PerFlow => hot.peer == choice.peer && hot.peer_port == choice.peer_port,
            Mapping::EndpointIndependent => self.is_alone(slot),
        }
    }

    /// Whether a session shares its port with no other.
    fn is_alone(&self, slot: u32) -> bool {
        let Some(hot) = self.table.hot.get(slot as usize) else {
            return false;
        };
        match self.pools.address(hot.address).map(|entry| entry.mapping) {
            Some(Mapping::PerFlow) => true,
            Some(Mapping::EndpointIndependent) => self
                .bindings
                .outside(&self.keys, hot.kind.protocol(), hot.address, hot.port)
                .and_then(|binding| self.bindings.get(binding))
                .is_some_and(|binding| binding.sessions == 1),
            None => false,
        }
    }
}
