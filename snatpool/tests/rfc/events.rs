//! What is counted and told: RFC 6888 §4, RFC 7659, RFC 8158.

use snatpool::{Closed, Exhausted, PortBlocks, Refused, Signal};

use crate::*;

/// bindings 1.54
#[test]
fn rfc8158_4_3_every_event_has_its_number() {
    let mut nat = nat(&["192.0.2.1", "2001:db8::1"], |config| {
        config.pools[0].blocks = Some(PortBlocks {
            size: 64,
            per_client: 1,
        });
        config.per_client.sessions = Some(1);
        config.evict = snatpool::Evict::Never;
    });
    let mut numbers = |source: &str, destination: &str, host: &str| {
        let inside = udp(source, destination);
        let bound = nat.bind(at(0), PODS, &inside, address(host), None, Signal::None);
        if let Ok(id) = bound {
            nat.close(at(0), id);
        }
        let mut numbers: Vec<u8> = events(&mut nat)
            .iter()
            .filter_map(Event::nat_event)
            .collect();
        numbers.sort_unstable();
        numbers
    };
    assert_eq!(
        numbers("10.0.0.1:1", "203.0.113.1:443", "203.0.113.1"),
        [4, 5, 16]
    );
    assert_eq!(
        numbers("[fd00::1]:1", "[64:ff9b::1]:443", "203.0.113.1"),
        [6, 7, 16]
    );
    assert_eq!(
        numbers("10.0.0.2:1", "100.64.0.1:443", "2001:db8:f::80"),
        [4, 5, 16]
    );
    assert_eq!(
        numbers("[fd00::2]:1", "[2001:db8:f::80]:443", "2001:db8:f::80"),
        [4, 5, 16]
    );
    open(&mut nat, at(0), &udp("10.0.0.1:1", "203.0.113.1:443"));
    let over = udp("10.0.0.1:2", "203.0.113.1:443");
    assert_eq!(
        try_open(&mut nat, at(0), &over),
        Err(Refused::QuotaSessions)
    );
    assert_eq!(events(&mut nat)[0].nat_event(), Some(13));
    nat.drain(address("192.0.2.1"));
    assert!(try_open(&mut nat, at(0), &udp("10.0.0.9:2", "203.0.113.1:443")).is_err());
    assert_eq!(events(&mut nat).pop().unwrap().nat_event(), Some(3));
    let exhausted = Event::Exhausted(Exhausted {
        address: address("192.0.2.1"),
        peer: end("203.0.113.1:443"),
        protocol: Protocol::Tcp,
    });
    assert_eq!(exhausted.nat_event(), Some(12));
    assert_eq!(
        Event::Drained {
            address: address("192.0.2.1")
        }
        .nat_event(),
        None
    );
}

/// RFC 6888 §4: protocol, inside and outside transport address, and the pool are in the event itself.
#[test]
fn rfc6888_4_an_event_says_all_that_a_log_needs() {
    let mut nat = plain();
    let flow = tcp("10.0.0.1:5000", "203.0.113.1:443");
    let id = try_open(&mut nat, at(0), &flow).unwrap();
    let outside = nat.session(id).unwrap().outside;
    let opened = Event::Opened {
        session: id,
        pool: PODS,
        inside: flow,
        outside,
    };
    assert_eq!(events(&mut nat), [opened]);
    nat.close(at(1), id);
    let closed = Event::Closed {
        session: id,
        pool: PODS,
        why: Closed::Ordered,
        inside: flow,
        outside,
    };
    assert_eq!(events(&mut nat), [closed]);
}

/// bindings 1.53
#[test]
fn rfc7659_counters_add_up() {
    let mut nat = nat(&["192.0.2.1"], |config| config.sessions = 5);
    for client in 0..20 {
        let flow = udp(&format!("10.0.0.{client}:5000"), "203.0.113.1:443");
        let _ = try_open(&mut nat, at(client), &flow);
        events(&mut nat);
    }
    let stats = nat.stats();
    let closed: u64 = [
        Closed::Expired,
        Closed::EvictedForSession,
        Closed::EvictedForQuota,
        Closed::EvictedForPort,
        Closed::Ordered,
    ]
    .into_iter()
    .map(|why| nat.closed(why))
    .sum();
    assert_eq!((stats.opened, stats.live), (20, 5));
    assert_eq!(stats.opened, stats.live + closed);
    let address = nat.addresses().next().unwrap();
    assert_eq!(u64::from(address.sessions), stats.holding);
    assert_eq!((stats.high_water, address.high_water), (5, 5));
}

/// bindings 6.12
#[test]
fn top_destinations_are_those_with_the_most_sessions() {
    let mut nat = nat(&["192.0.2.1"], |config| {
        config.sessions = 2000;
        config.top_destinations = 8;
    });
    let mut number = 0;
    let mut ask = |nat: &mut SnatPool, peer: &str, times: u32| {
        for _ in 0..times {
            number += 1;
            let client = core::net::Ipv4Addr::from_bits(0x0a00_0000 + number);
            open(nat, at(0), &udp(&format!("{client}:5000"), peer));
        }
    };
    for stray in 0..30 {
        ask(&mut nat, &format!("198.51.100.{stray}:443"), 1);
    }
    ask(&mut nat, "203.0.113.1:443", 500);
    ask(&mut nat, "203.0.113.2:53", 300);
    for stray in 30..60 {
        ask(&mut nat, &format!("198.51.100.{stray}:443"), 1);
    }
    let top: Vec<_> = nat.top_destinations().collect();
    assert_eq!(top.len(), 8);
    assert_eq!(top[0].peer, end("203.0.113.1:443"));
    assert_eq!(top[1].peer, end("203.0.113.2:53"));
    assert!(top[0].opened >= 500 && top[0].opened - top[0].over <= 500);
    assert_eq!(top[0].protocol, Protocol::Udp);
}
