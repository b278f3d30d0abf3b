//! The data thread's part: what the gateway says of itself.

use core::net::Ipv4Addr;
use core::time::Duration;

use dns46::Mapping;
use egress_config::Plan;
use egress_gateway::{Gateway, Probe, Step};
use snatpool::{PoolId, Session};

use super::pages::{ADDRESSES, ANSWERS, FREE, SLOTS};
use super::{
    AddressRow, Answer, DestinationRow, Entry, Imported, Page, Request, Snapshot, TraceReport,
    TraceStep, pages, status,
};
use crate::cli::{Captures, Events, Questions};

/// Answers one request.
pub(crate) fn answer(
    now: Duration,
    gateway: &mut Gateway,
    plan: &Plan,
    events: &Events,
    captures: &mut Captures,
    questions: &mut Questions,
    request: &Request,
) -> Answer {
    match request {
        Request::Mappings { from } => Answer::Mappings(mappings(now, gateway, plan, *from)),
        Request::Sessions { from } => Answer::Sessions(sessions(now, gateway, *from)),
        Request::Destinations => Answer::Destinations(destinations(gateway).collect()),
        Request::Stats => Answer::Stats(Box::new(snapshot(now, gateway, plan))),
        Request::Status => {
            let snapshot = snapshot(now, gateway, plan);
            Answer::Status(Box::new(status::status(snapshot, gateway, plan, events)))
        }
        Request::Events { after } => Answer::Events(events.after(*after)),
        Request::Trace(probe, open) => Answer::Trace(trace(gateway, probe, open)),
        Request::Import(entries) => Answer::Imported(import(now, gateway, entries)),
        Request::Capture(address, tap) => {
            captures.start(*address, tap.clone());
            Answer::Done(String::new())
        }
        Request::Ask { pod, query } => {
            let own = || {
                let mut vlans = plan.vlans.iter().filter(|vlan| vlan.internal);
                vlans.find_map(|vlan| vlan.self_ips.first().copied())
            };
            let asked = pod.or_else(own).map(|pod| {
                if plan.inside.iter().any(|network| network.contains(&pod)) {
                    let asked = questions.ask(now, pod, query);
                    asked.ok_or_else(|| "too many questions wait".to_owned())
                } else {
                    Err(format!("{pod} lies in no internal VLAN"))
                }
            });
            match asked {
                Some(Ok(number)) => Answer::Asked(number),
                Some(Err(why)) => Answer::Refused(why),
                None => Answer::Refused("there is no internal VLAN".to_owned()),
            }
        }
        Request::Replicas => Answer::Replicas(Vec::new()),
        Request::Asked(number) => Answer::Replied(questions.take(*number)),
        Request::Set { address, host } => match gateway.set_mapping(now, *address, *host) {
            Ok(()) => Answer::Done(format!("{address} stands for {host}")),
            Err(error) => Answer::Refused(error.to_string()),
        },
        Request::Remove { address } => match gateway.remove_mapping(now, *address) {
            Some(host) => Answer::Done(format!("{address} does not stand for {host} any more")),
            None => Answer::Refused(format!("{address} stands for nothing")),
        },
        Request::Flush { name, from } => {
            let next = from.saturating_add(ANSWERS);
            let count = gateway.flush_in(*from..next, name);
            Answer::Flushed(count, (next < gateway.cache_slots()).then_some(next))
        }
    }
}

pub(super) fn mappings(
    now: Duration,
    gateway: &Gateway,
    plan: &Plan,
    from: Ipv4Addr,
) -> Page<Mapping, Ipv4Addr> {
    let subnet = plan.dns46.as_ref().map(|dns46| dns46.subnet);
    let (rows, next) = subnet.map_or((Vec::new(), None), |subnet| {
        let (first, end) = (subnet.network().max(from), subnet.broadcast());
        // The next page begins at the next mapping, if there is one within reach.
        let last = behind(first, ADDRESSES - 1).min(end);
        let reach = behind(last, FREE).min(end);
        let mut further = gateway.mappings_in(behind(last, 1)..=reach);
        let next = match further.next() {
            Some(mapping) if last < end => Some(mapping.address),
            None if reach < end => Some(behind(reach, 1)),
            _ => None,
        };
        (gateway.mappings_in(first..=last).collect(), next)
    });
    Page {
        at: now,
        rows,
        next,
    }
}

fn behind(address: Ipv4Addr, count: u32) -> Ipv4Addr {
    Ipv4Addr::from_bits(address.to_bits().saturating_add(count))
}

fn sessions(now: Duration, gateway: &Gateway, from: u32) -> Page<Session, u32> {
    let next = from.saturating_add(SLOTS);
    Page {
        at: now,
        rows: gateway.sessions_in(from..next).collect(),
        next: (next < gateway.session_slots()).then_some(next),
    }
}

fn trace(gateway: &Gateway, probe: &Probe, open: &[Session]) -> TraceReport {
    let trace = gateway.trace_among(probe, open);
    let steps = trace.steps.into_iter();
    TraceReport {
        passes: trace.passes,
        steps: steps
            .map(|Step { looked_at, found }| TraceStep { looked_at, found })
            .collect(),
    }
}

fn import(now: Duration, gateway: &mut Gateway, entries: &[Entry]) -> Imported {
    let mut imported = Imported {
        set: 0,
        refused: Vec::new(),
    };
    for Entry { address, host } in entries {
        match gateway.set_mapping(now, *address, *host) {
            Ok(()) => imported.set += 1,
            Err(error) => imported.refused.push(error.to_string()),
        }
    }
    imported
}

/// How many destinations are shown.
const DESTINATIONS: usize = 32;

fn destinations(gateway: &Gateway) -> impl Iterator<Item = DestinationRow> {
    let top = gateway.top_destinations().take(DESTINATIONS);
    top.map(|destination| DestinationRow {
        protocol: pages::protocol(destination.protocol),
        peer: destination.peer.to_string(),
        sessions: destination.opened,
        over: destination.over,
    })
}

fn snapshot(now: Duration, gateway: &Gateway, plan: &Plan) -> Snapshot {
    let stats = gateway.stats();
    let bindings = gateway.binding_stats();
    let servers = plan.virtual_servers.iter();
    let dns = gateway.cache_stats().map(|dns| {
        let (clients, cache, upstream) = (dns.clients, dns.cache, dns.upstream);
        [
            ("queries", clients.queries),
            ("replies", clients.replies),
            ("fresh_hits", clients.fresh_hits),
            ("derived_hits", clients.derived_hits),
            ("negative_hits", clients.negative_hits),
            ("misses", clients.misses),
            ("stale_replies", clients.stale_replies),
            ("local_replies", clients.local_replies),
            ("upstream_queries", upstream.sent),
            ("upstream_replies", upstream.received),
            ("upstream_timeouts", upstream.timeouts),
            ("upstream_failures", upstream.failed),
            ("cache_entries", cache.entries as u64),
            (
                "cache_bytes",
                (cache.message_bytes + cache.negative_bytes) as u64,
            ),
        ]
    });
    Snapshot {
        egress: plan.egress.clone(),
        replica: plan.replica,
        uptime_seconds: now.as_secs(),
        virtual_servers: servers
            .map(|server| (server.name(), stats.connections(*server)))
            .collect(),
        packets: [
            ("forwarded", stats.forwarded),
            ("replied", stats.replied),
            ("consumed", stats.consumed),
        ]
        .into(),
        drops: stats.drops.clone(),
        dns: dns.into_iter().flatten().collect(),
        // Counted by whoever asked, from pages.
        mappings: [
            ("tentative", 0),
            ("live", 0),
            ("static", 0),
            ("quarantine", 0),
        ]
        .into(),
        free_addresses: gateway.free_addresses(),
        sessions: [
            ("live", bindings.live),
            ("high_water", bindings.high_water),
            ("opened", bindings.opened),
        ]
        .into(),
        addresses: gateway
            .addresses()
            .map(|address| AddressRow {
                address: address.address.to_string(),
                pool: if address.pool == PoolId(0) {
                    "pods"
                } else {
                    "own"
                },
                sessions: address.sessions,
                high_water: address.high_water,
            })
            .collect(),
        store: None,
    }
}
