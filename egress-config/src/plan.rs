//! What one replica does: every value resolved, nothing left to check.

mod build;
mod diff;
mod partition;
mod serialize;

pub(crate) mod default;
mod error;

pub use diff::{Change, ChangeEffect, Diff, DiffError};
pub use error::PlanError;
pub(crate) use partition::Partition;

use core::fmt;
use core::net::{IpAddr, Ipv4Addr, SocketAddr};
use core::ops::RangeInclusive;
use core::time::Duration;

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use serde::Serialize;

/// What one replica of one egress does.
///
/// Only [`Checked`](crate::Checked) makes one, and only from resources without an error.
#[non_exhaustive]
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Plan {
    /// The F5SPKEgress that it comes from, as `namespace/name`.
    pub egress: String,
    /// This replica, from 0. SNAT list *i* and self IP *i* belong to replica *i*.
    pub replica: u32,
    /// How many replicas share the work, at least 1 and more than `replica`.
    pub replicas: u32,
    /// Whether IPv6 flows leave too (virtual server `egress-ipv6`).
    pub dual_stack: bool,
    /// Whether each mapping and each synthesized answer is logged (`debugLogEnabled`).
    pub debug_log: bool,
    /// The source address with which flows of pods leave.
    pub snat: Snat,
    /// DNS46 and NAT46, where switched on.
    pub dns46: Option<Dns46Plan>,
    /// The NAT64 prefix, where NAT64 is switched on: of 32, 40, 48, 56, 64 or 96 bits, with bits
    /// 64 to 71 zero (RFC 6052 section 2.2).
    pub nat64: Option<Ipv6Net>,
    /// How queries are answered: present exactly where port 53 is intercepted.
    pub dns: Option<DnsPlan>,
    /// The VLANs, by resource name.
    pub vlans: Vec<VlanPlan>,
    /// Self IPs of this replica on external VLANs: automap, and the gateway's own flows.
    pub external_self_ips: Vec<IpAddr>,
    /// The prefixes of the internal VLANs on which egress is switched on: a packet whose source
    /// lies in none of them is not from inside.
    pub inside: Vec<IpNet>,
    /// The virtual servers that exist, in the order of every table.
    pub virtual_servers: Vec<VirtualServer>,
}

/// The source address of pods' flows.
#[non_exhaustive]
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Snat {
    /// Packets keep the pod's address. Flows that change the family have no source to leave with.
    None,
    /// The external VLAN's self IP of this replica.
    Automap,
    /// An F5SPKSnatpool.
    Pool {
        /// Its `spec.name`.
        name: String,
        /// The list of this replica; empty where the pool has none for it.
        addresses: Vec<IpAddr>,
    },
}

/// DNS46: the pool of IPv4 addresses that stand for IPv6 hosts, and this replica's slice of it.
#[non_exhaustive]
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Dns46Plan {
    /// The whole pool. Any replica translates any address of it.
    pub subnet: Ipv4Net,
    /// The head of the subnet, for static entries only.
    #[serde(serialize_with = "serialize::optional_range")]
    pub reserved: Option<RangeInclusive<Ipv4Addr>>,
    /// This replica's share, as the division gives it: the first replica's may hold the network
    /// address, the last one's the broadcast address.
    #[serde(serialize_with = "serialize::range")]
    pub slice: RangeInclusive<Ipv4Addr>,
    /// What of the slice may be handed out: without the network and the broadcast address.
    #[serde(serialize_with = "serialize::range")]
    pub usable: RangeInclusive<Ipv4Addr>,
    /// The remainder of the division, at the end of the subnet, which no replica hands out.
    #[serde(serialize_with = "serialize::optional_range")]
    pub unused: Option<RangeInclusive<Ipv4Addr>>,
    /// The answer while the slice is exhausted (`dnsNat46SorryIp`).
    pub sorry: Ipv4Addr,
    /// Upper bound of a synthesized record's TTL (`maxDNS46TTL`).
    #[serde(rename = "max_ttl_seconds", serialize_with = "serialize::seconds")]
    pub max_ttl: Duration,
}

/// How queries are answered.
#[non_exhaustive]
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DnsPlan {
    /// The F5SPKDnscache that it comes from, as `namespace/name`.
    pub cache: String,
    /// The forward zones, in the order of the resource; names are unique.
    pub zones: Vec<ForwardZone>,
    /// How servers that are on no VLAN's subnet are reached; the others are not listed.
    pub next_hops: Vec<NextHop>,
    /// Queries a second that this replica answers, `None` for any number (`dnsRateLimit`).
    pub rate_limit: Option<u32>,
    /// Size of the message cache in bytes (`msgCacheSize`).
    pub message_bytes: u64,
    /// Size of the negative cache in bytes (`negCacheSize`).
    pub negative_bytes: u64,
    /// Whether localhost and the reverse zones of RFC 6303 are answered here
    /// (`answerDefaultZones`).
    pub answer_default_zones: bool,
}

/// A zone whose queries go to certain servers.
#[non_exhaustive]
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ForwardZone {
    /// Lower case, without the trailing dot; `.` for every name.
    pub name: String,
    /// In the order of the resource. Empty: names of this zone get SERVFAIL.
    pub servers: Vec<SocketAddr>,
}

/// Where packets for a name server go that is on no VLAN's subnet.
#[non_exhaustive]
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct NextHop {
    /// The server.
    pub server: IpAddr,
    /// Routers of its family from `dnsNat46PoolIps`, in order. Empty: the host's routes decide.
    pub gateways: Vec<IpAddr>,
}

/// A VLAN as this replica sees it.
#[non_exhaustive]
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct VlanPlan {
    /// `spec.name`.
    pub name: String,
    /// Whether pods are on this side.
    pub internal: bool,
    /// Whether egress works on it (`vlanList`, `disableListedVlans`).
    pub enabled: bool,
    /// The first of `interfaces`, as `1.1`.
    pub interface: String,
    /// The 802.1Q tag, 1 to 4094, `None` for untagged.
    pub tag: Option<u16>,
    /// Self IPs of this replica: at most one a family.
    pub self_ips: Vec<IpAddr>,
    /// The subnets on this VLAN, from the self IPs and prefix lengths.
    pub networks: Vec<IpNet>,
    /// In bytes.
    pub mtu: u16,
}

/// The original's virtual servers, in the order of its tables.
#[non_exhaustive]
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum VirtualServer {
    /// `egress-ipv6-nat64`: flows of IPv6 pods to the NAT64 prefix.
    Nat64,
    /// `egress-ipv4-nat46`: flows of IPv4 pods to mapped addresses.
    Nat46,
    /// `egress-dns-ipv4`: DNS requests.
    Dns,
    /// `egress-ipv4`: other IPv4 flows.
    Ipv4,
    /// `egress-ipv6`: other IPv6 flows.
    Ipv6,
}

impl VirtualServer {
    /// All of them, in order.
    pub const ALL: [Self; 5] = [Self::Nat64, Self::Nat46, Self::Dns, Self::Ipv4, Self::Ipv6];

    /// Its name in tables.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Nat64 => "egress-ipv6-nat64",
            Self::Nat46 => "egress-ipv4-nat46",
            Self::Dns => "egress-dns-ipv4",
            Self::Ipv4 => "egress-ipv4",
            Self::Ipv6 => "egress-ipv6",
        }
    }
}

impl fmt::Display for VirtualServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl fmt::Display for Snat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.write_str("none"),
            Self::Automap => f.write_str("automap"),
            Self::Pool { name, addresses } => {
                write!(f, "pool {name}:")?;
                if addresses.is_empty() {
                    return f.write_str(" no address");
                }
                addresses
                    .iter()
                    .try_for_each(|address| write!(f, " {address}"))
            }
        }
    }
}

impl fmt::Display for VlanPlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            name: _,
            internal,
            enabled,
            interface,
            tag,
            self_ips,
            networks,
            mtu,
        } = self;
        f.write_str(if *internal { "internal" } else { "external" })?;
        f.write_str(if *enabled { "" } else { ", egress off" })?;
        write!(f, ", interface {interface}")?;
        if let Some(tag) = tag {
            write!(f, ", tag {tag}")?;
        }
        f.write_str(", self IPs")?;
        self_ips.iter().try_for_each(|ip| write!(f, " {ip}"))?;
        f.write_str(", on")?;
        networks.iter().try_for_each(|net| write!(f, " {net}"))?;
        write!(f, ", MTU {mtu}")
    }
}
