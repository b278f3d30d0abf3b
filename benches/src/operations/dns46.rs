//! Replies made from two plain ones, and the table of mappings.

use core::hint::black_box;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use core::time::Duration;

use dns46::{Config, Dns46, Pair, Settings, StoreReply, Table};
use hickory_proto::op::Message;
use ipnet::Ipv4Net;

use super::Operation;

pub(super) const OPERATIONS: &[Operation] = &[
    Operation::allocating("dns46-hickory", hickory),
    Operation::allocating("dns46-first-synthesis", first_synthesis),
    Operation::allocating("dns46-synthesis", synthesis),
    Operation::new("dns46-lookup", lookup),
    Operation::allocating("dns46-assign-10-percent", || assign(409)),
    Operation::allocating("dns46-assign-99.9-percent", || assign(4_090)),
];

const CLIENT: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 244, 1, 10));
const NOW: Duration = Duration::from_secs(1000);

/// `www.example.com.` with a CNAME and no address, and its SOA.
const NO_DATA: &[u8] = b"\x12\x34\x81\x80\0\x01\0\x01\0\x01\0\0\x03www\x07example\x03com\0\0\x01\0\x01\
    \xc0\x0c\0\x05\0\x01\0\0\x0e\x10\0\x06\x03cdn\xc0\x10\
    \xc0\x10\0\x06\0\x01\0\0\x03\x84\0\x1e\x02ns\xc0\x10\x02hm\xc0\x10\0\0\0\x01\0\0\x1c\x20\0\0\x0e\x10\0\x09\x3a\x80\0\0\x01\x2c";
/// Its AAAA reply: the chain, and two hosts.
const HOSTS: &[u8] = b"\x12\x34\x81\x80\0\x01\0\x03\0\0\0\0\x03www\x07example\x03com\0\0\x1c\0\x01\
    \xc0\x0c\0\x05\0\x01\0\0\x0e\x10\0\x06\x03cdn\xc0\x10\
    \xc0\x2d\0\x1c\0\x01\0\0\x01\x2c\0\x10\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01\
    \xc0\x2d\0\x1c\0\x01\0\0\x01\x2c\0\x10\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x02";

/// What is compared with: both replies decoded by hickory, and one encoded.
fn hickory() -> Box<dyn FnMut()> {
    Box::new(|| {
        let first = Message::from_vec(black_box(NO_DATA)).expect("a message");
        let second = Message::from_vec(black_box(HOSTS)).expect("a message");
        let (first, second) = (first.to_vec(), second.to_vec());
        assert!(black_box(first).is_ok() && black_box(second).is_ok());
    })
}

/// A pool of so many addresses; what is freed may be used again at once.
fn config(bits: u8) -> Config {
    let network = Ipv4Addr::new(10, 40, 0, 0);
    let subnet = Ipv4Net::new(network, 32 - bits).expect("a network");
    let mut config = Config::new(subnet, network..=subnet.broadcast(), None).expect("a pool");
    config.quarantine = Duration::ZERO;
    config
}

/// A name that nobody asked for before: its hosts get addresses, which are stored.
fn first_synthesis() -> Box<dyn FnMut()> {
    let mut responder = Dns46::new(Some(config(16)), Settings::default(), [7; 32]);
    let mut second = HOSTS.to_vec();
    let (last, first) = (second.len() - 4, second.len() - 32);
    let mut number = 0_u32;
    let mut out = [0; 1232];
    Box::new(move || {
        number += 1;
        second[first..first + 4].copy_from_slice(&number.to_be_bytes());
        second[last..].copy_from_slice(&(number | 1 << 31).to_be_bytes());
        let pair = responder.on_pair(NOW, CLIENT, NO_DATA, black_box(&second), &mut out);
        let Pair::Wait(ticket) = pair else {
            panic!("{pair:?}")
        };
        while let Some(operation) = responder.poll_store() {
            responder.handle_store(NOW, operation.id, StoreReply::Done);
        }
        let reply = responder.finish(NOW, ticket, &mut out);
        assert!(matches!(reply, Pair::Reply(_)));
        while responder.poll_event().is_some() {}
    })
}

/// The same hosts again.
fn synthesis() -> Box<dyn FnMut()> {
    let mut responder = Dns46::new(Some(config(16)), Settings::default(), [7; 32]);
    let mut out = [0; 1232];
    let _ = responder.on_pair(NOW, CLIENT, NO_DATA, HOSTS, &mut out);
    while let Some(operation) = responder.poll_store() {
        responder.handle_store(NOW, operation.id, StoreReply::Done);
    }
    Box::new(move || {
        let pair = responder.on_pair(NOW, CLIENT, NO_DATA, black_box(HOSTS), &mut out);
        assert!(matches!(pair, Pair::Reply(_)));
    })
}

fn host(number: u32) -> Ipv6Addr {
    let [high, low] = [(number >> 16) as u16, number as u16];
    Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, high, low)
}

/// A table with so many mappings.
fn table(mappings: u32) -> Table {
    let mut table = Table::new(config(12), [7; 32]);
    for number in 0..mappings {
        let assigned = table.assign(NOW, host(number), Duration::from_secs(60));
        assigned.expect("room for all");
        while table.poll_event().is_some() {}
    }
    table
}

fn lookup() -> Box<dyn FnMut()> {
    let table = table(1_000);
    let address = table.address_of(host(77)).expect("a mapping");
    Box::new(move || assert!(black_box(&table).lookup(black_box(address)).is_some()))
}

/// A mapping made and removed again, in a slice of which so many addresses are taken.
fn assign(taken: u32) -> Box<dyn FnMut()> {
    let mut table = table(taken);
    let mut number = taken;
    Box::new(move || {
        number += 1;
        let assigned = table.assign(NOW, black_box(host(number)), Duration::from_secs(60));
        let assigned = assigned.expect("room for one");
        assert!(table.remove(NOW, assigned.address).is_some());
        while table.poll_event().is_some() {}
    })
}
