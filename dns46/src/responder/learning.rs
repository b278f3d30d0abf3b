//! What others write in the store, told without being asked for.

use core::net::{Ipv4Addr, Ipv6Addr};
use core::time::Duration;

use super::Dns46;

/// What came of news from the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Learned {
    /// Nothing that was not known, or that matters here.
    Known,
    /// It holds here from now on.
    Taken,
    /// The address is this replica's, and stands for another host, of which clients were told: the store must be
    /// told again.
    Contradicts(Ipv6Addr),
}

impl Dns46 {
    /// The store's entry of an address was changed by someone else: it stands for `host` now, `None` for nothing.
    ///
    /// In the reserved range that is an operator's word, and holds at once. A mapping of another replica is
    /// answered from now on, and used as soon as the store has noted a lease. A mapping of this replica ends if
    /// its entry was deleted, and is never another host's.
    pub fn learn(&mut self, now: Duration, address: Ipv4Addr, host: Option<Ipv6Addr>) -> Learned {
        self.now = now;
        let Some(table) = &mut self.table else {
            return Learned::Known;
        };
        if table.is_reserved(address) {
            // What was removed here is removed there in a moment.
            let is_over = self.unforgotten.contains_key(&address) && host.is_some();
            return taken(!is_over && table.order(address, host));
        }
        let standing = table.standing(address);
        let Some(host) = host else {
            if table.forget(address) {
                return Learned::Taken;
            }
            self.renewals.remove(&address);
            // One of ours that waits to be stored is not stored yet.
            let ends = standing.is_some() && table.is_stored(address);
            return taken(ends && table.remove(now, address).is_some());
        };
        if standing == Some(host) || self.unforgotten.contains_key(&address) {
            return Learned::Known;
        }
        if table.is_own(address) {
            return match standing {
                Some(ours) if table.is_stored(address) => Learned::Contradicts(ours),
                // The reply to what is on its way tells.
                Some(_) => Learned::Known,
                None => taken(table.adopt(now, address, host)),
            };
        }
        if standing.is_some() && !table.forget(address) {
            // Its owner took it back while we could not hear of it.
            self.renewals.remove(&address);
            return taken(table.remove(now, address).is_some());
        }
        self.unknown.remove(&address);
        taken(table.know(now, address, host))
    }

    /// The store cannot be reached: answers name addresses of this replica's own, not those of other replicas
    /// that it cannot ask for a lease of.
    pub fn forget_known(&mut self, now: Duration) {
        self.now = now;
        if let Some(table) = &mut self.table {
            table.forget_known();
        }
    }
}

const fn taken(is_taken: bool) -> Learned {
    if is_taken {
        Learned::Taken
    } else {
        Learned::Known
    }
}
