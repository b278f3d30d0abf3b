//! What a gateway holds and has counted, to be shown; and what of it is forgotten at once.

use core::net::Ipv4Addr;
use core::ops::{Range, RangeInclusive};

use dnscache::Resolver;

use crate::{Gateway, Stats};

impl Gateway {
    /// Every address of the DNS46 subnet that is not free.
    pub fn mappings(&self) -> impl Iterator<Item = dns46::Mapping> {
        self.dns46.mappings()
    }

    /// Those of some addresses; see [`mappings_in`](dns46::Dns46::mappings_in).
    pub fn mappings_in(
        &self,
        addresses: RangeInclusive<Ipv4Addr>,
    ) -> impl Iterator<Item = dns46::Mapping> {
        self.dns46.mappings_in(addresses)
    }

    /// Every live session.
    pub fn sessions(&self) -> impl Iterator<Item = snatpool::Session> {
        self.snat.sessions()
    }

    /// Those in a range of [slots](Self::session_slots); see [`sessions_in`](snatpool::SnatPool::sessions_in).
    pub fn sessions_in(&self, slots: Range<u32>) -> impl Iterator<Item = snatpool::Session> {
        self.snat.sessions_in(slots)
    }

    /// How many slots sessions have.
    #[must_use]
    pub fn session_slots(&self) -> u32 {
        self.snat.slots()
    }

    /// Addresses of this replica's slice that may be handed out now.
    #[must_use]
    pub fn free_addresses(&self) -> u32 {
        self.dns46.free()
    }

    /// The SNAT addresses and the gateway's own, with the sessions on them.
    pub fn addresses(&self) -> impl Iterator<Item = snatpool::AddressStats> {
        self.snat.addresses()
    }

    /// The peers outside that most sessions were opened to since the start, the greatest first.
    pub fn top_destinations(&self) -> impl Iterator<Item = snatpool::Destination> {
        self.snat.top_destinations()
    }

    /// What the bindings have counted.
    #[must_use]
    pub fn binding_stats(&self) -> snatpool::Stats {
        self.snat.stats()
    }

    /// Forgets the cached answers about a name and all names below it; gives how many.
    pub fn flush(&mut self, zone: &dnscache::Name) -> usize {
        self.flush_in(0..self.cache_slots(), zone)
    }

    /// The same for the answers in some of the [places](Self::cache_slots) of the cache.
    pub fn flush_in(&mut self, slots: Range<u32>, zone: &dnscache::Name) -> usize {
        let resolver = self.resolver.as_mut();
        resolver.map_or(0, |resolver| resolver.flush_zone_in(slots, zone))
    }

    /// How many places the cache has for answers.
    #[must_use]
    pub fn cache_slots(&self) -> u32 {
        self.resolver.as_ref().map_or(0, Resolver::slots)
    }

    /// What has been counted.
    #[must_use]
    pub fn stats(&self) -> &Stats {
        &self.stats
    }

    /// What the DNS cache has counted; `None` if port 53 is not intercepted.
    #[must_use]
    pub fn cache_stats(&self) -> Option<dnscache::Stats<'_>> {
        self.resolver.as_ref().map(Resolver::stats)
    }
}
