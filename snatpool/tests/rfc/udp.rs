//! RFC 4787: mapping, filtering and timers of UDP.

use snatpool::{
    BelowFloor, Config, Filter, Lookup, Refused, Side, Signal, SnatPool, Timeouts, Timer,
};

use crate::*;

/// bindings 1.1
#[test]
fn rfc4787_req1_endpoint_independent_mapping_is_one_for_all_peers() {
    let mut nat = independent(Filter::Endpoint);
    let (_, one) = open(&mut nat, at(0), &udp("10.0.0.1:5000", "203.0.113.1:443"));
    let (_, two) = open(&mut nat, at(0), &udp("10.0.0.1:5000", "203.0.113.2:53"));
    assert_eq!(one.source, two.source);
}

/// bindings 1.3
#[test]
fn rfc4787_req3_no_outside_transport_address_is_given_twice() {
    let mut nat = independent(Filter::Endpoint);
    let mut given = Vec::new();
    for client in 1..200 {
        let flow = udp(&format!("10.0.0.{client}:5000"), "203.0.113.1:443");
        given.push(open(&mut nat, at(0), &flow).1.source);
    }
    given.sort_unstable();
    given.dedup();
    assert_eq!(given.len(), 199);
}

/// bindings 1.6, bindings 4.2, scenario `port53`
#[test]
fn rfc4787_req5a_only_a_well_known_destination_port_shortens_the_timer() {
    let mut nat = plain();
    let (asked, _) = open(&mut nat, at(0), &udp("10.0.0.1:5000", "203.0.113.1:53"));
    let (asking, _) = open(&mut nat, at(0), &udp("10.0.0.1:53", "203.0.113.1:5000"));
    let (web, _) = open(&mut nat, at(0), &udp("10.0.0.1:5000", "203.0.113.1:443"));
    pass(&mut nat, at(11));
    assert!(nat.session(asked).is_none());
    assert!(nat.session(asking).is_some() && nat.session(web).is_some());
}

/// bindings 1.6: one wheel is for the timers of all protocols.
#[test]
fn rfc4787_req5_a_long_timer_of_tcp_keeps_no_udp_mapping() {
    let mut nat = nat(&["192.0.2.1"], |config| {
        let day = Duration::from_secs(86_400);
        config.timeouts = config.timeouts.with(Timer::TcpEstablished, day).unwrap();
    });
    let (long, _) = open_both(&mut nat, at(0), &tcp("10.0.0.1:1", "203.0.113.1:443"));
    let (id, _) = open_both(&mut nat, at(1), &udp("10.0.0.1:5000", "203.0.113.1:443"));
    pass(&mut nat, at(302));
    assert!(nat.session(id).is_none() && nat.session(long).is_some());
    pass(&mut nat, at(86_399));
    assert!(nat.session(long).is_some());
    pass(&mut nat, at(86_402));
    assert!(nat.session(long).is_none());
}

/// bindings 1.7
#[test]
fn rfc4787_req6a_inbound_refresh_is_a_choice() {
    for refresh in [true, false] {
        let mut nat = nat(&["192.0.2.1"], |config| config.inbound_refresh = refresh);
        let (id, outside) = open_both(&mut nat, at(0), &udp("10.0.0.1:5000", "203.0.113.1:443"));
        assert_eq!(
            nat.inbound(at(200), &outside.reversed(), Signal::None),
            Lookup::Session(id)
        );
        pass(&mut nat, at(301));
        assert_eq!(nat.session(id).is_some(), refresh);
    }
}

/// bindings 1.8
#[test]
fn rfc4787_req7_equal_numbers_inside_and_outside_are_told_apart() {
    let mut nat = nat(&["10.0.0.1"], |_| {});
    let flow = udp("10.0.0.1:5000", "10.0.0.9:443");
    let (id, outside) = open(&mut nat, at(0), &flow);
    assert_eq!(outside, flow);
    let back = nat.inbound(at(0), &outside.reversed(), Signal::None);
    assert_eq!(back, Lookup::Session(id));
    // From inside the same numbers are another host's.
    assert_eq!(
        nat.outbound(at(0), &outside.reversed(), Signal::None),
        Lookup::Miss
    );
}

/// bindings 1.9, bindings 2.1, scenario `filters`
#[test]
fn rfc4787_req8_three_filters() {
    let peers = ["203.0.113.1:443", "203.0.113.1:444", "203.0.113.2:443"];
    let admitted = [
        (Filter::Endpoint, [true, true, true]),
        (Filter::Address, [true, true, false]),
        (Filter::AddressPort, [true, false, false]),
    ];
    for (filter, expected) in admitted {
        let mut nat = independent(filter);
        let (_, outside) = open(&mut nat, at(0), &udp("10.0.0.1:5000", peers[0]));
        for (peer, expected) in peers.into_iter().zip(expected) {
            let packet = Tuple {
                source: end(peer),
                ..outside.reversed()
            };
            let passes = match nat.inbound(at(0), &packet, Signal::None) {
                Lookup::Session(_) | Lookup::Admit { .. } => true,
                Lookup::Refused(Refused::Filtered) => false,
                other => panic!("{other:?}"),
            };
            assert_eq!(passes, expected, "{filter:?} {peer}");
        }
    }
}

/// bindings 1.10, bindings 1.22, bindings 8.1, scenario `hairpin`
#[test]
fn rfc4787_req9_hairpinned_packets_bear_the_senders_outside_address() {
    let mut nat = independent(Filter::Endpoint);
    let server = udp("10.0.0.2:4000", "203.0.113.9:443");
    let (_, server) = open(&mut nat, at(0), &server);
    let to = Tuple {
        destination: server.source,
        ..udp("10.0.0.1:5000", "203.0.113.9:443")
    };
    let (sender, outside) = open(&mut nat, at(0), &to);
    assert_eq!(outside.source.address, address("192.0.2.1"));
    let Lookup::Admit { inside } = nat.inbound(at(0), &outside, Signal::None) else {
        panic!("not let in");
    };
    assert_eq!(inside, end("10.0.0.2:4000"));
    let peer = outside.source.address;
    let received = nat.accept(at(0), &outside, peer, Signal::None).unwrap();
    let received = nat.session(received).unwrap();
    assert_eq!(received.inside.destination, outside.source);
    // The answer goes back the same way.
    let answer = received.inside;
    let found = nat.outbound(at(0), &answer, Signal::None);
    assert_eq!(found, Lookup::Session(received.id));
    let back = nat.inbound(at(0), &received.outside, Signal::None);
    assert_eq!(back, Lookup::Session(sender));
}

/// bindings 8.1: per flow there is nobody to hairpin to, and nothing leaves.
#[test]
fn rfc4787_req9_is_refused_per_flow() {
    let mut nat = plain();
    let flow = udp("10.0.0.1:5000", "192.0.2.1:4000");
    assert_eq!(try_open(&mut nat, at(0), &flow), Err(Refused::Hairpin));
}

/// bindings 1.12: neither mapping nor filter gives way under load.
#[test]
fn rfc4787_req11_behaviour_does_not_change_under_load() {
    let mut nat = nat(&["192.0.2.1", "192.0.2.2"], |config| {
        config.pools[0].ports = 1024..=1031;
    });
    for port in 1024..1032 {
        open_both(
            &mut nat,
            at(0),
            &udp(&format!("10.0.0.1:{port}"), "203.0.113.1:443"),
        );
    }
    // The client's address is full: it does not get another one.
    let more = udp("10.0.0.1:6000", "203.0.113.1:443");
    assert_eq!(
        try_open(&mut nat, at(0), &more),
        Err(Refused::PortsExhausted)
    );
    let (_, other) = open(&mut nat, at(0), &udp("10.0.0.1:6000", "203.0.113.2:443"));
    let (_, first) = open(&mut nat, at(0), &udp("10.0.0.1:1024", "203.0.113.2:443"));
    assert_eq!(other.source.address, first.source.address);
}

/// bindings 1.60, scenario `filtered_no_refresh`
#[test]
fn rfc7857_7_a_filtered_packet_refreshes_nothing() {
    let mut nat = independent(Filter::Address);
    let (id, outside) = open_both(&mut nat, at(0), &udp("10.0.0.1:5000", "203.0.113.1:443"));
    let stranger = Tuple {
        source: end("198.51.100.1:443"),
        ..outside.reversed()
    };
    for second in (0..300).step_by(10) {
        let found = nat.inbound(at(second), &stranger, Signal::None);
        assert_eq!(found, Lookup::Refused(Refused::Filtered));
    }
    pass(&mut nat, at(300));
    assert!(nat.session(id).is_none());
}

/// bindings 1.48, bindings 1.56
#[test]
fn rfc4787_req5b_timers_are_configurable_and_keep_their_floors() {
    let floors = [
        (Timer::Udp, 120),
        (Timer::TcpEstablished, 7440),
        (Timer::TcpClosing, 240),
        (Timer::TcpIncomingSyn, 6),
        (Timer::Icmp, 60),
        (Timer::Fragment, 2),
    ];
    for (timer, floor) in floors {
        let found = at(floor) - Duration::from_millis(1);
        let refused = Timeouts::default().with(timer, found);
        let floor = at(floor);
        assert_eq!(
            refused,
            Err(BelowFloor {
                timer,
                floor,
                found
            })
        );
        assert!(Timeouts::default().with(timer, floor).is_ok());
    }
    let defaults = Timeouts::default();
    assert_eq!(defaults.get(Timer::Udp), at(300));
    assert_eq!(defaults.get(Timer::TcpEstablished), at(7440));
    assert_eq!(defaults.get(Timer::Icmp), at(60));
}

/// bindings 4.1: the same time before and after the first reply.
#[test]
fn rfc4787_req5_an_unanswered_flow_has_the_same_timer() {
    let mut nat = plain();
    let (id, _) = open(&mut nat, at(0), &udp("10.0.0.1:5000", "203.0.113.1:443"));
    pass(&mut nat, at(299));
    assert_eq!(state(&nat, id), Some(State::Unconfirmed));
}

/// bindings 4.3
#[test]
fn two_queries_of_one_socket_share_a_session_and_both_replies_pass() {
    let mut nat = plain();
    let flow = udp("10.0.0.1:5000", "203.0.113.1:53");
    let (id, outside) = open(&mut nat, at(0), &flow);
    assert_eq!(
        nat.outbound(at(0), &flow, Signal::None),
        Lookup::Session(id)
    );
    for _ in 0..2 {
        let reply = nat.inbound(at(1), &outside.reversed(), Signal::None);
        assert_eq!(reply, Lookup::Session(id));
    }
}

/// bindings 2.4, scenario `nat46_same_host`
#[test]
fn two_mapped_addresses_of_one_host_leave_from_two_ports() {
    let mut nat = nat(&["2001:db8::1"], |_| {});
    let host = address("2001:db8:ffff::80");
    let mut bind = |mapped: &str| {
        let flow = udp("10.0.0.1:5000", mapped);
        let id = nat
            .bind(at(0), PODS, &flow, host, None, Signal::None)
            .unwrap();
        nat.session(id).unwrap().outside.source.port
    };
    assert_ne!(bind("100.64.0.1:443"), bind("100.64.0.2:443"));
}

/// bindings 2.2
#[test]
fn what_peers_open_through_one_binding_is_bounded() {
    let mut nat = nat(&["192.0.2.1"], |config| {
        config.pools[0].mapping = Mapping::EndpointIndependent;
        config.pools[0].filter = Filter::Endpoint;
        config.pools[0].inbound_sessions = 3;
    });
    let (_, outside) = open(&mut nat, at(0), &udp("10.0.0.1:5000", "203.0.113.1:443"));
    for host in 1..=4 {
        let scan = Tuple {
            source: end(&format!("198.51.100.{host}:1000")),
            ..outside.reversed()
        };
        match nat.inbound(at(0), &scan, Signal::None) {
            Lookup::Admit { .. } if host < 4 => {
                let peer = scan.source.address;
                nat.accept(at(0), &scan, peer, Signal::None).unwrap();
            }
            found => assert_eq!(found, Lookup::Refused(Refused::QuotaInbound)),
        }
    }
}

/// bindings 2.3
#[test]
fn an_address_serves_one_mode_only() {
    let mut one = PoolConfig::new(vec![address("192.0.2.1")]);
    one.mapping = Mapping::EndpointIndependent;
    let other = PoolConfig::new(vec![address("192.0.2.1")]);
    let refused = SnatPool::new(Config::new(10, vec![one, other]), [7; 32]);
    assert!(matches!(
        refused,
        Err(snatpool::ConfigError::SharedAddress {
            first: 0,
            second: 1,
            ..
        })
    ));
}

/// scenario `time_back`
#[test]
fn an_earlier_now_counts_as_the_latest_one() {
    let mut nat = plain();
    let flow = udp("10.0.0.1:5000", "203.0.113.1:443");
    let (id, _) = open(&mut nat, at(1000), &flow);
    assert_eq!(
        nat.outbound(at(10), &flow, Signal::None),
        Lookup::Session(id)
    );
    assert_eq!(nat.session(id).unwrap().expires_at, at(1300));
}

/// scenario `tick_sizes`
#[test]
fn one_long_wait_or_many_short_ones_come_to_the_same() {
    let run = |step: usize| {
        let mut nat = plain();
        let flow = |port: u64| udp(&format!("10.0.0.1:{}", 2000 + port), "203.0.113.1:443");
        for port in 0..50 {
            open(&mut nat, at(port * 7), &flow(port));
        }
        for second in (350..=10_800).step_by(step) {
            pass(&mut nat, at(second));
            if second == 350 {
                nat.outbound(at(350), &flow(49), Signal::None);
            }
        }
        (nat.stats(), nat.sessions().count())
    };
    assert_eq!(run(1), run(10_450));
}

/// bindings 4.5 of UDP, bindings 1.13
#[test]
fn rfc4787_req12_an_icmp_error_ends_no_mapping_whoever_sent_it() {
    let mut nat = plain();
    let (id, outside) = open(&mut nat, at(0), &udp("10.0.0.1:5000", "203.0.113.1:443"));
    assert_eq!(nat.quoted(Side::Outside, &outside), Some(id));
    assert!(nat.session(id).is_some());
}
