//! A simulated network between the resolver and its servers: datagrams are lost and overtake each other,
//! and servers lie, truncate and are silent. Whatever happens, every query ends in an answer that is true
//! or in SERVFAIL, by its deadline.

use alloc::collections::BTreeMap;
use core::time::Duration;

use crate::common::*;
use dnscache::{
    Config, Event, ForwardZone, Resolver, StreamId, StreamInput, StreamTransmit, Ticket, Verdict,
    rcode, rtype,
};

/// As the configuration has it by default.
const DEADLINE: Duration = Duration::from_millis(4_500);

/// How a server behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Server {
    Honest,
    /// Truncates over UDP, and answers over TCP.
    Truncating,
    /// Accepts connections and datagrams, and never says a word.
    Silent,
    /// Answers at once with something else than what was asked.
    Lying,
    /// Refuses connections and answers SERVFAIL.
    Failing,
}

/// What arrives at a moment.
#[derive(Debug)]
enum Arrival {
    Query(usize),
    AtServer(usize, Sent),
    Reply(Sent, Answer),
    Opened(StreamId),
    OnStream(StreamId, Vec<u8>),
    Closed(StreamId),
}

struct Network {
    world: World,
    servers: Vec<Server>,
    /// Datagrams lost of a hundred, each way.
    loss: u64,
    arrivals: BTreeMap<(Duration, u64), Arrival>,
    streams: BTreeMap<u64, (StreamId, usize, Vec<u8>)>,
    waiting: BTreeMap<u64, (Ticket, usize, Duration)>,
    state: u64,
    next: u64,
    answered: usize,
    failed: usize,
    slowest: Duration,
}

impl Network {
    fn new(servers: &[Server], loss: u64, seed: u8) -> Self {
        let addresses = (0..servers.len()).map(|number| address(&format!("192.0.2.{number}:53")));
        let mut config = Config::default();
        config
            .zones
            .push(ForwardZone::new(name("."), addresses.collect()));
        let mut world = World::new();
        world.resolver = Resolver::new(config, [seed; 32]);
        Self {
            world,
            servers: servers.to_vec(),
            loss,
            arrivals: BTreeMap::new(),
            streams: BTreeMap::new(),
            waiting: BTreeMap::new(),
            state: u64::from(seed),
            next: 0,
            answered: 0,
            failed: 0,
            slowest: millis(0),
        }
    }

    fn draw(&mut self, bound: u64) -> u64 {
        self.state = self
            .state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (self.state >> 33) % bound
    }

    fn put(&mut self, delay: Duration, arrival: Arrival) {
        self.next += 1;
        let at = self.world.now + delay;
        self.arrivals.insert((at, self.next), arrival);
    }

    /// On its way for 5 to 105 ms, so that datagrams overtake each other; or lost.
    fn fly(&mut self, arrival: Arrival) {
        let delay = millis(5 + self.draw(100));
        if self.draw(100) >= self.loss {
            self.put(delay, arrival);
        }
    }

    /// So many queries within ten seconds, one name in four asked before.
    fn run(&mut self, queries: usize) {
        for number in 0..queries {
            let delay = millis(self.draw(10_000));
            self.put(delay, Arrival::Query(number * 3 / 4));
        }
        loop {
            self.drain();
            let arrives = self.arrivals.keys().next().map(|(at, _)| *at);
            let timeout = self.world.resolver.poll_timeout();
            let Some(next) = arrives.into_iter().chain(timeout).min() else {
                break;
            };
            self.world.now = self.world.now.max(next);
            self.world.resolver.handle_timeout(self.world.now);
            let due = self.arrivals.first_key_value().map(|(key, _)| *key);
            if let Some(key) = due.filter(|(at, _)| *at <= self.world.now)
                && let Some(arrival) = self.arrivals.remove(&key)
            {
                self.arrive(arrival);
            }
        }
        assert!(
            self.waiting.is_empty(),
            "{} wait for ever",
            self.waiting.len()
        );
        assert_eq!(self.world.resolver.parked(), 0);
        assert_eq!(self.answered + self.failed, queries);
        assert!(self.slowest <= DEADLINE, "{:?}", self.slowest);
    }

    fn drain(&mut self) {
        while let Some(event) = self.world.resolver.poll_event() {
            match event {
                Event::Received { fetch, .. } => {
                    self.world.resolver.accept(self.world.now, fetch, 0);
                }
                Event::Ready { ticket } => self.answer(ticket),
                _ => {}
            }
        }
        for sent in self.world.sent() {
            let server = server_of(sent.transmit.destination);
            self.fly(Arrival::AtServer(server, sent));
        }
        for (step, bytes) in self.world.streams() {
            match step {
                StreamTransmit::Connect {
                    stream,
                    destination,
                } => {
                    let server = server_of(destination);
                    self.streams
                        .insert(key_of(stream), (stream, server, Vec::new()));
                    let arrival = match self.servers[server] {
                        Server::Failing => Arrival::Closed(stream),
                        _ => Arrival::Opened(stream),
                    };
                    self.put(millis(20), arrival);
                }
                StreamTransmit::Send { stream, .. } => self.serve_stream(stream, &bytes),
                StreamTransmit::Close { stream } => {
                    self.streams.remove(&key_of(stream));
                }
                _ => unreachable!("{step:?}"),
            }
        }
    }

    fn answer(&mut self, ticket: Ticket) {
        let (key, number, asked_at) = self
            .waiting
            .iter()
            .find(|(_, waiting)| waiting.0 == ticket)
            .map(|(key, waiting)| (*key, waiting.1, waiting.2))
            .expect("a ticket that waits");
        let reply = self.world.answered(ticket);
        self.waiting.remove(&key);
        self.slowest = self.slowest.max(self.world.now - asked_at);
        self.judge(number, &reply);
    }

    /// True, or SERVFAIL.
    fn judge(&mut self, number: usize, reply: &[u8]) {
        match rcode_of(reply) {
            rcode::SERVFAIL => self.failed += 1,
            rcode::NOERROR => {
                assert_eq!(reply[reply.len() - 4..], truth(number), "query {number}");
                assert_eq!(decode(reply).answers.len(), 1);
                self.answered += 1;
            }
            other => panic!("{other}"),
        }
    }

    fn arrive(&mut self, arrival: Arrival) {
        match arrival {
            Arrival::Query(number) => match self.world.ask(&Ask::new(&host(number), rtype::A)) {
                (Verdict::Reply(_), reply) => self.judge(number, &reply),
                (Verdict::Parked(ticket), _) => {
                    self.next += 1;
                    let waiting = (ticket, number, self.world.now);
                    self.waiting.insert(self.next, waiting);
                }
                (verdict, _) => panic!("{verdict:?}"),
            },
            Arrival::AtServer(server, sent) => self.serve(server, &sent),
            Arrival::Reply(sent, answer) => {
                let _ = self.world.deliver(&sent, &answer);
            }
            Arrival::Opened(stream) => self.tell(stream, StreamInput::Open),
            Arrival::OnStream(stream, bytes) => self.tell(stream, StreamInput::Bytes(&bytes)),
            Arrival::Closed(stream) => {
                self.streams.remove(&key_of(stream));
                self.tell(stream, StreamInput::Closed);
            }
        }
    }

    fn tell(&mut self, stream: StreamId, input: StreamInput<'_>) {
        self.world
            .resolver
            .handle_stream(self.world.now, stream, input);
    }

    fn serve(&mut self, server: usize, sent: &Sent) {
        let answer = match self.servers[server] {
            Server::Silent => return,
            Server::Honest => truthful(&sent.bytes),
            Server::Failing => Answer::to(&sent.bytes).rcode(rcode::SERVFAIL),
            Server::Truncating => {
                let mut answer = Answer::to(&sent.bytes);
                answer.bytes[2] |= 0x02;
                answer
            }
            Server::Lying => self.lie(&sent.bytes),
        };
        self.fly(Arrival::Reply(sent.clone(), answer));
    }

    /// Of all things that a server can say, those that can be told from the truth.
    fn lie(&mut self, query: &[u8]) -> Answer {
        let mut answer = Answer::to(query).a("bank.example", 86_400, [203, 0, 113, 66]);
        match self.draw(8) {
            0 => answer.bytes[1] ^= 1,
            1 => answer.bytes[13] ^= 0x0f,
            2 => answer.bytes[13] ^= 0x20,
            3 => answer.bytes.truncate(40),
            4 => answer = answer.authority("com", rtype::NS, 86_400, &cased_wire("evil.example")),
            5 => answer.bytes[7] = 9,
            6 => {
                let own = asked(query);
                answer = answer
                    .cname(&own, 300, "a.example")
                    .cname("a.example", 300, &own);
            }
            _ => answer = answer.rcode(rcode::REFUSED),
        }
        answer
    }

    fn serve_stream(&mut self, stream: StreamId, bytes: &[u8]) {
        let Some((_, server, buffer)) = self.streams.get_mut(&key_of(stream)) else {
            return;
        };
        let server = *server;
        buffer.extend(bytes);
        let mut replies = Vec::new();
        while let Some((length, rest)) = buffer.split_first_chunk::<2>() {
            let length = usize::from(u16::from_be_bytes(*length));
            if rest.len() < length {
                break;
            }
            replies.push(rest[..length].to_vec());
            buffer.drain(..length + 2);
        }
        for query in replies {
            let answer = match self.servers[server] {
                Server::Silent | Server::Failing => continue,
                Server::Honest | Server::Truncating => truthful(&query),
                Server::Lying => self.lie(&query),
            };
            let mut framed = u16::try_from(answer.bytes.len())
                .unwrap()
                .to_be_bytes()
                .to_vec();
            framed.extend(answer.bytes);
            // In two pieces that keep their order.
            let (one, two) = framed.split_at(framed.len() / 2);
            self.put(millis(30), Arrival::OnStream(stream, one.to_vec()));
            self.put(millis(30), Arrival::OnStream(stream, two.to_vec()));
        }
    }
}

fn server_of(destination: core::net::SocketAddr) -> usize {
    match destination.ip() {
        core::net::IpAddr::V4(address) => usize::from(address.octets()[3]),
        core::net::IpAddr::V6(_) => unreachable!(),
    }
}

/// A stream's name has no order of its own.
fn key_of(stream: StreamId) -> u64 {
    use core::hash::{Hash, Hasher};
    let mut hasher = std::hash::DefaultHasher::new();
    stream.hash(&mut hasher);
    hasher.finish()
}

fn host(number: usize) -> String {
    format!("h{number}.example.com")
}

/// The one address of a host.
fn truth(number: usize) -> [u8; 4] {
    let [high, low] = u16::try_from(number).unwrap().to_be_bytes();
    [198, 18, high, low]
}

/// The name of a query.
fn asked(query: &[u8]) -> String {
    let length = usize::from(query[12]);
    let first = core::str::from_utf8(&query[13..13 + length]).unwrap();
    format!("{first}.example.com")
}

fn truthful(query: &[u8]) -> Answer {
    let own = asked(query);
    let digits = own.trim_start_matches(['h', 'H']);
    let number = digits.split('.').next().unwrap().parse().unwrap();
    Answer::to(query).a(&own, 300, truth(number))
}

/// Of so many queries over such a network: how many had an answer.
fn answered(servers: &[Server], loss: u64, queries: usize) -> usize {
    let mut total = 0;
    for seed in 1..=3 {
        let mut network = Network::new(servers, loss, seed);
        network.run(queries);
        total += network.answered;
        network.world.now += seconds(400);
        network.world.park(&Ask::new("bank.example", rtype::A));
    }
    total
}

#[test]
fn a_third_of_the_datagrams_lost_and_the_rest_out_of_order() {
    let count = answered(&[Server::Honest, Server::Honest], 30, 2_000);
    assert!(count > 5_700, "{count}");
    let count = answered(&[Server::Honest], 30, 2_000);
    assert!(count > 5_000, "{count}");
}

#[test]
fn dns_41_a_server_that_truncates() {
    let count = answered(&[Server::Truncating], 0, 1_000);
    assert_eq!(count, 3_000);
    let count = answered(&[Server::Truncating], 30, 1_000);
    assert!(count > 2_500, "{count}");
}

#[test]
fn a_server_that_lies_is_not_believed() {
    assert_eq!(answered(&[Server::Lying], 0, 500), 0);
    let count = answered(&[Server::Lying, Server::Honest], 0, 1_000);
    assert!(count > 2_900, "{count}");
    let count = answered(&[Server::Lying, Server::Honest], 30, 1_000);
    assert!(count > 2_200, "{count}");
}

#[test]
fn a_server_that_never_answers() {
    assert_eq!(answered(&[Server::Silent], 0, 500), 0);
    let count = answered(&[Server::Silent, Server::Honest], 30, 1_000);
    assert!(count > 2_400, "{count}");
}

#[test]
fn all_kinds_of_servers_at_once() {
    let servers = [
        Server::Lying,
        Server::Silent,
        Server::Failing,
        Server::Truncating,
        Server::Honest,
    ];
    let count = answered(&servers, 30, 1_000);
    assert!(count > 2_000, "{count}");
}
