use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use core::time::Duration;

use egress_config::Snat;
use snatpool::{Session, Tuple};

use super::evidence::{ACK, Evidence, SYN, Segment, Spoken};
use super::rules;
use super::{Cast, Scene, Stage};
use crate::Event;
use crate::sim::{self, Capture, Frame};

/// Record types.
const A: u16 = 1;
const AAAA: u16 = 28;

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

type Telling = Result<Vec<Moment>, String>;

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

    /// What a packet has to do with mappings, for the comments of a capture.
    #[must_use]
    pub fn comment(&self, frame: &Frame) -> Option<String> {
        let packet = sim::Parsed::new(&frame.bytes).ok()?;
        let ends = [packet.source, packet.destination];
        let is_one = |(address, host): &&(Ipv4Addr, Ipv6Addr)| {
            ends.contains(&IpAddr::V4(*address)) || ends.contains(&IpAddr::V6(*host))
        };
        let (address, host) = self.mapped.iter().find(is_one)?;
        Some(format!("{address} stands for {host}"))
    }
}

impl Told {
    fn new(stage: Stage, pod: Option<usize>, telling: Telling) -> Self {
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

/// Looks for what should have happened.
struct Teller<'a> {
    scene: &'a Scene,
    evidence: &'a Evidence,
}

impl Teller<'_> {
    /// One pod's stages, up to the first that failed.
    fn pod(&self, pod: usize) -> Vec<Told> {
        let mut told = Vec::new();
        for stage in [
            Stage::Query,
            Stage::Upstream,
            Stage::Mapping,
            Stage::Store,
            Stage::Answer,
            Stage::Binding,
            Stage::Outbound,
            Stage::Return,
            Stage::Page,
        ] {
            let telling = match stage {
                Stage::Query => self.query(pod),
                Stage::Upstream => self.upstream(pod),
                Stage::Mapping => self.mapping(pod),
                Stage::Store => self.store(pod),
                Stage::Answer => self.answer(pod),
                Stage::Binding => self.binding(pod),
                Stage::Outbound => self.crossed(pod, true),
                Stage::Return => self.crossed(pod, false),
                _ => self.page(pod),
            };
            let telling = Told::new(stage, Some(pod), telling);
            let failed = telling.outcome.is_err();
            told.push(telling);
            if failed {
                break;
            }
        }
        told
    }

    fn asked(&self, pod: usize) -> Option<&Spoken> {
        let (address, name) = (self.scene.cast.pods[pod], &self.scene.cast.names[pod]);
        self.evidence.spoken.iter().find(|spoken| {
            spoken.inside
                && spoken.is_query()
                && spoken.from.ip() == IpAddr::V4(address)
                && spoken.is_about(name, A)
        })
    }

    fn query(&self, pod: usize) -> Telling {
        let asked = self.asked(pod).ok_or_else(|| {
            let cast = &self.scene.cast;
            format!("{} did not ask for {}", cast.pods[pod], cast.names[pod])
        })?;
        let (from, to, id) = (asked.from, asked.to, asked.message.metadata.id);
        let text = format!("{from} > {to}  A {} (id {id:#06x})", asked.name());
        Ok(vec![at(asked.at, text)])
    }

    fn upstream(&self, pod: usize) -> Telling {
        let name = &self.scene.cast.names[pod];
        let mut moments = Vec::new();
        for (record_type, kind) in [(A, "A"), (AAAA, "AAAA")] {
            let spoken = &self.evidence.spoken;
            let queries = || {
                spoken.iter().filter(|spoken| {
                    !spoken.inside && spoken.is_query() && spoken.is_about(name, record_type)
                })
            };
            let asked = queries()
                .next()
                .ok_or_else(|| format!("{kind} {name} was asked of no server"))?;
            let exchange = queries().find_map(|query| {
                let reply = spoken.iter().find(|reply| query.is_answered_by(reply));
                reply.map(|reply| (query, reply))
            });
            let (query, reply) = exchange
                .ok_or_else(|| format!("{} did not answer about {kind} {name}", asked.to))?;
            let (from, to, id) = (query.from, query.to, query.message.metadata.id);
            let written = query.name();
            let text = format!("{from} > {to}  {kind} {written} (id {id:#06x})");
            moments.push(at(query.at, text));
            let addresses = reply.addresses();
            let found = match addresses.as_slice() {
                [] => "no such record".to_owned(),
                [(address, ttl), ..] => format!("{kind} {address}, TTL {ttl}"),
            };
            let rcode = reply.response_code();
            moments.push(at(reply.at, format!("{to} > {from}  {rcode}, {found}")));
            if addresses.is_empty() != (record_type == A) {
                return Err(format!("{to} answered {kind} {name} with {found}"));
            }
        }
        Ok(moments)
    }

    /// Mappings as they were made.
    fn mapped(&self) -> impl Iterator<Item = (Duration, (Ipv4Addr, Ipv6Addr))> {
        let events = self.scene.gateway().events().iter();
        events.filter_map(|(at, event)| match event {
            Event::Mapped { address, host } => Some((*at, (*address, *host))),
            _ => None,
        })
    }

    fn mapping_of(&self, pod: usize) -> Option<(Duration, Ipv4Addr)> {
        let host = self.scene.cast.hosts[pod];
        self.mapped()
            .find(|(_, (_, mapped))| *mapped == host)
            .map(|(at, (address, _))| (at, address))
    }

    fn mapping(&self, pod: usize) -> Telling {
        let host = self.scene.cast.hosts[pod];
        let mapped = self.mapping_of(pod);
        let (made_at, address) = mapped.ok_or_else(|| format!("{host} got no address"))?;
        let ended = self
            .scene
            .gateway()
            .events()
            .iter()
            .find(|(_, event)| *event == Event::Unmapped { address, host });
        if let Some((ended_at, _)) = ended {
            let seconds = ended_at.as_secs_f64();
            return Err(format!(
                "{address} stood for {host} until {seconds:.3} s only"
            ));
        }
        Ok(vec![at(made_at, format!("{address} stands for {host}"))])
    }

    fn store(&self, pod: usize) -> Telling {
        let since = self.mapping_of(pod).map_or(Duration::ZERO, |(at, _)| at);
        let events = self.scene.gateway().events().iter();
        let mut after = events.filter(|(at, _)| *at >= since);
        let stored = after.find(|(_, event)| *event == Event::Stored);
        let (stored_at, _) = stored.ok_or("the store did not acknowledge the mapping")?;
        Ok(vec![at(
            *stored_at,
            "the store has acknowledged it".to_owned(),
        )])
    }

    fn answer(&self, pod: usize) -> Telling {
        let reply = self.asked(pod).and_then(|asked| {
            let mut spoken = self.evidence.spoken.iter();
            spoken.find(|reply| reply.inside && asked.is_answered_by(reply))
        });
        let reply = reply.ok_or("the pod got no answer")?;
        let rcode = reply.response_code();
        let addresses = reply.addresses();
        let Some((address, ttl)) = addresses.first() else {
            return Err(format!("the pod got {rcode} without an address"));
        };
        let (from, to) = (reply.from, reply.to);
        let text = format!("{from} > {to}  {rcode}, A {address}, TTL {ttl}");
        let mapped = self.mapping_of(pod).map(|(_, address)| IpAddr::V4(address));
        if Some(*address) != mapped {
            return Err(format!(
                "the pod got {address}, which is not the mapped address"
            ));
        }
        let longest = self.scene.plan.dns46.as_ref().map(|dns46| dns46.max_ttl);
        if Some(Duration::from_secs((*ttl).into())) > longest {
            return Err(format!("the pod got a TTL of {ttl} s"));
        }
        Ok(vec![at(reply.at, text)])
    }

    /// The pod's session to its mapped address.
    fn opened(&self, pod: usize) -> Option<(Duration, Tuple, Tuple)> {
        let (_, mapped) = self.mapping_of(pod)?;
        let client = IpAddr::V4(self.scene.cast.pods[pod]);
        let events = self.scene.gateway().events().iter();
        events.clone().find_map(|(at, event)| match event {
            Event::Opened {
                inside, outside, ..
            } if inside.source.address == client
                && inside.destination.address == IpAddr::V4(mapped) =>
            {
                Some((*at, *inside, *outside))
            }
            _ => None,
        })
    }

    fn binding(&self, pod: usize) -> Telling {
        let client = IpAddr::V4(self.scene.cast.pods[pod]);
        let Some((opened_at, inside, outside)) = self.opened(pod) else {
            let events = self.scene.gateway().events().iter();
            let mut refused = events.filter(|(_, event)| {
                matches!(event, Event::NoSnatAddress { client: one, .. } if *one == client)
            });
            return Err(match refused.next() {
                Some(_) => "there is no IPv6 SNAT address to leave with".to_owned(),
                None => format!("no session of {client} was opened"),
            });
        };
        let addresses = match &self.scene.plan.snat {
            Snat::Pool { addresses, .. } => addresses,
            _ => &self.scene.plan.external_self_ips,
        };
        if !addresses.contains(&outside.source.address) {
            return Err(format!("{} is no SNAT address", outside.source));
        }
        let text = format!(
            "{} > {}  leaves as  {} > {}",
            inside.source, inside.destination, outside.source, outside.destination
        );
        Ok(vec![at(opened_at, text)])
    }

    /// A segment before and after its translation.
    fn crossed(&self, pod: usize, out: bool) -> Telling {
        let (_, inside, outside) = self.opened(pod).ok_or("no session was opened")?;
        let ends = |tuple: &Tuple| {
            let tuple = if out { *tuple } else { tuple.reversed() };
            let socket = |end: snatpool::TransportAddress| SocketAddr::new(end.address, end.port);
            (socket(tuple.source), socket(tuple.destination))
        };
        let flags = if out { SYN } else { SYN | ACK };
        let before = self.evidence.segment(
            out,
            false,
            ends(if out { &inside } else { &outside }),
            flags,
        );
        let after = self.evidence.segment(
            !out,
            true,
            ends(if out { &outside } else { &inside }),
            flags,
        );
        let from = if out {
            inside.source
        } else {
            outside.destination
        };
        let before = before.ok_or_else(|| format!("no sound segment came from {from}"))?;
        let after = after.ok_or_else(|| format!("the segment from {from} did not leave"))?;
        if before.sequence != after.sequence {
            return Err("another sequence number left than came".to_owned());
        }
        Ok(vec![
            at(before.at, format!("in   {}", segment(&before))),
            at(after.at, format!("out  {}", segment(&after))),
        ])
    }

    fn page(&self, pod: usize) -> Telling {
        let host = self.scene.cast.hosts[pod];
        let length = self.scene.pages[pod].length;
        let log = self.scene.pods()[pod].log();
        let outcome = self.scene.pods()[pod].outcomes().first();
        match outcome {
            None => return Err(format!("the page of {host} never came")),
            Some(Err(why)) => return Err(format!("the page of {host}: {why}")),
            Some(Ok(())) => {}
        }
        let fetched = log.iter().find_map(|entry| match entry.event {
            sim::Event::Fetched { status, length } => Some((entry.at, status, length)),
            _ => None,
        });
        let (fetched_at, status, found) = fetched.ok_or("no page came")?;
        if found != length {
            return Err(format!("{found} bytes of {length} came"));
        }
        let text = format!("HTTP {status}, {found} bytes, each as it was sent");
        Ok(vec![at(fetched_at, text)])
    }

    fn checksums(&self) -> Telling {
        let seen = &self.evidence.seen;
        let flawed = seen.iter().enumerate().find_map(|(number, seen)| {
            let flaw = seen.packet.as_ref().err()?;
            Some((number + 1, seen, flaw))
        });
        if let Some((number, seen, flaw)) = flawed {
            let side = if seen.inside { "inside" } else { "outside" };
            let seconds = seen.at.as_secs_f64();
            return Err(format!("packet {number}, {side} at {seconds:.3} s: {flaw}"));
        }
        let text = format!(
            "{} packets, each with right lengths and checksums",
            seen.len()
        );
        Ok(vec![Moment { at: None, text }])
    }

    fn cache(&self) -> Telling {
        let mut moments = Vec::new();
        for (pod, name) in self.scene.cast.names.iter().enumerate() {
            let client = IpAddr::V4(self.scene.cast.pods[pod]);
            let spoken = &self.evidence.spoken;
            let asked: Vec<&Spoken> = spoken
                .iter()
                .filter(|spoken| {
                    spoken.inside
                        && spoken.is_query()
                        && spoken.from.ip() == client
                        && spoken.is_about(name, A)
                })
                .collect();
            let ([first, ..], [.., again]) = (asked.as_slice(), asked.as_slice()) else {
                return Err(format!("{client} did not ask"));
            };
            let reply = |query: &Spoken| {
                spoken
                    .iter()
                    .find(|reply| query.is_answered_by(reply))
                    .and_then(|reply| Some((reply.at, *reply.addresses().first()?)))
            };
            let (Some((then, (address, ttl))), Some((now, (same, left)))) =
                (reply(first), reply(again))
            else {
                return Err(format!("{client} got no answer"));
            };
            let asked_upstream = spoken.iter().any(|spoken| {
                !spoken.inside
                    && spoken.at >= again.at
                    && (spoken.is_about(name, A) || spoken.is_about(name, AAAA))
            });
            if asked_upstream {
                return Err(format!("{name} was asked upstream again"));
            }
            let passed = (now - then).as_secs();
            let counted = u64::from(ttl).saturating_sub(u64::from(left));
            if first.at == again.at || address != same || counted.abs_diff(passed) > 1 {
                return Err(format!(
                    "{name} was {address} with TTL {ttl}, and {passed} s later {same} with {left}"
                ));
            }
            let text = format!(
                "{} asks for {name} again: {same}, TTL {left} after {passed} s, nothing asked upstream",
                again.from
            );
            moments.push(at(now, text));
        }
        Ok(moments)
    }

    fn end(&self) -> Telling {
        let gateway = self.scene.gateway().gateway();
        let mut moments = Vec::new();
        for pod in [0, 1] {
            let (_, inside, _) = self.opened(pod).ok_or("no session was opened")?;
            let events = self.scene.gateway().events().iter();
            let closed = events.clone().find_map(|(at, event)| match event {
                Event::Closed {
                    inside: one, why, ..
                } if *one == inside => Some((*at, *why)),
                _ => None,
            });
            let (closed_at, _) =
                closed.ok_or_else(|| format!("the session of {} lives on", inside.source))?;
            let address = inside.destination.address;
            let held = gateway
                .mappings()
                .find(|mapping| IpAddr::V4(mapping.address) == address)
                .filter(|mapping| mapping.sessions == 0);
            let held = held.ok_or_else(|| format!("{address} is not held without sessions"))?;
            let text = format!(
                "the session of {} has ended; {address} goes on holding for {}",
                inside.source, held.host
            );
            moments.push(at(closed_at, text));
        }
        Ok(moments)
    }
}

/// A segment in a line.
fn segment(segment: &Segment<'_>) -> String {
    let packet = segment.packet;
    let (version, hops) = match packet.source {
        IpAddr::V4(_) => ("IPv4", "TTL"),
        IpAddr::V6(_) => ("IPv6", "hop limit"),
    };
    let flags = if segment.flags & ACK == 0 {
        "SYN"
    } else {
        "SYN ACK"
    };
    format!(
        "{version} {} > {}  TCP {flags}, {hops} {}, {} bytes",
        packet.source_socket(),
        packet.destination_socket(),
        packet.hop_limit,
        packet.length
    )
}
