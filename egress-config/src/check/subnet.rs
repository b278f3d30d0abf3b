//! The DNS46 subnet and the NAT64 prefix: their division, and what must not lie in them.

use alloc::collections::BTreeSet;
use core::net::IpAddr;

use ipnet::{Ipv4Net, Ipv6Net};

use super::Resolved;
use crate::code::Code;
use crate::decode::Egress;
use crate::plan::{Partition, default};
use crate::report::{Finding, Report};
use crate::tree::Place;

/// Most addresses of one egress that are told of.
const MOST: usize = 100;

/// Replicas without an address, and addresses without a replica.
pub(super) fn slices(resolved: &Resolved<'_>, report: &mut Report<'_>) {
    let egress = resolved.egress;
    let faulty =
        egress.subnet.is_faulty() || egress.reserved.is_faulty() || egress.replicas.is_faulty();
    if !resolved.dns46() || faulty {
        return;
    }
    let label = egress.identity.label.as_str();
    let (subnet, reserved, replicas) = (
        egress.subnet.or(default::SUBNET),
        egress.reserved.or(0),
        resolved.replicas(),
    );
    match Partition::new(subnet, reserved, replicas) {
        Ok(partition) => {
            if let (Some(unused), Some(place)) = (partition.unused(), subnet_place(egress)) {
                let message = format!(
                    "{} to {} are not handed out: the rest of the division by {replicas}",
                    unused.start(),
                    unused.end()
                );
                let finding = Finding::new(Code::UnusedAddresses, place, message);
                report.push(label, "spec.dnsNat46Ipv4Subnet", finding);
            }
        }
        Err(empty) => {
            let blamed = [
                (
                    "spec.maxReservedStaticIps",
                    egress.reserved.place().filter(|_| reserved > 0),
                ),
                ("spec.maxTmmReplicas", egress.replicas.place()),
                ("spec.dnsNat46Ipv4Subnet", subnet_place(egress)),
            ];
            let Some((path, place)) = blamed
                .into_iter()
                .find_map(|(path, place)| Some((path, place?)))
            else {
                return;
            };
            let total = 1_u64 << (32 - u32::from(subnet.prefix_len()));
            let message = format!(
                "replica {} has no address to hand out: of {total}, {reserved} are reserved, and \
                 {replicas} replicas get {} each",
                empty.replica, empty.slice
            );
            let finding = Finding::new(Code::NoAddressForReplica, place, message)
                .help("take a larger subnet, fewer replicas or fewer reserved addresses");
            report.push(label, path, finding);
        }
    }
}

/// Addresses within the DNS46 subnet or the NAT64 prefix that mean something else.
pub(super) fn overlaps(resolved: &Resolved<'_>, report: &mut Report<'_>) {
    let ranges = Ranges::new(resolved);
    let egress = resolved.egress;
    let mut told: BTreeSet<IpAddr> = BTreeSet::new();
    let mut check =
        |address: IpAddr, what: &str, at: Option<(Place, String)>, of: Option<Place>| {
            let Some((range, own_place, own_path)) = ranges.holding(address) else {
                return;
            };
            if told.len() == MOST || !told.insert(address) {
                return;
            }
            let message = format!("{address}, {what}, lies in {range}");
            let (place, path) = at.unwrap_or_else(|| (own_place, own_path.to_owned()));
            let mut finding = Finding::new(Code::Overlap, place, message)
                .help("take another address or another subnet");
            let other = if place == own_place {
                of
            } else {
                Some(own_place)
            };
            if let Some(other) = other {
                finding = finding.related(
                    other,
                    if Some(other) == of {
                        "here"
                    } else {
                        "the range"
                    },
                );
            }
            report.push(&egress.identity.label, &path, finding);
        };
    if resolved.dns46() && !egress.sorry.is_faulty() {
        let at = egress
            .sorry
            .place()
            .map(|place| (place, "spec.dnsNat46SorryIp".to_owned()));
        check(
            IpAddr::V4(egress.sorry.or(default::SORRY)),
            "the sorry IP",
            at,
            None,
        );
    }
    for (index, ip) in egress.pool_ips.items().iter().enumerate() {
        let at = Some((ip.place, format!("spec.dnsNat46PoolIps[{index}]")));
        check(ip.value, "a name server or router", at, None);
    }
    let servers = resolved
        .cache
        .iter()
        .flat_map(|cache| &cache.zones)
        .flat_map(|zone| &zone.servers);
    for address in servers.filter_map(|server| server.address.given()) {
        check(address.value, "a name server", None, Some(address.place));
    }
    for address in resolved
        .pool
        .iter()
        .flat_map(|pool| &pool.lists)
        .flat_map(|list| &list.items)
    {
        check(address.value, "a SNAT address", None, Some(address.place));
    }
    for address in resolved.vlans.iter().flat_map(|vlan| vlan.all_self_ips()) {
        check(address.value, "a self IP", None, Some(address.place));
    }
}

/// The ranges whose addresses are no hosts.
struct Ranges {
    subnet: Option<(Ipv4Net, Place)>,
    prefix: Option<(Ipv6Net, Place, &'static str)>,
}

impl Ranges {
    fn new(resolved: &Resolved<'_>) -> Self {
        let egress = resolved.egress;
        let subnet = (resolved.dns46() && !egress.subnet.is_faulty())
            .then(|| Some((egress.subnet.or(default::SUBNET), subnet_place(egress)?)))
            .flatten();
        let prefix = (resolved.nat64() && !egress.nat64_prefix.is_faulty())
            .then(|| {
                let (place, path) = match egress.nat64_prefix.place() {
                    Some(place) => (place, "spec.nat64Ipv6Subnet"),
                    None => (egress.nat64.place()?, "spec.nat64Enabled"),
                };
                Some((egress.nat64_prefix.or(default::NAT64_PREFIX), place, path))
            })
            .flatten();
        Self { subnet, prefix }
    }

    fn holding(&self, address: IpAddr) -> Option<(String, Place, &'static str)> {
        match address {
            IpAddr::V4(address) => self
                .subnet
                .filter(|(subnet, _)| subnet.contains(&address))
                .map(|(subnet, place)| (format!("the DNS46 subnet {subnet}"), place, SUBNET_PATH)),
            IpAddr::V6(address) => self
                .prefix
                .filter(|(prefix, _, _)| prefix.contains(&address))
                .map(|(prefix, place, path)| (format!("the NAT64 prefix {prefix}"), place, path)),
        }
    }
}

const SUBNET_PATH: &str = "spec.dnsNat46Ipv4Subnet";

/// Where the subnet is written; where its default is taken, what switches it on.
fn subnet_place(egress: &Egress) -> Option<Place> {
    egress.subnet.place().or_else(|| egress.dns46.place())
}
