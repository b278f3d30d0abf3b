//! RFC 6888 REQ-4 and REQ-5: the share of one client.

use snatpool::{Closed, Evict, Filter, Mapping, Refused};

use crate::*;

fn flow(client: u8, port: u16) -> Tuple {
    udp(&format!("10.0.0.{client}:{port}"), "203.0.113.1:443")
}

/// bindings 1.32
#[test]
fn rfc6888_req4_a_limit_of_ports_counts_ports() {
    let mut nat = nat(&["192.0.2.1"], |config| {
        config.pools[0].mapping = Mapping::EndpointIndependent;
        config.pools[0].filter = Filter::Endpoint;
        config.per_client.ports = Some(2);
        config.evict = Evict::Never;
    });
    open(&mut nat, at(0), &flow(1, 2000));
    open(&mut nat, at(0), &flow(1, 2001));
    assert_eq!(
        try_open(&mut nat, at(0), &flow(1, 2002)),
        Err(Refused::QuotaPorts)
    );
    // Another peer, but no other port.
    open(&mut nat, at(0), &udp("10.0.0.1:2000", "203.0.113.2:443"));
    open(&mut nat, at(0), &flow(2, 2002));
}

/// bindings 1.32
#[test]
fn rfc6888_req5_limits_of_sessions_and_of_new_ones_in_a_second() {
    let mut nat = nat(&["192.0.2.1"], |config| {
        config.per_client.sessions = Some(3);
        config.per_client.new_per_second = Some(2);
        config.evict = Evict::Never;
    });
    open(&mut nat, at(0), &flow(1, 2000));
    open(&mut nat, at(0), &flow(1, 2001));
    assert_eq!(
        try_open(&mut nat, at(0), &flow(1, 2002)),
        Err(Refused::QuotaRate)
    );
    open(&mut nat, at(1), &flow(1, 2002));
    assert_eq!(
        try_open(&mut nat, at(2), &flow(1, 2003)),
        Err(Refused::QuotaSessions)
    );
    open(&mut nat, at(2), &flow(2, 2003));
}

/// bindings 6.2, scenario `quota_own_victim`
#[test]
fn a_client_at_its_quota_makes_room_among_its_own_alone() {
    let mut nat = nat(&["192.0.2.1"], |config| {
        config.per_client.sessions = Some(2)
    });
    let (other, _) = open(&mut nat, at(0), &flow(2, 2000));
    let (half_open, _) = open(&mut nat, at(1), &tcp("10.0.0.1:2000", "203.0.113.1:443"));
    let (kept, _) = open_both(&mut nat, at(1), &flow(1, 2001));
    open_both(&mut nat, at(2), &flow(1, 2002));
    assert!(nat.session(half_open).is_none());
    assert_eq!(nat.closed(Closed::EvictedForQuota), 1);
    assert!(nat.session(other).is_some() && nat.session(kept).is_some());
    // Nothing but confirmed ones left.
    assert_eq!(
        try_open(&mut nat, at(2), &flow(1, 2003)),
        Err(Refused::QuotaSessions)
    );
}

/// bindings 6.2: a session that shares its port leaves its client with as many.
#[test]
fn rfc6888_req4_no_session_ends_for_a_limit_of_ports_that_it_does_not_ease() {
    let mut nat = nat(&["192.0.2.1"], |config| {
        config.pools[0].mapping = Mapping::EndpointIndependent;
        config.per_client.ports = Some(2);
    });
    for peer in 1..=5 {
        open(
            &mut nat,
            at(0),
            &udp("10.0.0.1:5000", &format!("203.0.113.{peer}:443")),
        );
    }
    let (alone, _) = open(&mut nat, at(1), &flow(1, 5001));
    let (next, _) = open(&mut nat, at(2), &flow(1, 5002));
    assert!(nat.session(alone).is_none());
    // Confirmed, it goes no more.
    let back = nat.session(next).unwrap().outside.reversed();
    nat.inbound(at(2), &back, Signal::None);
    assert_eq!(
        try_open(&mut nat, at(3), &flow(1, 5003)),
        Err(Refused::QuotaPorts)
    );
    assert_eq!(
        (nat.closed(Closed::EvictedForQuota), nat.stats().live),
        (1, 6)
    );
}

/// A limit is told once in a while, and names the client.
#[test]
fn rfc6888_req11c_a_limit_is_told_and_the_telling_is_limited() {
    let mut nat = nat(&["192.0.2.1"], |config| {
        config.per_client.sessions = Some(1);
        config.evict = Evict::Never;
    });
    open(&mut nat, at(0), &flow(1, 2000));
    for second in 0..61 {
        let refused = try_open(&mut nat, at(second), &flow(1, 2001));
        assert_eq!(refused, Err(Refused::QuotaSessions));
        let told = events(&mut nat);
        let notice = Event::QuotaExceeded {
            pool: PODS,
            client: address("10.0.0.1"),
            why: Refused::QuotaSessions,
        };
        assert_eq!(told == [notice], second % 60 == 0, "{second}: {told:?}");
    }
}
