//! What was promised to whom: nothing but lists.

use core::net::{Ipv4Addr, Ipv6Addr};
use core::time::Duration;

/// An address that someone may use for a host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Promise {
    pub(crate) address: Ipv4Addr,
    pub(crate) host: Ipv6Addr,
    /// The end of the TTL that was handed out, or of the least hold, whichever is later.
    pub(crate) until: Duration,
}

/// A connection that goes on through a replica.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Flow {
    pub(crate) replica: usize,
    pub(crate) address: Ipv4Addr,
    pub(crate) host: Ipv6Addr,
}

#[derive(Debug, Default)]
pub(crate) struct Reference {
    pub(crate) promises: Vec<Promise>,
    pub(crate) flows: Vec<Flow>,
    /// Every host that an address ever stood for, in order.
    history: Vec<(Ipv4Addr, Ipv6Addr)>,
}

impl Reference {
    /// Whose an address is while anything of it is alive.
    pub(crate) fn host_of(&self, now: Duration, address: Ipv4Addr) -> Option<Ipv6Addr> {
        let promised = self
            .promises
            .iter()
            .find(|promise| promise.address == address && promise.until > now)
            .map(|promise| promise.host);
        let flow = self.flows.iter().find(|flow| flow.address == address);
        promised.or_else(|| flow.map(|flow| flow.host))
    }

    /// An answer left. Panics if the address is another host's.
    pub(crate) fn promise(&mut self, now: Duration, promise: Promise) {
        let before = self.host_of(now, promise.address);
        assert!(
            before.is_none_or(|host| host == promise.host),
            "{promise:?} while it stands for {before:?}"
        );
        self.promises.retain(|old| old.until > now);
        self.promises.push(promise);
        let pair = (promise.address, promise.host);
        if self
            .history
            .iter()
            .rev()
            .find(|(address, _)| *address == pair.0)
            != Some(&pair)
        {
            self.history.push(pair);
        }
    }

    /// A packet of a client that believes `promise` came out at `host`. Panics if that is another's.
    pub(crate) fn arrived(&self, promise: &Promise, host: Ipv6Addr) {
        assert_eq!(host, promise.host, "{promise:?} led to another host");
    }

    /// A replica translates `address` to `host`. Panics if anybody believes in another.
    pub(crate) fn stands(&self, now: Duration, address: Ipv4Addr, host: Ipv6Addr) {
        let believed = self.host_of(now, address);
        assert!(
            believed.is_none_or(|believed| believed == host),
            "{address} leads to {host}, and {believed:?} is believed"
        );
    }

    /// An operator ended a mapping: what was promised of it is void.
    pub(crate) fn void(&mut self, address: Ipv4Addr) {
        self.promises.retain(|promise| promise.address != address);
        self.flows.retain(|flow| flow.address != address);
    }

    /// How often an address came to stand for another host than before.
    pub(crate) fn reused(&self) -> usize {
        let mut last: Vec<(Ipv4Addr, Ipv6Addr)> = Vec::new();
        let mut reused = 0;
        for (address, host) in &self.history {
            match last.iter_mut().find(|(known, _)| known == address) {
                Some((_, before)) => {
                    reused += usize::from(before != host);
                    *before = *host;
                }
                None => last.push((*address, *host)),
            }
        }
        reused
    }
}
