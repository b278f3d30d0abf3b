//! Caches, zones and name servers.

use alloc::collections::{BTreeMap, BTreeSet};
use core::net::IpAddr;

use super::Resolved;
use crate::code::Code;
use crate::decode::{Dnscache, Resources};
use crate::report::{Finding, Report};
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
        if let Some((place, path, _)) = empty.first() {
            let names: Vec<&str> = empty.iter().map(|(_, _, name)| *name).take(8).collect();
            let message = format!("no name server: names in {} get SERVFAIL", names.join(", "));
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
            let mut names: Vec<String> = outside.iter().map(|(_, _, ip)| ip.to_string()).collect();
            names.dedup();
            let more = names.len().saturating_sub(8);
            names.truncate(8);
            let more = if more > 0 {
                format!(" and {more} more")
            } else {
                String::new()
            };
            let message = format!(
                "not in dnsNat46PoolIps of {}: {}{more}",
                egress.egress.identity.label,
                names.join(", ")
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
