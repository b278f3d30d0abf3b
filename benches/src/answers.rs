//! Answers to be found again, and the floor beneath every cache of them.

use alloc::sync::Arc;
use core::hint::black_box;
use core::net::{IpAddr, Ipv4Addr, SocketAddr};
use core::time::Duration;

use bytes::Bytes;
use dnscache::{Client, Config, Event, ForwardZone, Name, Resolver, Transport, Verdict};
use hashbrown::HashMap;

/// What an answer holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// One address.
    Address,
    /// An alias, and four addresses of its name.
    Chain,
    /// The denial of the name, with the zone's SOA.
    NameError,
}

impl Shape {
    /// Every one.
    pub const ALL: [Self; 3] = [Self::Address, Self::Chain, Self::NameError];
}

const CLIENT: Client = Client {
    address: SocketAddr::new(IpAddr::V4(Ipv4Addr::new(10, 1, 2, 3)), 40_000),
    local: SocketAddr::new(IpAddr::V4(Ipv4Addr::new(10, 96, 0, 10)), 53),
    transport: Transport::Udp,
    token: 0,
};
const SERVER: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 53)), 53);
const HEADER: usize = 12;
/// Octets of the OPT record that only queries of clients have.
const OPT: usize = 11;
const PARENT: &[u8] = b"\x07example\x03com\0";
/// When every answer was received.
pub const START: Duration = Duration::from_secs(1000);

/// A query as it comes: a header, a question, and an OPT record.
#[derive(Clone, Debug)]
pub struct Query(Vec<u8>);

impl Query {
    fn new(number: u32) -> Self {
        let mut bytes = vec![0xab, 0xcd, 1, 0, 0, 1, 0, 0, 0, 0, 0, 1];
        for label in [
            format!("host{:04}", number % 10_000),
            format!("x{number:08}"),
        ] {
            bytes.push(label.len() as u8);
            bytes.extend(label.bytes());
        }
        bytes.extend(PARENT);
        bytes.extend(b"\0\x01\0\x01");
        bytes.extend(b"\0\0\x29\x04\xd0\0\0\0\0\0\0");
        Self(bytes)
    }

    /// Name, type and class.
    fn question(&self) -> &[u8] {
        &self.0[HEADER..self.0.len() - OPT]
    }

    /// The name in wire form.
    #[must_use]
    pub fn name(&self) -> &[u8] {
        &self.0[HEADER..self.0.len() - OPT - 4]
    }

    /// What a server says to it.
    fn reply(&self, shape: Shape) -> Vec<u8> {
        let (code, answers, authorities) = match shape {
            Shape::Address => (0, 1, 0),
            Shape::Chain => (0, 5, 0),
            Shape::NameError => (3, 0, 1),
        };
        let mut reply = vec![
            0xab,
            0xcd,
            0x81,
            0x80 | code,
            0,
            1,
            0,
            answers,
            0,
            authorities,
            0,
            0,
        ];
        reply.extend(self.question());
        let address = |last: u8| [0, 1, 0, 1, 0, 0, 0x0e, 0x10, 0, 4, 192, 0, 2, last];
        match shape {
            Shape::Address => {
                reply.extend(b"\xc0\x0c");
                reply.extend(address(1));
            }
            Shape::Chain => {
                let alias = reply.len() + 12;
                reply.extend(b"\xc0\x0c\0\x05\0\x01\0\0\x0e\x10\0\x06\x03cdn\xc0");
                reply.push(self.parent());
                for last in 1..=4 {
                    reply.extend([0xc0, alias as u8]);
                    reply.extend(address(last));
                }
            }
            Shape::NameError => {
                reply.extend([0xc0, self.parent()]);
                reply.extend(b"\0\x06\0\x01\0\0\x0e\x10\0\x26\x02ns\xc0");
                reply.push(self.parent());
                reply.extend(b"\x0ahostmaster\xc0");
                reply.push(self.parent());
                for number in [2026_u32, 7_200, 600, 86_400, 3_600] {
                    reply.extend(number.to_be_bytes());
                }
            }
        }
        reply
    }

    /// Where `example.com.` begins in the message.
    fn parent(&self) -> u8 {
        (HEADER + self.name().len() - PARENT.len()) as u8
    }

    /// Where the TTLs of the reply are.
    fn ttl_offsets(&self, shape: Shape) -> Vec<usize> {
        let first = HEADER + self.question().len() + 6;
        match shape {
            Shape::Address | Shape::NameError => vec![first],
            Shape::Chain => (0..5)
                .map(|record| first + record * 16 + usize::from(record > 0) * 2)
                .collect(),
        }
    }
}

fn turns(names: u32, count: usize) -> impl Iterator<Item = u32> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    (0..count).map(move |_| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 33) as u32 % names
    })
}

/// A resolver whose cache holds so many names.
pub struct Answers {
    resolver: Resolver,
    shape: Shape,
    names: u32,
    out: [u8; 1232],
}

impl Answers {
    /// Asks and answers each name once.
    ///
    /// # Panics
    /// If a name is not cached.
    #[must_use]
    pub fn new(shape: Shape, names: u32) -> Self {
        let mut answers = Self::empty(shape, names, 1 << 32);
        for number in 0..names {
            assert!(!answers.ask(number), "{number} twice");
        }
        answers
    }

    /// An empty cache with a budget.
    #[must_use]
    pub fn empty(shape: Shape, names: u32, bytes: usize) -> Self {
        let mut config = Config::default();
        config
            .zones
            .push(ForwardZone::new(Name::root(), vec![SERVER]));
        config.message_bytes = bytes;
        config.negative_bytes = bytes;
        Self {
            resolver: Resolver::new(config, [7; 32]),
            shape,
            names,
            out: [0; 1232],
        }
    }

    /// Entries now, and the bytes that they count for.
    #[must_use]
    pub fn size(&self) -> (usize, usize) {
        let stats = self.resolver.stats().cache;
        (stats.entries, stats.message_bytes + stats.negative_bytes)
    }

    /// Asks for a name; whether the answer was there. If not, it is now.
    ///
    /// # Panics
    /// If it is not cached.
    pub fn ask(&mut self, number: u32) -> bool {
        let query = Query::new(number);
        let (resolver, out) = (&mut self.resolver, &mut self.out);
        let verdict = resolver.handle_query(START, CLIENT, &query.0, 0, out);
        let ticket = match verdict {
            Verdict::Parked(ticket) => ticket,
            Verdict::Reply(_) => return true,
            _ => panic!("{verdict:?}"),
        };
        let transmit = resolver
            .poll_transmit(START, out)
            .expect("a query to the server");
        let sent = Query(out[..transmit.len].to_vec());
        let mut reply = sent.reply(self.shape);
        reply[..2].copy_from_slice(&sent.0[..2]);
        let own = SocketAddr::from((Ipv4Addr::new(192, 0, 2, 1), transmit.source_port));
        let taken = resolver.handle_datagram(START, SERVER, own, &reply);
        taken.expect("the reply to that query");
        while let Some(event) = resolver.poll_event() {
            match event {
                Event::Received { fetch, .. } => resolver.accept(START, fetch, 0),
                Event::Ready { .. } => {
                    let verdict = resolver.answer(START, ticket, out);
                    assert!(matches!(verdict, Verdict::Reply(_)), "{verdict:?}");
                }
                _ => {}
            }
        }
        false
    }

    /// Queries in no order.
    #[must_use]
    pub fn queries(&self, count: usize) -> Vec<Query> {
        turns(self.names, count).map(Query::new).collect()
    }

    /// Names in lower case, and their messages.
    #[must_use]
    pub fn messages(&self, count: u32) -> Vec<(Vec<u8>, Bytes)> {
        let message = |number| {
            let query = Query::new(number);
            (query.name().to_vec(), Bytes::from(query.reply(self.shape)))
        };
        (0..count).map(message).collect()
    }

    /// The length of the reply; 0 for none.
    pub fn answer(&mut self, now: Duration, query: &Query) -> usize {
        match self
            .resolver
            .handle_query(now, CLIENT, &query.0, 0, &mut self.out)
        {
            Verdict::Reply(length) => length,
            _ => 0,
        }
    }
}

/// A table of messages under their questions, and nothing else: the question is made small, looked for
/// under a fast hash that no key protects, the message copied, each TTL lowered by a second, the
/// identifier set. Where the TTLs are, it knows beforehand.
pub struct Floor {
    messages: HashMap<Vec<u8>, Arc<[u8]>, foldhash::fast::RandomState>,
    offsets: Vec<usize>,
    out: [u8; 1232],
}

impl Floor {
    /// With the same messages.
    #[must_use]
    pub fn new(shape: Shape, names: u32) -> Self {
        let message = |number| {
            let query = Query::new(number);
            let key = query.question().to_ascii_lowercase();
            (key, query.reply(shape).into())
        };
        Self {
            messages: (0..names).map(message).collect(),
            offsets: Query::new(0).ttl_offsets(shape),
            out: [0; 1232],
        }
    }

    /// The length of the reply; 0 for none.
    pub fn answer(&mut self, query: &Query) -> usize {
        let question = query.question();
        let mut key = [0; 255];
        let key = &mut key[..question.len()];
        for (small, octet) in key.iter_mut().zip(question) {
            *small = octet.to_ascii_lowercase();
        }
        let Some(message) = self.messages.get(&*key) else {
            return 0;
        };
        let out = &mut self.out[..message.len()];
        out.copy_from_slice(message);
        for at in &self.offsets {
            let field = &mut out[*at..at + 4];
            let ttl = u32::from_be_bytes([field[0], field[1], field[2], field[3]]) - 1;
            field.copy_from_slice(&ttl.to_be_bytes());
        }
        out[..2].copy_from_slice(&query.0[..2]);
        black_box(&mut self.out);
        message.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn floor_and_cache_say_the_same() {
        for shape in Shape::ALL {
            let (mut answers, mut floor) = (Answers::new(shape, 100), Floor::new(shape, 100));
            for query in answers.queries(300) {
                // The floor's second of age.
                let length = answers.answer(START + Duration::from_secs(1), &query);
                let found = floor.answer(&query);
                assert_eq!(length, found + OPT, "{shape:?}");
                let (mut own, other) = (answers.out[..found].to_vec(), &floor.out[..found]);
                own[11] -= 1;
                assert!(
                    own.eq_ignore_ascii_case(other),
                    "{shape:?}: {own:x?} {other:x?}"
                );
            }
        }
    }
}
