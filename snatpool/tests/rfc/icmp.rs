//! RFC 5508: queries, and errors that quote a packet.

use snatpool::{Filter, Lookup, Mapping, Refused, Side, Signal};

use crate::*;

/// bindings 1.24
#[test]
fn rfc5508_req1_an_identifier_is_independent_of_the_peer_where_mapping_is() {
    let mut nat = independent(Filter::AddressPort);
    let (_, one) = open(&mut nat, at(0), &ping("10.0.0.1", 7, "203.0.113.1"));
    let (_, two) = open(&mut nat, at(0), &ping("10.0.0.1", 7, "203.0.113.2"));
    assert_eq!(one.source, two.source);
    let (_, other) = open(&mut nat, at(0), &ping("10.0.0.2", 7, "203.0.113.1"));
    assert_ne!(one.source, other.source);
}

/// bindings 1.25
#[test]
fn rfc5508_req2_a_query_lives_for_sixty_seconds() {
    let mut nat = plain();
    let (id, _) = open(&mut nat, at(0), &ping("10.0.0.1", 7, "203.0.113.1"));
    pass(&mut nat, at(60) - Duration::from_millis(100));
    assert!(nat.session(id).is_some());
    pass(&mut nat, at(61));
    assert!(nat.session(id).is_none());
}

/// bindings 1.27, bindings 4.5, scenario `icmp_error_both_ways`
#[test]
fn rfc5508_req4_req5_an_error_is_mapped_by_what_it_quotes() {
    let mut nat = plain();
    for flow in [
        udp("10.0.0.1:5000", "203.0.113.1:443"),
        tcp("10.0.0.1:5000", "203.0.113.1:443"),
        ping("10.0.0.1", 7, "203.0.113.1"),
    ] {
        let (id, outside) = open_both(&mut nat, at(0), &flow);
        assert_eq!(nat.quoted(Side::Outside, &outside), Some(id));
        assert_eq!(nat.quoted(Side::Inside, &flow.reversed()), Some(id));
        // A quote of the wrong side, or of no live binding, is nobody's.
        assert_eq!(nat.quoted(Side::Outside, &outside.reversed()), None);
        let other = udp("192.0.2.1:9", "203.0.113.1:443");
        assert_eq!(nat.quoted(Side::Outside, &other), None);
    }
    pass(&mut nat, at(8000));
    let flow = udp("10.0.0.1:5000", "203.0.113.1:443");
    assert_eq!(nat.quoted(Side::Inside, &flow.reversed()), None);
}

/// bindings 1.28, bindings 4.7, scenario `icmp_error_no_refresh`
#[test]
fn rfc5508_req6_an_error_every_second_keeps_nothing_alive() {
    let mut nat = plain();
    let (id, outside) = open(&mut nat, at(0), &ping("10.0.0.1", 7, "203.0.113.1"));
    for second in 0..60 {
        nat.handle_timeout(at(second));
        assert_eq!(nat.quoted(Side::Outside, &outside), Some(id));
    }
    pass(&mut nat, at(61));
    assert!(nat.session(id).is_none());
}

/// bindings 1.29, bindings 4.9
#[test]
fn rfc5508_req7_an_error_about_a_hairpinned_packet_maps_twice() {
    let mut nat = independent(Filter::Endpoint);
    let (_, server) = open(&mut nat, at(0), &udp("10.0.0.2:4000", "203.0.113.9:443"));
    let to = Tuple {
        destination: server.source,
        ..udp("10.0.0.1:5000", "203.0.113.9:443")
    };
    let (sender, outside) = open(&mut nat, at(0), &to);
    let peer = outside.source.address;
    let receiver = nat.accept(at(0), &outside, peer, Signal::None).unwrap();
    let delivered = nat.session(receiver).unwrap().inside.reversed();
    // The receiver's host says that its port is closed.
    assert_eq!(nat.quoted(Side::Inside, &delivered), Some(receiver));
    let quote = nat.session(receiver).unwrap().outside.reversed();
    assert_eq!(nat.quoted(Side::Outside, &quote), Some(sender));
}

/// bindings 1.30
#[test]
fn rfc5508_req8_where_no_session_is_possible_the_caller_hears_why() {
    let mut nat = nat(&["192.0.2.1"], |config| config.pools[0].ports = 1024..=1024);
    open_both(&mut nat, at(0), &udp("10.0.0.1:5000", "203.0.113.1:443"));
    let more = udp("10.0.0.2:5000", "203.0.113.1:443");
    assert_eq!(
        try_open(&mut nat, at(0), &more),
        Err(Refused::PortsExhausted)
    );
    assert_eq!(nat.refused(Refused::PortsExhausted), 1);
    let none = udp("10.0.0.2:5000", "[2001:db8::1]:443");
    let none = nat.bind(
        at(0),
        PODS,
        &udp("10.0.0.2:5000", "203.0.113.1:443"),
        none.destination.address,
        None,
        Signal::None,
    );
    assert_eq!(none, Err(Refused::NoAddress(snatpool::Family::Ipv6)));
}

/// bindings 4.4
#[test]
fn rfc5508_3_1_an_identifier_is_a_port_of_any_value_without_parity() {
    let mut nat = plain();
    for id in [0, 1, 80, 65_535] {
        let (session, outside) = open(&mut nat, at(0), &ping("10.0.0.1", id, "203.0.113.1"));
        assert_eq!((outside.source.port, outside.destination.port), (id, id));
        let reply = nat.inbound(at(0), &outside.reversed(), Signal::None);
        assert_eq!(reply, Lookup::Session(session));
    }
}

/// bindings 1.46
#[test]
fn rfc7857_11_a_query_mapping_goes_with_its_last_session() {
    let mut nat = nat(&["192.0.2.1"], |config| {
        config.pools[0].mapping = Mapping::EndpointIndependent;
        config.pools[0].filter = Filter::Address;
    });
    let (id, outside) = open(&mut nat, at(0), &ping("10.0.0.1", 7, "203.0.113.1"));
    assert!(nat.close(at(1), id));
    events(&mut nat);
    let reply = nat.inbound(at(1), &outside.reversed(), Signal::None);
    assert_eq!(reply, Lookup::Miss);
}
