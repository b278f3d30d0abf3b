//! Whether the kernel can remember as many neighbours as pods may be on the link.
//!
//! A full table refuses new neighbours and forgets old ones: random pods hang, with no drop that the
//! gateway could count. Whoever spoofs sources of an on-link network fills it by the answers.

use std::fs;

use egress_config::Plan;
use ipnet::IpNet;

use super::{Found, Good, Odd};

/// What the kernel says of one family's table.
struct Table {
    /// Entries beyond which a new one is refused.
    limit: u64,
    /// How often one was, since the host started.
    refused: u64,
}

pub(super) fn check(plan: &Plan) -> Found {
    let tables = [
        ("IPv4", "ipv4", "arp_cache"),
        ("IPv6", "ipv6", "ndisc_cache"),
    ];
    let mut told = Vec::new();
    for (family, folder, statistics) in tables {
        let limit = format!("/proc/sys/net/{folder}/neigh/default/gc_thresh3");
        let statistics = format!("/proc/net/stat/{statistics}");
        let read = |path| fs::read_to_string(path).ok();
        let table = read(limit)
            .zip(read(statistics))
            .and_then(|(limit, statistics)| {
                let limit = limit.trim().parse().ok()?;
                let refused = refused(&statistics)?;
                Some(Table { limit, refused })
            });
        let Some(table) = table else {
            let found = "only the host's own network namespace tells".to_owned();
            return Odd(found, raise(on_link(plan)));
        };
        if table.refused > 0 {
            let Table { limit, refused } = table;
            let found = format!(
                "{family}: a new one was refused {refused} times since the host started, {limit} fit: pods hang at random"
            );
            return Odd(found, raise(on_link(plan)));
        }
        told.push((family, table.limit));
    }
    let most = on_link(plan);
    match told
        .iter()
        .find(|(family, limit)| *family == "IPv4" && *limit < most)
    {
        Some((_, limit)) => Odd(
            format!("{limit} fit, and the internal VLANs have {most} addresses on their links"),
            raise(most),
        ),
        None => Good(
            told.iter()
                .map(|(family, limit)| format!("{limit} of {family}"))
                .collect::<Vec<_>>()
                .join(", "),
        ),
    }
}

fn raise(most: u64) -> String {
    // Room for what never answers, beside those who do.
    let room = most.saturating_mul(2).clamp(8192, 1 << 20);
    let settings = ["ipv4", "ipv6"].map(|family| {
        format!("net.{family}.neigh.default.gc_thresh2={room} net.{family}.neigh.default.gc_thresh3={room}")
    });
    format!("on the host: sysctl -w {}", settings.join(" "))
}

/// IPv4 addresses that are neighbours of the internal VLANs' devices. Of IPv6 there are as many pods,
/// though more addresses.
fn on_link(plan: &Plan) -> u64 {
    let internal = plan
        .vlans
        .iter()
        .filter(|vlan| vlan.internal)
        .flat_map(|vlan| &vlan.networks);
    internal
        .filter_map(|network| match network {
            IpNet::V4(network) => Some(1 << (32 - network.prefix_len())),
            IpNet::V6(_) => None,
        })
        .sum()
}

/// The sum of the column `table_fulls` over the processors.
fn refused(statistics: &str) -> Option<u64> {
    let mut lines = statistics.lines();
    let column = lines
        .next()?
        .split_whitespace()
        .position(|name| name == "table_fulls")?;
    lines
        .map(|line| u64::from_str_radix(line.split_whitespace().nth(column)?, 16).ok())
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_are_summed_over_the_processors() {
        let told = "entries  allocs   table_fulls\n00000001 0000a31b 0000000a\n00000001 0000a360 00000010\n";
        assert_eq!(refused(told), Some(26));
        assert_eq!(refused("entries\n00000001\n"), None);
        assert_eq!(refused(""), None);
    }

    #[test]
    fn there_is_room_for_twice_the_pods_and_never_less_than_8192() {
        assert!(raise(65_536).contains("net.ipv4.neigh.default.gc_thresh3=131072"));
        assert!(raise(254).contains("net.ipv6.neigh.default.gc_thresh2=8192"));
    }
}
