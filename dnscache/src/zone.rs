//! Forward zones: which servers are asked about which names.

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::net::SocketAddr;

use crate::config::Unmatched;
use crate::wire::{Labels, Name};

/// Names at or below `name` are asked of `servers`, unless a longer zone holds them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ForwardZone {
    /// The zone's apex; the root holds every name.
    pub name: Name,
    /// The servers; none means that every query below the zone fails (SERVFAIL).
    pub servers: Vec<SocketAddr>,
    /// Whether answers of this zone are kept.
    pub cached: bool,
}

impl ForwardZone {
    /// A zone whose answers are cached.
    pub fn new(name: Name, servers: Vec<SocketAddr>) -> Self {
        Self {
            name,
            servers,
            cached: true,
        }
    }
}

/// What is to be done about a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Route {
    Ask(ZoneIndex),
    /// A zone without server, or a name under no zone where that is a failure.
    Fail,
    Refuse,
}

/// A zone by its place in the configuration; one past them are the names under no zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct ZoneIndex(pub(crate) usize);

/// All zones, ready to be searched.
#[derive(Debug)]
pub(crate) struct Zones {
    by_name: BTreeMap<Box<[u8]>, ZoneIndex>,
    zones: Vec<ForwardZone>,
    unmatched: Route,
}

impl Zones {
    pub(crate) fn new(mut zones: Vec<ForwardZone>, unmatched: Unmatched) -> Self {
        let mut by_name = BTreeMap::new();
        for (index, zone) in zones.iter().enumerate() {
            by_name
                .entry(zone.name.as_wire().into())
                .or_insert(ZoneIndex(index));
        }
        let unmatched = match unmatched {
            Unmatched::Refuse => Route::Refuse,
            Unmatched::ServFail => Route::Fail,
            Unmatched::Forward(servers) if servers.is_empty() => Route::Fail,
            Unmatched::Forward(servers) => {
                zones.push(ForwardZone {
                    name: Name::root(),
                    servers,
                    cached: false,
                });
                Route::Ask(ZoneIndex(zones.len().saturating_sub(1)))
            }
        };
        Self {
            by_name,
            zones,
            unmatched,
        }
    }

    /// The longest zone that holds a name, given in lower-case wire form.
    pub(crate) fn route(&self, name: &[u8]) -> Route {
        match Labels::new(name).find_map(|suffix| self.by_name.get(suffix)) {
            Some(index) if self.servers(*index).is_empty() => Route::Fail,
            Some(index) => Route::Ask(*index),
            None => self.unmatched,
        }
    }

    pub(crate) fn servers(&self, zone: ZoneIndex) -> &[SocketAddr] {
        self.zones.get(zone.0).map_or(&[], |zone| &zone.servers)
    }

    pub(crate) fn is_cached(&self, zone: ZoneIndex) -> bool {
        self.zones.get(zone.0).is_some_and(|zone| zone.cached)
    }

    pub(crate) fn len(&self) -> usize {
        self.zones.len()
    }
}
