//! What the store is told and asked, and what its replies bring about.

use alloc::vec::Vec;
use core::net::{Ipv4Addr, Ipv6Addr};
use core::time::Duration;

use super::{Dns46, Ticket};
use crate::Event;
use crate::store::{StoreAction, StoreReply};

/// For how long an address of which the store knows no host is not asked for again.
const UNKNOWN_FOR: Duration = Duration::from_secs(1);

/// Addresses of which that is remembered at a time.
const UNKNOWN: usize = 1024;

/// When a pair that the store did not forget is to be forgotten again.
pub(super) const FORGET_AGAIN: Duration = Duration::from_secs(30);

/// After a failure of the store, other replicas have this long to renew what they use before anything
/// is forgotten: their leases may be over, since they could not reach it either.
const GRACE: Duration = Duration::from_secs(60);

/// How soon a lease that could not be renewed is renewed again.
const RENEW_AGAIN: Duration = Duration::from_secs(10);

/// Such pairs at a time; the store forgets the others at the next start.
const UNFORGOTTEN: usize = 4096;

/// From when on pairs may be forgotten, after the last failure.
pub(super) fn forgets_at(failed_at: Option<Duration>) -> Duration {
    failed_at.map_or(Duration::ZERO, |failed_at| failed_at.saturating_add(GRACE))
}

impl Dns46 {
    pub(super) fn put(&mut self, now: Duration, address: Ipv4Addr, host: Ipv6Addr, ticket: Ticket) {
        if let Some((_, tickets)) = self.puts.get_mut(&address) {
            tickets.push(ticket);
            return;
        }
        let deadline_at = now.saturating_add(self.settings.store_deadline);
        // What it stood for before must be forgotten first, or the store will not have it.
        if forgets_at(self.failed_at) <= now
            && let Some((before, _)) = self.unforgotten.remove(&address)
            && before != host
        {
            let action = StoreAction::Delete {
                address,
                host: before,
            };
            self.operations.push(action, deadline_at);
        }
        let action = match &self.table {
            Some(table) if !table.is_own(address) => StoreAction::Renew {
                address,
                host,
                lease: table.lease(),
            },
            _ => StoreAction::Put { address, host },
        };
        let id = self.operations.push(action, deadline_at);
        self.puts.insert(address, (id, Vec::from([ticket])));
    }

    pub(super) fn forget_again(&mut self, now: Duration) {
        let deadline_at = now.saturating_add(self.settings.store_deadline);
        if forgets_at(self.failed_at) > now {
            return;
        }
        let operations = &mut self.operations;
        self.unforgotten.retain(|address, (host, again_at)| {
            let waits = *again_at > now;
            if !waits {
                let (address, host) = (*address, *host);
                operations.push(StoreAction::Delete { address, host }, deadline_at);
            }
            waits
        });
    }

    pub(super) fn settle(&mut self, now: Duration, action: StoreAction, reply: StoreReply) {
        if reply == StoreReply::Failed {
            self.stats.store_failures += 1;
            self.failed_at = Some(now);
        }
        match action {
            StoreAction::Put { address, host } => self.settle_put(now, address, host, reply),
            StoreAction::Get { address, .. } => self.settle_get(now, address, reply),
            StoreAction::Renew { address, host, .. } => {
                self.settle_renewal(now, address, host, reply);
            }
            StoreAction::Delete { address, host } => {
                if reply == StoreReply::Leased
                    && let Some(table) = &mut self.table
                {
                    table.restore(now, address, host);
                    table.set_stored(address, host);
                }
                if reply == StoreReply::Failed && self.unforgotten.len() < UNFORGOTTEN {
                    let again_at = now.saturating_add(FORGET_AGAIN);
                    self.unforgotten.insert(address, (host, again_at));
                }
            }
        }
    }

    fn settle_put(&mut self, now: Duration, address: Ipv4Addr, host: Ipv6Addr, reply: StoreReply) {
        let Some(table) = &mut self.table else {
            return;
        };
        let stored = reply == StoreReply::Done;
        if stored {
            table.set_stored(address, host);
        }
        if let StoreReply::Conflict(kept) = reply {
            // Nobody has heard of our mapping yet: the store's stands.
            self.stats.store_conflicts += 1;
            table.adopt(now, address, kept);
        }
        self.resolve(address, stored);
    }

    /// Whoever waits for a mapping to be stored hears of it.
    fn resolve(&mut self, address: Ipv4Addr, stored: bool) {
        let Some((_, tickets)) = self.puts.remove(&address) else {
            return;
        };
        for ticket in tickets {
            let Some(waiting) = self.waiting.get_mut(&ticket) else {
                continue;
            };
            waiting.missing = waiting.missing.saturating_sub(1);
            let had_failed = waiting.failed;
            waiting.failed |= !stored;
            if !stored && !had_failed {
                self.events.push_back(Event::StoreFailed { ticket });
            } else if waiting.missing == 0 && !waiting.failed {
                self.events.push_back(Event::Stored { ticket });
            }
        }
    }

    fn settle_get(&mut self, now: Duration, address: Ipv4Addr, reply: StoreReply) {
        let Some(ticket) = self.gets.remove(&address) else {
            return;
        };
        let Some(table) = &mut self.table else {
            return;
        };
        let known = match reply {
            StoreReply::Found(host) => table.adopt(now, address, host),
            _ => table.lookup(address).is_some(),
        };
        if known && !table.is_own(address) {
            let renewed_at = now.saturating_add(jittered(table.lease(), address));
            self.renewals.insert(address, renewed_at);
        }
        if known {
            self.events.push_back(Event::Known { ticket, address });
            return;
        }
        self.events.push_back(Event::Unknown { ticket, address });
        if self.unknown.len() >= UNKNOWN {
            self.unknown.retain(|_, until| *until > now);
        }
        if self.unknown.len() < UNKNOWN {
            self.unknown
                .insert(address, now.saturating_add(UNKNOWN_FOR));
        }
    }

    /// Renews the leases whose half is over, of mappings that still stand here.
    pub(super) fn renew(&mut self, now: Duration) {
        let Some(table) = &self.table else {
            return;
        };
        let deadline_at = now.saturating_add(self.settings.store_deadline);
        let due = self.renewals.iter().filter(|(_, at)| **at <= now);
        let due: Vec<Ipv4Addr> = due.map(|(address, _)| *address).collect();
        for address in due {
            self.renewals.remove(&address);
            let Some(host) = table.standing(address) else {
                continue;
            };
            let lease = table.lease();
            let renew = StoreAction::Renew {
                address,
                host,
                lease,
            };
            self.operations.push(renew, deadline_at);
            let next = now.saturating_add(jittered(lease, address));
            self.renewals.insert(address, next);
        }
    }

    fn settle_renewal(
        &mut self,
        now: Duration,
        address: Ipv4Addr,
        host: Ipv6Addr,
        reply: StoreReply,
    ) {
        let Some(table) = &mut self.table else {
            return;
        };
        match reply {
            // Known by hearsay alone, it is better not answered with: the next answer names an address of
            // this replica's own.
            StoreReply::Failed if table.forget(address) => {
                self.renewals.remove(&address);
            }
            StoreReply::Failed => {
                let again_at = now.saturating_add(RENEW_AGAIN);
                self.renewals.insert(address, again_at);
            }
            // Its owner took it back: nothing new may go through it here.
            StoreReply::Absent | StoreReply::Conflict(_) if table.stands_for(address, host) => {
                self.renewals.remove(&address);
                table.remove(now, address);
            }
            StoreReply::Done => table.set_stored(address, host),
            _ => {}
        }
        self.resolve(address, reply == StoreReply::Done);
    }
}

/// A little less than half a lease, not the same for all addresses.
fn jittered(lease: Duration, address: Ipv4Addr) -> Duration {
    let eighths = address.to_bits().wrapping_mul(0x9e37_79b9) >> 29;
    lease / 2 - lease / 64 * eighths
}
