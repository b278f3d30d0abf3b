//! Where mappings are kept, so that other replicas and later lives of this one know them.

use alloc::collections::BTreeMap;
use core::net::{Ipv4Addr, Ipv6Addr};

use dns46::{StoreAction, StoreReply};

/// A store that forgets everything with the process.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MemoryStore {
    hosts: BTreeMap<Ipv4Addr, Ipv6Addr>,
}

impl MemoryStore {
    /// Does what is asked, and gives the reply to
    /// [`Gateway::handle_store`](crate::Gateway::handle_store).
    pub fn apply(&mut self, action: StoreAction) -> StoreReply {
        match action {
            StoreAction::Put { address, host } => {
                let kept = *self.hosts.entry(address).or_insert(host);
                if kept == host {
                    StoreReply::Done
                } else {
                    StoreReply::Conflict(kept)
                }
            }
            StoreAction::Get { address } => match self.hosts.get(&address) {
                Some(host) => StoreReply::Found(*host),
                None => StoreReply::Absent,
            },
            StoreAction::Delete { address, host } => {
                if self.hosts.get(&address) == Some(&host) {
                    self.hosts.remove(&address);
                }
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

    #[test]
    fn an_address_keeps_its_host_until_that_very_pair_is_deleted() {
        let address = Ipv4Addr::new(10, 0, 0, 1);
        let [host, other] = [1, 2].map(|last| Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, last));
        let mut store = MemoryStore::default();
        let get = StoreAction::Get { address };
        assert_eq!(store.apply(get), StoreReply::Absent);
        let put = |host| StoreAction::Put { address, host };
        let delete = |host| StoreAction::Delete { address, host };
        assert_eq!(store.apply(put(host)), StoreReply::Done);
        assert_eq!(store.apply(put(host)), StoreReply::Done);
        assert_eq!(store.apply(put(other)), StoreReply::Conflict(host));
        assert_eq!(store.apply(delete(other)), StoreReply::Done);
        assert_eq!(store.apply(get), StoreReply::Found(host));
        assert_eq!(store.apply(delete(host)), StoreReply::Done);
        assert_eq!(store.apply(get), StoreReply::Absent);
    }
}
