//! What an egress refers to.

use alloc::collections::BTreeMap;

use crate::code::Code;
use crate::decode::{Dnscache, Egress, Resources, SnatType, Snatpool, Vlan};
use crate::report::{Finding, Report, shortened};

/// Resources by what they are referred to by.
pub(crate) struct Index<'r> {
    resources: &'r Resources,
    caches: BTreeMap<(&'r str, &'r str), &'r Dnscache>,
    /// By `spec.name`, then namespace.
    pools: BTreeMap<(&'r str, &'r str), &'r Snatpool>,
    vlans: BTreeMap<&'r str, Vec<&'r Vlan>>,
    /// No pool has a faulty `spec.name`, which may be any.
    all_named: bool,
}

/// An egress and what it refers to.
pub(crate) struct Resolved<'r> {
    pub(crate) egress: &'r Egress,
    /// The SNAT pool that it names; its addresses are used only by [`SnatType::Snatpool`].
    pub(crate) pool: Option<&'r Snatpool>,
    /// Where there is no such pool: why it may not be missing, or who has one.
    missing_pool: MissingPool<'r>,
    pub(crate) cache: Option<&'r Dnscache>,
    /// Further caches that its `dnsCacheName` could mean.
    other_caches: Vec<&'r Dnscache>,
    /// The VLANs of its namespace, by resource name.
    pub(crate) vlans: Vec<&'r Vlan>,
}

/// What is known of a pool that is not there.
enum MissingPool<'r> {
    /// A pool whose own name is faulty may be it.
    Faulty,
    /// Another namespace has one of this name.
    Elsewhere(&'r Snatpool),
    Nowhere,
}

impl<'r> Index<'r> {
    pub(crate) fn new(resources: &'r Resources) -> Self {
        let mut index = Self {
            resources,
            caches: BTreeMap::new(),
            pools: BTreeMap::new(),
            all_named: resources
                .snatpools
                .iter()
                .all(|pool| pool.name.value().is_some()),
            vlans: BTreeMap::new(),
        };
        for cache in &resources.dnscaches {
            let key = (
                cache.identity.namespace.as_str(),
                cache.identity.name.as_str(),
            );
            index.caches.entry(key).or_insert(cache);
        }
        for pool in &resources.snatpools {
            if let Some(name) = pool.name.value() {
                let key = (name.as_str(), pool.identity.namespace.as_str());
                index.pools.entry(key).or_insert(pool);
            }
        }
        for vlan in &resources.vlans {
            index
                .vlans
                .entry(&vlan.identity.namespace)
                .or_default()
                .push(vlan);
        }
        for vlans in index.vlans.values_mut() {
            vlans.sort_by(|a, b| a.identity.name.cmp(&b.identity.name));
        }
        index
    }

    /// The first egress of each namespace.
    pub(crate) fn first_egresses(&self) -> impl Iterator<Item = &'r Egress> {
        let mut first: BTreeMap<&str, &Egress> = BTreeMap::new();
        for egress in &self.resources.egresses {
            first.entry(&egress.identity.namespace).or_insert(egress);
        }
        first.into_values()
    }

    pub(crate) fn resolve(&self, egress: &'r Egress) -> Resolved<'r> {
        let namespace = egress.identity.namespace.as_str();
        let mut caches = egress
            .cache
            .value()
            .map_or_else(Vec::new, |name| self.caches(namespace, name));
        let cache = (!caches.is_empty()).then(|| caches.remove(0));
        let pool_name = egress.snatpool.value().map(String::as_str);
        Resolved {
            egress,
            pool: pool_name.and_then(|name| self.pools.get(&(name, namespace)).copied()),
            missing_pool: pool_name.map_or(MissingPool::Nowhere, |name| self.missing_pool(name)),
            cache,
            other_caches: caches,
            vlans: self.vlans.get(namespace).cloned().unwrap_or_default(),
        }
    }

    fn missing_pool(&self, name: &str) -> MissingPool<'r> {
        match self.pools.range((name, "")..).next() {
            Some(((found, _), pool)) if *found == name => MissingPool::Elsewhere(pool),
            _ if self.all_named => MissingPool::Nowhere,
            _ => MissingPool::Faulty,
        }
    }

    /// The caches that `name` can mean: the one of this name in the own namespace, then those for
    /// which it is `namespace-name`, the own namespace first. Both parts may hold hyphens.
    fn caches(&self, namespace: &str, name: &str) -> Vec<&'r Dnscache> {
        let bare = self.caches.get(&(namespace, name)).copied();
        let mut qualified: Vec<&Dnscache> = name
            .match_indices('-')
            .filter_map(|(at, hyphen)| {
                let (of, rest) = (name.get(..at)?, name.get(at + hyphen.len()..)?);
                self.caches.get(&(of, rest)).copied()
            })
            .collect();
        qualified.sort_by_key(|cache| cache.identity.namespace != namespace);
        bare.into_iter().chain(qualified).collect()
    }
}

impl Resolved<'_> {
    /// Whether DNS46 is on.
    pub(crate) fn dns46(&self) -> bool {
        self.egress.dns46.or(false)
    }

    /// Whether NAT64 is on.
    pub(crate) fn nat64(&self) -> bool {
        self.egress.nat64.or(false)
    }

    /// Whether queries are intercepted.
    pub(crate) fn dns(&self) -> bool {
        self.dns46() || self.nat64()
    }

    /// How the source address is chosen.
    pub(crate) fn snat_type(&self) -> SnatType {
        let named = if self.egress.snatpool.is_absent() {
            SnatType::Automap
        } else {
            SnatType::Snatpool
        };
        match self.egress.snat_type.or(named) {
            SnatType::Snatpool => named,
            SnatType::Automap => SnatType::Automap,
            SnatType::None => SnatType::None,
        }
    }

    pub(crate) fn external_vlans(&self) -> impl Iterator<Item = &Vlan> {
        self.vlans
            .iter()
            .copied()
            .filter(|vlan| !vlan.internal.or(false))
    }

    pub(crate) fn internal_vlans(&self) -> impl Iterator<Item = &Vlan> {
        self.vlans
            .iter()
            .copied()
            .filter(|vlan| vlan.internal.or(false))
    }

    /// Whether no VLAN has a fault that hides a self IP or the side that it is on.
    pub(crate) fn self_ips_are_known(&self) -> bool {
        self.vlans.iter().all(|vlan| {
            !vlan.internal.is_faulty()
                && vlan.self_ipv4s.is_complete()
                && vlan.self_ipv6s.is_complete()
        })
    }

    /// `maxTmmReplicas`; where it is absent, 1 if the subnet must be divided, else as many as
    /// there are self IPs outside.
    pub(crate) fn replicas(&self) -> u32 {
        if let Some(replicas) = self.egress.replicas.value() {
            return u32::try_from(*replicas).unwrap_or(u32::MAX);
        }
        if self.dns46() {
            return 1;
        }
        let counts = self
            .external_vlans()
            .map(|vlan| vlan.self_ipv4s.written().max(vlan.self_ipv6s.written()));
        u32::try_from(counts.max().unwrap_or(1).max(1)).unwrap_or(u32::MAX)
    }
}

/// Tells of names that nothing has, or more than one thing.
pub(crate) fn references(resolved: &Resolved<'_>, resources: &Resources, report: &mut Report<'_>) {
    let egress = resolved.egress;
    let label = egress.identity.label.as_str();
    let mut missing = |place, path: &str, what: &str, name: &str, elsewhere: Option<String>| {
        if resources.incomplete {
            return;
        }
        let message = format!("there is no {what} {}", shortened(name));
        let mut finding = Finding::new(Code::MissingReference, place, message);
        if let Some(elsewhere) = elsewhere {
            finding = finding.help(format!("{elsewhere} is in another namespace"));
        }
        report.push(label, path, finding);
    };
    if let (Some(name), None) = (egress.snatpool.given(), resolved.pool) {
        let what = "F5SPKSnatpool with spec.name";
        let path = "spec.egressSnatpool";
        match resolved.missing_pool {
            MissingPool::Faulty => {}
            MissingPool::Elsewhere(pool) => {
                let elsewhere = Some(pool.identity.qualified());
                missing(name.place, path, what, &name.value, elsewhere);
            }
            MissingPool::Nowhere => missing(name.place, path, what, &name.value, None),
        }
    }
    if let (Some(name), None) = (egress.cache.given(), resolved.cache) {
        missing(
            name.place,
            "spec.dnsCacheName",
            "F5SPKDnscache",
            &name.value,
            None,
        );
    }
    if !resolved.vlans.is_empty()
        && resolved
            .vlans
            .iter()
            .all(|vlan| vlan.name.value().is_some())
    {
        for (index, listed) in egress.vlan_list.items().iter().enumerate() {
            if !resolved
                .vlans
                .iter()
                .any(|vlan| vlan.name.value() == Some(&listed.value))
            {
                let path = format!("{}[{index}]", egress.vlan_list_path);
                missing(
                    listed.place,
                    &path,
                    "F5SPKVlan with spec.name",
                    &listed.value,
                    None,
                );
            }
        }
    }
    if let (Some(name), Some(chosen), [_, ..]) = (
        egress.cache.given(),
        resolved.cache,
        resolved.other_caches.as_slice(),
    ) {
        let others: Vec<String> = resolved
            .other_caches
            .iter()
            .map(|cache| cache.identity.qualified())
            .collect();
        let chosen = chosen.identity.qualified();
        let message = format!(
            "{} is {chosen}, but could be {} too",
            shortened(&name.value),
            others.join(", ")
        );
        let finding = Finding::new(Code::AmbiguousCacheName, name.place, message)
            .help("rename one of the caches");
        report.push(label, "spec.dnsCacheName", finding);
    }
}
