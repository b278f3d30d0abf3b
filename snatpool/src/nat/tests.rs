use alloc::vec;
use alloc::vec::Vec;
use core::net::{Ipv4Addr, Ipv6Addr};

use proptest::prelude::*;

use super::*;
use crate::config::PoolConfig;
use crate::meter::take;
use crate::{Closed, Event, PoolId, Refused, Signal, TcpFlags, TransportAddress};

mod age;
mod bounds;

const SNAT: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));
const PODS: PoolId = PoolId(0);

fn pool(sessions: u32) -> SnatPool {
    let config = Config::new(sessions, vec![PoolConfig::new(vec![SNAT])]);
    SnatPool::new(config, [7; 32]).unwrap()
}

fn client(number: u8, port: u16) -> TransportAddress {
    TransportAddress::new(IpAddr::V4(Ipv4Addr::new(10, 0, 0, number)), port)
}

fn peer(number: u8, port: u16) -> TransportAddress {
    TransportAddress::new(IpAddr::V4(Ipv4Addr::new(203, 0, 113, number)), port)
}

fn udp(source: TransportAddress, destination: TransportAddress) -> Tuple {
    Tuple {
        protocol: Protocol::Udp,
        source,
        destination,
    }
}

const fn at(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// Opens the flow and returns the session and its tuple outside.
fn open(nat: &mut SnatPool, now: Duration, inside: &Tuple) -> (SessionId, Tuple) {
    let id = nat
        .bind(
            now,
            PODS,
            inside,
            inside.destination.address,
            None,
            Signal::None,
        )
        .unwrap();
    (id, nat.session(id).unwrap().outside)
}

fn drain(nat: &mut SnatPool) -> Vec<Event> {
    core::iter::from_fn(|| nat.poll_event()).collect()
}

#[test]
fn rfc4787_req5_udp_mapping_lives_two_minutes() {
    let mut nat = pool(16);
    let flow = udp(client(1, 5000), peer(1, 1000));
    let (id, outside) = open(&mut nat, at(0), &flow);
    nat.handle_timeout(at(120));
    assert_eq!(
        nat.inbound(at(120), &outside.reversed(), Signal::None),
        Lookup::Session(id)
    );
}

#[test]
fn rfc4787_req5c_the_default_is_five_minutes() {
    let mut nat = pool(16);
    let flow = udp(client(1, 5000), peer(1, 4000));
    let (id, _) = open(&mut nat, at(0), &flow);
    nat.handle_timeout(at(299));
    assert!(nat.session(id).is_some());
    nat.handle_timeout(at(301));
    assert!(nat.session(id).is_none());
    assert_eq!(nat.outbound(at(301), &flow, Signal::None), Lookup::Miss);
}

#[test]
fn rfc4787_req6_outbound_packets_refresh() {
    let mut nat = pool(16);
    let flow = udp(client(1, 5000), peer(1, 4000));
    let (id, _) = open(&mut nat, at(0), &flow);
    for second in (0..2000).step_by(200) {
        nat.handle_timeout(at(second));
        assert_eq!(
            nat.outbound(at(second), &flow, Signal::None),
            Lookup::Session(id)
        );
    }
}

#[test]
fn rfc4787_req4_the_port_is_preserved_where_free_and_keeps_its_parity_where_not() {
    let mut nat = pool(16);
    let (_, first) = open(&mut nat, at(0), &udp(client(1, 5001), peer(1, 53)));
    let (_, second) = open(&mut nat, at(0), &udp(client(2, 5001), peer(1, 53)));
    let (_, third) = open(&mut nat, at(0), &udp(client(2, 5001), peer(2, 53)));
    assert_eq!((first.source.port, third.source.port), (5001, 5001));
    assert!(second.source.port != 5001 && second.source.port % 2 == 1);
    assert!(second.source.port >= 1024);
}

#[test]
fn rfc5382_5_a_segment_without_a_session_that_is_no_syn_is_refused() {
    let mut nat = pool(16);
    let flow = Tuple {
        protocol: Protocol::Tcp,
        source: client(1, 5000),
        destination: peer(1, 80),
    };
    let ack = Signal::Tcp {
        flags: TcpFlags::ACK,
        sequence: 1,
    };
    let bound = nat.bind(at(0), PODS, &flow, flow.destination.address, None, ack);
    assert_eq!(bound, Err(Refused::NotOpening));
}

#[test]
fn rfc5382_req5_an_established_connection_may_be_idle_for_two_hours_and_four_minutes() {
    let mut nat = pool(16);
    let flow = Tuple {
        protocol: Protocol::Tcp,
        source: client(1, 5000),
        destination: peer(1, 80),
    };
    let syn = Signal::Tcp {
        flags: TcpFlags::SYN,
        sequence: 1,
    };
    let syn_ack = Signal::Tcp {
        flags: TcpFlags::SYN.union(TcpFlags::ACK),
        sequence: 9,
    };
    let id = nat
        .bind(at(0), PODS, &flow, flow.destination.address, None, syn)
        .unwrap();
    let back = nat.session(id).unwrap().outside.reversed();
    assert_eq!(nat.inbound(at(0), &back, syn_ack), Lookup::Session(id));
    nat.handle_timeout(at(7439));
    assert!(nat.session(id).is_some());
    nat.handle_timeout(at(7441));
    assert!(nat.session(id).is_none());
}

#[test]
fn a_family_that_the_pool_lacks_is_refused() {
    let mut nat = pool(16);
    let flow = udp(client(1, 5000), peer(1, 80));
    let host = IpAddr::V6(Ipv6Addr::LOCALHOST);
    let bound = nat.bind(at(0), PODS, &flow, host, None, Signal::None);
    assert_eq!(bound, Err(Refused::NoAddress(crate::Family::Ipv6)));
}

#[test]
fn every_session_is_opened_and_closed_in_events_once() {
    let mut nat = pool(16);
    let (id, _) = open(&mut nat, at(0), &udp(client(1, 5000), peer(1, 4000)));
    assert!(matches!(drain(&mut nat)[..], [Event::Opened { session, .. }] if session == id));
    nat.handle_timeout(at(400));
    let events = drain(&mut nat);
    assert!(
        matches!(events[..], [Event::Closed { session, why: Closed::Expired, .. }] if session == id)
    );
}

/// A new session was armed in the past after more idle seconds than the wheel has slots, and then
/// `poll_timeout` said "now" for ever.
#[test]
fn regression_a_pool_that_nobody_called_for_longer_than_its_wheel_turns() {
    let mut nat = pool(16);
    let late = at(1_000_000);
    let (id, _) = open(&mut nat, late, &udp(client(1, 5000), peer(1, 4000)));
    drain(&mut nat);
    for _ in 0..10 {
        nat.handle_timeout(late);
    }
    assert!(nat.poll_timeout().unwrap() > late);
    nat.handle_timeout(late + at(299));
    assert!(nat.session(id).is_some());
    nat.handle_timeout(late + at(301));
    assert!(nat.session(id).is_none());
}

/// Sessions whose time came long ago, and a new one in the same class.
/// Found by the model: deadlines beyond the span of a wheel that had stood still were all one.
#[test]
fn regression_the_soonest_deadline_goes_first_though_nothing_lived_for_long() {
    let mut nat = pool(3);
    let (ten_seconds, _) = open(&mut nat, at(8440), &udp(client(1, 1), peer(1, 53)));
    let (five_minutes, _) = open(&mut nat, at(8440), &udp(client(1, 2), peer(1, 443)));
    let ping = Tuple {
        protocol: Protocol::Icmp,
        ..udp(client(1, 3), peer(1, 3))
    };
    let (one_minute, _) = open(&mut nat, at(8440), &ping);
    for (port, victim) in [(4, ten_seconds), (5, one_minute)] {
        open(&mut nat, at(8440), &udp(client(1, port), peer(1, 443)));
        assert!(nat.session(victim).is_none());
    }
    assert!(nat.session(five_minutes).is_some());
}

#[test]
fn regression_a_late_call_gets_through_what_is_overdue() {
    let mut nat = pool(4096);
    for port in 1024..3024 {
        let _ = open(&mut nat, at(0), &udp(client(1, port), peer(1, 4000)));
    }
    drain(&mut nat);
    let late = at(1_000_000);
    let (id, _) = open(&mut nat, late, &udp(client(2, 1024), peer(1, 4000)));
    let mut calls = 0;
    while nat.poll_timeout().is_some_and(|at| at <= late) {
        nat.handle_timeout(late);
        drain(&mut nat);
        calls += 1;
        assert!(calls < 1000, "it comes to an end");
    }
    assert!(nat.session(id).is_some());
    assert_eq!(
        nat.outbound(late, &udp(client(1, 1024), peer(1, 4000)), Signal::None),
        Lookup::Miss
    );
}

#[test]
fn a_timeout_touches_a_bounded_number_of_slots() {
    let mut nat = pool(4096);
    for port in 1024..3024 {
        let _ = open(&mut nat, at(0), &udp(client(1, port), peer(1, 4000)));
    }
    drain(&mut nat);
    let mut ended = 0;
    while ended < 2000 {
        nat.handle_timeout(at(400));
        let closed = drain(&mut nat).len();
        assert!((1..=64).contains(&closed), "{closed} sessions in one call");
        ended += closed;
    }
    take();
    nat.handle_timeout(at(400));
    assert!(take() <= 64);
}

#[derive(Debug, Clone)]
enum Step {
    Out { client: u8, port: u16, peer: u8 },
    Reply(usize),
    Wait(u64),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => (1..4u8, 2000..2004u16, 1..3u8)
            .prop_map(|(client, port, peer)| Step::Out { client, port, peer }),
        2 => any::<usize>().prop_map(Step::Reply),
        1 => (0..200u64).prop_map(Step::Wait),
    ]
}

proptest! {
    /// Against a list of flows: a live flow keeps its binding, no outside pair has two owners, a
    /// reply reaches exactly the flow that it belongs to, and silence ends it after five minutes.
    #[test]
    fn the_table_does_what_a_list_of_flows_does(
        steps in proptest::collection::vec(step(), 1..150)
    ) {
        struct Flow { inside: Tuple, outside: Tuple, seen: Duration }
        let mut nat = pool(64);
        let mut flows: Vec<Flow> = Vec::new();
        let mut now = at(1000);
        for step in steps {
            match step {
                Step::Out { client: number, port, peer: to } => {
                    let inside = udp(client(number, port), peer(to, 4000));
                    let known = flows.iter().position(|flow| flow.inside == inside);
                    match (nat.outbound(now, &inside, Signal::None), known) {
                        (Lookup::Session(id), Some(index)) => {
                            prop_assert_eq!(nat.session(id).unwrap().outside, flows[index].outside);
                            flows[index].seen = now;
                        }
                        (Lookup::Miss, None) => {
                            let (_, outside) = open(&mut nat, now, &inside);
                            prop_assert!(flows.iter().all(|flow| flow.outside != outside));
                            flows.push(Flow { inside, outside, seen: now });
                        }
                        (found, known) => prop_assert!(false, "{found:?}, but {known:?} in the list"),
                    }
                }
                Step::Reply(index) if !flows.is_empty() => {
                    let index = index % flows.len();
                    let back = flows[index].outside.reversed();
                    let Lookup::Session(id) = nat.inbound(now, &back, Signal::None) else {
                        return Err(TestCaseError::fail("a live flow has no way back"));
                    };
                    prop_assert_eq!(nat.session(id).unwrap().inside, flows[index].inside);
                    flows[index].seen = now;
                }
                Step::Reply(_) => {}
                Step::Wait(seconds) => {
                    now += at(seconds);
                    while nat.poll_timeout().is_some_and(|due| due <= now) {
                        nat.handle_timeout(now);
                        drain(&mut nat);
                    }
                    // No timer fires early, and none more than an eighth of a second late: a flow
                    // whose time is just up is in neither list.
                    flows.retain(|flow| now - flow.seen < at(300));
                    for flow in &flows {
                        let live = nat.quoted(crate::Side::Outside, &flow.outside);
                        prop_assert!(live.is_some());
                    }
                    now += at(1);
                    nat.handle_timeout(now);
                    drain(&mut nat);
                    flows.retain(|flow| now - flow.seen < at(300));
                }
            }
            drain(&mut nat);
        }
    }
}
