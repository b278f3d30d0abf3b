//! The table against a naive model of it, through the public interface: random histories of up to
//! 200 steps.

mod beside;
mod history;
mod reference;

use core::net::IpAddr;
use core::ops::RangeInclusive;
use core::time::Duration;
use std::env;

use history::{Choice, Segment, Step, step};
use proptest::prelude::*;
use reference::{Flow, Model};
use snatpool::{
    Closed, Config, Event, Evict, ExportCursor, Filter, Lookup, Mapping, PoolConfig, PoolId,
    Protocol, Refused, SessionId, Side, Signal, SnatPool, State, TcpFlags, Ticket,
    TransportAddress, Tuple,
};

const BOUND: usize = 14;
const PORTS: RangeInclusive<u16> = 1024..=1033;

struct Run {
    nat: SnatPool,
    model: Model,
    now: u64,
    count: u32,
    tickets: Vec<(Ticket, u64)>,
    released: Vec<(Ticket, SessionId)>,
}

fn addresses() -> Vec<IpAddr> {
    vec!["192.0.2.1".parse().unwrap(), "192.0.2.2".parse().unwrap()]
}

fn table(model: &Model, seed: u8) -> SnatPool {
    let mut pool = PoolConfig::new(addresses());
    pool.ports = PORTS;
    pool.mapping = model.mapping;
    pool.filter = model.filter;
    pool.rest = Duration::ZERO;
    let mut config = Config::new(BOUND as u32, vec![pool]);
    config.evict = if model.evicts {
        Evict::Transitory
    } else {
        Evict::Never
    };
    config.held_syns = 0;
    SnatPool::new(config, [seed; 32]).unwrap()
}

impl Run {
    fn at(&self) -> Duration {
        Duration::from_secs(self.now)
    }

    fn signal(&mut self, protocol: Protocol, segment: Segment) -> (Signal, Option<Segment>) {
        self.count += 1;
        if protocol != Protocol::Tcp {
            return (Signal::None, None);
        }
        let flags = match segment {
            Segment::Syn => TcpFlags::SYN,
            Segment::Ack => TcpFlags::ACK,
            Segment::Fin => TcpFlags::FIN.union(TcpFlags::ACK),
            Segment::Rst => TcpFlags::RST,
        };
        let sequence = self.count;
        (Signal::Tcp { flags, sequence }, Some(segment))
    }

    fn step(&mut self, step: Step) {
        match step {
            Step::Out { flow, segment } => {
                self.out(flow, segment);
            }
            Step::In {
                index,
                segment,
                stranger,
            } => self.reply(index, segment, stranger),
            Step::Error { index, side } => self.error(index, side),
            Step::Fragment {
                index,
                early,
                orphan,
            } => self.fragment(index, early, orphan),
            Step::Wait(seconds) => self.wait(seconds),
            Step::Pin(index) => {
                if let Some((index, id)) = self.live(index) {
                    assert!(self.nat.pin(id));
                    self.model.flows[index].pinned = true;
                }
            }
            Step::Unpin(index) => self.unpin(index),
            Step::Close(index) => {
                if let Some((index, id)) = self.live(index) {
                    let inside = self.model.flows[index].inside;
                    assert!(self.nat.close(self.at(), id));
                    self.events(Some(inside));
                }
            }
            Step::Drain(index) => {
                let address = addresses()[index % 2];
                assert!(self.nat.drain(address));
                self.model.draining.push(address);
            }
            Step::Undrain(index) => {
                let address = addresses()[index % 2];
                assert!(self.nat.undrain(address));
                self.model.undrained = true;
                self.model.draining.retain(|drained| *drained != address);
            }
            Step::Fill(flow) => {
                for port in 2000..2000 + BOUND as u16 + 2 {
                    self.out(Choice { port, ..flow }, Segment::Syn);
                }
            }
            Step::Move { seed, piece } => self.relocate(seed, piece),
        }
        self.events(None);
        self.check();
    }

    /// The live flow of this number, and its session.
    fn live(&self, index: usize) -> Option<(usize, SessionId)> {
        let live: Vec<usize> = (0..self.model.flows.len())
            .filter(|index| !self.model.flows[*index].ended)
            .collect();
        let index = *live.get(index % live.len().max(1))?;
        let outside = &self.model.flows[index].outside;
        let id = self.nat.quoted(Side::Outside, outside);
        Some((index, id.unwrap_or_else(|| panic!("{outside:?} is lost"))))
    }

    fn out(&mut self, choice: Choice, segment: Segment) {
        let (inside, peer) = (choice.inside(), choice.peer());
        let (signal, segment) = self.signal(inside.protocol, segment);
        let known = self.model.find(Side::Inside, &inside);
        let found = self.nat.outbound(self.at(), &inside, signal);
        if let Some(index) = known {
            assert!(matches!(found, Lookup::Session(_)), "{inside:?}: {found:?}");
            self.model.packet(self.now, index, Side::Inside, segment);
            return;
        }
        assert_eq!(found, Lookup::Miss);
        let allowed = self.model.outsides(&inside, peer);
        let family_left = addresses()
            .iter()
            .any(|address| !self.model.draining.contains(address));
        let full = self.model.flows.len() >= BOUND;
        let guessed = self.nat.stats().searches_without_set;
        let ended = self.nat.closed(Closed::EvictedForPort);
        let bound = self
            .nat
            .bind(self.at(), PoolId(0), &inside, peer, None, signal);
        if segment.is_some_and(|segment| segment != Segment::Syn) {
            assert_eq!(bound, Err(Refused::NotOpening));
            return;
        }
        let evicted = self.events_of_open();
        // Said in the statistics: it was sought by guessing.
        let guessed = self.nat.stats().searches_without_set > guessed;
        let none_free = guessed || allowed.iter().any(Vec::is_empty);
        assert!(none_free || self.nat.closed(Closed::EvictedForPort) == ended);
        match bound {
            Ok(id) => {
                let session = self.nat.session(id).unwrap();
                let at = (session.outside.source.address, session.outside.source.port);
                assert!(
                    allowed.concat().contains(&at) || evicted,
                    "{at:?}: allowed {allowed:?}"
                );
                assert!(!full || evicted);
                assert_eq!(session.inside, inside);
                self.add(&session, false, segment);
            }
            Err(Refused::Sessions) => assert!(full && !evicted),
            Err(Refused::NoAddress(_)) => assert!(!family_left),
            Err(Refused::Ambiguous) => assert_eq!(self.model.mapping, Mapping::EndpointIndependent),
            Err(Refused::PortsExhausted) => assert!(none_free, "{allowed:?}"),
            Err(why) => panic!("{why:?}"),
        }
        self.model.clients_seen.push(inside.source.address);
    }

    fn add(&mut self, session: &snatpool::Session, from_outside: bool, segment: Option<Segment>) {
        let state = match (segment, from_outside) {
            (None, _) => State::Unconfirmed,
            (Some(_), false) => State::InInit,
            (Some(_), true) => State::OutInit,
        };
        let mut flow = Flow {
            inside: session.inside,
            outside: session.outside,
            state,
            due: 0,
            pinned: false,
            ended: false,
            from_outside,
        };
        flow.due = self.now + reference::lifetime(&flow);
        self.model.flows.push(flow);
    }

    fn reply(&mut self, index: usize, segment: Segment, stranger: bool) {
        let Some((index, _)) = self.live(index) else {
            return;
        };
        let mut tuple = self.model.flows[index].outside.reversed();
        if stranger {
            tuple.source.address = "198.51.100.9".parse().unwrap();
        }
        let (signal, segment) = self.signal(tuple.protocol, segment);
        let known = self.model.find(Side::Outside, &tuple);
        let admitted = self.model.admits(&tuple);
        let opens = segment.is_none_or(|segment| segment == Segment::Syn);
        match (self.nat.inbound(self.at(), &tuple, signal), known) {
            (Lookup::Session(id), Some(index)) => {
                assert_eq!(
                    self.nat.session(id).unwrap().inside,
                    self.model.flows[index].inside
                );
                self.model.packet(self.now, index, Side::Outside, segment);
            }
            (Lookup::Admit { inside }, None) => {
                assert_eq!((admitted, opens), (Some(inside), true));
                self.accept(&tuple, inside, signal, segment);
            }
            (Lookup::Refused(_) | Lookup::Miss, None) => assert!(admitted.is_none() || !opens),
            (found, known) => panic!("{tuple:?}: {found:?}, but {known:?}"),
        }
    }

    /// The peer is a stranger of IPv4: an IPv6 client sees it through NAT64.
    fn accept(
        &mut self,
        outside: &Tuple,
        client: TransportAddress,
        signal: Signal,
        segment: Option<Segment>,
    ) {
        let peer = if client.address.is_ipv6() {
            "64:ff9b::c633:6409".parse().unwrap()
        } else {
            outside.source.address
        };
        let full = self.model.flows.len() >= BOUND;
        let accepted = self.nat.accept(self.at(), outside, peer, signal);
        let evicted = self.events_of_open();
        match accepted {
            Ok(id) => {
                assert!(!full || evicted);
                let session = self.nat.session(id).unwrap();
                assert_eq!(
                    (session.inside.source, session.outside.reversed()),
                    (client, *outside)
                );
                self.add(&session, true, segment);
            }
            Err(Refused::Sessions) => assert!(full),
            Err(Refused::Ambiguous) => {
                let held = |flow: &Flow| flow.ended && flow.outside.reversed() == *outside;
                assert!(self.model.flows.iter().any(held));
            }
            Err(why) => panic!("{why:?}"),
        }
    }

    fn unpin(&mut self, index: usize) {
        let pinned: Vec<usize> = (0..self.model.flows.len())
            .filter(|index| self.model.flows[*index].pinned)
            .collect();
        let Some(index) = pinned.get(index % pinned.len().max(1)).copied() else {
            return;
        };
        let flow = &self.model.flows[index];
        if flow.ended {
            // Only by an id that was kept; the port is in the list until then.
            return;
        }
        let id = self.nat.quoted(Side::Outside, &flow.outside).unwrap();
        self.nat.unpin(self.at(), id);
        self.model.flows[index].pinned = false;
    }

    fn wait(&mut self, seconds: u64) {
        self.now += seconds;
        for _ in 0..1000 {
            if self.nat.poll_timeout().is_none_or(|due| due > self.at()) {
                break;
            }
            self.nat.handle_timeout(self.at());
            self.events(None);
        }
        let now = self.now;
        assert!(
            self.model
                .flows
                .iter()
                .all(|flow| flow.ended || flow.due > now)
        );
        assert!(self.tickets.iter().all(|(_, due)| *due > now));
    }

    /// RFC 6146 has no word on it: what is exported and imported goes on as if nothing had been.
    fn relocate(&mut self, seed: u8, piece: usize) {
        let mut new = table(&self.model, seed);
        let mut cursor = ExportCursor::default();
        let mut bytes = vec![0; SnatPool::EXPORT_LEN + piece];
        let mut added = 0;
        let now = self.at();
        while !cursor.is_done() {
            let len = self.nat.export(now, &mut cursor, &mut bytes);
            if len > 0 {
                let imported = new.import(now, &bytes[..len]).unwrap();
                added += imported.added;
                while let Some(event) = new.poll_event() {
                    assert!(matches!(event, Event::Opened { .. }));
                }
                let again = new.import(now, &bytes[..len]).unwrap();
                assert_eq!((again.added, again.known), (0, imported.added));
            }
        }
        self.model.flows.retain(|flow| !flow.ended);
        self.model
            .flows
            .iter_mut()
            .for_each(|flow| flow.pinned = false);
        assert_eq!(added, self.model.flows.len() as u64);
        for address in &self.model.draining {
            new.drain(*address);
        }
        self.tickets.clear();
        self.nat = new;
    }

    fn events_of_open(&mut self) -> bool {
        let before = self.model.flows.iter().filter(|flow| !flow.ended).count();
        self.events(None);
        self.model.flows.iter().filter(|flow| !flow.ended).count() < before
    }

    fn events(&mut self, ordered: Option<Tuple>) {
        while let Some(event) = self.nat.poll_event() {
            match event {
                Event::Closed {
                    why,
                    inside,
                    outside,
                    ..
                } => {
                    let index = self.model.find(Side::Inside, &inside).unwrap();
                    assert_eq!(self.model.flows[index].outside, outside);
                    let right = match why {
                        Closed::Ordered => ordered == Some(inside),
                        why => self.model.may_end(self.now, index, why),
                    };
                    assert!(
                        right,
                        "{why:?} at {}: {:?}",
                        self.now, self.model.flows[index]
                    );
                    if self.model.flows[index].pinned {
                        self.model.flows[index].ended = true;
                    } else {
                        self.model.flows.remove(index);
                    }
                }
                Event::Expire { ticket } => {
                    let index = self
                        .tickets
                        .iter()
                        .position(|(held, _)| *held == ticket)
                        .unwrap();
                    assert!(self.tickets.swap_remove(index).1 <= self.now);
                }
                Event::Release { ticket, session } => self.released.push((ticket, session)),
                _ => {}
            }
        }
    }

    /// Every live flow is there, as the list has it, and no other.
    fn check(&self) {
        let live = self.model.flows.iter().filter(|flow| !flow.ended).count();
        assert_eq!(self.nat.sessions().count(), live);
        assert_eq!(self.nat.stats().live, live as u64);
        assert_eq!(self.nat.stats().holding, self.model.flows.len() as u64);
        for session in self.nat.sessions() {
            let index = self.model.find(Side::Inside, &session.inside).unwrap();
            let flow = &self.model.flows[index];
            assert_eq!(session.outside, flow.outside);
            assert_eq!((session.state, session.pinned), (flow.state, flow.pinned));
            assert_eq!(session.expires_at.as_secs(), flow.due, "{flow:?}");
            assert_eq!(session.from_outside, flow.from_outside);
        }
        for address in self.nat.addresses() {
            let of = |flow: &&Flow| flow.outside.source.address == address.address;
            assert_eq!(
                address.sessions as usize,
                self.model.flows.iter().filter(of).count()
            );
        }
    }
}

fn cases() -> u32 {
    env::var("PROPTEST_CASES").map_or(150, |cases| cases.parse().expect("a number"))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(cases()))]

    #[test]
    fn the_table_does_what_lists_do(
        independent in any::<bool>(),
        filter in prop_oneof![Just(Filter::Endpoint), Just(Filter::Address), Just(Filter::AddressPort)],
        evicts in any::<bool>(),
        seed in any::<u8>(),
        steps in proptest::collection::vec(step(), 1..200),
    ) {
        let mapping = if independent { Mapping::EndpointIndependent } else { Mapping::PerFlow };
        let model = Model {
            mapping,
            filter: if independent { filter } else { Filter::AddressPort },
            evicts,
            bound: BOUND,
            addresses: addresses(),
            draining: Vec::new(),
            undrained: false,
            flows: Vec::new(),
            clients_seen: Vec::new(),
        };
        let mut run = Run {
            nat: table(&model, seed),
            model,
            now: 1000,
            count: 1,
            tickets: Vec::new(),
            released: Vec::new(),
        };
        for step in steps {
            run.step(step);
        }
    }
}
