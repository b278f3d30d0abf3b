//! Forward zones: which servers are asked about which names.

use alloc::vec::Vec;
use core::net::SocketAddr;

use crate::wire::Name;

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
