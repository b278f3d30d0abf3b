//! The data thread's part of the status page.

use core::net::Ipv4Addr;
use core::ops::RangeInclusive;

use dns46::State;
use egress_config::{Dns46Plan, Plan};
use egress_gateway::Gateway;

use super::{Cell, Occupancy, Snapshot, Status, WayRow};
use crate::cli::Events;

/// Stretches that a subnet is shown in.
const CELLS: u32 = 512;
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
        occupancy: plan.dns46.as_ref().map(|dns46| occupancy(dns46, gateway)),
        newest_mappings: events.newest_mappings(),
        events: latest.split_off(older),
        upstream_rtt: rtt.map_or_else(Vec::new, |rtt| rtt.buckets.to_vec()),
        upstream_rtt_mean_ms: rtt
            .filter(|_| replies > 0)
            .map(|rtt| rtt.sum.as_secs_f64() * 1000.0 / replies as f64),
        snapshot,
    }
}

/// The subnet as a row of equal stretches.
fn occupancy(dns46: &Dns46Plan, gateway: &Gateway) -> Occupancy {
    let (first, last) = (
        dns46.subnet.network().to_bits(),
        dns46.subnet.broadcast().to_bits(),
    );
    let size = (u64::from(last - first) + 1).div_ceil(u64::from(CELLS));
    let size = u32::try_from(size).unwrap_or(u32::MAX).max(1);
    let holds = |range: &Option<RangeInclusive<Ipv4Addr>>, address: Ipv4Addr| {
        range.as_ref().is_some_and(|range| range.contains(&address))
    };
    let mut cells: Vec<Cell> = (first..=last)
        .step_by(size as usize)
        .map(|start| {
            let start = Ipv4Addr::from_bits(start);
            let owner = if holds(&dns46.reserved, start) {
                "reserved"
            } else if dns46.slice.contains(&start) {
                "own"
            } else if holds(&dns46.unused, start) {
                "unused"
            } else {
                "other"
            };
            Cell {
                first: start,
                size,
                owner,
                live: 0,
                draining: 0,
            }
        })
        .collect();
    for mapping in gateway.mappings() {
        let index = mapping.address.to_bits().saturating_sub(first) / size;
        if let Some(cell) = cells.get_mut(index as usize) {
            match mapping.state {
                State::Quarantine => cell.draining += 1,
                State::Tentative | State::Live | State::Static => cell.live += 1,
            }
        }
    }
    let (from, to) = (dns46.slice.start(), dns46.slice.end());
    Occupancy {
        subnet: dns46.subnet.to_string(),
        slice: format!("{from} to {to}"),
        cells,
    }
}
