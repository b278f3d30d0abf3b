use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use egress_config::{Plan, Snat};
use ipnet::{IpNet, Ipv4Net};

use super::Unplayable;

/// Who plays, and under which names: found in the plan, or free in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cast {
    /// The two pods, with the length of their subnet's prefix.
    pub pods: [Ipv4Addr; 2],
    /// The pods' subnet.
    pub inside: Ipv4Net,
    /// A resolver address that exists nowhere.
    pub resolver: SocketAddr,
    /// Name servers of the zone.
    pub servers: Vec<SocketAddr>,
    /// The zone that all names are in.
    pub zone: String,
    /// Each pod's own name, which has an AAAA record and no A.
    pub names: [String; 2],
    /// The IPv6-only web servers behind the names.
    pub hosts: [Ipv6Addr; 2],
    /// A name with an A record and no AAAA.
    pub a_only: String,
    /// A name with both.
    pub both: String,
    /// Of the names that have one.
    pub ipv4_host: Ipv4Addr,
}

impl Cast {
    pub(super) fn new(plan: &Plan) -> Result<Self, Unplayable> {
        let (Some(_), Some(dns)) = (&plan.dns46, &plan.dns) else {
            return Err(Unplayable::NoDns46);
        };
        let zone = dns
            .zones
            .iter()
            .filter(|zone| !zone.servers.is_empty())
            .min_by_key(|zone| zone.name != ".")
            .ok_or(Unplayable::NoServer)?;
        let servers = zone.servers.clone();
        let zone = match zone.name.as_str() {
            "." => "dns46.example".to_owned(),
            name => name.to_owned(),
        };
        let taken = taken(plan);
        let (inside, pods) = pods(plan, &taken).ok_or(Unplayable::NoInside)?;
        let name = |label: &str| format!("{label}.{zone}");
        let resolver = free([[198, 51, 100, 53], [203, 0, 113, 53]], &taken);
        Ok(Self {
            pods,
            inside,
            resolver: (resolver, 53).into(),
            servers,
            names: [name("news"), name("shop")],
            hosts: hosts(&taken),
            a_only: name("old"),
            both: name("both"),
            ipv4_host: free([[192, 0, 2, 80], [203, 0, 113, 80]], &taken),
            zone,
        })
    }
}

/// Networks that somebody has.
fn taken(plan: &Plan) -> Vec<IpNet> {
    let networks = plan.vlans.iter().flat_map(|vlan| vlan.networks.clone());
    let snat = match &plan.snat {
        Snat::Pool { addresses, .. } => addresses.clone(),
        _ => Vec::new(),
    };
    networks
        .chain(plan.inside.iter().copied())
        .chain(plan.dns46.iter().map(|dns46| dns46.subnet.into()))
        .chain(plan.nat64.map(IpNet::from))
        .chain(snat.into_iter().map(IpNet::from))
        .collect()
}

/// Two addresses of the first internal IPv4 subnet that has them, none of them a self IP.
fn pods(plan: &Plan, taken: &[IpNet]) -> Option<(Ipv4Net, [Ipv4Addr; 2])> {
    let internal = plan.vlans.iter().filter(|vlan| vlan.internal);
    let self_ips: Vec<IpAddr> = plan
        .vlans
        .iter()
        .flat_map(|vlan| vlan.self_ips.clone())
        .collect();
    let subnets = internal.flat_map(|vlan| vlan.networks.clone());
    subnets
        .filter_map(|network| match network {
            IpNet::V4(network) if plan.inside.contains(&network.into()) => Some(network),
            IpNet::V4(_) | IpNet::V6(_) => None,
        })
        .find_map(|network| {
            // Large subnets leave their start to self IPs of other replicas.
            let first = match network.prefix_len() {
                0..=22 => 256 + 10,
                23..=26 => 10,
                _ => 1,
            };
            let start = network.network().to_bits().checked_add(first)?;
            let last = network.broadcast().to_bits();
            let mut free = (start..last)
                .map(Ipv4Addr::from_bits)
                .filter(|address| !self_ips.contains(&IpAddr::V4(*address)))
                .filter(|address| {
                    let inner = |other: &IpNet| other.prefix_len() > network.prefix_len();
                    let address = IpAddr::V4(*address);
                    !taken
                        .iter()
                        .any(|other| inner(other) && other.contains(&address))
                });
            Some((network, [free.next()?, free.next()?]))
        })
}

/// The first address that nobody has.
fn free(candidates: [[u8; 4]; 2], taken: &[IpNet]) -> Ipv4Addr {
    let [first, second] = candidates.map(Ipv4Addr::from);
    let is_taken = taken.iter().any(|net| net.contains(&IpAddr::V4(first)));
    if is_taken { second } else { first }
}

/// Two hosts under a documentation prefix (RFC 3849, RFC 9637) that nobody has.
fn hosts(taken: &[IpNet]) -> [Ipv6Addr; 2] {
    let of = |prefix: [u16; 2]| {
        [1, 2].map(|net| Ipv6Addr::new(prefix[0], prefix[1], 0x46, net, 0, 0, 0, 0x80))
    };
    let first = of([0x2001, 0xdb8]);
    let is_taken = |host: &Ipv6Addr| taken.iter().any(|net| net.contains(&IpAddr::V6(*host)));
    if first.iter().any(is_taken) {
        of([0x3fff, 0])
    } else {
        first
    }
}
