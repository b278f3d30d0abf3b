//! The data thread's part of the status page.

use egress_config::Plan;
use egress_gateway::Gateway;

use super::{Snapshot, Status, WayRow, occupancy};
use crate::cli::Events;

/// Events on the page.
const EVENTS: usize = 12;

pub(super) fn status(
    snapshot: Snapshot,
    gateway: &Gateway,
    plan: &Plan,
    events: &Events,
) -> Status {
    let families = ["IPv4", "IPv6"];
    let carried = gateway.stats().carried;
    let ways = families.iter().zip(&carried).flat_map(|(inside, row)| {
        let outside = families.iter().zip(row);
        outside.map(|(outside, carried)| WayRow {
            inside,
            outside,
            packets: carried.packets,
            bytes: carried.bytes,
        })
    });
    let rtt = gateway.cache_stats().map(|stats| stats.upstream.rtt);
    let replies: u64 = rtt.map_or(0, |rtt| rtt.buckets.iter().sum());
    let mut latest = events.after(0);
    let older = latest.len().saturating_sub(EVENTS);
    Status {
        ready: true,
        replicas: plan.replicas,
        known_replicas: Vec::new(),
        ways: ways.collect(),
        occupancy: occupancy::of(plan),
        newest_mappings: events.newest_mappings(),
        events: latest.split_off(older),
        upstream_rtt: rtt.map_or_else(Vec::new, |rtt| rtt.buckets.to_vec()),
        upstream_rtt_mean_ms: rtt
            .filter(|_| replies > 0)
            .map(|rtt| rtt.sum.as_secs_f64() * 1000.0 / replies as f64),
        snapshot,
    }
}
