//! What the store held at the start.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::net::{Ipv4Addr, Ipv6Addr};
use core::time::Duration;

use super::Dns46;
use crate::store::StoreAction;

impl Dns46 {
    /// Takes in what the store held at the start; each mapping has a full hold from now on, and is not
    /// told of. Gives how
    /// many were taken: the others lie outside the pool, or contradict one before them.
    pub fn load(
        &mut self,
        now: Duration,
        mappings: impl IntoIterator<Item = (Ipv4Addr, Ipv6Addr)>,
    ) -> usize {
        self.now = now;
        let Some(table) = &mut self.table else {
            return 0;
        };
        table.recall(now, mappings.into_iter(), |table, address| {
            if table.is_foreign(address) {
                // Its owner may be about to free it: not used before the store has noted a lease.
                table.withhold(address);
                // One after another, so that the store is not asked about all of them at once.
                let spread = Duration::from_millis(10) * self.renewals.len() as u32;
                self.renewals.insert(address, now.saturating_add(spread));
            }
        })
    }

    /// Mends what a crash between two writes left in the store, or an older version that kept one entry
    /// for a mapping: `reverse` is what it holds from hosts to addresses, after [`load`](Self::load) took
    /// what it holds from addresses to hosts, which decides. Gives how many pairs are written again.
    pub fn repair(
        &mut self,
        now: Duration,
        reverse: impl IntoIterator<Item = (Ipv6Addr, Ipv4Addr)>,
    ) -> usize {
        self.now = now;
        let Some(table) = &mut self.table else {
            return 0;
        };
        let reverse: BTreeMap<Ipv6Addr, Ipv4Addr> = reverse.into_iter().collect();
        let mut again: Vec<(Ipv4Addr, Ipv6Addr)> = Vec::new();
        for mapping in table.mappings() {
            let complete = reverse.get(&mapping.host) == Some(&mapping.address);
            if !complete && table.address_of(mapping.host) == Some(mapping.address) {
                again.push((mapping.address, mapping.host));
            }
        }
        for (host, address) in reverse {
            let is_half = table.standing(address).is_none() && table.address_of(host).is_none();
            if is_half && table.is_own(address) && table.adopt(now, address, host) {
                table.withhold(address);
                again.push((address, host));
            }
        }
        let deadline_at = now.saturating_add(self.settings.store_deadline);
        for (address, host) in &again {
            let (address, host) = (*address, *host);
            self.operations
                .push(StoreAction::Put { address, host }, deadline_at);
        }
        again.len()
    }
}
