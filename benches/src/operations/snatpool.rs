//! Sessions looked up, opened and closed, and ports sought.

use alloc::collections::VecDeque;
use core::hint::black_box;
use core::net::{IpAddr, Ipv4Addr};
use core::time::Duration;

use snatpool::{
    Config, Lookup, PoolConfig, PoolId, Protocol, SessionId, Signal, SnatPool, TransportAddress,
    Tuple,
};

use super::Operation;
use crate::bindings::{Floor, Flows, LIVES};

pub(super) const OPERATIONS: &[Operation] = &[
    Operation::new("snatpool-floor", floor),
    Operation::new("snatpool-outbound", outbound),
    Operation::new("snatpool-inbound", inbound),
    Operation::allocating("snatpool-floor-insert-remove", insert_and_remove),
    Operation::new("snatpool-open-close", open_and_close),
    Operation::allocating("snatpool-first-percent", || open(0)),
    Operation::allocating("snatpool-last-percent", || open(PORTS - PORTS / 100)),
];

const SESSIONS: u32 = 2_000;
const NOW: Duration = Duration::from_secs(1);
/// Of one address towards one peer: an eighth of all, so that filling them takes no minute.
const PORTS: u32 = 8_192;
/// Sessions of the last or the first percent.
const YOUNG: u32 = 80;

/// What lookups are compared with; see the bench `bindings`.
fn floor() -> Box<dyn FnMut()> {
    let mut floor = Floor::open(SESSIONS);
    let mut index = 0;
    Box::new(move || {
        index = (index + 1) % SESSIONS;
        assert!(floor.touch(black_box(&Floor::key(index)), index));
    })
}

fn outbound() -> Box<dyn FnMut()> {
    let mut flows = Flows::open(SESSIONS);
    let turns = flows.turns(SESSIONS as usize);
    let mut at = 0;
    Box::new(move || {
        at = (at + 1) % turns.len();
        let tuple = black_box(&turns[at].inside);
        let found = flows.nat.outbound(NOW, tuple, Signal::None);
        assert!(matches!(found, Lookup::Session(_)));
    })
}

fn inbound() -> Box<dyn FnMut()> {
    let mut flows = Flows::open(SESSIONS);
    let turns = flows.turns(SESSIONS as usize);
    let mut at = 0;
    Box::new(move || {
        at = (at + 1) % turns.len();
        let tuple = black_box(&turns[at].outside);
        let found = flows.nat.inbound(NOW, tuple, Signal::None);
        assert!(matches!(found, Lookup::Session(_)));
    })
}

/// What opening and closing is compared with: an entry made and removed in two tables.
fn insert_and_remove() -> Box<dyn FnMut()> {
    let (mut one, mut other) = (Floor::open(SESSIONS), Floor::open(SESSIONS));
    let mut index = SESSIONS;
    for _ in 0..LIVES {
        index += 1;
        assert!(Floor::insert_and_remove(
            [&mut one, &mut other],
            index,
            SESSIONS + 1
        ));
    }
    Box::new(move || {
        index += 1;
        let tables = [&mut one, &mut other];
        assert!(Floor::insert_and_remove(
            tables,
            black_box(index),
            SESSIONS + 1
        ));
    })
}

fn open_and_close() -> Box<dyn FnMut()> {
    let mut flows = Flows::open(SESSIONS);
    let (mut index, mut now) = (SESSIONS, Duration::from_secs(1));
    // As many as live at once, so that each call closes one.
    for _ in 0..LIVES {
        index += 1;
        assert!(flows.open_and_close(now, index));
    }
    Box::new(move || {
        index += 1;
        now += Duration::from_nanos(100);
        assert!(flows.open_and_close(now, black_box(index)));
    })
}

/// One more session of one address to one peer that has `filled` of them, from a port that is
/// taken already; the one opened a while ago is closed, so that there are never more.
fn open(filled: u32) -> Box<dyn FnMut()> {
    let mut pool = PoolConfig::new(vec![IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1))]);
    pool.ports = 1024..=1023 + PORTS as u16;
    let mut nat = SnatPool::new(Config::new(PORTS, vec![pool]), [7; 32]).expect("sound");
    let mut number = 0;
    let mut next = move |close: Option<SessionId>| {
        if let Some(oldest) = close {
            assert!(nat.close(Duration::ZERO, oldest));
        }
        let id = bind(&mut nat, number).expect("a port is left");
        confirm(&mut nat, id);
        number += 1;
        id
    };
    (0..filled).for_each(|_| {
        next(None);
    });
    let mut young: VecDeque<SessionId> = (0..YOUNG).map(|_| next(None)).collect();
    Box::new(move || {
        let oldest = young.pop_front();
        young.push_back(next(oldest));
    })
}

fn bind(nat: &mut SnatPool, number: u32) -> Option<SessionId> {
    let client = Ipv4Addr::from_bits(0x0a00_0000 + number).into();
    let peer = IpAddr::V4(Ipv4Addr::new(198, 51, 100, 7));
    let tuple = Tuple {
        protocol: Protocol::Udp,
        source: TransportAddress::new(client, 5000),
        destination: TransportAddress::new(peer, 443),
    };
    let bound = nat.bind(Duration::ZERO, PoolId(0), &tuple, peer, None, Signal::None);
    bound.ok()
}

fn confirm(nat: &mut SnatPool, id: SessionId) {
    while nat.poll_event().is_some() {}
    let reply = nat.session(id).expect("just opened").outside.reversed();
    let found = nat.inbound(Duration::ZERO, &reply, Signal::None);
    assert_eq!(found, Lookup::Session(id));
}
