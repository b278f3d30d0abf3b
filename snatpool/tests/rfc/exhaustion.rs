//! What happens at the bounds: RFC 6888 REQ-11, RFC 5382 §5, and the filling of an address.

use alloc::collections::BTreeSet;

use snatpool::{Closed, Evict, Exhausted};

use crate::*;

const PORTS: u32 = 64_512;

fn flow(number: u32) -> Tuple {
    let client = core::net::Ipv4Addr::from_bits(0x0a00_0000 + number);
    udp(&format!("{client}:5000"), "203.0.113.1:443")
}

fn filled(evict: Evict, confirmed: bool) -> SnatPool {
    let mut nat = nat(&["192.0.2.1"], |config| {
        config.sessions = PORTS + 100;
        config.evict = evict;
    });
    let mut ports = BTreeSet::new();
    for number in 0..PORTS {
        let now = Duration::from_millis(u64::from(number));
        let (_, outside) = if confirmed {
            open_both(&mut nat, now, &flow(number))
        } else {
            open(&mut nat, now, &flow(number))
        };
        ports.insert(outside.source.port);
    }
    assert_eq!(ports.len(), PORTS as usize);
    nat
}

const FULL: Duration = Duration::from_secs(65);

/// bindings 6.8, bindings 1.36 (REQ-13), scenarios `fill_one_peer`, `fill_close_one`,
/// `other_peer_unaffected`
#[test]
fn rfc6888_req13_every_port_of_an_address_is_used_and_the_next_is_refused_with_one_event() {
    let mut nat = filled(Evict::Transitory, true);
    for _ in 0..3 {
        let refused = try_open(&mut nat, FULL, &flow(PORTS));
        assert_eq!(refused, Err(Refused::PortsExhausted));
    }
    let notice = Exhausted {
        address: address("192.0.2.1"),
        peer: end("203.0.113.1:443"),
        protocol: Protocol::Udp,
    };
    assert_eq!(events(&mut nat), [Event::Exhausted(notice)]);
    assert_eq!(
        notice.to_string(),
        "Inet port exhaustion on 192.0.2.1 to 203.0.113.1:443 (proto 17)"
    );
    assert_eq!(nat.stats().notices_suppressed, 2);
    // Another peer has all ports still.
    open(&mut nat, FULL, &udp("10.9.9.9:5000", "203.0.113.2:443"));
    // One port freed is found at once.
    let freed = nat.sessions().nth(777).unwrap();
    assert!(nat.close(FULL, freed.id));
    events(&mut nat);
    let (_, outside) = open(&mut nat, FULL, &flow(PORTS + 1));
    assert_eq!(outside.source, freed.outside.source);
}

/// bindings 6.8, bindings 6.10: most ports were never sought, because their clients kept their own.
#[test]
fn rfc6888_req13_every_port_is_used_though_most_are_clients_own() {
    for evict in [Evict::Never, Evict::Transitory] {
        for confirmed in [false, true] {
            let mut nat = nat(&["192.0.2.1"], |config| {
                config.sessions = 70_000;
                config.evict = evict;
            });
            let flow =
                |client: &str, port: u16| udp(&format!("{client}:{port}"), "203.0.113.1:443");
            for port in 1024..=64_999 {
                if confirmed {
                    open_both(&mut nat, at(0), &flow("10.0.0.1", port));
                } else {
                    open(&mut nat, at(0), &flow("10.0.0.1", port));
                }
            }
            // So many are left.
            for port in 0..536 {
                open(&mut nat, at(0), &flow("10.0.0.2", 1024 + port));
            }
            assert_eq!(nat.closed(Closed::EvictedForPort), 0);
        }
    }
}

/// The same for every size of range, and ports that come back meanwhile.
#[test]
fn rfc6888_req13_every_port_of_a_range_of_any_size_is_used() {
    for count in [1, 2, 7, 16, 40, 64, 100, 255, 256, 1000, 3000] {
        let mut nat = nat(&["192.0.2.1"], |config| {
            config.sessions = 70_000;
            config.pools[0].ports = 2000..=1999 + count;
        });
        let flow = |client: &str, port: u16| udp(&format!("{client}:{port}"), "203.0.113.1:443");
        let own = count - count / 10;
        let mut kept = Vec::new();
        for port in 2000..2000 + own {
            kept.push(open(&mut nat, at(0), &flow("10.0.0.1", port)).0);
        }
        for id in kept.iter().step_by(5) {
            nat.close(at(1), *id);
            events(&mut nat);
        }
        let left = count - own + own.div_ceil(5);
        for port in 0..left {
            open(&mut nat, at(1), &flow("10.0.0.2", 2000 + port));
        }
        let evicted = nat.closed(Closed::EvictedForPort);
        assert_eq!(
            (nat.stats().live, evicted),
            (u64::from(count), 0),
            "{count}"
        );
    }
}

/// bindings 1.35
#[test]
fn rfc6888_req8_no_session_ends_for_a_port_that_must_rest() {
    for rests in [true, false] {
        let mut nat = nat(&["192.0.2.1"], |config| {
            config.pools[0].mapping = Mapping::EndpointIndependent;
            config.pools[0].filter = if rests {
                Filter::Endpoint
            } else {
                Filter::Address
            };
            config.pools[0].ports = 2000..=2003;
        });
        for port in 2000..2004 {
            let flow = udp(&format!("10.0.0.1:{port}"), "203.0.113.1:443");
            open(&mut nat, at(0), &flow);
        }
        for port in 3000..3004 {
            let flow = udp(&format!("10.0.0.2:{port}"), "203.0.113.1:443");
            let bound = try_open(&mut nat, at(1), &flow);
            assert_eq!(bound.err(), rests.then_some(Refused::PortsExhausted));
            events(&mut nat);
        }
        let evicted = nat.closed(Closed::EvictedForPort);
        assert_eq!((evicted, nat.stats().live), (if rests { 0 } else { 4 }, 4));
    }
}

/// bindings 1.35, bindings 6.1
#[test]
fn rfc5382_5_unconfirmed_sessions_make_room_the_soonest_first() {
    let mut nat = filled(Evict::Transitory, false);
    let soonest = nat
        .sessions()
        .map(|session| session.expires_at)
        .min()
        .unwrap();
    try_open(&mut nat, FULL, &flow(PORTS)).unwrap();
    let told = events(&mut nat);
    let evicted = told.iter().find_map(|event| match event {
        Event::Closed { why, inside, .. } => Some((*why, *inside)),
        _ => None,
    });
    let (why, inside) = evicted.unwrap();
    assert_eq!(why, Closed::EvictedForPort);
    // The first thousand were opened within that second.
    assert!(
        (0..1000).any(|number| flow(number) == inside),
        "{soonest:?}"
    );
}

/// bindings 1.35
#[test]
fn rfc6888_req11d_no_mapping_ends_to_make_room_for_another() {
    let mut nat = filled(Evict::Never, false);
    let refused = try_open(&mut nat, FULL, &flow(PORTS));
    assert_eq!(refused, Err(Refused::PortsExhausted));
    assert_eq!(nat.closed(Closed::EvictedForPort), 0);
}

/// bindings 6.3: one notice for an address, a peer and a minute.
#[test]
fn exhaustion_is_told_once_a_minute_for_each_peer() {
    let mut nat = nat(&["192.0.2.1"], |config| config.pools[0].ports = 1024..=1024);
    let to = |client: u8, peer: u8| {
        udp(
            &format!("10.0.0.{client}:5000"),
            &format!("203.0.113.{peer}:443"),
        )
    };
    for peer in 1..=3 {
        open_both(&mut nat, at(0), &to(1, peer));
    }
    let mut told = 0;
    for second in 0..120 {
        for peer in 1..=3 {
            assert!(try_open(&mut nat, at(second), &to(2, peer)).is_err());
        }
        told += events(&mut nat).len();
    }
    assert_eq!(told, 6);
}

/// bindings 1.21, bindings 3.12, bindings 3.13, bindings 6.1
#[test]
fn rfc5382_5_room_is_made_from_closing_then_opening_then_unconfirmed_sessions() {
    let mut nat = nat(&["192.0.2.1"], |config| config.sessions = 6);
    let peer = "203.0.113.1:443";
    let (unconfirmed, _) = open(&mut nat, at(0), &udp("10.0.0.1:1", peer));
    let (opening, _) = open(&mut nat, at(1), &tcp("10.0.0.1:2", peer));
    let (rejected, outside) = open(&mut nat, at(2), &tcp("10.0.0.1:3", peer));
    nat.inbound(at(2), &outside.reversed(), segment(RST.union(ACK), 1));
    let (reset, outside) = open_both(&mut nat, at(3), &tcp("10.0.0.1:4", peer));
    nat.inbound(at(3), &outside.reversed(), segment(RST, 2));
    let (established, _) = open_both(&mut nat, at(4), &tcp("10.0.0.1:5", peer));
    let (confirmed, _) = open_both(&mut nat, at(4), &udp("10.0.0.1:6", peer));
    for (port, victim) in [
        (11, rejected),
        (12, reset),
        (13, opening),
        (14, unconfirmed),
    ] {
        assert!(nat.session(victim).is_some());
        open_both(&mut nat, at(5), &udp(&format!("10.0.0.1:{port}"), peer));
        assert!(nat.session(victim).is_none(), "{port}");
    }
    let more = try_open(&mut nat, at(5), &udp("10.0.0.1:15", peer));
    assert_eq!(more, Err(Refused::Sessions));
    assert!(nat.session(established).is_some() && nat.session(confirmed).is_some());
}

/// scenario `flood_keeps_established`
#[test]
fn a_flood_of_syns_ends_no_established_session() {
    let mut nat = nat(&["192.0.2.1"], |config| config.sessions = 100);
    for port in 0..60 {
        open_both(
            &mut nat,
            at(0),
            &tcp(&format!("10.0.0.1:{}", 2000 + port), "203.0.113.1:443"),
        );
    }
    for syn in 0..10_000_u32 {
        let flow = tcp(
            &format!("10.1.{}.{}:5000", syn / 250, syn % 250),
            "203.0.113.2:443",
        );
        try_open(&mut nat, at(1), &flow).unwrap();
        events(&mut nat);
    }
    let kept = nat
        .sessions()
        .filter(|session| session.state == State::Established);
    assert_eq!(kept.count(), 60);
}

/// bindings 3.7
#[test]
fn where_a_peer_has_all_ports_its_closing_sessions_go_first() {
    let mut nat = nat(&["192.0.2.1"], |config| config.pools[0].ports = 1024..=1027);
    let peer = "203.0.113.1:443";
    let mut closing = None;
    for port in 1024..1028 {
        let (id, outside) = open_both(&mut nat, at(0), &tcp(&format!("10.0.0.1:{port}"), peer));
        if port == 1026 {
            nat.inbound(at(0), &outside.reversed(), segment(RST, 2));
            closing = Some((id, outside.source));
        }
    }
    // A closing session to another peer is no help, though it is older.
    let (_, outside) = open_both(&mut nat, at(0), &tcp("10.0.0.2:1024", "203.0.113.2:443"));
    nat.inbound(at(0), &outside.reversed(), segment(RST, 2));
    let (_, outside) = open(&mut nat, at(1), &tcp("10.0.0.3:5000", peer));
    let (victim, source) = closing.unwrap();
    assert!(nat.session(victim).is_none());
    assert_eq!(outside.source, source);
}

/// scenario `refuse_never_forwards`: a refusal gives no session, so there is nothing to translate by.
#[test]
fn a_refused_flow_has_no_session_on_either_side() {
    let mut nat = nat(&["192.0.2.1"], |config| config.pools[0].ports = 1024..=1024);
    open_both(&mut nat, at(0), &flow(1));
    assert!(try_open(&mut nat, at(0), &flow(2)).is_err());
    let found = nat.outbound(at(0), &flow(2), Signal::None);
    assert_eq!(found, Lookup::Miss);
    assert_eq!(nat.sessions().count(), 1);
}
