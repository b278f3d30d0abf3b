//! Parameters that change nothing beside the others.

use super::Resolved;
use crate::code::Code;
use crate::decode::{Field, SnatType};
use crate::plan::default;
use crate::report::{Finding, Report};
use crate::tree::Place;

/// Values that are not the default, under a switch that is off.
pub(super) fn combinations(resolved: &Resolved<'_>, report: &mut Report<'_>) {
    let egress = resolved.egress;
    // A mistyped switch may have been meant to be on.
    if egress.has_unknown {
        return;
    }
    let mut idle = |name: &str, place: Option<Place>, reason: &str| {
        let Some(place) = place else { return };
        let message = format!("{name} has no effect: {reason}");
        let finding = Finding::new(Code::NoEffect, place, message);
        report.push(&egress.identity.label, &format!("spec.{name}"), finding);
    };
    // A faulty switch may have been meant to be on.
    if !resolved.dns46() && !egress.dns46.is_faulty() {
        let reason = "dnsNat46Enabled is off";
        idle(
            "dnsNat46Ipv4Subnet",
            other_than(&egress.subnet, default::SUBNET),
            reason,
        );
        idle(
            "dnsNat46SorryIp",
            other_than(&egress.sorry, default::SORRY),
            reason,
        );
        idle(
            "maxReservedStaticIps",
            other_than(&egress.reserved, 0),
            reason,
        );
        idle(
            "maxDNS46TTL",
            other_than(&egress.max_ttl, default::MAX_TTL),
            reason,
        );
    }
    if !resolved.nat64() && !egress.nat64.is_faulty() {
        let prefix = other_than(&egress.nat64_prefix, default::NAT64_PREFIX);
        idle("nat64Ipv6Subnet", prefix, "nat64Enabled is off");
    }
    if !resolved.dns() && !egress.dns46.is_faulty() && !egress.nat64.is_faulty() {
        let reason = "dnsNat46Enabled and nat64Enabled are off";
        let servers = egress
            .pool_ips
            .given()
            .filter(|ips| !ips.value.items.is_empty());
        idle("dnsNat46PoolIps", servers.map(|ips| ips.place), reason);
        idle(
            "dnsCacheName",
            egress.cache.given().map(|name| name.place),
            reason,
        );
        idle("dnsRateLimit", other_than(&egress.rate_limit, 0), reason);
    }
    let chosen = resolved.snat_type();
    if chosen != SnatType::Snatpool && !egress.snat_type.is_faulty() {
        let place = egress.snatpool.given().map(|name| name.place);
        idle("egressSnatpool", place, "snatType chooses otherwise");
    }
}

fn other_than<T: PartialEq>(field: &Field<T>, default: T) -> Option<Place> {
    field
        .given()
        .filter(|given| given.value != default)
        .map(|given| given.place)
}
