//! Ports from the blocks of a client.

use core::ops::RangeInclusive;

use super::SnatPool;
use super::choice::{Choice, Outside};
use crate::config::Mapping;
use crate::looks::Looks;
use crate::meter::touch;
use crate::port::{Ports, Shuffle};
use crate::portset::Nowhere;
use crate::record::NONE;
use crate::refused::Refused;
use crate::tuple::Protocol;

/// How many ports of a block are guessed before a set of free ones is kept.
const GUESSES: u32 = 4;
/// What is kept for finding a new block, and a port in it.
const NEW_BLOCK: u32 = 16;
/// Of how many of a client's blocks the emptiest is sought. Those that have sessions that ended
/// stand first.
const BLOCKS: u16 = 4;

impl SnatPool {
    /// A free port in a block of the client's, the one with the fewest sessions first, or in a new
    /// block.
    pub(super) fn find_in_blocks(
        &mut self,
        choice: &Choice,
        address: u16,
        mapping: Mapping,
        most: u16,
        looks: &mut Looks,
    ) -> Result<Outside, Refused> {
        if let Some(outside) = self.own_port(choice, address, mapping) {
            return Ok(outside);
        }
        let (mut held, mut emptiest) = (0, (u32::MAX, NONE));
        let mut number = self.clients.first_block(choice.client);
        while let Some(block) = self.clients.blocks.get(number).copied() {
            touch(1);
            if held == BLOCKS || !looks.take(Looks::ENTRY) {
                // As many as it has of all addresses.
                held = self.clients.held_blocks(choice.client);
                break;
            }
            if block.address == address {
                held += 1;
                emptiest = emptiest.min((block.sessions, number));
            }
            number = block.next;
        }
        let (_, emptiest) = emptiest;
        let aside = looks.set_aside(if held < most { NEW_BLOCK } else { 0 });
        if let Some(outside) = self.find_in_block(choice, emptiest, address, mapping, looks) {
            return Ok(outside);
        }
        looks.add(aside);
        let new = if held < most {
            self.clients
                .grant_block(&self.keys, choice.client, address, looks)
        } else {
            None
        };
        if let Some(new) = new {
            return self
                .find_in_block(choice, new, address, mapping, looks)
                .ok_or(Refused::PortsExhausted);
        }
        number = self.clients.first_block(choice.client);
        while let Some(block) = self.clients.blocks.get(number).copied()
            && looks.take(Looks::ENTRY)
        {
            touch(1);
            if block.address == address
                && number != emptiest
                && let Some(outside) = self.find_in_block(choice, number, address, mapping, looks)
            {
                return Ok(outside);
            }
            number = block.next;
        }
        Err(if held < most {
            Refused::PortsExhausted
        } else {
            Refused::QuotaPorts
        })
    }

    /// The client's own port, if it may be kept and lies in a block of the client's.
    fn own_port(&mut self, choice: &Choice, address: u16, mapping: Mapping) -> Option<Outside> {
        let preserve = self.pools.pool(choice.pool)?.preserve_port;
        if !preserve
            || !self
                .clients
                .has_block_of(choice.client, address, choice.port)
        {
            return None;
        }
        let protocol = choice.kind.protocol();
        let all = *self.pools.ports(address, protocol)?;
        let rest = self.rest(address, protocol)?;
        let outside = self.free_to_bind(choice, address, choice.port, mapping)?;
        let key = choice.set_key(address, mapping);
        (!self.port_rests(&key, &all, choice.port, rest)).then_some(outside)
    }

    fn find_in_block(
        &mut self,
        choice: &Choice,
        number: u32,
        address: u16,
        mapping: Mapping,
        looks: &mut Looks,
    ) -> Option<Outside> {
        let (first, last) = self.clients.blocks.ports(number)?;
        let range = first..=last;
        let protocol = choice.kind.protocol();
        let keep_parity = self.pools.pool(choice.pool)?.keep_parity && protocol == Protocol::Udp;
        let all = *self.pools.ports(address, protocol)?;
        let rest = self.rest(address, protocol)?;
        let key = choice.set_key(address, mapping);
        let lot = self.guess();
        let order = Ports::order(choice.port, keep_parity, lot & 1 == 1);
        if self.sets.get(&self.keys, &key).is_none()
            && let Some(outside) = self.guess_in_block(choice, address, &range, order, looks)
        {
            return Some(outside);
        }
        let set = self.sets.promote(&self.keys, &key, &all, true)?;
        set.see_to_resting(self.now, &all, rest);
        let known = (&self.table, &self.bindings, &self.keys);
        let lot = (lot >> 32) as u32;
        let port = set.pick_within(&all, (order, lot), &range, looks, |port| {
            choice.is_taken(known, address, port, mapping)
        });
        if port == Err(Nowhere::Unknown) {
            self.counters.searched_without_set();
        }
        let port = port.ok()?;
        set.give_back(&all, port);
        let hash = choice.inbound_key(address, port).hash(&self.keys);
        Some(Outside {
            address,
            port,
            hash,
        })
    }

    /// Guesses, none twice, in the first run that has ports of the block. Only for flows that are
    /// bound alone: where bindings are not, the set is always there.
    fn guess_in_block(
        &mut self,
        choice: &Choice,
        address: u16,
        range: &RangeInclusive<u16>,
        order: [usize; 4],
        looks: &mut Looks,
    ) -> Option<Outside> {
        let ports = Ports::new(range)?;
        let mut runs = order.iter().filter_map(|number| ports.run(*number));
        let run = runs.find(|run| run.len > 0)?;
        let shuffle = Shuffle(self.guess());
        for index in 0..GUESSES.min(run.len) {
            if !looks.take(Looks::PORT) {
                return None;
            }
            let port = run.port(shuffle.apply(index, run.len));
            let outside = self.free_to_peer(choice, address, port);
            if outside.is_some() {
                return outside;
            }
        }
        None
    }
}
