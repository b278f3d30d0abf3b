//! RFC 4787 §4.2, RFC 6056 and RFC 7857: which port.

use alloc::collections::BTreeSet;
use core::ops::RangeInclusive;

use snatpool::{Evict, Filter, Lookup, Mapping, Refused, Signal};

use crate::*;

fn with_ports(ports: RangeInclusive<u16>) -> SnatPool {
    nat(&["192.0.2.1"], |config| config.pools[0].ports = ports)
}

/// bindings 1.4, bindings 1.5, scenarios `preserve_when_free`, `range_and_parity`
#[test]
fn rfc4787_req3a_req4_range_and_parity_are_kept_where_the_port_is_not() {
    for (port, low) in [(500, true), (501, true), (5000, false), (5001, false)] {
        let mut nat = with_ports(1..=65535);
        let (_, first) = open(
            &mut nat,
            at(0),
            &udp(&format!("10.0.0.1:{port}"), "203.0.113.1:443"),
        );
        assert_eq!(first.source.port, port);
        for client in 2..50 {
            let flow = udp(&format!("10.0.0.{client}:{port}"), "203.0.113.1:443");
            let (_, outside) = open(&mut nat, at(0), &flow);
            assert_eq!(outside.source.port < 1024, low);
            assert_eq!(outside.source.port % 2, port % 2);
        }
    }
}

/// bindings 1.4: a wish, never a reason to refuse.
#[test]
fn rfc4787_req3a_req4_any_port_is_better_than_none() {
    let mut nat = with_ports(1022..=1025);
    let mut given = BTreeSet::new();
    for client in 1..=4 {
        let flow = udp(&format!("10.0.0.{client}:500"), "203.0.113.1:443");
        given.insert(open(&mut nat, at(0), &flow).1.source.port);
    }
    assert_eq!(given, BTreeSet::from([1022, 1023, 1024, 1025]));
}

/// bindings 1.39, scenario `two_peers_one_port`
#[test]
fn rfc7857_3_flows_to_different_peers_may_share_a_port() {
    for (mapping, shared) in [
        (Mapping::PerFlow, true),
        (Mapping::EndpointIndependent, false),
    ] {
        let mut nat = nat(&["192.0.2.1"], |config| config.pools[0].mapping = mapping);
        let (_, one) = open(&mut nat, at(0), &udp("10.0.0.1:5000", "203.0.113.1:443"));
        let (_, two) = open(&mut nat, at(0), &udp("10.0.0.2:5000", "203.0.113.2:443"));
        assert_eq!(one.source == two.source, shared);
    }
}

/// bindings 1.42
#[test]
fn rfc7857_5_mappings_are_per_protocol() {
    let mut nat = independent(Filter::Endpoint);
    let (_, one) = open(&mut nat, at(0), &udp("10.0.0.1:5000", "203.0.113.1:443"));
    let (_, two) = open(&mut nat, at(0), &tcp("10.0.0.2:5000", "203.0.113.1:443"));
    assert_eq!((one.source.port, two.source.port), (5000, 5000));
    let stranger = tcp("198.51.100.1:1", "192.0.2.1:5000");
    let Lookup::Admit { inside } = nat.inbound(at(0), &stranger, segment(SYN, 1)) else {
        panic!("not let in");
    };
    assert_eq!(inside, end("10.0.0.2:5000"));
}

/// bindings 1.44, bindings 1.49, bindings 1.36 (REQ-15)
#[test]
fn rfc6056_3_3_a_port_that_changes_cannot_be_foretold() {
    let sequence = |seed: u8| {
        let mut pool = PoolConfig::new(vec![address("192.0.2.1")]);
        pool.preserve_port = false;
        let mut nat = SnatPool::new(Config::new(1000, vec![pool]), [seed; 32]).unwrap();
        let flow = |client| udp(&format!("10.0.{client}.1:5000"), "203.0.113.1:443");
        (0..64)
            .map(|client| open(&mut nat, at(0), &flow(client)).1.source.port)
            .collect::<Vec<u16>>()
    };
    let one = sequence(1);
    assert_ne!(one, sequence(2));
    assert_eq!(one, sequence(1));
    // All over the range: 64 draws leave no eighth of it empty but once in 800.
    let eighths: BTreeSet<u16> = one.iter().map(|port| port / 8192).collect();
    assert!(eighths.len() >= 7, "{one:?}");
}

/// bindings 1.50
#[test]
fn rfc6056_4_a_free_port_is_preserved() {
    let mut nat = plain();
    for port in [1024, 33_333, 65_535] {
        let flow = tcp(&format!("10.0.0.1:{port}"), "203.0.113.1:443");
        assert_eq!(open(&mut nat, at(0), &flow).1.source.port, port);
    }
}

/// bindings 3.10
#[test]
fn preserving_ports_is_a_choice_because_others_can_probe_for_them() {
    let mut nat = nat(&["192.0.2.1"], |config| {
        config.pools[0].preserve_port = false
    });
    let kept = (0..20).filter(|client| {
        let flow = udp(&format!("10.0.1.{client}:5000"), "203.0.113.1:443");
        open(&mut nat, at(0), &flow).1.source.port == 5000
    });
    assert!(kept.count() <= 1);
}

/// bindings 6.5
#[test]
fn no_port_beside_the_range_is_used() {
    let mut nat = with_ports(30_000..=30_009);
    for client in 1..=10 {
        let flow = udp(&format!("10.0.0.{client}:5000"), "203.0.113.1:443");
        let (_, outside) = open(&mut nat, at(0), &flow);
        assert!((30_000..=30_009).contains(&outside.source.port));
    }
}

/// bindings 1.34
#[test]
fn rfc6888_req8_a_freed_port_rests_where_anyone_could_send_to_it() {
    let cases = [
        (Filter::Endpoint, udp as fn(&str, &str) -> Tuple, true),
        (Filter::Endpoint, tcp, false),
        (Filter::Address, udp, false),
    ];
    for (filter, flow, rests) in cases {
        let mut nat = nat(&["192.0.2.1"], |config| {
            config.pools[0].mapping = Mapping::EndpointIndependent;
            config.pools[0].filter = filter;
            config.pools[0].ports = 5000..=5000;
            config.evict = Evict::Never;
        });
        let (id, _) = open(&mut nat, at(0), &flow("10.0.0.1:5000", "203.0.113.1:443"));
        nat.close(at(1), id);
        events(&mut nat);
        let other = flow("10.0.0.2:5000", "203.0.113.1:443");
        let early = try_open(&mut nat, at(120), &other);
        assert_eq!(early == Err(Refused::PortsExhausted), rests, "{filter:?}");
        if rests {
            assert!(try_open(&mut nat, at(122), &other).is_ok());
        }
    }
}

/// bindings 3.6, scenario `release_order`
#[test]
fn the_port_freed_longest_ago_is_given_out_first() {
    let mut nat = nat(&["192.0.2.1"], |config| {
        config.pools[0].ports = 2000..=2063;
        config.evict = Evict::Never;
    });
    let flow = |client: u32| udp(&format!("10.0.1.{client}:500"), "203.0.113.1:443");
    let sessions: Vec<_> = (0..64)
        .map(|client| open(&mut nat, at(0), &flow(client)))
        .collect();
    let freed: Vec<u16> = [40, 3, 21]
        .into_iter()
        .zip(1..)
        .map(|(index, second)| {
            let (id, outside) = sessions[index];
            assert!(nat.close(at(second), id));
            events(&mut nat);
            outside.source.port
        })
        .collect();
    let again: Vec<u16> = (100..103)
        .map(|client| open(&mut nat, at(10), &flow(client)).1.source.port)
        .collect();
    assert_eq!(again, freed);
}

/// bindings 1.47
#[test]
fn rfc6146_3_1_a_dynamic_binding_ends_with_its_last_session() {
    let mut nat = independent(Filter::Endpoint);
    let (one, outside) = open(&mut nat, at(0), &udp("10.0.0.1:5000", "203.0.113.1:443"));
    let (two, _) = open(&mut nat, at(0), &udp("10.0.0.1:5000", "203.0.113.2:443"));
    let stranger = Tuple {
        source: end("198.51.100.1:1"),
        ..outside.reversed()
    };
    nat.close(at(1), one);
    events(&mut nat);
    let admitted = nat.inbound(at(1), &stranger, Signal::None);
    assert!(matches!(admitted, Lookup::Admit { .. }));
    nat.close(at(1), two);
    events(&mut nat);
    assert_eq!(nat.inbound(at(1), &stranger, Signal::None), Lookup::Miss);
}
