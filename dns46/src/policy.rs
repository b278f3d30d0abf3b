//! Which replies are made, for whom, and from what.

use alloc::vec::Vec;
use core::net::Ipv4Addr;
use core::time::Duration;

use ipnet::{Ipv4Net, Ipv6Net};

use crate::embed::Prefix;
use crate::scope::Scope;

/// Type numbers (RFC 1035 §3.2.2, RFC 3596 §2.1).
pub(crate) const A: u16 = 1;
pub(crate) const AAAA: u16 = 28;
pub(crate) const PTR: u16 = 12;
pub(crate) const DS: u16 = 43;
pub(crate) const SVCB: u16 = 64;
pub(crate) const HTTPS: u16 = 65;

/// ::ffff:0:0/96 (RFC 4291 §2.5.5.2).
const MAPPED: Option<Ipv6Net> =
    match Ipv6Net::new(core::net::Ipv6Addr::new(0, 0, 0, 0, 0, 0xffff, 0, 0), 96) {
        Ok(network) => Some(network),
        Err(_) => None,
    };

/// The choices of a [`Dns46`](crate::Dns46).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Answered, for 5 s, while no address is free. `None`: SERVFAIL at once.
    pub sorry: Option<Ipv4Addr>,
    /// Upper bound of a synthesized A record's TTL. Default 120 s.
    pub max_ttl: Duration,
    /// How many hosts of one name are mapped, those that are mapped already first. Default 2.
    pub hosts_per_name: usize,
    /// Where the AAAA records go that an A record stands for.
    pub basis: Basis,
    /// IPv6 hosts that are never mapped, beside those that no translator can reach: unspecified,
    /// loopback, link-local, multicast and discard-only addresses, and 64:ff9b:1::/48.
    pub excluded: Vec<Ipv6Net>,
    /// IPv4 hosts that are never answered, beside those that no host can have and the pool itself:
    /// an answer that names them is taken for one without them (RFC 6147 §5.1.4, mirrored).
    pub excluded_ipv4: Vec<Ipv4Net>,
    /// IPv6 hosts that count as absent for DNS64 (RFC 6147 §5.1.4). Default ::ffff:0:0/96.
    pub absent_ipv6: Vec<Ipv6Net>,
    /// The NAT64 prefixes: the first whose networks hold an IPv4 host is used. None switches DNS64 off.
    pub nat64: Vec<Nat64>,
    /// Whom and what DNS46 is for.
    pub dns46_scope: Scope,
    /// Whom and what DNS64 is for.
    pub dns64_scope: Scope,
    /// Whether the other type is asked for after a failure, too, not after an empty reply alone. DNS46:
    /// by default not, since a passing failure of a dual-stack name would move its clients.
    pub dns46_after_failure: bool,
    /// The same for DNS64, where RFC 6147 §5.1.2 asks for it: by default so.
    pub dns64_after_failure: bool,
    /// What clients of DNS46 get for HTTPS and SVCB, which may name IPv6 hosts in hints.
    pub service_bindings: ServiceBindings,
    /// Clients of DNS46 get no AAAA records: an empty reply, never a denial of the name.
    pub filter_aaaa: bool,
    /// How many mappings that no packet has used yet one client may have made. `None` for no limit:
    /// in a cluster all clients may stand behind one forwarder.
    pub tentative_per_client: Option<u32>,
    /// Whether events after the first also tell who asked for a mapping, and by which name: costs
    /// memory for each.
    pub remember_askers: bool,
    /// How long the store may take to acknowledge. Default 200 ms.
    pub store_deadline: Duration,
    /// Answers that may wait for the store at a time; more get SERVFAIL. Default 4096.
    pub waiting: usize,
    /// Addresses that the store may be asked for at a time. Default 256.
    pub asking: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            sorry: None,
            max_ttl: Duration::from_secs(120),
            hosts_per_name: 2,
            basis: Basis::Additional,
            excluded: Vec::new(),
            excluded_ipv4: Vec::new(),
            absent_ipv6: MAPPED.into_iter().collect(),
            nat64: Vec::new(),
            dns46_scope: Scope::default(),
            dns64_scope: Scope::default(),
            dns46_after_failure: false,
            dns64_after_failure: true,
            service_bindings: ServiceBindings::Pass,
            filter_aaaa: false,
            tentative_per_client: None,
            remember_askers: false,
            store_deadline: Duration::from_millis(200),
            waiting: 4096,
            asking: 256,
        }
    }
}

/// A NAT64 prefix and the IPv4 hosts that are reached under it (RFC 6147 §5.2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Nat64 {
    /// The prefix.
    pub prefix: Prefix,
    /// Networks of the hosts; empty for all.
    pub networks: Vec<Ipv4Net>,
}

impl Nat64 {
    /// A prefix for all IPv4 hosts.
    #[must_use]
    pub const fn all(prefix: Prefix) -> Self {
        Self {
            prefix,
            networks: Vec::new(),
        }
    }

    /// Whether an IPv4 host is reached under the prefix.
    pub(crate) fn reaches(&self, host: Ipv4Addr) -> bool {
        let listed = self.networks.iter().any(|network| network.contains(&host));
        (self.networks.is_empty() || listed) && self.prefix.may_embed(host)
    }
}

/// What becomes of HTTPS and SVCB records (RFC 9460), whose hints must not be made up (§4.2.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum ServiceBindings {
    /// They pass as they are.
    #[default]
    Pass,
    /// An empty reply, so that clients fall back to address records.
    Strip,
}

/// Where the AAAA records go that a synthesized A record stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Basis {
    /// Into the additional section, so that forwarders below do not scrub the answer. RFC 6147 §5.3.2
    /// mirrored would leave them out: a stated deviation, since the original returns both.
    #[default]
    Additional,
    /// Into the answer section.
    Answer,
    /// Nowhere.
    None,
}

/// What becomes of a plain reply, decided once when it comes, whoever asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Decision {
    /// It is everybody's answer.
    Pass,
    /// It has no address, so that AAAA of the same name is to be asked, for clients of DNS46.
    AskAaaa,
    /// It has no address, so that A of the same name is to be asked, for clients of DNS64.
    AskA,
}

impl Decision {
    /// The type to ask for.
    #[must_use]
    pub const fn record_type(self) -> Option<u16> {
        match self {
            Self::Pass => None,
            Self::AskAaaa => Some(AAAA),
            Self::AskA => Some(A),
        }
    }

    /// As the byte that a cache keeps beside the reply; 0 stands for [`Pass`](Self::Pass).
    #[must_use]
    pub const fn tag(self) -> u8 {
        match self {
            Self::Pass => 0,
            Self::AskAaaa => 1,
            Self::AskA => 2,
        }
    }

    /// From [`tag`](Self::tag); any other byte is [`Pass`](Self::Pass).
    #[must_use]
    pub const fn from_tag(tag: u8) -> Self {
        match tag {
            1 => Self::AskAaaa,
            2 => Self::AskA,
            _ => Self::Pass,
        }
    }
}
