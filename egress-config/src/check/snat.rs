//! SNAT pools among each other, and against what must leave with their addresses.

use alloc::collections::{BTreeMap, BTreeSet};
use core::net::IpAddr;

use super::Resolved;
use crate::code::Code;
use crate::decode::{Resources, SnatType, Snatpool};
use crate::report::{Finding, Report, listed};
use crate::tree::Place;

/// Addresses that are in two lists, or are self IPs as well; and private ones.
pub(super) fn pools(resources: &Resources, report: &mut Report<'_>) {
    let mut taken: BTreeMap<IpAddr, (Place, String)> = BTreeMap::new();
    for vlan in &resources.vlans {
        for ip in vlan.all_self_ips() {
            let owner = format!("a self IP of {}", vlan.identity.label);
            taken.entry(ip.value).or_insert((ip.place, owner));
        }
    }
    for pool in &resources.snatpools {
        let mut shared: Vec<(Place, Place, String)> = Vec::new();
        let mut private = BTreeSet::new();
        let mut private_place = None;
        for (index, list) in pool.lists.iter().enumerate() {
            for address in &list.items {
                if is_private(address.value) {
                    private.insert(address.value);
                    private_place.get_or_insert(address.place);
                }
                if let Some((first, owner)) = taken.get(&address.value) {
                    let what = format!("{} is {owner} too", address.value);
                    shared.push((address.place, *first, what));
                } else {
                    let owner = format!("in list {index} of {}", pool.identity.label);
                    taken.insert(address.value, (address.place, owner));
                }
            }
        }
        let label = pool.identity.label.as_str();
        if let Some((place, first, _)) = shared.first() {
            let what = listed(shared.iter().map(|(_, _, what)| what.clone()), "; ");
            let finding = Finding::new(Code::PoolsOverlap, *place, what)
                .help("replies could not be told apart: give each list addresses of its own")
                .related(*first, "first here");
            report.push(label, "spec.addressList", finding);
        }
        if let Some(place) = private_place {
            let what = listed(private.iter().map(IpAddr::to_string), ", ");
            let message = format!("routed in private networks only: {what}");
            report.push(
                label,
                "spec.addressList",
                Finding::new(Code::PrivatePool, place, message),
            );
        }
    }
}

/// Replicas without a list, and families without an address.
pub(super) fn replicas(egress: &Resolved<'_>, report: &mut Report<'_>) {
    if egress.egress.snat_type.is_faulty() || egress.egress.snatpool.is_faulty() {
        return;
    }
    match (egress.snat_type(), egress.pool) {
        (SnatType::Snatpool, Some(pool)) if !pool.faulty && !egress.egress.replicas.is_faulty() => {
            lists(egress, pool, report);
        }
        (SnatType::Snatpool, _) => {}
        (SnatType::Automap, _) => automap(egress, report),
        (SnatType::None, _) => kept(egress, report),
    }
}

/// What flows of each family are for, where they are switched on.
fn needs(egress: &Resolved<'_>) -> [(&'static str, Vec<&'static str>); 2] {
    let mut ipv4 = vec!["IPv4"];
    let mut ipv6 = Vec::new();
    if egress.nat64() {
        ipv4.push("NAT64");
    }
    if egress.egress.dual_stack.or(false) {
        ipv6.push("IPv6");
    }
    if egress.dns46() {
        ipv6.push("NAT46");
    }
    [("IPv4", ipv4), ("IPv6", ipv6)]
}

fn lists(egress: &Resolved<'_>, pool: &Snatpool, report: &mut Report<'_>) {
    let label = pool.identity.label.as_str();
    let replicas = egress.replicas();
    let written = u32::try_from(pool.lists.len()).unwrap_or(u32::MAX);
    if written < replicas {
        let message = match replicas - written {
            1 => format!("replica {written} has no SNAT list: its pods' flows are refused"),
            _ => {
                let last = replicas - 1;
                format!(
                    "replicas {written} to {last} have no SNAT list: their pods' flows are refused"
                )
            }
        };
        let mut finding = Finding::new(Code::ReplicaWithoutSnatList, pool.place, message)
            .help("list i belongs to replica i, from 0: add one a replica");
        if let Some(place) = egress.egress.replicas.place() {
            finding = finding.related(place, format!("{replicas} replicas here"));
        }
        report.push(label, "spec.addressList", finding);
    }
    let mut missing = Vec::new();
    let used = pool.lists.iter().take(replicas as usize);
    for (family, ways) in needs(egress) {
        let without: Vec<String> = used
            .clone()
            .enumerate()
            .filter(|(_, list)| list.items.len() == list.written)
            .filter(|(_, list)| !list.items.iter().any(|ip| family_of(ip.value) == family))
            .map(|(index, _)| index.to_string())
            .collect();
        if ways.is_empty() || without.is_empty() {
            continue;
        }
        let lists = if without.len() == 1 { "list" } else { "lists" };
        let which = listed(without.into_iter(), ", ");
        missing.push(format!(
            "no {family} address for {} in {lists} {which}",
            ways.join(" and ")
        ));
    }
    if !missing.is_empty() {
        let finding = Finding::new(Code::FamilyMissingInPool, pool.place, missing.join("; "))
            .help("such flows are refused: add addresses, or switch them off");
        report.push(label, "spec.addressList", finding);
    }
}

/// Automap takes the external VLANs' self IPs; without such a VLAN, that has been told.
fn automap(egress: &Resolved<'_>, report: &mut Report<'_>) {
    let mut vlans = egress.external_vlans().peekable();
    if vlans.peek().is_none() || !egress.self_ips_are_known() {
        return;
    }
    let (ipv4s, ipv6s) = vlans.fold((0, 0), |(ipv4s, ipv6s), vlan| {
        (
            ipv4s + vlan.self_ipv4s.written(),
            ipv6s + vlan.self_ipv6s.written(),
        )
    });
    let mut missing = Vec::new();
    for ((family, ways), count) in needs(egress).into_iter().zip([ipv4s, ipv6s]) {
        if !ways.is_empty() && count == 0 {
            missing.push(format!("no {family} self IP for {}", ways.join(" and ")));
        }
    }
    if !missing.is_empty() {
        let identity = &egress.egress.identity;
        let message = format!("automap: the external VLANs have {}", missing.join(" and "));
        let finding = Finding::new(Code::FamilyMissingInPool, identity.place, message)
            .help("such flows are refused: add self IPs, or name an egressSnatpool");
        report.push(&identity.label, "spec.egressSnatpool", finding);
    }
}

/// A pod's address cannot be kept where the family changes.
fn kept(egress: &Resolved<'_>, report: &mut Report<'_>) {
    let ways: Vec<&str> = [("NAT46", egress.dns46()), ("NAT64", egress.nat64())]
        .into_iter()
        .filter_map(|(way, on)| on.then_some(way))
        .collect();
    let Some(place) = egress.egress.snat_type.place() else {
        return;
    };
    if ways.is_empty() {
        return;
    }
    let message = format!(
        "SRC_TRANS_NONE keeps the pod's address, which {} cannot leave with",
        ways.join(" and ")
    );
    let finding = Finding::new(Code::FamilyMissingInPool, place, message)
        .help("such flows are refused: take SRC_TRANS_SNATPOOL or SRC_TRANS_AUTOMAP");
    report.push(&egress.egress.identity.label, "spec.snatType", finding);
}

fn family_of(address: IpAddr) -> &'static str {
    if address.is_ipv4() { "IPv4" } else { "IPv6" }
}

/// RFC 1918, RFC 6598 (shared) and RFC 4193 (unique local).
fn is_private(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => {
            let shared = matches!(address.octets(), [100, 64..=127, _, _]);
            address.is_private() || shared
        }
        IpAddr::V6(address) => address.is_unique_local(),
    }
}
