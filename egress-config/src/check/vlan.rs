//! VLANs among each other, and against the replicas.

use alloc::collections::BTreeMap;
use core::fmt;
use core::net::IpAddr;

use super::Resolved;
use crate::code::Code;
use crate::decode::{Field, Resources, Vlan};
use crate::report::{Finding, Report};
use crate::tree::Place;

/// What only one VLAN of a namespace can have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Claim<'r> {
    /// The untagged VLAN of an interface.
    Untagged(&'r str),
    /// A tag, whatever the interface.
    Tag(u64),
    SelfIp(IpAddr),
}

/// Interfaces, tags and self IPs that two VLANs claim.
pub(super) fn conflicts(resources: &Resources, report: &mut Report<'_>) {
    let mut claimed: BTreeMap<(&str, Claim<'_>), Place> = BTreeMap::new();
    for vlan in &resources.vlans {
        let self_ips = vlan
            .all_self_ips()
            .map(|ip| (Claim::SelfIp(ip.value), ip.place));
        for (claim, place) in link(vlan).into_iter().chain(self_ips) {
            let key = (vlan.identity.namespace.as_str(), claim);
            if let Some(first) = claimed.get(&key) {
                let finding = Finding::new(Code::VlanConflict, place, format!("{claim} is taken"))
                    .related(*first, "taken here");
                report.push(&vlan.identity.label, claim.path(), finding);
            } else {
                claimed.insert(key, place);
            }
        }
    }
}

fn link(vlan: &Vlan) -> Option<(Claim<'_>, Place)> {
    let interface = vlan.interface.given()?;
    match &vlan.tag {
        Field::Given(tag) if tag.value != 0 => Some((Claim::Tag(tag.value), tag.place)),
        Field::Given(_) | Field::Absent => {
            Some((Claim::Untagged(&interface.value), interface.place))
        }
        Field::Faulty(_) => None,
    }
}

impl Claim<'_> {
    const fn path(&self) -> &'static str {
        match self {
            Self::Untagged(_) => "spec.interfaces",
            Self::Tag(_) => "spec.tag",
            Self::SelfIp(IpAddr::V4(_)) => "spec.selfip_v4s",
            Self::SelfIp(IpAddr::V6(_)) => "spec.selfip_v6s",
        }
    }
}

impl fmt::Display for Claim<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Untagged(interface) => write!(f, "interface {interface} without a tag"),
            Self::Tag(tag) => write!(f, "tag {tag}"),
            Self::SelfIp(address) => write!(f, "self IP {address}"),
        }
    }
}

/// An egress without VLANs of both sides. Told once, of the first such egress.
pub(super) fn absent(egresses: &[Resolved<'_>], resources: &Resources, report: &mut Report<'_>) {
    if resources.incomplete {
        return;
    }
    for egress in egresses {
        let (internal, external) = (
            egress.internal_vlans().next().is_some(),
            egress.external_vlans().next().is_some(),
        );
        // A side that is not told is known to neither.
        if (internal && external) || egress.vlans.iter().any(|vlan| vlan.internal.is_faulty()) {
            continue;
        }
        let identity = &egress.egress.identity;
        let side = match (internal, external) {
            (true, _) => "external ",
            (_, true) => "internal ",
            (false, false) => "",
        };
        let message = format!(
            "there is no {side}F5SPKVlan in namespace {}",
            identity.namespace
        );
        let finding = Finding::new(Code::NoVlan, identity.place, message)
            .help("without them, self IPs are not known, nor who is inside");
        report.push(&identity.label, "", finding);
        return;
    }
}

/// VLANs with more or fewer self IPs than there are replicas, where the number is written.
pub(super) fn replicas(egress: &Resolved<'_>, report: &mut Report<'_>) {
    let Some(replicas) = egress.egress.replicas.given() else {
        return;
    };
    let mut different = Vec::new();
    for vlan in &egress.vlans {
        let name = vlan.name.value().unwrap_or(&vlan.identity.name);
        let counts = [
            (
                "IPv4",
                vlan.self_ipv4s.written(),
                vlan.self_ipv4s.is_faulty(),
            ),
            (
                "IPv6",
                vlan.self_ipv6s.written(),
                vlan.self_ipv6s.is_faulty(),
            ),
        ];
        if counts.iter().any(|(_, _, faulty)| *faulty) {
            continue;
        }
        if counts.iter().all(|(_, count, _)| *count == 0) {
            different.push(format!("{name} has none"));
            continue;
        }
        for (family, count, _) in counts {
            if count != 0 && count as u64 != replicas.value {
                different.push(format!("{name} has {count} of {family}"));
            }
        }
    }
    if different.is_empty() {
        return;
    }
    let message = format!(
        "maxTmmReplicas is {}, but the VLANs have other numbers of self IPs: {}",
        replicas.value,
        different.join(", ")
    );
    let finding = Finding::new(Code::SelfIpsDifferFromReplicas, replicas.place, message)
        .help("self IP i belongs to replica i: give each VLAN one self IP a replica");
    report.push(
        &egress.egress.identity.label,
        "spec.maxTmmReplicas",
        finding,
    );
}
