//! Names that must be there once, and resources that nobody names.

use alloc::collections::{BTreeMap, BTreeSet};

use super::Resolved;
use crate::code::Code;
use crate::decode::{Identity, Located, Resources};
use crate::report::{Finding, Report};
use crate::tree::Place;

/// Resources that are there twice. The first one counts; the others are left out, so that they earn
/// no follow-up.
pub(super) fn duplicates(resources: &mut Resources, report: &mut Report<'_>) {
    let Resources {
        egresses,
        dnscaches,
        snatpools,
        vlans,
        incomplete: _,
    } = resources;
    let mut seen: BTreeMap<String, Place> = BTreeMap::new();
    let mut first = |identity: &Identity| {
        let Some(place) = seen.get(&identity.label) else {
            seen.insert(identity.label.clone(), identity.place);
            return true;
        };
        let message = format!("{} is there twice", identity.label);
        let finding = Finding::new(Code::DuplicateResource, identity.place, message)
            .related(*place, "first here");
        report.push(&identity.label, "metadata.name", finding);
        false
    };
    egresses.retain(|egress| first(&egress.identity));
    dnscaches.retain(|cache| first(&cache.identity));
    snatpools.retain(|pool| first(&pool.identity));
    vlans.retain(|vlan| first(&vlan.identity));
}

/// Egresses of one namespace, and `spec.name`s that are there twice.
pub(super) fn unique(resources: &Resources, report: &mut Report<'_>) {
    let mut namespaces: BTreeMap<&str, Place> = BTreeMap::new();
    for identity in resources.egresses.iter().map(|egress| &egress.identity) {
        if let Some(first) = namespaces.get(identity.namespace.as_str()) {
            let message = format!("namespace {} has a second F5SPKEgress", identity.namespace);
            let finding = Finding::new(Code::SeveralEgresses, identity.place, message)
                .help("keep one of the two, or move one to a namespace of its own")
                .related(*first, "the first one");
            report.push(&identity.label, "metadata.name", finding);
        } else {
            namespaces.insert(&identity.namespace, identity.place);
        }
    }
    let pools = resources.snatpools.iter();
    spec_names(
        pools.map(|pool| (&pool.identity, pool.name.given())),
        report,
    );
    let vlans = resources.vlans.iter();
    spec_names(
        vlans.map(|vlan| (&vlan.identity, vlan.name.given())),
        report,
    );
}

fn spec_names<'r>(
    names: impl Iterator<Item = (&'r Identity, Option<&'r Located<String>>)>,
    report: &mut Report<'_>,
) {
    let mut seen: BTreeMap<(&str, &str), Place> = BTreeMap::new();
    for (identity, name) in names {
        let Some(name) = name else { continue };
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
