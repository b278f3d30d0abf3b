//! A gateway, its store and its name server, driven by hand.

use alloc::collections::BTreeMap;
use core::net::{IpAddr, SocketAddr};
use core::time::Duration;

use dns46::{OperationId, StoreAction, StoreOperation};
use egress_config::{Plan, Sources};
use egress_gateway::sim::{Parsed, Payload, craft};
use egress_gateway::store::MemoryStore;
use egress_gateway::{BUFFER, DropReason, Event, Gateway, Side, Transmit, Verdict};
use hickory_proto::op::{Message, MessageType, OpCode, Query, ResponseCode};
use hickory_proto::rr::rdata::{A, AAAA, SOA};
use hickory_proto::rr::{Name, RData, Record, RecordType};
use nat46::{HEADROOM, PacketBuf};

/// The plan of replica 0 under a set of the samples.
pub(crate) fn plan(set: &str) -> Plan {
    let samples = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("samples/sets");
    let mut sources = Sources::new();
    sources.read_path(&samples.join(set)).unwrap();
    egress_config::check(&sources).plan(0).unwrap()
}

pub(crate) fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

pub(crate) fn socket(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

/// A resolver address that exists nowhere.
pub(crate) const RESOLVER: &str = "198.51.100.53:53";
pub(crate) const POD: &str = "10.244.1.10";
pub(crate) const TCP_SYN: u8 = 0x02;
pub(crate) const TCP_ACK: u8 = 0x10;

pub(crate) struct World {
    pub(crate) gateway: Gateway,
    pub(crate) now: Duration,
    pub(crate) store: MemoryStore,
    /// The store does at once what it is asked; else operations wait in `operations`.
    pub(crate) store_is_quick: bool,
    pub(crate) operations: Vec<StoreOperation>,
    /// Addresses of the names that the name server knows, all with this TTL.
    pub(crate) zone: BTreeMap<String, Vec<IpAddr>>,
    pub(crate) ttl: u32,
    pub(crate) asked_upstream: usize,
    pub(crate) upstream_is_silent: bool,
    /// What left, but for queries to the name server.
    pub(crate) sent: Vec<(Duration, Side, Vec<u8>)>,
    pub(crate) events: Vec<Event>,
    port: u16,
    buffer: Vec<u8>,
}

impl World {
    pub(crate) fn new(set: &str) -> Self {
        Self::with_plan(&plan(set), 1)
    }

    pub(crate) fn with_plan(plan: &Plan, seed: u8) -> Self {
        Self {
            gateway: Gateway::new(plan, [seed; 32]).unwrap(),
            now: Duration::from_secs(1000),
            store: MemoryStore::default(),
            store_is_quick: true,
            operations: Vec::new(),
            zone: BTreeMap::new(),
            ttl: 300,
            asked_upstream: 0,
            upstream_is_silent: false,
            sent: Vec::new(),
            events: Vec::new(),
            port: 20_000,
            buffer: vec![0; BUFFER],
        }
    }

    pub(crate) fn name(mut self, name: &str, addresses: &[&str]) -> Self {
        self.add_name(name, addresses);
        self
    }

    pub(crate) fn add_name(&mut self, name: &str, addresses: &[&str]) {
        let addresses = addresses.iter().map(|address| ip(address)).collect();
        self.zone.insert(name.to_owned(), addresses);
    }

    /// A packet arrives; what leaves at once is in `sent` too.
    pub(crate) fn arrive(&mut self, side: Side, packet: &[u8]) -> Verdict {
        let place = HEADROOM..HEADROOM + packet.len();
        self.buffer[place.clone()].copy_from_slice(packet);
        let mut buf = PacketBuf::new(&mut self.buffer, place).unwrap();
        let verdict = self.gateway.handle_packet(self.now, side, &mut buf);
        let bytes = buf.as_bytes().to_vec();
        match verdict {
            Verdict::Forward => self.sent.push((self.now, side.opposite(), bytes)),
            Verdict::Reply => self.sent.push((self.now, side, bytes)),
            Verdict::Consumed | Verdict::Drop(_) => {}
        }
        self.drive();
        verdict
    }

    /// A packet arrives and leaves on the other side.
    pub(crate) fn cross(&mut self, side: Side, packet: &[u8]) -> Parsed {
        self.sent.clear();
        let verdict = self.arrive(side, packet);
        assert_eq!(verdict, Verdict::Forward, "{:?}", Parsed::new(packet));
        self.only(side.opposite())
    }

    /// A packet arrives and is answered.
    pub(crate) fn answered(&mut self, side: Side, packet: &[u8]) -> Parsed {
        self.sent.clear();
        let verdict = self.arrive(side, packet);
        assert_eq!(verdict, Verdict::Reply, "{:?}", Parsed::new(packet));
        self.only(side)
    }

    pub(crate) fn dropped(&mut self, side: Side, packet: &[u8]) -> DropReason {
        self.sent.clear();
        let verdict = self.arrive(side, packet);
        let Verdict::Drop(reason) = verdict else {
            panic!("{verdict:?}: {:?}", Parsed::new(packet))
        };
        assert!(self.sent.is_empty(), "nothing leaves");
        reason
    }

    /// The only packet that left, sound, and on this side.
    pub(crate) fn only(&mut self, side: Side) -> Parsed {
        let sent = core::mem::take(&mut self.sent);
        let [(_, left, bytes)] = sent.as_slice() else {
            panic!("one packet was expected, found {sent:?}")
        };
        assert_eq!(*left, side);
        Parsed::new(bytes).unwrap()
    }

    fn drive(&mut self) {
        loop {
            let mut idle = true;
            while let Some(operation) = self.gateway.poll_store() {
                idle = false;
                if self.store_is_quick {
                    let reply = self.store.apply(self.now, operation.action);
                    self.gateway.handle_store(self.now, operation.id, reply);
                } else {
                    self.operations.push(operation);
                }
            }
            while let Some(Transmit { side, range, .. }) =
                self.gateway.poll_transmit(self.now, &mut self.buffer)
            {
                idle = false;
                let bytes = self.buffer[range].to_vec();
                match self.upstream_answer(side, &bytes) {
                    Some(answer) if !self.upstream_is_silent => {
                        let _ = self.arrive(Side::Outside, &answer);
                    }
                    Some(_) => {}
                    None => self.sent.push((self.now, side, bytes)),
                }
            }
            if idle {
                break;
            }
        }
        self.events
            .extend(core::iter::from_fn(|| self.gateway.poll_event()));
    }

    /// What the name server sends back, if this is a query to it.
    fn upstream_answer(&mut self, side: Side, packet: &[u8]) -> Option<Vec<u8>> {
        let parsed = Parsed::new(packet).unwrap();
        let Payload::Udp { data, .. } = &parsed.payload else {
            return None;
        };
        if side != Side::Outside || parsed.destination_socket().port() != 53 {
            return None;
        }
        self.asked_upstream += 1;
        let query = Message::from_vec(data).unwrap();
        let answer = self.answer(&query).to_vec().unwrap();
        let (from, to) = (parsed.destination_socket(), parsed.source_socket());
        Some(craft::udp(from, to, &answer))
    }

    fn answer(&self, query: &Message) -> Message {
        let question = query.queries[0].clone();
        let name = question.name().to_ascii().to_lowercase();
        let name = name.trim_end_matches('.');
        let mut answer = query.clone();
        answer.metadata.message_type = MessageType::Response;
        answer.metadata.recursion_available = true;
        let Some(addresses) = self.zone.get(name) else {
            answer.metadata.response_code = ResponseCode::NXDomain;
            self.deny(&mut answer);
            return answer;
        };
        let wanted = question.query_type();
        for address in addresses {
            let data = match address {
                IpAddr::V4(address) if wanted == RecordType::A => RData::A(A(*address)),
                IpAddr::V6(address) if wanted == RecordType::AAAA => RData::AAAA(AAAA(*address)),
                _ => continue,
            };
            let record = Record::from_rdata(question.name().clone(), self.ttl, data);
            answer.add_answer(record);
        }
        if answer.answers.is_empty() {
            self.deny(&mut answer);
        }
        answer
    }

    fn deny(&self, answer: &mut Message) {
        let zone = Name::from_ascii("example.").unwrap();
        let soa = SOA::new(zone.clone(), zone.clone(), 1, 1, 1, 1, self.ttl);
        answer
            .authorities
            .push(Record::from_rdata(zone, self.ttl, RData::SOA(soa)));
    }

    /// Lets time pass, with every deadline on the way.
    pub(crate) fn pass(&mut self, time: Duration) {
        let end = self.now + time;
        for _ in 0..10_000 {
            self.drive();
            match self.gateway.poll_timeout() {
                Some(at) if at <= end => {
                    self.now = self.now.max(at);
                    self.gateway.handle_timeout(self.now);
                }
                _ => {
                    self.now = end;
                    return;
                }
            }
        }
        panic!("time stands still at {:?}", self.now);
    }

    /// The store does the first thing that it was asked.
    pub(crate) fn store_acts(&mut self) -> StoreAction {
        let operation = self.operations.remove(0);
        let reply = self.store.apply(self.now, operation.action);
        self.store_replies(operation.id, reply);
        operation.action
    }

    pub(crate) fn store_replies(&mut self, id: OperationId, reply: dns46::StoreReply) {
        self.gateway.handle_store(self.now, id, reply);
        self.drive();
    }

    /// A pod's query; the answer may come later.
    pub(crate) fn ask_of(&mut self, pod: &str, name: &str, record_type: RecordType) -> u16 {
        self.port += 1;
        let mut query = Message::new(self.port, MessageType::Query, OpCode::Query);
        query.metadata.recursion_desired = true;
        query.add_query(Query::query(Name::from_ascii(name).unwrap(), record_type));
        let pod = ip(pod);
        let resolver = if pod.is_ipv4() {
            socket(RESOLVER)
        } else {
            socket("[2001:db8:ffff::53]:53")
        };
        let from = SocketAddr::new(pod, self.port);
        let packet = craft::udp(from, resolver, &query.to_vec().unwrap());
        let _ = self.arrive(Side::Inside, &packet);
        self.port
    }

    /// The answer to a query, once it has left, and when it did.
    pub(crate) fn answer_to(&mut self, id: u16) -> Option<(Duration, Message)> {
        self.sent.iter().find_map(|(at, side, packet)| {
            let parsed = Parsed::new(packet).unwrap();
            let Payload::Udp { data, .. } = &parsed.payload else {
                return None;
            };
            let message = Message::from_vec(data).ok()?;
            let is_it = *side == Side::Inside
                && message.metadata.id == id
                && parsed.destination_socket().port() == id;
            is_it.then_some((*at, message))
        })
    }

    /// The first address that a pod is told.
    pub(crate) fn resolve(&mut self, name: &str) -> Option<IpAddr> {
        self.resolve_of(POD, name, RecordType::A)
    }

    pub(crate) fn resolve_of(
        &mut self,
        pod: &str,
        name: &str,
        record_type: RecordType,
    ) -> Option<IpAddr> {
        let id = self.ask_of(pod, name, record_type);
        let (_, message) = self.answer_to(id)?;
        self.sent.clear();
        addresses(&message).first().copied()
    }
}

/// Addresses in the answer section.
pub(crate) fn addresses(message: &Message) -> Vec<IpAddr> {
    let records = message.answers.iter();
    records
        .filter_map(|record| match &record.data {
            RData::A(address) => Some(IpAddr::V4(address.0)),
            RData::AAAA(address) => Some(IpAddr::V6(address.0)),
            _ => None,
        })
        .collect()
}

/// A segment without data or acknowledgement.
pub(crate) fn segment(from: SocketAddr, to: SocketAddr, flags: u8) -> Vec<u8> {
    craft::tcp(from, to, flags, (1, 0), None, &[])
}
