//! The data thread's part: what the gateway says of itself.

use core::time::Duration;

use egress_config::Plan;
use egress_gateway::{Gateway, Probe, Step};
use snatpool::{PoolId, Protocol};

use super::{
    AddressRow, Answer, DestinationRow, Entry, Imported, MappingRow, Request, SessionRow, Snapshot,
    TraceReport, TraceStep, status,
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
        Request::Mappings => Answer::Mappings(mappings(gateway).collect()),
        Request::Sessions => Answer::Sessions(sessions(now, gateway).collect()),
        Request::Destinations => Answer::Destinations(destinations(gateway).collect()),
        Request::Stats => Answer::Stats(Box::new(snapshot(now, gateway, plan))),
        Request::Status => {
            let snapshot = snapshot(now, gateway, plan);
            Answer::Status(Box::new(status::status(snapshot, gateway, plan, events)))
        }
        Request::Events { after } => Answer::Events(events.after(*after)),
        Request::Trace(probe) => Answer::Trace(trace(gateway, probe)),
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
        Request::Flush { name } => {
            let count = gateway.flush(name);
            Answer::Done(format!("{count} answers at or below {name} were forgotten"))
        }
    }
}

fn mappings(gateway: &Gateway) -> impl Iterator<Item = MappingRow> {
    gateway.mappings().map(|mapping| MappingRow {
        address: mapping.address,
        host: mapping.host,
        state: state(mapping.state),
        sessions: mapping.sessions,
    })
}

fn trace(gateway: &Gateway, probe: &Probe) -> TraceReport {
    let trace = gateway.trace(probe);
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

pub(super) const fn state(state: dns46::State) -> &'static str {
    match state {
        dns46::State::Tentative => "tentative",
        dns46::State::Live => "live",
        dns46::State::Static => "static",
        dns46::State::Quarantine => "quarantine",
    }
}

fn sessions(now: Duration, gateway: &Gateway) -> impl Iterator<Item = SessionRow> {
    gateway.sessions().map(move |session| SessionRow {
        protocol: name(session.inside.protocol),
        client: session.inside.source.to_string(),
        to: session.inside.destination.to_string(),
        leaves_as: session.outside.source.to_string(),
        peer: session.outside.destination.to_string(),
        state: format!("{:?}", session.state).to_lowercase(),
        expires_in_seconds: session.expires_at.saturating_sub(now).as_secs(),
    })
}

const fn name(protocol: Protocol) -> &'static str {
    match protocol {
        Protocol::Tcp => "tcp",
        Protocol::Udp => "udp",
        Protocol::Icmp => "icmp",
    }
}

/// How many destinations are shown.
const DESTINATIONS: usize = 32;

fn destinations(gateway: &Gateway) -> impl Iterator<Item = DestinationRow> {
    let top = gateway.top_destinations().take(DESTINATIONS);
    top.map(|destination| DestinationRow {
        protocol: name(destination.protocol),
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
    let mut mappings = alloc::collections::BTreeMap::from([
        ("tentative", 0),
        ("live", 0),
        ("static", 0),
        ("quarantine", 0),
    ]);
    for mapping in gateway.mappings() {
        *mappings.entry(state(mapping.state)).or_default() += 1;
    }
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
        mappings,
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
