//! Names that must be there once, and resources that nobody names.

use alloc::collections::{BTreeMap, BTreeSet};

use super::Resolved;
use crate::code::Code;
use crate::decode::{Identity, Located, Resources};
use crate::report::{Finding, Report};
use crate::tree::Place;

/// Resources, `spec.name`s and egresses that are there twice.
pub(super) fn unique(resources: &Resources, report: &mut Report<'_>) {
    let Resources {
        egresses,
        dnscaches,
        snatpools,
        vlans,
        incomplete: _,
    } = resources;
    let identities = egresses
        .iter()
        .map(|egress| &egress.identity)
        .chain(dnscaches.iter().map(|cache| &cache.identity))
        .chain(snatpools.iter().map(|pool| &pool.identity))
        .chain(vlans.iter().map(|vlan| &vlan.identity));
    let mut seen: BTreeMap<&str, Place> = BTreeMap::new();
    let mut repeated: BTreeSet<Place> = BTreeSet::new();
    for identity in identities {
        if let Some(first) = seen.get(identity.label.as_str()) {
            repeated.insert(identity.place);
            let message = format!("{} is there twice", identity.label);
            let finding = Finding::new(Code::DuplicateResource, identity.place, message)
                .related(*first, "first here");
            report.push(&identity.label, "metadata.name", finding);
        } else {
            seen.insert(&identity.label, identity.place);
        }
    }
    let mut namespaces: BTreeMap<&str, &Identity> = BTreeMap::new();
    for identity in egresses.iter().map(|egress| &egress.identity) {
        if repeated.contains(&identity.place) {
            continue;
        }
        if let Some(first) = namespaces.get(identity.namespace.as_str()) {
            let message = format!("namespace {} has a second F5SPKEgress", identity.namespace);
            let finding = Finding::new(Code::SeveralEgresses, identity.place, message)
                .help("keep one of the two, or move one to a namespace of its own")
                .related(first.place, "the first one");
            report.push(&identity.label, "metadata.name", finding);
        } else {
            namespaces.insert(&identity.namespace, identity);
        }
    }
    let pools = snatpools
        .iter()
        .map(|pool| (&pool.identity, pool.name.given()));
    spec_names(pools, &repeated, report);
    let vlans = vlans.iter().map(|vlan| (&vlan.identity, vlan.name.given()));
    spec_names(vlans, &repeated, report);
}

fn spec_names<'r>(
    names: impl Iterator<Item = (&'r Identity, Option<&'r Located<String>>)>,
    repeated: &BTreeSet<Place>,
    report: &mut Report<'_>,
) {
    let mut seen: BTreeMap<(&str, &str), Place> = BTreeMap::new();
    for (identity, name) in names {
        let Some(name) = name else { continue };
        if repeated.contains(&identity.place) {
            continue;
        }
        let key = (identity.namespace.as_str(), name.value.as_str());
        if let Some(first) = seen.get(&key) {
            let message = format!("spec.name {} is taken", name.value);
            let finding = Finding::new(Code::DuplicateName, name.place, message)
                .help("references go by spec.name: give each its own")
                .related(*first, "first here");
            report.push(&identity.label, "spec.name", finding);
        } else {
            seen.insert(key, name.place);
        }
    }
}

/// Pools and caches that no egress names.
pub(super) fn unreferenced(
    egresses: &[Resolved<'_>],
    resources: &Resources,
    report: &mut Report<'_>,
) {
    let mut named: BTreeSet<Place> = BTreeSet::new();
    for egress in egresses {
        named.extend(egress.pool.map(|pool| pool.identity.place));
        named.extend(egress.cache.map(|cache| cache.identity.place));
    }
    let pools = resources.snatpools.iter().map(|pool| &pool.identity);
    let caches = resources.dnscaches.iter().map(|cache| &cache.identity);
    for identity in pools.chain(caches) {
        if !named.contains(&identity.place) {
            let message = format!("no F5SPKEgress names {}", identity.label);
            let finding = Finding::new(Code::Unreferenced, identity.place, message);
            report.push(&identity.label, "metadata.name", finding);
        }
    }
}
