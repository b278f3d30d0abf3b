//! Every way through the gateway, there and back.

use core::net::SocketAddr;

use egress_config::VirtualServer;
use egress_gateway::Side;
use egress_gateway::sim::{EchoKind, Parsed, Payload, craft};
use hickory_proto::rr::RecordType;

use crate::world::*;

const NAME: &str = "www.example";
const HOST: &str = "2001:db8::80";
const CLIENT: &str = "10.244.1.10:40000";
const POD6: &str = "2002::10:244:0:10";
const CLIENT6: &str = "[2002::10:244:0:10]:40000";
const HOST4: &str = "203.0.113.80:80";
const HOST6: &str = "[2001:db8::80]:80";

/// A world and the mapped address of a host.
fn mapped(set: &str) -> (World, core::net::IpAddr) {
    let mut world = World::new(set).name(NAME, &[HOST]);
    let address = world.resolve(NAME).expect("a mapped address");
    (world, address)
}

/// A datagram out, its answer back; gives the source that it left with.
fn echo(world: &mut World, from: SocketAddr, to: SocketAddr, peer: SocketAddr) -> SocketAddr {
    let out = world.cross(Side::Inside, &craft::udp(from, to, b"question"));
    assert_eq!(out.destination_socket(), peer);
    assert_eq!(data(&out), b"question");
    let source = out.source_socket();
    let back = world.cross(Side::Outside, &craft::udp(peer, source, b"answer"));
    assert_eq!(
        (back.source_socket(), back.destination_socket()),
        (to, from)
    );
    assert_eq!(data(&back), b"answer");
    source
}

fn data(packet: &Parsed) -> &[u8] {
    match &packet.payload {
        Payload::Udp { data, .. } | Payload::Tcp { data, .. } | Payload::Echo { data, .. } => data,
        other => panic!("{other:?}"),
    }
}

/// Type, code, fourth to seventh byte, and what is quoted.
fn error(packet: &Parsed) -> (u8, u8, u32, &[u8]) {
    let Payload::IcmpError {
        kind,
        code,
        word,
        quoted,
    } = &packet.payload
    else {
        panic!("{packet:?}");
    };
    (*kind, *code, *word, quoted)
}

#[test]
fn nat46_udp_goes_there_and_back() {
    let (mut world, address) = mapped("dns-nat46");
    let source = echo(
        &mut world,
        socket(CLIENT),
        (address, 7).into(),
        socket("[2001:db8::80]:7"),
    );
    assert!(
        ["2002::10:50:20:1", "2002::10:50:20:2"]
            .map(ip)
            .contains(&source.ip())
    );
    assert_eq!(world.gateway.stats().connections(VirtualServer::Nat46), 1);
}

#[test]
fn nat46_ping_goes_there_and_back() {
    let (mut world, address) = mapped("dns-nat46");
    let ping = craft::echo(EchoKind::Request, ip(POD), address, 77, 1, b"ping");
    let out = world.cross(Side::Inside, &ping);
    let Payload::Echo {
        kind: EchoKind::Request,
        identifier,
        sequence: 1,
        ..
    } = out.payload
    else {
        panic!("{out:?}");
    };
    let reply = craft::echo(
        EchoKind::Reply,
        ip(HOST),
        out.source,
        identifier,
        1,
        b"ping",
    );
    let back = world.cross(Side::Outside, &reply);
    assert_eq!((back.source, back.destination), (address, ip(POD)));
    assert!(matches!(
        back.payload,
        Payload::Echo {
            kind: EchoKind::Reply,
            identifier: 77,
            ..
        }
    ));
}

#[test]
fn nat46_errors_of_the_host_and_of_routers_reach_the_pod() {
    let (mut world, address) = mapped("dns-nat46");
    let sent = craft::udp(socket(CLIENT), (address, 7).into(), b"question");
    let _ = world.arrive(Side::Inside, &sent);
    let (.., left) = world.sent.pop().unwrap();
    // RFC 4443: port unreachable, by the host itself.
    let unreachable = craft::icmp_error(ip(HOST), 1, 4, 0, &left).unwrap();
    let back = world.cross(Side::Outside, &unreachable);
    assert_eq!((back.source, back.destination), (address, ip(POD)));
    let (kind, code, _, quoted) = error(&back);
    assert_eq!((kind, code), (3, 3));
    assert_eq!(quoted[12..28], sent[12..28], "the pod's own packet");
    // Time exceeded, by a router that has no IPv4 address: the gateway speaks for it (RFC 6791).
    let exceeded = craft::icmp_error(ip("2001:db8:99::1"), 3, 0, 0, &left).unwrap();
    let back = world.cross(Side::Outside, &exceeded);
    assert_eq!(back.source, ip("10.244.0.2"));
    assert_eq!(error(&back).0, 11);
}

#[test]
fn nat46_errors_of_the_pod_reach_the_host() {
    let (mut world, address) = mapped("dns-nat46");
    let source = echo(
        &mut world,
        socket(CLIENT),
        (address, 7).into(),
        socket("[2001:db8::80]:7"),
    );
    let late = craft::udp(socket("[2001:db8::80]:7"), source, b"late");
    let _ = world.arrive(Side::Outside, &late);
    let (.., delivered) = world.sent.pop().unwrap();
    let unreachable = craft::icmp_error(ip(POD), 3, 3, 0, &delivered).unwrap();
    let out = world.cross(Side::Inside, &unreachable);
    assert_eq!((out.source, out.destination), (source.ip(), ip(HOST)));
    let (kind, code, _, quoted) = error(&out);
    assert_eq!((kind, code), (1, 4));
    assert_eq!(quoted[8..48], late[8..48], "the host's own packet");
}

#[test]
fn nat64_with_dns64_goes_there_and_back() {
    let mut world = World::new("mixed").name(NAME, &["203.0.113.80"]);
    let address = world.resolve_of(POD6, NAME, RecordType::AAAA);
    let address = address.expect("an address under the prefix");
    assert_eq!(address, ip("2001:db8:64::cb00:7150"));
    let source = echo(
        &mut world,
        socket(CLIENT6),
        (address, 80).into(),
        socket(HOST4),
    );
    assert!(
        ["10.20.2.101", "10.20.2.102"]
            .map(ip)
            .contains(&source.ip())
    );
    assert_eq!(world.gateway.stats().connections(VirtualServer::Nat64), 1);
    // A router on the way is shown under the prefix (RFC 6052).
    let sent = craft::udp(socket(CLIENT6), (address, 80).into(), b"again");
    let _ = world.arrive(Side::Inside, &sent);
    let (.., left) = world.sent.pop().unwrap();
    let exceeded = craft::icmp_error(ip("192.0.2.1"), 11, 0, 0, &left).unwrap();
    let back = world.cross(Side::Outside, &exceeded);
    assert_eq!(back.source, ip("2001:db8:64::c000:201"));
    assert_eq!((back.destination, error(&back).0), (ip(POD6), 3));
}

#[test]
fn snat44_and_snat66_leave_by_pool() {
    let mut world = World::new("mixed");
    let source = echo(&mut world, socket(CLIENT), socket(HOST4), socket(HOST4));
    assert!(
        ["10.20.2.101", "10.20.2.102"]
            .map(ip)
            .contains(&source.ip())
    );
    let source = echo(&mut world, socket(CLIENT6), socket(HOST6), socket(HOST6));
    assert!(
        ["2002::10:50:20:1", "2002::10:50:20:2"]
            .map(ip)
            .contains(&source.ip())
    );
    let stats = world.gateway.stats();
    assert_eq!(stats.connections(VirtualServer::Ipv4), 1);
    assert_eq!(stats.connections(VirtualServer::Ipv6), 1);
}

#[test]
fn snat44_and_snat66_leave_by_automap() {
    let mut world = World::new("automap");
    let source = echo(&mut world, socket(CLIENT), socket(HOST4), socket(HOST4));
    assert_eq!(source.ip(), ip("10.20.2.2"));
    let source = echo(&mut world, socket(CLIENT6), socket(HOST6), socket(HOST6));
    assert_eq!(source.ip(), ip("2002::10:20:2:2"));
}

#[test]
fn automap_alone_lets_dns_pass_as_an_ordinary_flow() {
    let mut world = World::new("automap");
    let server = socket("203.0.113.53:5353");
    echo(&mut world, socket(CLIENT), server, server);
    let query = craft::udp(socket(CLIENT), socket("203.0.113.53:53"), b"a query");
    let out = world.cross(Side::Inside, &query);
    assert_eq!(out.destination, ip("203.0.113.53"));
}

#[test]
fn flows_keep_their_source_where_no_snat_is_asked_for() {
    let mut plan = plan("automap");
    plan.snat = egress_config::Snat::None;
    let mut world = World::with_plan(&plan, 1);
    let source = echo(&mut world, socket(CLIENT), socket(HOST4), socket(HOST4));
    assert_eq!(source, socket(CLIENT));
    let source = echo(&mut world, socket(CLIENT6), socket(HOST6), socket(HOST6));
    assert_eq!(source, socket(CLIENT6));
}

#[test]
fn queries_over_ipv6_are_answered_too() {
    let mut world = World::new("mixed").name(NAME, &[HOST]);
    let address = world.resolve_of(POD6, NAME, RecordType::AAAA);
    assert_eq!(address, Some(ip(HOST)));
    assert_eq!(world.gateway.stats().connections(VirtualServer::Dns), 1);
}

#[test]
fn aaaa_queries_of_ipv4_pods_are_answered_as_they_come() {
    let mut world = World::new("dns-nat46").name(NAME, &[HOST]);
    let address = world.resolve_of(POD, NAME, RecordType::AAAA);
    assert_eq!(address, Some(ip(HOST)));
    assert_eq!(world.gateway.mappings().count(), 0);
}

#[test]
fn self_ips_answer_pings_from_both_sides() {
    let mut world = World::new("mixed");
    for (side, from, to) in [
        (Side::Inside, POD, "10.244.0.2"),
        (Side::Inside, POD6, "2002::10:244:0:2"),
        (Side::Inside, POD, "10.20.2.2"),
        (Side::Outside, "10.20.2.216", "10.20.2.2"),
        (Side::Outside, "2001:db8::1", "2002::10:20:2:2"),
    ] {
        let ping = craft::echo(EchoKind::Request, ip(from), ip(to), 5, 6, b"ping");
        let pong = world.answered(side, &ping);
        assert_eq!((pong.source, pong.destination), (ip(to), ip(from)));
        assert!(matches!(
            pong.payload,
            Payload::Echo {
                kind: EchoKind::Reply,
                identifier: 5,
                sequence: 6,
                ..
            }
        ));
    }
}

#[test]
fn two_replicas_serve_each_others_mappings() {
    let replicas = |replica| {
        let samples = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("samples/sets/mixed");
        let mut sources = egress_config::Sources::new();
        sources.read_path(&samples).unwrap();
        egress_config::check(&sources).plan(replica).unwrap()
    };
    let [mut first, mut second] =
        [0, 1].map(|replica| World::with_plan(&replicas(replica), replica as u8));
    first.add_name(NAME, &[HOST]);
    second.add_name("other.example", &["2001:db8::81"]);
    let one = first.resolve(NAME).expect("a mapped address");
    second.store = first.store.clone();
    let other = second.resolve("other.example").expect("a mapped address");
    first.store = second.store.clone();
    assert_ne!(one, other, "each hands out its own slice");
    for (world, address, host) in [
        (&mut second, one, HOST),
        (&mut first, other, "2001:db8::81"),
    ] {
        let packet = segment(socket(CLIENT), (address, 80).into(), TCP_SYN);
        let _ = world.arrive(Side::Inside, &packet);
        assert_eq!(world.only(Side::Outside).destination, ip(host));
    }
}

#[test]
fn a_static_mapping_answers_translates_and_never_expires() {
    let mut world = World::new("reserved-static").name(NAME, &[HOST]);
    let address = core::net::Ipv4Addr::new(10, 1, 1, 5);
    let core::net::IpAddr::V6(host) = ip(HOST) else {
        panic!("an IPv6 host");
    };
    let unreserved = core::net::Ipv4Addr::new(10, 1, 1, 200);
    let refused = world.gateway.set_mapping(world.now, unreserved, host);
    assert!(
        refused.is_err(),
        "only the reserved range holds static entries"
    );
    world.gateway.set_mapping(world.now, address, host).unwrap();
    world.pass(core::time::Duration::from_secs(48 * 3600));
    assert!(world.store.mappings().eq([(address, host)]));
    assert_eq!(world.resolve(NAME), Some(address.into()));
    let to = SocketAddr::new(address.into(), 7);
    echo(&mut world, socket(CLIENT), to, socket("[2001:db8::80]:7"));
    world.pass(core::time::Duration::from_secs(48 * 3600));
    assert_eq!(world.gateway.mappings().count(), 1);
    // Also of the other replica, which asks the store.
    let mut other = World::with_plan(&plan("reserved-static"), 9);
    other.store = world.store.clone();
    let packet = segment(socket(CLIENT), (address, 80).into(), TCP_SYN);
    let _ = other.arrive(Side::Inside, &packet);
    assert_eq!(other.only(Side::Outside).destination, ip(HOST));
    // Until it is removed.
    assert_eq!(world.gateway.remove_mapping(world.now, address), Some(host));
    world.pass(core::time::Duration::from_secs(120));
    let packet = segment(socket(CLIENT), (address, 80).into(), TCP_SYN);
    let _ = world.arrive(Side::Inside, &packet);
    let refusal = world.only(Side::Inside);
    assert_eq!(error(&refusal).0, 3);
}
