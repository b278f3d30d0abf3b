use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use core::time::Duration;

use snatpool::Session;

use super::evidence::Evidence;
use super::rules;
use super::teller::Teller;
use super::{Cast, Scene, Stage};
use crate::sim::{self, Capture, Frame};

/// The story as it happened, read from packets and events.
#[derive(Debug, Clone)]
pub struct Report {
    /// Stage by stage: the first pod's, the second's, then what concerns both.
    pub told: Vec<Told>,
    /// Who played.
    pub cast: Cast,
    /// `clientside.tot_conns` of each virtual server of the plan.
    pub virtual_servers: Vec<(&'static str, u64)>,
    /// Mappings at the end.
    pub mappings: Vec<dns46::Mapping>,
    /// Sessions at the moment at which both pages were over.
    pub sessions: Vec<Session>,
    /// What the cache has counted.
    pub cache: Vec<(&'static str, u64)>,
    /// Packets at the gateway's two interfaces.
    pub capture: Capture,
    /// Which address stands for which host, as the gateway said.
    pub mapped: Vec<(Ipv4Addr, Ipv6Addr)>,
    /// Virtual time at the end.
    pub ended_at: Duration,
}

/// One stage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// Which.
    pub stage: Stage,
    /// Whose, from 0; `None` for both.
    pub pod: Option<usize>,
    /// What happened.
    pub moments: Vec<Moment>,
    /// Why it failed.
    pub outcome: Result<(), String>,
}

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Moment {
    /// When, if it was at one moment.
    pub at: Option<Duration>,
    /// What.
    pub text: String,
}

pub(super) type Telling = Result<Vec<Moment>, String>;

impl Report {
    pub(super) fn new(scene: &Scene, sessions: Vec<Session>) -> Self {
        let evidence = Evidence::new(scene.net.capture());
        let teller = Teller {
            scene,
            evidence: &evidence,
        };
        let mut told = teller.pod(0);
        told.extend(teller.pod(1));
        told.push(Told::new(Stage::Checksums, None, teller.checksums()));
        told.push(Told::new(Stage::Cache, None, teller.cache()));
        for (name, kind) in [
            (&scene.cast.a_only, "an A record and no AAAA"),
            (&scene.cast.both, "both an A and an AAAA record"),
        ] {
            let telling = rules::unchanged(&evidence, name, kind);
            told.push(Told::new(Stage::Rules, None, telling));
        }
        told.push(Told::new(Stage::End, None, teller.end()));

        let gateway = scene.gateway().gateway();
        let servers = scene.plan.virtual_servers.iter();
        let cache = gateway.cache_stats().map_or_else(Vec::new, |stats| {
            vec![
                ("queries", stats.clients.queries),
                ("fresh hits", stats.clients.fresh_hits),
                ("derived hits", stats.clients.derived_hits),
                ("negative hits", stats.clients.negative_hits),
                ("misses", stats.clients.misses),
                ("upstream queries", stats.upstream.sent),
                ("entries", stats.cache.entries as u64),
                ("bytes", stats.cache.message_bytes as u64),
            ]
        });
        Self {
            told,
            cast: scene.cast.clone(),
            virtual_servers: servers
                .map(|server| (server.name(), gateway.stats().connections(*server)))
                .collect(),
            mappings: gateway.mappings().collect(),
            sessions,
            cache,
            capture: scene.net.capture().clone(),
            mapped: teller.mapped().map(|(_, pair)| pair).collect(),
            ended_at: scene.net.now(),
        }
    }

    /// The first stage that failed, and why.
    #[must_use]
    pub fn failed(&self) -> Option<(Stage, &str)> {
        let failures = self.told.iter().filter_map(|told| match &told.outcome {
            Ok(()) => None,
            Err(why) => Some((told.stage, why.as_str())),
        });
        failures.min_by_key(|(stage, _)| *stage)
    }
}

/// What a packet has to do with mappings, for the comments of a capture.
#[must_use]
pub fn comment(mapped: &[(Ipv4Addr, Ipv6Addr)], frame: &Frame) -> Option<String> {
    let packet = sim::Parsed::new(&frame.bytes).ok()?;
    let ends = [packet.source, packet.destination];
    let is_one = |(address, host): &&(Ipv4Addr, Ipv6Addr)| {
        ends.contains(&IpAddr::V4(*address)) || ends.contains(&IpAddr::V6(*host))
    };
    let (address, host) = mapped.iter().find(is_one)?;
    Some(format!("{address} stands for {host}"))
}

impl Told {
    pub(super) fn new(stage: Stage, pod: Option<usize>, telling: Telling) -> Self {
        let (moments, outcome) = match telling {
            Ok(moments) => (moments, Ok(())),
            Err(why) => (Vec::new(), Err(why)),
        };
        Self {
            stage,
            pod,
            moments,
            outcome,
        }
    }
}

pub(super) fn at(at: Duration, text: String) -> Moment {
    Moment { at: Some(at), text }
}
