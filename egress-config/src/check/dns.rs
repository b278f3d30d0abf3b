//! Caches, zones and name servers.

use alloc::collections::{BTreeMap, BTreeSet};
use core::net::IpAddr;

use super::Resolved;
use crate::code::Code;
use crate::decode::{Dnscache, Resources, Vlan};
use crate::report::{Finding, Report, listed};
use crate::tree::Place;

/// Zones that are there twice or have no server.
pub(super) fn zones(resources: &Resources, report: &mut Report<'_>) {
    for cache in &resources.dnscaches {
        let label = cache.identity.label.as_str();
        let mut seen: BTreeMap<&str, Place> = BTreeMap::new();
        let mut empty = Vec::new();
        for (index, zone) in cache.zones.iter().enumerate() {
            let path = format!("spec.netResolver.forwardZones[{index}]");
            let name = zone.name.given();
            if zone.servers.is_empty() && !zone.faulty {
                let shown = name.map_or("?", |name| name.value.as_str());
                empty.push((zone.place, path.clone(), shown));
            }
            let Some(name) = name else { continue };
            if let Some(first) = seen.get(name.value.as_str()) {
                let message = format!("zone {} is listed twice", name.value);
                let finding = Finding::new(Code::DuplicateZone, name.place, message)
                    .help("put all its servers under one of the two")
                    .related(*first, "first here");
                report.push(label, &format!("{path}.forwardZone"), finding);
            } else {
                seen.insert(&name.value, name.place);
            }
        }
        if cache.zones.is_empty() && !cache.faulty {
            let message = "no forward zone: every name is refused";
            let finding = Finding::new(Code::ZoneWithoutNameserver, cache.identity.place, message)
                .help("list forwardZones; . stands for all names");
            report.push(label, "spec.netResolver.forwardZones", finding);
        }
        if let Some((place, path, _)) = empty.first() {
            let names = listed(empty.iter().map(|(_, _, name)| (*name).to_owned()), ", ");
            let message = format!("no name server: names in {names} get SERVFAIL");
            let finding = Finding::new(Code::ZoneWithoutNameserver, *place, message)
                .help("list nameServers, or leave the zone out");
            report.push(label, path, finding);
        }
    }
}

/// DNS46 or DNS64 without a cache.
pub(super) fn cache(egress: &Resolved<'_>, report: &mut Report<'_>) {
    if !egress.egress.cache.is_absent() {
        return;
    }
    let switches = [
        ("dnsNat46Enabled", egress.dns46(), &egress.egress.dns46),
        ("nat64Enabled", egress.nat64(), &egress.egress.nat64),
    ];
    let on = switches.into_iter().find(|(_, on, _)| *on);
    let Some((name, place)) = on.and_then(|(name, _, field)| Some((name, field.place()?))) else {
        return;
    };
    let message = format!("{name} needs a cache, and dnsCacheName is not there");
    let finding = Finding::new(Code::CacheRequired, place, message)
        .help("name an F5SPKDnscache in dnsCacheName");
    report.push(
        &egress.egress.identity.label,
        &format!("spec.{name}"),
        finding,
    );
}

/// Name servers that are not among an egress's `dnsNat46PoolIps`. Told once a cache.
pub(super) fn servers(egresses: &[Resolved<'_>], report: &mut Report<'_>) {
    let mut told: BTreeSet<Place> = BTreeSet::new();
    for egress in egresses {
        let Some(cache) = egress.cache else { continue };
        let pool = &egress.egress.pool_ips;
        if !egress.dns() || !pool.is_complete() || told.contains(&cache.identity.place) {
            continue;
        }
        let pool: BTreeSet<IpAddr> = pool.items().iter().map(|ip| ip.value).collect();
        let outside = outside(cache, &pool);
        if let Some((place, path, _)) = outside.first() {
            told.insert(cache.identity.place);
            let addresses: BTreeSet<IpAddr> = outside.iter().map(|(_, _, ip)| *ip).collect();
            let message = format!(
                "not in dnsNat46PoolIps of {}: {}",
                egress.egress.identity.label,
                listed(addresses.iter().map(IpAddr::to_string), ", ")
            );
            let mut finding = Finding::new(Code::NameserverNotInPool, *place, message)
                .help("add it to dnsNat46PoolIps");
            if let Some(place) = egress.egress.pool_ips.place() {
                finding = finding.related(place, "the pool");
            }
            report.push(&cache.identity.label, path, finding);
        }
    }
}

/// Name servers of a family that no external self IP has: queries leave from self IPs alone.
pub(super) fn reach(egress: &Resolved<'_>, report: &mut Report<'_>) {
    let Some(cache) = egress.cache.filter(|_| egress.dns()) else {
        return;
    };
    // Without an external VLAN, or with a faulty one, nothing is known.
    if egress.external_vlans().next().is_none() || !egress.self_ips_are_known() {
        return;
    }
    let has = |ipv4: bool| {
        egress
            .external_vlans()
            .flat_map(Vlan::all_self_ips)
            .any(|ip| ip.value.is_ipv4() == ipv4)
    };
    let (ipv4, ipv6) = (has(true), has(false));
    let servers = cache.zones.iter().flat_map(|zone| &zone.servers);
    let mut unreachable = servers
        .filter_map(|server| server.address.given())
        .filter(|address| {
            if address.value.is_ipv4() {
                !ipv4
            } else {
                !ipv6
            }
        })
        .peekable();
    let Some(place) = unreachable.peek().map(|address| address.place) else {
        return;
    };
    let addresses: BTreeSet<IpAddr> = unreachable.map(|address| address.value).collect();
    let names = listed(addresses.iter().map(IpAddr::to_string), ", ");
    let message = format!("the external VLANs have no self IP to ask {names} from");
    let finding = Finding::new(Code::NameserverUnreachable, place, message)
        .help("such servers are passed over: add self IPs of their IP version");
    report.push(
        &cache.identity.label,
        "spec.netResolver.forwardZones",
        finding,
    );
}

fn outside(cache: &Dnscache, pool: &BTreeSet<IpAddr>) -> Vec<(Place, String, IpAddr)> {
    let mut outside = Vec::new();
    for (zone_index, zone) in cache.zones.iter().enumerate() {
        for (index, server) in zone.servers.iter().enumerate() {
            if let Some(address) = server.address.given()
                && !pool.contains(&address.value)
            {
                let path = format!(
                    "spec.netResolver.forwardZones[{zone_index}].nameServers[{index}].ipAddress"
                );
                outside.push((address.place, path, address.value));
            }
        }
    }
    outside
}
