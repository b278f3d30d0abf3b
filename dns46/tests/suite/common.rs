//! Messages as hickory writes them, and a responder with a small pool.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use core::time::Duration;

use dns46::{Config, Dns46, Event, Pair, Settings, StoreOperation, Synthesized};
use hickory_proto::op::{Message, OpCode, Query, ResponseCode};
use hickory_proto::rr::rdata::{A, AAAA, CNAME, SOA};
use hickory_proto::rr::{Name, RData, Record, RecordType};

pub(crate) const CLIENT: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 244, 1, 10));

pub(crate) fn at(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

pub(crate) fn name(text: &str) -> Name {
    Name::from_ascii(text).unwrap()
}

/// A reply under construction.
pub(crate) struct Reply(pub(crate) Message);

impl Reply {
    pub(crate) fn to(asked: &str, record_type: RecordType) -> Self {
        let mut message = Message::response(7, OpCode::Query);
        message.add_query(Query::query(name(asked), record_type));
        Self(message)
    }

    pub(crate) fn code(mut self, code: ResponseCode) -> Self {
        self.0.metadata.response_code = code;
        self
    }

    pub(crate) fn authentic(mut self) -> Self {
        self.0.metadata.authentic_data = true;
        self
    }

    fn answer(mut self, owner: &str, ttl: u32, data: RData) -> Self {
        self.0
            .add_answer(Record::from_rdata(name(owner), ttl, data));
        self
    }

    pub(crate) fn a(self, owner: &str, ttl: u32, address: [u8; 4]) -> Self {
        self.answer(owner, ttl, RData::A(A(Ipv4Addr::from(address))))
    }

    pub(crate) fn aaaa(self, owner: &str, ttl: u32, address: &str) -> Self {
        self.answer(owner, ttl, RData::AAAA(AAAA(address.parse().unwrap())))
    }

    pub(crate) fn cname(self, owner: &str, ttl: u32, target: &str) -> Self {
        self.answer(owner, ttl, RData::CNAME(CNAME(name(target))))
    }

    pub(crate) fn soa(mut self, owner: &str, ttl: u32, minimum: u32) -> Self {
        let soa = SOA::new(name("ns."), name("mail."), 1, 2, 3, 4, minimum);
        self.0
            .add_authority(Record::from_rdata(name(owner), ttl, RData::SOA(soa)));
        self
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        self.0.to_vec().unwrap()
    }
}

/// A plain denial of A, and its SOA.
pub(crate) fn nodata(asked: &str) -> Vec<u8> {
    Reply::to(asked, RecordType::A)
        .soa("example.", 900, 300)
        .bytes()
}

pub(crate) fn host(number: u16) -> Ipv6Addr {
    Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, number)
}

/// The AAAA reply of a name with one host.
pub(crate) fn aaaa(asked: &str, ttl: u32, host: Ipv6Addr) -> Vec<u8> {
    Reply::to(asked, RecordType::AAAA)
        .aaaa(asked, ttl, &host.to_string())
        .bytes()
}

/// 10.0.0.0/27, of which 10.0.0.4 to 10.0.0.19 are handed out and 10.0.0.0 to 10.0.0.3 are static.
pub(crate) fn pool() -> Config {
    let address = |last| Ipv4Addr::new(10, 0, 0, last);
    let subnet = "10.0.0.0/27".parse().unwrap();
    let reserved = Some(address(0)..=address(3));
    Config::new(subnet, address(4)..=address(19), reserved).unwrap()
}

pub(crate) fn responder(settings: Settings) -> Dns46 {
    Dns46::new(Some(pool()), settings, [7; 32])
}

pub(crate) fn operations(responder: &mut Dns46) -> Vec<StoreOperation> {
    core::iter::from_fn(|| responder.poll_store()).collect()
}

pub(crate) fn events(responder: &mut Dns46) -> Vec<Event> {
    core::iter::from_fn(|| responder.poll_event()).collect()
}

/// What is made of a pair, with a store that acknowledges at once.
pub(crate) fn stored(
    responder: &mut Dns46,
    now: Duration,
    first: &[u8],
    second: &[u8],
) -> Result<(Synthesized, Message), Pair> {
    let mut out = vec![0; 4096];
    let mut pair = responder.on_pair(now, CLIENT, first, second, &mut out);
    if let Pair::Wait(ticket) = pair {
        for operation in operations(responder) {
            responder.handle_store(now, operation.id, dns46::StoreReply::Done);
        }
        assert!(events(responder).contains(&Event::Stored { ticket }));
        pair = responder.finish(now, ticket, &mut out);
    }
    match pair {
        Pair::Reply(made) => {
            let message = Message::from_vec(&out[..made.len]).unwrap();
            Ok((made, message))
        }
        other => Err(other),
    }
}

/// Owner, TTL and address of each A record of the answer.
pub(crate) fn addresses(message: &Message) -> Vec<(String, u32, Ipv4Addr)> {
    message
        .answers
        .iter()
        .filter_map(|record| match &record.data {
            RData::A(address) => Some((record.name.to_ascii(), record.ttl, address.0)),
            _ => None,
        })
        .collect()
}
