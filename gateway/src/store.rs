//! Where mappings are kept, so that other replicas and later lives of this one know them.

use alloc::collections::BTreeMap;
use core::net::{Ipv4Addr, Ipv6Addr};
use core::time::Duration;

use dns46::{StoreAction, StoreReply};

/// A store that forgets everything with the process.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MemoryStore {
    hosts: BTreeMap<Ipv4Addr, Ipv6Addr>,
    /// Until when another replica than an address's owner may use it.
    leases: BTreeMap<Ipv4Addr, Duration>,
}

impl MemoryStore {
    /// Does what is asked, and gives the reply to
    /// [`Gateway::handle_store`](crate::Gateway::handle_store).
    pub fn apply(&mut self, now: Duration, action: StoreAction) -> StoreReply {
        match action {
            StoreAction::Put { address, host } => {
                let kept = *self.hosts.entry(address).or_insert(host);
                if kept == host {
                    StoreReply::Done
                } else {
                    StoreReply::Conflict(kept)
                }
            }
            StoreAction::Get { address, lease } => match self.hosts.get(&address) {
                Some(host) => {
                    self.leases.insert(address, now + lease);
                    StoreReply::Found(*host)
                }
                None => StoreReply::Absent,
            },
            StoreAction::Renew {
                address,
                host,
                lease,
            } => match self.hosts.get(&address) {
                Some(kept) if *kept == host => {
                    self.leases.insert(address, now + lease);
                    StoreReply::Done
                }
                Some(kept) => StoreReply::Conflict(*kept),
                None => StoreReply::Absent,
            },
            StoreAction::Delete { address, host } => {
                if self.hosts.get(&address) != Some(&host) {
                    return StoreReply::Done;
                }
                if self.leases.get(&address).is_some_and(|until| *until > now) {
                    return StoreReply::Leased;
                }
                self.hosts.remove(&address);
                self.leases.remove(&address);
                StoreReply::Done
            }
            _ => StoreReply::Failed,
        }
    }

    /// Every pair, in the order of the addresses.
    pub fn mappings(&self) -> impl Iterator<Item = (Ipv4Addr, Ipv6Addr)> {
        self.hosts.iter().map(|(address, host)| (*address, *host))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Duration = Duration::from_secs(1000);

    #[test]
    fn an_address_keeps_its_host_until_that_very_pair_is_deleted() {
        let address = Ipv4Addr::new(10, 0, 0, 1);
        let [host, other] = [1, 2].map(|last| Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, last));
        let mut store = MemoryStore::default();
        let lease = Duration::from_secs(10);
        let get = StoreAction::Get { address, lease };
        assert_eq!(store.apply(NOW, get), StoreReply::Absent);
        let put = |host| StoreAction::Put { address, host };
        let delete = |host| StoreAction::Delete { address, host };
        assert_eq!(store.apply(NOW, put(host)), StoreReply::Done);
        assert_eq!(store.apply(NOW, put(host)), StoreReply::Done);
        assert_eq!(store.apply(NOW, put(other)), StoreReply::Conflict(host));
        assert_eq!(store.apply(NOW, delete(other)), StoreReply::Done);
        assert_eq!(store.apply(NOW, get), StoreReply::Found(host));
        assert_eq!(store.apply(NOW, delete(host)), StoreReply::Leased);
        let renew = StoreAction::Renew {
            address,
            host,
            lease,
        };
        assert_eq!(store.apply(NOW + lease, renew), StoreReply::Done);
        let over = NOW + 2 * lease;
        assert_eq!(store.apply(over, delete(host)), StoreReply::Done);
        assert_eq!(store.apply(over, renew), StoreReply::Absent);
        assert_eq!(store.apply(over, get), StoreReply::Absent);
    }
}
