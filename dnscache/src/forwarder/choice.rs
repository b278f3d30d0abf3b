//! Which server is asked next, and from which port.

use super::*;

/// How many choices of a server in one are random, so that a server that was slow is tried again.
const PROBE: u32 = 16;

/// Draws for a free source port before a search from the last one.
const PORT_DRAWS: u8 = 16;

/// Queries of one question to one server over one transport (RFC 9520 §3.1).
const TRIES_PER_SERVER: u8 = 3;

impl Forwarder {
    /// A port that no other try uses (RFC 5452 §9.2), so that it names the question.
    pub(super) fn free_port(&mut self) -> Option<u16> {
        let (low, high) = self.config.source_ports;
        let (low, high) = (low.min(high).max(1), low.max(high).max(1));
        let span = u32::from(high.abs_diff(low)).saturating_add(1);
        let mut port = low;
        for _ in 0..PORT_DRAWS {
            port = low.saturating_add(u16::try_from(self.below(span)).unwrap_or(0));
            if !self.by_port.contains_key(&port) {
                return Some(port);
            }
        }
        (port..=high)
            .chain(low..port)
            .find(|port| !self.by_port.contains_key(port))
    }

    /// A number below `bound`, each as likely as any other but for 2^-32.
    pub(super) fn below(&mut self, bound: u32) -> u32 {
        let product = u64::from(self.rng.next_u32()).wrapping_mul(u64::from(bound));
        u32::try_from(product >> 32).unwrap_or(0)
    }

    /// The best server of the zone that was not asked in this round; a new round if all were.
    pub(super) fn choose(&mut self, now: Duration, id: slab::Key) -> Option<usize> {
        let exchange = self.exchanges.get_mut(id)?;
        let of_zone: Vec<usize> = self
            .zones
            .servers(exchange.zone)
            .iter()
            .filter_map(|address| self.by_address.get(address).copied())
            .filter(|server| {
                let sent = exchange.sent.get(&(*server, exchange.by_stream));
                sent.is_none_or(|times| *times < TRIES_PER_SERVER)
            })
            .collect();
        if of_zone.iter().all(|server| exchange.asked.contains(server)) {
            exchange.asked.clear();
        }
        let asked = exchange.asked.clone();
        let bound = self.config.in_flight_per_server;
        let able: Vec<(usize, (bool, Duration))> = of_zone
            .into_iter()
            .filter(|server| !asked.contains(server))
            .filter_map(|index| {
                let server = self.servers.get(index)?;
                (server.in_flight < bound).then(|| (index, server.rank(now)))
            })
            .collect();
        let count = u32::try_from(able.len()).unwrap_or(u32::MAX);
        if count > 1 && self.below(PROBE) == 0 {
            let pick = usize::try_from(self.below(count)).unwrap_or(0);
            return able.get(pick).map(|(index, _)| *index);
        }
        able.into_iter()
            .min_by_key(|(_, rank)| *rank)
            .map(|(index, _)| index)
    }
}
