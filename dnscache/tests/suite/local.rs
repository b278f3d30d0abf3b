//! Names that are answered without asking anyone (RFC 6761 §6.3, RFC 6303, RFC 7793).

use crate::common::*;
use dnscache::{ForwardZone, Verdict, rcode, rtype};
use hickory_proto::rr::RData;

/// A world that answers default zones, and asks for `10.10.10.in-addr.arpa` upstream.
fn world() -> World {
    World::with(|config| {
        config.answer_default_zones = true;
        let own = ForwardZone::new(
            name("10.10.10.in-addr.arpa"),
            vec![address("192.0.2.53:53")],
        );
        config.zones.push(own);
    })
}

fn told(world: &mut World, owner: &str, kind: u16) -> Vec<u8> {
    let (verdict, reply) = world.ask(&Ask::new(owner, kind));
    assert!(matches!(verdict, Verdict::Reply(_)), "{owner}: {verdict:?}");
    assert_ne!(reply[2] & 0x04, 0, "RFC 6303 §3: authoritative");
    reply
}

#[test]
fn rfc6761_6_3_localhost_and_names_below_are_loopback_addresses() {
    let mut world = world();
    for owner in ["localhost", "LocalHost", "a.b.localhost"] {
        let reply = decode(&told(&mut world, owner, rtype::A));
        let RData::A(address) = &reply.answers[0].data else {
            panic!("{reply:?}");
        };
        assert_eq!(address.0, core::net::Ipv4Addr::LOCALHOST);
        let reply = decode(&told(&mut world, owner, rtype::AAAA));
        let RData::AAAA(address) = &reply.answers[0].data else {
            panic!("{reply:?}");
        };
        assert_eq!(address.0, core::net::Ipv6Addr::LOCALHOST);
        let reply = told(&mut world, owner, rtype::MX);
        assert_eq!(
            (rcode_of(&reply), decode(&reply).answers.len()),
            (rcode::NOERROR, 0)
        );
    }
}

#[test]
fn loopback_addresses_point_to_localhost() {
    let mut world = world();
    let v6 = format!("1.{}ip6.arpa", "0.".repeat(31));
    for owner in ["1.0.0.127.in-addr.arpa", v6.as_str()] {
        let reply = decode(&told(&mut world, owner, rtype::PTR));
        let RData::PTR(target) = &reply.answers[0].data else {
            panic!("{reply:?}");
        };
        assert_eq!(target.0.to_ascii(), "localhost.");
    }
    // The name above exists without data; others do not.
    let reply = told(&mut world, "0.0.127.in-addr.arpa", rtype::PTR);
    assert_eq!(rcode_of(&reply), rcode::NOERROR);
    let reply = told(&mut world, "2.0.0.127.in-addr.arpa", rtype::PTR);
    assert_eq!(rcode_of(&reply), rcode::NXDOMAIN);
}

#[test]
fn rfc6303_4_reverse_zones_of_local_addresses_are_empty() {
    let mut world = world();
    for owner in [
        "1.2.3.10.in-addr.arpa",
        "1.1.16.172.in-addr.arpa",
        "1.1.31.172.in-addr.arpa",
        "1.1.168.192.in-addr.arpa",
        "1.1.254.169.in-addr.arpa",
        "1.1.64.100.in-addr.arpa",
        "1.1.127.100.in-addr.arpa",
        "1.113.0.203.in-addr.arpa",
        "1.d.f.ip6.arpa",
        "1.8.b.d.0.1.0.0.2.ip6.arpa",
    ] {
        let reply = told(&mut world, owner, rtype::PTR);
        assert_eq!(rcode_of(&reply), rcode::NXDOMAIN, "{owner}");
        let reply = decode(&reply);
        let RData::SOA(soa) = &reply.authorities[0].data else {
            panic!("{reply:?}");
        };
        assert_eq!(
            (soa.rname.to_ascii().as_str(), soa.minimum),
            ("nobody.invalid.", 10_800)
        );
    }
    let reply = told(&mut world, "10.in-addr.arpa", rtype::SOA);
    assert_eq!(decode(&reply).answers.len(), 1);
    let reply = told(&mut world, "10.in-addr.arpa", rtype::NS);
    assert_eq!(decode(&reply).answers.len(), 1);
}

#[test]
fn what_is_outside_or_has_servers_of_its_own_is_asked_for() {
    let mut world = world();
    for owner in [
        "1.1.15.172.in-addr.arpa",
        "1.1.32.172.in-addr.arpa",
        "1.1.128.100.in-addr.arpa",
        "1.2.0.192.in-addr.arpa.example.com",
        "localhost.example.com",
        "7.10.10.10.in-addr.arpa",
    ] {
        let (verdict, _) = world.ask(&Ask::new(owner, rtype::PTR));
        assert!(
            matches!(verdict, Verdict::Parked(_)),
            "{owner}: {verdict:?}"
        );
    }
}

#[test]
fn without_the_option_nothing_is_answered_here() {
    let mut world = World::new();
    let (verdict, _) = world.ask(&Ask::new("localhost", rtype::A));
    assert!(matches!(verdict, Verdict::Parked(_)), "{verdict:?}");
}
