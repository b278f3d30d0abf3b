//! What changes from one plan to the next, and what that does to mappings and flows that live.

use core::fmt;
use core::net::IpAddr;

use super::{Dns46Plan, DnsPlan, Plan, Snat, VlanPlan};

/// All differences between two plans of one replica.
#[non_exhaustive]
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diff {
    /// In the order of the plan's fields. Empty: nothing changes.
    pub changes: Vec<Change>,
}

/// One difference.
#[non_exhaustive]
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The field of the plan, as `dns46.subnet`.
    pub field: String,
    /// The old value, `off` where there was none.
    pub before: String,
    /// The new value, `off` where there is none.
    pub after: String,
    /// What becomes of what lives.
    pub effect: ChangeEffect,
}

/// What a change does to live mappings and flows. No change drops a flow at once.
#[non_exhaustive]
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ChangeEffect {
    /// Mappings and flows go on as they are; what begins later follows the new value.
    NewOnly,
    /// Synthesized answers in the cache are made anew; mappings and flows go on.
    AnswersAnew,
    /// Flows that use what goes away run until they end; none begins.
    FlowsRunOut,
    /// Mappings of addresses that this replica hands out no longer are translated until their
    /// last answer and flow have ended, and are not renewed.
    MappingsDrain,
    /// Refused while mappings live; where it is asked for all the same, all of them drain.
    AllMappingsDrain,
}

impl ChangeEffect {
    /// A sentence about it.
    #[must_use]
    pub const fn summary(self) -> &'static str {
        match self {
            Self::NewOnly => "mappings and flows go on; new ones follow the new value",
            Self::AnswersAnew => "synthesized answers are made anew; mappings and flows go on",
            Self::FlowsRunOut => "flows that use what goes away run until they end; none begins",
            Self::MappingsDrain => "mappings outside the new range drain; their flows go on",
            Self::AllMappingsDrain => "refused while mappings live; if forced, all of them drain",
        }
    }
}

/// A change that must be asked for explicitly.
#[non_exhaustive]
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DiffError {
    /// The DNS46 subnet changes or goes away, and mappings of it live.
    #[error("{live} live mappings: {field} cannot change from {before} to {after}")]
    LiveMappings {
        /// The field.
        field: String,
        /// Its old value.
        before: String,
        /// Its new value.
        after: String,
        /// How many mappings live.
        live: u64,
    },
}

impl Diff {
    /// Whether the new plan may be applied while `live` mappings live.
    ///
    /// # Errors
    ///
    /// The change that would end them; `drain` asks for it explicitly, and then it is none.
    pub fn permit(&self, live: u64, drain: bool) -> Result<(), DiffError> {
        let refused = self
            .changes
            .iter()
            .find(|change| change.effect == ChangeEffect::AllMappingsDrain);
        match refused {
            Some(change) if live > 0 && !drain => Err(DiffError::LiveMappings {
                field: change.field.clone(),
                before: change.before.clone(),
                after: change.after.clone(),
                live,
            }),
            Some(_) | None => Ok(()),
        }
    }

    fn note(
        &mut self,
        field: &str,
        before: impl fmt::Display,
        after: impl fmt::Display,
        effect: ChangeEffect,
    ) {
        let (before, after) = (before.to_string(), after.to_string());
        if before != after {
            self.changes.push(Change {
                field: field.to_owned(),
                before,
                after,
                effect,
            });
        }
    }
}

impl Plan {
    /// What changes from `self` to `new`.
    #[must_use]
    pub fn diff(&self, new: &Self) -> Diff {
        let mut diff = Diff {
            changes: Vec::new(),
        };
        let old = self;
        diff.note("egress", &old.egress, &new.egress, ChangeEffect::NewOnly);
        diff.note("replica", old.replica, new.replica, ChangeEffect::NewOnly);
        diff.note(
            "replicas",
            old.replicas,
            new.replicas,
            ChangeEffect::NewOnly,
        );
        let stops = |on_before: bool, on_after: bool| {
            if on_before && !on_after {
                ChangeEffect::FlowsRunOut
            } else {
                ChangeEffect::NewOnly
            }
        };
        let effect = stops(old.dual_stack, new.dual_stack);
        diff.note("dual_stack", on(old.dual_stack), on(new.dual_stack), effect);
        diff.note(
            "debug_log",
            on(old.debug_log),
            on(new.debug_log),
            ChangeEffect::NewOnly,
        );
        let kept = |old: &[IpAddr], new: &[IpAddr]| {
            if old.iter().all(|address| new.contains(address)) {
                ChangeEffect::NewOnly
            } else {
                ChangeEffect::FlowsRunOut
            }
        };
        let effect = match (&old.snat, &new.snat) {
            (Snat::Pool { addresses: old, .. }, Snat::Pool { addresses: new, .. }) => {
                kept(old, new)
            }
            (Snat::None | Snat::Automap | Snat::Pool { .. }, _) => ChangeEffect::FlowsRunOut,
        };
        diff.note("snat", &old.snat, &new.snat, effect);
        diff.dns46(old.dns46.as_ref(), new.dns46.as_ref());
        let effect = match (&old.nat64, &new.nat64) {
            (None, _) => ChangeEffect::NewOnly,
            (Some(_), _) => ChangeEffect::FlowsRunOut,
        };
        diff.note(
            "nat64",
            option(old.nat64.as_ref()),
            option(new.nat64.as_ref()),
            effect,
        );
        diff.dns(old.dns.as_ref(), new.dns.as_ref());
        diff.vlans(old, new);
        let (before, after) = (&old.external_self_ips, &new.external_self_ips);
        diff.note(
            "external_self_ips",
            list(before),
            list(after),
            kept(before, after),
        );
        let gone = old.inside.iter().any(|net| !new.inside.contains(net));
        diff.note(
            "inside",
            list(&old.inside),
            list(&new.inside),
            stops(gone, false),
        );
        diff
    }
}

impl Diff {
    fn dns46(&mut self, old: Option<&Dns46Plan>, new: Option<&Dns46Plan>) {
        let (Some(before), Some(after)) = (old, new) else {
            let subnet = |plan: Option<&Dns46Plan>| option(plan.map(|plan| plan.subnet).as_ref());
            let effect = match old {
                Some(_) => ChangeEffect::AllMappingsDrain,
                None => ChangeEffect::NewOnly,
            };
            self.note("dns46", subnet(old), subnet(new), effect);
            return;
        };
        self.note(
            "dns46.subnet",
            before.subnet,
            after.subnet,
            ChangeEffect::AllMappingsDrain,
        );
        let range =
            |range: &core::ops::RangeInclusive<_>| format!("{}-{}", range.start(), range.end());
        let reserved = |plan: &Dns46Plan| {
            plan.reserved
                .as_ref()
                .map_or_else(|| "none".to_owned(), range)
        };
        self.note(
            "dns46.reserved",
            reserved(before),
            reserved(after),
            ChangeEffect::MappingsDrain,
        );
        let grows = after.usable.contains(before.usable.start())
            && after.usable.contains(before.usable.end());
        let effect = if grows {
            ChangeEffect::NewOnly
        } else {
            ChangeEffect::MappingsDrain
        };
        self.note(
            "dns46.slice",
            range(&before.slice),
            range(&after.slice),
            effect,
        );
        self.note(
            "dns46.sorry",
            before.sorry,
            after.sorry,
            ChangeEffect::AnswersAnew,
        );
        let seconds = |plan: &Dns46Plan| format!("{} s", plan.max_ttl.as_secs());
        self.note(
            "dns46.max_ttl",
            seconds(before),
            seconds(after),
            ChangeEffect::AnswersAnew,
        );
    }

    fn dns(&mut self, old: Option<&DnsPlan>, new: Option<&DnsPlan>) {
        let (Some(before), Some(after)) = (old, new) else {
            let cache = |plan: Option<&DnsPlan>| option(plan.map(|plan| &plan.cache));
            self.note("dns", cache(old), cache(new), ChangeEffect::NewOnly);
            return;
        };
        let anew = ChangeEffect::AnswersAnew;
        self.note("dns.cache", &before.cache, &after.cache, anew);
        let zones = |plan: &DnsPlan| {
            let zone =
                |zone: &super::ForwardZone| format!("{} ({})", zone.name, list(&zone.servers));
            list(&plan.zones.iter().map(zone).collect::<Vec<_>>())
        };
        self.note("dns.zones", zones(before), zones(after), anew);
        let hops = |plan: &DnsPlan| {
            let hop = |hop: &super::NextHop| format!("{} by {}", hop.server, list(&hop.gateways));
            list(&plan.next_hops.iter().map(hop).collect::<Vec<_>>())
        };
        self.note(
            "dns.next_hops",
            hops(before),
            hops(after),
            ChangeEffect::NewOnly,
        );
        let limit = |plan: &DnsPlan| option(plan.rate_limit.as_ref());
        self.note(
            "dns.rate_limit",
            limit(before),
            limit(after),
            ChangeEffect::NewOnly,
        );
        let (bytes, negative) = ("dns.message_bytes", "dns.negative_bytes");
        self.note(
            bytes,
            before.message_bytes,
            after.message_bytes,
            ChangeEffect::NewOnly,
        );
        self.note(
            negative,
            before.negative_bytes,
            after.negative_bytes,
            ChangeEffect::NewOnly,
        );
        let zones = |plan: &DnsPlan| on(plan.answer_default_zones);
        self.note(
            "dns.answer_default_zones",
            zones(before),
            zones(after),
            anew,
        );
    }

    fn vlans(&mut self, old: &Plan, new: &Plan) {
        let find =
            |plan: &Plan, name: &str| plan.vlans.iter().find(|vlan| vlan.name == name).cloned();
        let mut names: Vec<&str> = old
            .vlans
            .iter()
            .chain(&new.vlans)
            .map(|vlan| vlan.name.as_str())
            .collect();
        names.sort_unstable();
        names.dedup();
        for name in names {
            let (before, after) = (find(old, name), find(new, name));
            let effect = match (&before, &after) {
                (None, _) => ChangeEffect::NewOnly,
                (Some(before), Some(after)) if before.is_kept_by(after) => ChangeEffect::NewOnly,
                (Some(_), _) => ChangeEffect::FlowsRunOut,
            };
            let field = format!("vlans.{name}");
            self.note(
                &field,
                option(before.as_ref()),
                option(after.as_ref()),
                effect,
            );
        }
    }
}

impl VlanPlan {
    /// Whether a flow over this VLAN can go on over the other one.
    fn is_kept_by(&self, other: &Self) -> bool {
        let Self {
            name: _,
            internal,
            enabled,
            interface,
            tag,
            self_ips,
            networks,
            mtu: _,
        } = self;
        *internal == other.internal
            && (!*enabled || other.enabled)
            && *interface == other.interface
            && *tag == other.tag
            && self_ips.iter().all(|ip| other.self_ips.contains(ip))
            && networks.iter().all(|net| other.networks.contains(net))
    }
}

const fn on(value: bool) -> &'static str {
    if value { "on" } else { "off" }
}

fn option(value: Option<&impl fmt::Display>) -> String {
    value.map_or_else(|| "off".to_owned(), ToString::to_string)
}

fn list(items: &[impl fmt::Display]) -> String {
    if items.is_empty() {
        return "none".to_owned();
    }
    items
        .iter()
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join(" ")
}
