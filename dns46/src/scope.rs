//! Whom made replies are for, and about which names (RFC 6147 §6.3: who reaches the other family by
//! itself should get none).

use alloc::vec::Vec;
use core::net::IpAddr;
use core::str::FromStr;

use hickory_proto::rr::Name;
use ipnet::IpNet;

/// Lists of clients and of zones. The default takes all clients, and all names but `cluster.local`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scope {
    /// Networks of the clients that made replies are for; empty for all.
    pub clients: Vec<IpNet>,
    /// Networks whose clients get plain replies only, though they lie in one of `clients`.
    pub clients_excluded: Vec<IpNet>,
    /// Zones about which replies are made; empty for all names.
    pub zones: Vec<Zone>,
    /// Zones that stay plain. Of two zones that hold a name, the longer decides.
    pub zones_excluded: Vec<Zone>,
}

/// A name and all names below it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Zone(Name);

/// Not a domain name (RFC 1035 §5.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a domain name: labels of 1 to 63 octets, 255 octets in all")]
pub struct ZoneError;

impl FromStr for Zone {
    type Err = ZoneError;

    fn from_str(text: &str) -> Result<Self, ZoneError> {
        let mut name = Name::from_ascii(text).map_err(|_| ZoneError)?;
        name.set_fqdn(true);
        Ok(Self(name))
    }
}

impl Default for Scope {
    fn default() -> Self {
        Self {
            clients: Vec::new(),
            clients_excluded: Vec::new(),
            zones: Vec::new(),
            zones_excluded: "cluster.local".parse().into_iter().collect(),
        }
    }
}

impl Scope {
    pub(crate) fn has_client(&self, client: IpAddr) -> bool {
        let within = |networks: &[IpNet]| networks.iter().any(|network| network.contains(&client));
        (self.clients.is_empty() || within(&self.clients)) && !within(&self.clients_excluded)
    }

    pub(crate) fn has_name(&self, name: &Name) -> bool {
        let longest = |zones: &[Zone]| {
            let above = zones.iter().filter(|zone| zone.0.zone_of(name));
            above.map(|zone| zone.0.num_labels()).max()
        };
        match (longest(&self.zones), longest(&self.zones_excluded)) {
            (Some(inside), Some(outside)) => inside > outside,
            (Some(_), None) => true,
            (None, Some(_)) => false,
            (None, None) => self.zones.is_empty(),
        }
    }
}
