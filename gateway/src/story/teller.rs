use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use core::time::Duration;

use egress_config::Snat;
use snatpool::Tuple;

use super::evidence::{ACK, Evidence, SYN, Segment, Spoken};
use super::report::{Moment, Telling, Told, at};
use super::{Scene, Stage};
use crate::{Event, sim};

/// Record types.
const A: u16 = 1;
const AAAA: u16 = 28;

/// Looks for what should have happened.
pub(super) struct Teller<'a> {
    pub(super) scene: &'a Scene,
    pub(super) evidence: &'a Evidence,
}

impl Teller<'_> {
    /// One pod's stages, up to the first that failed.
    pub(super) fn pod(&self, pod: usize) -> Vec<Told> {
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

    /// A pod's queries for its own name.
    fn queries(&self, pod: usize) -> impl Iterator<Item = &Spoken> {
        let (address, name) = (self.scene.cast.pods[pod], &self.scene.cast.names[pod]);
        self.evidence.spoken.iter().filter(move |spoken| {
            spoken.inside
                && spoken.is_query()
                && spoken.from.ip() == IpAddr::V4(address)
                && spoken.is_about(name, A)
        })
    }

    /// What the gateway answered.
    fn reply(&self, query: &Spoken) -> Option<&Spoken> {
        let mut spoken = self.evidence.spoken.iter();
        spoken.find(|reply| reply.inside && query.is_answered_by(reply))
    }

    /// The query that brought an address, since a pod may ask again; else the first.
    fn asked(&self, pod: usize) -> Option<&Spoken> {
        let mut queries = self.queries(pod);
        let brought = queries.find(|query| {
            let reply = self.reply(query);
            reply.is_some_and(|reply| !reply.addresses().is_empty())
        });
        brought.or_else(|| self.queries(pod).next())
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
    pub(super) fn mapped(&self) -> impl Iterator<Item = (Duration, (Ipv4Addr, Ipv6Addr))> {
        let events = self.scene.gateway().events().iter();
        events.filter_map(|(at, event)| match event {
            Event::Mapped { address, host, .. } => Some((*at, (*address, *host))),
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
        let reply = self.asked(pod).and_then(|asked| self.reply(asked));
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

    /// The pod's session to its mapped address: the last, since it may connect again.
    fn opened(&self, pod: usize) -> Option<(Duration, Tuple, Tuple)> {
        let (_, mapped) = self.mapping_of(pod)?;
        let client = IpAddr::V4(self.scene.cast.pods[pod]);
        let events = self.scene.gateway().events().iter();
        events.rev().find_map(|(at, event)| match event {
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

    pub(super) fn checksums(&self) -> Telling {
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

    pub(super) fn cache(&self) -> Telling {
        let mut moments = Vec::new();
        for (pod, name) in self.scene.cast.names.iter().enumerate() {
            let client = self.scene.cast.pods[pod];
            let spoken = &self.evidence.spoken;
            let (Some(first), Some(again)) = (self.asked(pod), self.queries(pod).last()) else {
                return Err(format!("{client} did not ask"));
            };
            let reply = |query: &Spoken| {
                let reply = self.reply(query)?;
                Some((reply.at, *reply.addresses().first()?))
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

    pub(super) fn end(&self) -> Telling {
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
