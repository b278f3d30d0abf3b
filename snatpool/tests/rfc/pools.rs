//! Which address: RFC 4787 REQ-2, RFC 6888 REQ-2 and REQ-3, RFC 7857 §4.

use alloc::collections::BTreeSet;

use snatpool::{Family, Lookup, Refused, Signal};

use crate::*;

const THREE: [&str; 3] = ["192.0.2.1", "192.0.2.2", "192.0.2.3"];

/// bindings 1.2, bindings 1.31, scenario `paired_stays`
#[test]
fn rfc4787_req2_rfc6888_req2_all_flows_of_a_client_have_one_address() {
    let mut nat = nat(&THREE, |_| {});
    let mut used = BTreeSet::new();
    for port in 0..100 {
        let (source, destination) = (format!("10.0.0.1:{}", 2000 + port), "203.0.113.1:443");
        let flow = match port % 3 {
            0 => udp(&source, destination),
            1 => tcp(&source, destination),
            _ => ping("10.0.0.1", port, "203.0.113.1"),
        };
        used.insert(open(&mut nat, at(0), &flow).1.source.address);
        // Others come and go, and shift the balance.
        let other = udp(&format!("10.0.1.{port}:2000"), "203.0.113.1:443");
        open(&mut nat, at(0), &other);
    }
    assert_eq!(used.len(), 1);
}

/// bindings 8.2
#[test]
fn rfc4787_req2_the_pairing_outlives_the_last_session_by_a_grace_time() {
    let mut nat = nat(&THREE, |_| {});
    let flow = udp("10.0.0.1:2000", "203.0.113.1:53");
    let (_, first) = open(&mut nat, at(0), &flow);
    pass(&mut nat, at(200));
    for client in 0..2 {
        open(
            &mut nat,
            at(200),
            &udp(&format!("10.0.1.{client}:1"), "203.0.113.1:443"),
        );
    }
    let (_, again) = open(&mut nat, at(200), &flow);
    assert_eq!(again.source.address, first.source.address);
}

/// scenario `least_then_round_robin`
#[test]
fn clients_go_to_the_address_with_the_fewest_sessions_and_ties_go_round() {
    let mut nat = nat(&THREE, |_| {});
    let mut turn = Vec::new();
    for client in 0..6 {
        let flow = udp(&format!("10.0.0.{client}:2000"), "203.0.113.1:443");
        turn.push(open(&mut nat, at(0), &flow).1.source.address);
    }
    assert_eq!(turn[..3].iter().collect::<BTreeSet<_>>().len(), 3);
    assert_eq!(turn[..3], turn[3..]);
    // Two more of the first client's: the next client goes elsewhere.
    for port in 3000..3002 {
        open(
            &mut nat,
            at(0),
            &udp(&format!("10.0.0.0:{port}"), "203.0.113.1:443"),
        );
    }
    for client in 10..12 {
        let flow = udp(&format!("10.0.0.{client}:2000"), "203.0.113.1:443");
        assert_ne!(open(&mut nat, at(0), &flow).1.source.address, turn[0]);
    }
}

/// bindings 1.31: a pool is a list, with gaps and of both families.
#[test]
fn rfc6888_req3_a_pool_has_any_shape() {
    let mut nat = nat(&["192.0.2.1", "198.51.100.77", "2001:db8::1"], |_| {});
    let mut used = BTreeSet::new();
    for client in 0..4 {
        let flow = udp(&format!("10.0.0.{client}:2000"), "203.0.113.1:443");
        used.insert(open(&mut nat, at(0), &flow).1.source.address);
    }
    assert_eq!(
        used,
        BTreeSet::from([address("192.0.2.1"), address("198.51.100.77")])
    );
}

/// scenario `family_match`
#[test]
fn a_flow_gets_an_address_of_the_family_it_leaves_with() {
    let mut nat = nat(&["192.0.2.1", "2001:db8::1"], |_| {});
    let inside = udp("10.0.0.1:2000", "100.64.0.1:443");
    let host = address("2001:db8:ffff::80");
    let id = nat
        .bind(at(0), PODS, &inside, host, None, Signal::None)
        .unwrap();
    let outside = nat.session(id).unwrap().outside;
    assert_eq!(outside.source.address, address("2001:db8::1"));
    let mut ipv4 = crate::nat(&["192.0.2.1"], |_| {});
    let refused = ipv4.bind(at(0), PODS, &inside, host, None, Signal::None);
    assert_eq!(refused, Err(Refused::NoAddress(Family::Ipv6)));
}

/// The four directions: 44, 66, 46 and 64.
#[test]
fn each_family_may_be_inside_and_outside() {
    let mut nat = nat(&["192.0.2.1", "2001:db8::1"], |_| {});
    let directions = [
        ("10.0.0.1:2000", "203.0.113.1:443", "203.0.113.1"),
        ("[fd00::1]:2000", "[2001:db8:f::80]:443", "2001:db8:f::80"),
        ("10.0.0.1:2000", "100.64.0.1:443", "2001:db8:f::80"),
        ("[fd00::1]:2000", "[64:ff9b::cb00:7101]:443", "203.0.113.1"),
    ];
    for (source, destination, host) in directions {
        let inside = udp(source, destination);
        let bound = nat.bind(at(0), PODS, &inside, address(host), None, Signal::None);
        let id = bound.unwrap();
        let session = nat.session(id).unwrap();
        assert_eq!(
            (session.inside, session.outside.destination.port),
            (inside, 443)
        );
        assert_eq!(
            nat.outbound(at(0), &inside, Signal::None),
            Lookup::Session(id)
        );
        let reply = nat.inbound(at(0), &session.outside.reversed(), Signal::None);
        assert_eq!(reply, Lookup::Session(id));
    }
}

#[test]
fn an_address_in_the_subnet_of_the_next_hop_is_preferred() {
    let mut nat = nat(&["192.0.2.1", "198.51.100.1"], |config| {
        config.pools[0].subnets = vec![
            "192.0.2.0/24".parse().unwrap(),
            "198.51.100.0/24".parse().unwrap(),
        ];
    });
    for client in 0..8 {
        let flow = udp(&format!("10.0.0.{client}:2000"), "203.0.113.1:443");
        let hop = Some(address("198.51.100.254"));
        let peer = flow.destination.address;
        let id = nat
            .bind(at(0), PODS, &flow, peer, hop, Signal::None)
            .unwrap();
        let source = nat.session(id).unwrap().outside.source.address;
        assert_eq!(source, address("198.51.100.1"));
    }
}

/// The same where the subnet's addresses are few, and last, of many.
#[test]
fn an_address_in_the_subnet_of_the_next_hop_is_found_among_many() {
    let addresses: Vec<String> = (1..=200)
        .map(|last| format!("192.0.2.{last}"))
        .chain((1..=3).map(|last| format!("198.51.100.{last}")))
        .collect();
    let addresses: Vec<&str> = addresses.iter().map(String::as_str).collect();
    let mut nat = nat(&addresses, |config| {
        config.pools[0].subnets = vec![
            "192.0.2.0/24".parse().unwrap(),
            "198.51.100.0/24".parse().unwrap(),
        ];
    });
    let used = |nat: &mut SnatPool, client: u8| {
        let flow = udp(&format!("10.0.0.{client}:2000"), "203.0.113.1:443");
        let peer = flow.destination.address;
        let hop = Some(address("198.51.100.254"));
        let id = nat.bind(at(0), PODS, &flow, peer, hop, Signal::None);
        nat.session(id.unwrap()).unwrap().outside.source.address
    };
    let three: BTreeSet<_> = (1..=3).map(|client| used(&mut nat, client)).collect();
    let near = ["198.51.100.1", "198.51.100.2", "198.51.100.3"];
    assert_eq!(three, near.map(address).into());
    nat.drain(address("198.51.100.1"));
    nat.drain(address("198.51.100.3"));
    assert_eq!(used(&mut nat, 4), address("198.51.100.2"));
    nat.undrain(address("198.51.100.3"));
    assert_eq!(used(&mut nat, 5), address("198.51.100.3"));
    // One of another subnet is better than none.
    nat.drain(address("198.51.100.2"));
    nat.drain(address("198.51.100.3"));
    assert!(addresses[..200].contains(&used(&mut nat, 6).to_string().as_str()));
}

/// bindings 1.41, bindings 6.4, scenario `paired_full`
#[test]
fn rfc7857_4_a_full_address_refuses_and_another_is_taken_only_by_choice() {
    for spill in [false, true] {
        let mut nat = nat(&["192.0.2.1", "192.0.2.2"], |config| {
            config.pools[0].ports = 1024..=1025;
            config.pools[0].spill = spill;
        });
        let flow = |port: u16| udp(&format!("10.0.0.1:{port}"), "203.0.113.1:443");
        let (_, first) = open_both(&mut nat, at(0), &flow(1024));
        open_both(&mut nat, at(0), &flow(1025));
        match try_open(&mut nat, at(0), &flow(1026)) {
            Ok(id) => {
                assert!(spill);
                let source = nat.session(id).unwrap().outside.source;
                assert_ne!(source.address, first.source.address);
            }
            Err(why) => assert_eq!((why, spill), (Refused::PortsExhausted, false)),
        }
        assert_eq!(nat.stats().spilled, u64::from(spill));
    }
}

/// bindings 8.3, scenario `drain`
#[test]
fn a_drained_address_takes_no_new_flow_and_keeps_the_old_ones() {
    let mut nat = nat(&["192.0.2.1", "192.0.2.2"], |_| {});
    let flow = udp("10.0.0.1:2000", "203.0.113.1:443");
    let (id, outside) = open(&mut nat, at(0), &flow);
    let old = outside.source.address;
    assert!(nat.drain(old));
    for client in 0..4 {
        let flow = udp(&format!("10.0.0.{client}:3000"), "203.0.113.1:443");
        assert_ne!(open(&mut nat, at(0), &flow).1.source.address, old);
    }
    assert_eq!(
        nat.outbound(at(1), &flow, Signal::None),
        Lookup::Session(id)
    );
    let reply = nat.inbound(at(1), &outside.reversed(), Signal::None);
    assert_eq!(reply, Lookup::Session(id));
    let told = pass(&mut nat, at(302));
    assert!(told.contains(&Event::Drained { address: old }));
    assert!(nat.undrain(old));
    assert!(!nat.drain(address("192.0.2.99")));
}

/// However many are being drained, the others are found, and take turns.
#[test]
fn drained_addresses_hide_no_others() {
    let addresses: Vec<String> = (0..70).map(|last| format!("192.0.2.{last}")).collect();
    let addresses: Vec<&str> = addresses.iter().map(String::as_str).collect();
    let mut nat = nat(&addresses, |_| {});
    for text in &addresses[..64] {
        assert!(nat.drain(address(text)));
    }
    let used = |nat: &mut SnatPool, clients: core::ops::Range<u8>| {
        let flow = |client| udp(&format!("10.0.0.{client}:5000"), "203.0.113.1:443");
        let used = clients.map(|client| open(nat, at(0), &flow(client)).1.source.address);
        used.collect::<BTreeSet<_>>()
    };
    let left = addresses[64..].iter().map(|text| address(text));
    assert_eq!(used(&mut nat, 0..6), left.collect());
    // Back in use, they are those with the fewest sessions.
    for text in &addresses[..3] {
        assert!(nat.undrain(address(text)));
    }
    let back = addresses[..3].iter().map(|text| address(text));
    assert_eq!(used(&mut nat, 6..9), back.collect());
}

#[test]
fn all_addresses_drained_is_no_address_at_all() {
    let mut nat = plain();
    nat.drain(address("192.0.2.1"));
    events(&mut nat);
    let flow = udp("10.0.0.1:2000", "203.0.113.1:443");
    let refused = try_open(&mut nat, at(0), &flow);
    assert_eq!(refused, Err(Refused::NoAddress(Family::Ipv4)));
    let told = events(&mut nat);
    let (pool, family) = (PODS, Family::Ipv4);
    assert_eq!(told, [Event::NoAddress { pool, family }]);
}
