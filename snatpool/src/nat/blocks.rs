//! Ports from the blocks of a client.

use super::SnatPool;
use super::choice::{Choice, Outside};
use crate::config::Mapping;
use crate::port::Ports;
use crate::refused::Refused;
use crate::time::Ticks;
use crate::tuple::Protocol;

/// How many ports of a block are guessed before it counts as full. Of a block with one port in
/// twenty free, they miss all in one case of five.
const GUESSES: u32 = 32;

impl SnatPool {
    /// A free port in a block of the client's, or in a new block.
    pub(super) fn find_in_blocks(
        &mut self,
        choice: &Choice,
        address: u16,
        mapping: Mapping,
        most: u16,
    ) -> Result<Outside, Refused> {
        let mut number = self.clients.first_block(choice.client);
        let mut blocks = 0;
        while let Some(block) = self.clients.blocks.get(number).copied() {
            if block.address == address {
                blocks += 1;
                if let Some(outside) = self.find_in_block(choice, number, address, mapping) {
                    return Ok(outside);
                }
            }
            number = block.next;
        }
        if blocks >= most {
            return Err(Refused::QuotaPorts);
        }
        let new = self
            .clients
            .grant_block(&self.keys, choice.client, address)
            .ok_or(Refused::PortsExhausted)?;
        self.find_in_block(choice, new, address, mapping)
            .ok_or(Refused::PortsExhausted)
    }

    fn find_in_block(
        &mut self,
        choice: &Choice,
        number: u32,
        address: u16,
        mapping: Mapping,
    ) -> Option<Outside> {
        let (first, last) = self.clients.blocks.ports(number)?;
        let ports = Ports::new(&(first..=last))?;
        let pool = self.pools.pool(choice.pool)?;
        let (preserve, parity) = (pool.preserve_port, pool.keep_parity);
        let all = *self.pools.ports(address, choice.kind.protocol())?;
        let rest = match choice.kind.protocol() {
            Protocol::Tcp => Ticks::ZERO,
            Protocol::Udp | Protocol::Icmp => self.pools.address(address)?.rest,
        };
        let key = choice.set_key(address, mapping);
        if preserve
            && ports.contains(choice.port)
            && let Some(outside) = self.free_to_bind(choice, address, choice.port, mapping)
            && !self.port_rests(&key, &all, choice.port, rest)
        {
            return Some(outside);
        }
        let coin = self.guess() & 1 == 1;
        let keep_parity = parity && choice.kind.protocol() == Protocol::Udp;
        let order = Ports::order(choice.port, keep_parity, coin);
        for run in order.iter().filter_map(|number| ports.run(*number)) {
            for _ in 0..GUESSES.min(2 * run.len) {
                let port = run.port((self.guess() % u64::from(run.len)) as u32);
                if let Some(outside) = self.free_to_bind(choice, address, port, mapping)
                    && !self.port_rests(&key, &all, port, rest)
                {
                    return Some(outside);
                }
            }
        }
        None
    }
}
