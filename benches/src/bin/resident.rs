//! `resident` prints how much memory tables take, as the system counts it.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use core::time::Duration;
use std::process::Command;
use std::{env, fs};

use dns46::{Config, Table};
use egress_benches::answers::{Answers, Shape};
use snatpool::{PoolConfig, PoolId, Protocol, Signal, SnatPool, TransportAddress, Tuple};

const SESSIONS: u32 = 1_000_000;
const MAPPINGS: u32 = 1_000_000;
/// Of an address, in the page that is made for it and its neighbours.
const PAGE_ENTRY: u64 = 56;

const ANSWERS: u32 = 1_000_000;

fn main() {
    if let Some(wanted) = env::args().nth(1) {
        Shape::ALL
            .into_iter()
            .filter(|shape| format!("{shape:?}") == wanted)
            .for_each(answers);
        return;
    }
    // Each in a process of its own: what one has freed, the next would take.
    for shape in Shape::ALL {
        let own = env::current_exe().expect("a path");
        let status = Command::new(own).arg(format!("{shape:?}")).status();
        assert!(status.expect("a process").success());
    }
    sessions();
    mappings();
}

/// A cache with as many answers as it has names.
fn answers(shape: Shape) {
    let before = resident();
    let cache = Answers::new(shape, ANSWERS);
    let each = (resident() - before) / u64::from(ANSWERS);
    let (entries, counted) = cache.size();
    let length = cache.messages(1)[0].1.len();
    let most = length * 3 / 2 + 64;
    println!(
        "{entries} answers, {shape:?} of {length} bytes: {each} bytes each, counted as {}; at most {most}",
        counted / entries,
    );
}

/// IPv6 on both sides, with as many sessions as the table has room for; 64 clients' flows each, then
/// one.
fn sessions() {
    for clients in [SESSIONS / 64, SESSIONS] {
        let before = resident();
        let address = |last| IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0x46, 0, 0, 0, 0, last));
        let pool = PoolConfig::new((1..=16).map(address).collect());
        let config = snatpool::Config::new(SESSIONS, vec![pool]);
        let mut nat = SnatPool::new(config, [7; 32]).expect("a sound configuration");
        let empty = resident();
        for index in 0..SESSIONS {
            let address = |group, number: u32| {
                let [high, low] = [(number >> 16) as u16, number as u16];
                IpAddr::V6(Ipv6Addr::new(0xfd00, group, 0, 0, 0, 0, high, low))
            };
            let port = 20_000 + (index / clients) as u16;
            let tuple = Tuple {
                protocol: Protocol::Udp,
                source: TransportAddress::new(address(1, index % clients), port),
                destination: TransportAddress::new(address(2, index % 4099), 443),
            };
            let peer = tuple.destination.address;
            nat.bind(Duration::ZERO, PoolId(0), &tuple, peer, None, Signal::None)
                .expect("room for all");
            while nat.poll_event().is_some() {}
        }
        let full = resident();
        let each = |bytes: u64| bytes / u64::from(SESSIONS);
        println!(
            "{SESSIONS} sessions of {clients} clients: {} bytes each, {} of them taken at the start",
            each(full - before),
            each(empty - before),
        );
        drop(nat);
    }
}

fn mappings() {
    let before = resident();
    let subnet = "10.0.0.0/8".parse().expect("a network");
    let slice = Ipv4Addr::new(10, 0, 0, 0)..=Ipv4Addr::new(10, 255, 255, 255);
    let config = Config::new(subnet, slice, None).expect("a pool");
    let table = Table::new(config, [7; 32]);
    let empty = resident();
    println!("an empty /8: {} KiB", (empty - before) / 1024);

    drop(table);

    // In a pool of their own size, so that every page is full.
    let subnet = "10.0.0.0/12".parse().expect("a network");
    let slice = Ipv4Addr::new(10, 0, 0, 0)..=Ipv4Addr::new(10, 15, 255, 255);
    let config = Config::new(subnet, slice, None).expect("a pool");
    let mut table = Table::new(config, [7; 32]);
    let empty = resident();
    for number in 0..MAPPINGS {
        let host = Ipv6Addr::from_bits(0x2001_0db8 << 96 | u128::from(number));
        let now = Duration::from_secs(u64::from(number / 100));
        let assigned = table.assign(now, host, Duration::from_secs(60));
        assigned.expect("room for all");
        while table.poll_event().is_some() {}
    }
    let each = (resident() - empty) / u64::from(MAPPINGS);
    let pages = (1 << 20) * PAGE_ENTRY / u64::from(MAPPINGS);
    println!("{MAPPINGS} mappings: {each} bytes each, {pages} of them in pages");
    drop(table);
}

/// Resident memory of this process in bytes.
fn resident() -> u64 {
    let status = fs::read_to_string("/proc/self/statm").expect("Linux");
    let pages = status
        .split_whitespace()
        .nth(1)
        .and_then(|pages| pages.parse::<u64>().ok());
    pages.expect("a number of pages") * 4096
}
