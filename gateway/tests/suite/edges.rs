//! What is refused, dropped, cut or put together again, and counted.

use core::time::Duration;

use egress_gateway::sim::{EchoKind, Parsed, Payload, craft, fragment};
use egress_gateway::{DropReason, Event, Side, Verdict};
use hickory_proto::op::ResponseCode;
use hickory_proto::rr::RecordType;

use crate::world::*;

const NAME: &str = "www.example";
const HOST: &str = "2001:db8::80";
const CLIENT: &str = "10.244.1.10:40000";
const CLIENT6: &str = "[2002::10:244:0:10]:40000";
const STRANGER: &str = "198.18.0.9:40000";
const STRANGER6: &str = "[2001:db8:bad::9]:40000";

fn mapped(set: &str) -> (World, core::net::IpAddr) {
    let mut world = World::new(set).name(NAME, &[HOST]);
    let address = world.resolve(NAME).expect("a mapped address");
    (world, address)
}

/// Type and code of an ICMP error.
fn error(packet: &Parsed) -> (u8, u8) {
    match packet.payload {
        Payload::IcmpError { kind, code, .. } => (kind, code),
        _ => panic!("{packet:?}"),
    }
}

#[test]
fn a_stranger_outside_can_neither_resolve_nor_relay_nor_map() {
    let (mut world, address) = mapped("mixed");
    let own = ["10.20.2.2", "10.20.2.101", "10.244.0.2", "10.244.1.10"].map(ip);
    let query = b"\x12\x34\x01\0\0\x01\0\0\0\0\0\0\x03www\x07example\0\0\x01\0\x01";
    for to in own.into_iter().chain([address, ip("198.51.100.53")]) {
        let packet = craft::udp(socket(STRANGER), (to, 53).into(), query);
        world.dropped(Side::Outside, &packet);
        world.dropped(
            Side::Outside,
            &segment(socket(STRANGER), (to, 80).into(), TCP_SYN),
        );
    }
    for to in [
        "2001:db8:64::cb00:7150",
        "2002::10:50:20:1",
        "2002::10:20:2:2",
        HOST,
    ]
    .map(ip)
    {
        let packet = craft::udp(socket(STRANGER6), (to, 53).into(), query);
        world.dropped(Side::Outside, &packet);
    }
    let drops = &world.gateway.stats().drops;
    let counted: u64 = drops.values().sum();
    assert_eq!(counted, 16, "{drops:?}");
    assert_eq!(
        world.asked_upstream, 2,
        "but for the pod's own two questions"
    );
}

#[test]
fn a_source_on_the_wrong_side_is_dropped() {
    let (mut world, address) = mapped("mixed");
    let spoofed = craft::udp(socket(CLIENT), (address, 7).into(), b"spoofed");
    assert_eq!(
        world.dropped(Side::Outside, &spoofed),
        DropReason::SpoofedSource
    );
    let foreign = craft::udp(socket(STRANGER), (address, 7).into(), b"foreign");
    assert_eq!(
        world.dropped(Side::Inside, &foreign),
        DropReason::SpoofedSource
    );
    let foreign = craft::udp(socket(STRANGER6), socket("[2001:db8::1]:7"), b"foreign");
    assert_eq!(
        world.dropped(Side::Inside, &foreign),
        DropReason::SpoofedSource
    );
    assert_eq!(world.gateway.stats().drops["spoofed-source"], 3);
}

#[test]
fn ipv6_pods_reach_ipv6_hosts_only_where_dual_stack_is_on() {
    let mut world = World::new("dns-nat46");
    let packet = craft::udp(socket(CLIENT6), socket("[2001:db8::80]:7"), b"x");
    assert_eq!(
        world.dropped(Side::Inside, &packet),
        DropReason::NoVirtualServer
    );
}

#[test]
fn a_flow_without_a_snat_address_of_its_family_is_refused_and_told() {
    // A pool of IPv6 addresses only.
    let mut world = World::new("dns-nat46");
    let packet = craft::udp(socket(CLIENT), socket("203.0.113.80:7"), b"x");
    let refusal = world.answered(Side::Inside, &packet);
    assert_eq!(error(&refusal), (3, 13));
    assert_eq!(world.gateway.stats().drops["no-snat-address"], 1);
    let told = Event::NoSnatAddress {
        client: ip(POD),
        peer: ip("203.0.113.80"),
    };
    assert!(world.events.contains(&told));
}

#[test]
fn a_packet_to_an_unmapped_address_of_the_subnet_is_refused() {
    let mut world = World::new("dns-nat46");
    for address in ["10.40.100.77", "10.40.100.3"] {
        let packet = segment(socket(CLIENT), (ip(address), 80).into(), TCP_SYN);
        let _ = world.arrive(Side::Inside, &packet);
        assert_eq!(error(&world.only(Side::Inside)), (3, 1), "{address}");
    }
}

#[test]
fn a_protocol_without_ports_is_refused() {
    let mut world = World::new("mixed");
    // SCTP.
    let packet = craft::ip(ip(POD), ip("203.0.113.80"), 132, &[0; 20]);
    assert_eq!(error(&world.answered(Side::Inside, &packet)), (3, 2));
    let packet = craft::ip(ip("203.0.113.80"), ip("10.20.2.101"), 132, &[0; 20]);
    assert_eq!(world.dropped(Side::Outside, &packet), DropReason::NoBinding);
}

#[test]
fn tcp_without_a_session_must_begin_with_a_syn() {
    let (mut world, address) = mapped("dns-nat46");
    let packet = segment(socket(CLIENT), (address, 80).into(), TCP_ACK);
    let reason = world.dropped(Side::Inside, &packet);
    assert_eq!(reason, DropReason::Refused(snatpool::Refused::NotOpening));
}

#[test]
fn errors_about_packets_that_nobody_sent_are_dropped() {
    let mut world = World::new("mixed");
    let never = craft::udp(
        socket("10.20.2.101:4000"),
        socket("203.0.113.80:7"),
        b"never",
    );
    let packet = craft::icmp_error(ip("203.0.113.80"), 3, 3, 0, &never).unwrap();
    assert_eq!(
        world.dropped(Side::Outside, &packet),
        DropReason::UnknownQuote
    );
    let never = craft::udp(socket("203.0.113.80:7"), socket(CLIENT), b"never");
    let packet = craft::icmp_error(ip(POD), 3, 3, 0, &never).unwrap();
    assert_eq!(
        world.dropped(Side::Inside, &packet),
        DropReason::UnknownQuote
    );
}

#[test]
fn malformed_packets_are_dropped() {
    let mut world = World::new("mixed");
    for bytes in [&[][..], &[0x45], &[0x60; 39], &[0x12; 60]] {
        let reason = world.dropped(Side::Inside, bytes);
        assert!(matches!(reason, DropReason::Malformed(_)), "{reason:?}");
    }
}

#[test]
fn a_query_with_a_wrong_checksum_is_dropped() {
    let mut world = World::new("dns-nat46");
    let mut packet = craft::udp(socket(CLIENT), socket(RESOLVER), &[0; 20]);
    packet[26] ^= 1;
    assert_eq!(
        world.dropped(Side::Inside, &packet),
        DropReason::UdpChecksum
    );
}

#[test]
fn self_ips_want_nothing_but_pings() {
    let mut world = World::new("mixed");
    let packet = segment(socket(CLIENT), socket("10.244.0.2:22"), TCP_SYN);
    assert_eq!(world.dropped(Side::Inside, &packet), DropReason::Unwanted);
}

#[test]
fn over_the_rate_limit_queries_are_dropped_and_counted() {
    // 300 a second.
    let mut world = World::new("dns-nat46").name("v4.example", &["192.0.2.80"]);
    for _ in 0..1000 {
        world.ask_of(POD, "v4.example", RecordType::A);
    }
    let dropped = world.gateway.stats().drops["query"];
    assert!((600..=700).contains(&dropped), "{dropped}");
    world.pass(Duration::from_secs(1));
    assert!(world.resolve("v4.example").is_some());
}

#[test]
fn an_exhausted_slice_gives_the_sorry_address_then_addresses_again() {
    // Six addresses.
    let mut world = World::new("mixed");
    for number in 0..8 {
        let name = format!("n{number}.example");
        world.add_name(&name, &[&format!("2001:db8:1::{number}")]);
    }
    let given: Vec<_> = (0..8)
        .map(|number| {
            world.sent.clear();
            let id = world.ask_of(POD, &format!("n{number}.example"), RecordType::A);
            let (_, answer) = world.answer_to(id).expect("an answer");
            let ttl = answer.answers[0].ttl;
            (addresses(&answer)[0], ttl)
        })
        .collect();
    let slice = ip("10.46.0.4")..=ip("10.46.0.9");
    assert!(
        given[..6]
            .iter()
            .all(|(address, _)| slice.contains(address))
    );
    let sorry = (ip("192.168.1.1"), 5);
    assert_eq!(given[6..], [sorry, sorry]);
    // Nobody connected: once idle for 300 s, the oldest mapping makes room, and rests for 60 s first.
    world.pass(Duration::from_secs(300));
    assert_eq!(world.resolve("n7.example"), Some(sorry.0));
    world.pass(Duration::from_secs(61));
    let address = world.resolve("n7.example").expect("an answer");
    assert!(slice.contains(&address), "{address}");
}

#[test]
fn a_time_to_live_of_1_ends_at_the_gateway_whatever_the_way() {
    let (mut world, address) = mapped("mixed");
    let host6 = socket("[2001:db8:64::cb00:7150]:7");
    for (from, to, gateway, kind) in [
        (CLIENT, (address, 7).into(), "10.244.0.2", 11),
        (CLIENT, socket("203.0.113.80:7"), "10.244.0.2", 11),
        (CLIENT6, host6, "2002::10:244:0:2", 3),
        (CLIENT6, socket("[2001:db8::80]:7"), "2002::10:244:0:2", 3),
    ] {
        let mut packet = craft::udp(socket(from), to, b"x");
        craft::set_hop_limit(&mut packet, 1);
        let exceeded = world.answered(Side::Inside, &packet);
        assert_eq!(error(&exceeded), (kind, 0), "{from} to {to}");
        assert_eq!(exceeded.source, ip(gateway));
        assert_eq!(exceeded.destination, socket(from).ip());
    }
}

#[test]
fn the_segment_size_that_a_syn_offers_fits_the_other_side() {
    let (mut world, address) = mapped("dns-nat46");
    let syn = craft::tcp(
        socket(CLIENT),
        (address, 80).into(),
        TCP_SYN,
        (1, 0),
        Some(1460),
        &[],
    );
    let out = world.cross(Side::Inside, &syn);
    let Payload::Tcp { mss, .. } = out.payload else {
        panic!("{out:?}");
    };
    assert_eq!(mss, Some(1440), "20 bytes more of header");
}

#[test]
fn a_packet_too_big_of_a_router_reaches_the_pod_as_fragmentation_needed() {
    let (mut world, address) = mapped("dns-nat46");
    let mut sent = craft::udp(socket(CLIENT), (address, 7).into(), &[0; 1300]);
    craft::set_dont_fragment(&mut sent, true);
    let _ = world.arrive(Side::Inside, &sent);
    let (.., left) = world.sent.pop().unwrap();
    let too_big = craft::icmp_error(ip("2001:db8:99::1"), 2, 0, 1300, &left).unwrap();
    let back = world.cross(Side::Outside, &too_big);
    let Payload::IcmpError {
        kind: 3,
        code: 4,
        word,
        ..
    } = back.payload
    else {
        panic!("{back:?}");
    };
    assert_eq!(
        word & 0xffff,
        1280,
        "20 bytes less of header (RFC 7915 §5.2)"
    );
}

/// All fragments of a datagram cross, in this order, and make the datagram again.
fn fragments_cross(order: impl Fn(&mut Vec<Vec<u8>>)) {
    let (mut world, address) = mapped("mixed");
    let payload: Vec<u8> = (0..4000_u32).map(|number| number as u8).collect();
    let whole = craft::udp(socket(CLIENT), (address, 7).into(), &payload);
    let mut pieces = fragment(&whole, 1000, 9);
    order(&mut pieces);
    for piece in &pieces {
        let verdict = world.arrive(Side::Inside, piece);
        assert!(!matches!(verdict, Verdict::Drop(_)), "{verdict:?}");
    }
    let mut reassembler = egress_gateway::sim::Reassembler::default();
    let sent = core::mem::take(&mut world.sent);
    let whole = sent
        .iter()
        .filter_map(|(at, _, packet)| reassembler.accept(*at, packet))
        .next_back();
    let out = Parsed::new(&whole.expect("a whole datagram")).unwrap();
    assert_eq!(out.destination_socket(), socket("[2001:db8::80]:7"));
    let Payload::Udp { data, .. } = &out.payload else {
        panic!("{out:?}");
    };
    assert_eq!(*data, payload);

    let reply = craft::udp(out.destination_socket(), out.source_socket(), &payload);
    let mut pieces = fragment(&reply, 1280, 10);
    order(&mut pieces);
    for piece in &pieces {
        let _ = world.arrive(Side::Outside, piece);
    }
    let mut reassembler = egress_gateway::sim::Reassembler::default();
    let whole = world
        .sent
        .iter()
        .filter_map(|(at, _, packet)| reassembler.accept(*at, packet))
        .next_back();
    let back = Parsed::new(&whole.expect("a whole datagram")).unwrap();
    assert_eq!(back.destination_socket(), socket(CLIENT));
    assert_eq!(back.source_socket(), (address, 7).into());
}

#[test]
fn fragments_cross_both_ways() {
    fragments_cross(|_| {});
}

#[test]
fn fragments_cross_both_ways_the_later_ones_first() {
    fragments_cross(|pieces| pieces.reverse());
}

#[test]
fn fragments_whose_first_never_comes_expire_and_are_counted() {
    let (mut world, address) = mapped("mixed");
    let whole = craft::udp(socket(CLIENT), (address, 7).into(), &[0; 4000]);
    let pieces = fragment(&whole, 1000, 9);
    for piece in &pieces[1..] {
        assert_eq!(world.arrive(Side::Inside, piece), Verdict::Consumed);
    }
    world.sent.clear();
    world.pass(Duration::from_secs(60));
    assert!(world.sent.is_empty());
    let expired = world.gateway.stats().drops["expired"];
    assert_eq!(expired, pieces.len() as u64 - 1);
}

#[test]
fn a_datagram_too_long_for_the_other_side_leaves_in_fragments() {
    let (mut world, address) = mapped("mixed");
    let mut packet = craft::udp(socket(CLIENT), (address, 7).into(), &[0; 1472]);
    craft::set_dont_fragment(&mut packet, false);
    let _ = world.arrive(Side::Inside, &packet);
    assert_eq!(world.sent.len(), 2);
    assert!(world.sent.iter().all(|(_, _, piece)| piece.len() <= 1280));
    // One that may not be fragmented is refused, with the size that would pass (RFC 7915 §4).
    world.sent.clear();
    craft::set_dont_fragment(&mut packet, true);
    let refusal = world.answered(Side::Inside, &packet);
    assert_eq!(error(&refusal), (3, 4));
}

#[test]
fn an_upstream_that_never_answers_ends_in_servfail() {
    let mut world = World::new("dns-nat46");
    world.upstream_is_silent = true;
    let id = world.ask_of(POD, NAME, RecordType::A);
    world.pass(Duration::from_secs(30));
    let (_, answer) = world.answer_to(id).expect("an answer");
    assert_eq!(answer.metadata.response_code, ResponseCode::ServFail);
    let failed = |event: &Event| matches!(event, Event::UpstreamFailed { .. });
    assert!(world.events.iter().any(failed));
}

#[test]
fn a_forged_upstream_reply_changes_nothing() {
    let mut world = World::new("dns-nat46").name(NAME, &[HOST]);
    world.upstream_is_silent = true;
    world.ask_of(POD, NAME, RecordType::A);
    let session = world
        .gateway
        .sessions()
        .next()
        .expect("a query is on its way");
    let (server, own) = (session.outside.destination, session.outside.source);
    let answer = b"\x12\x34\x81\x80\0\x01\0\0\0\0\0\0\x03www\x07example\0\0\x01\0\x01";
    let forged = craft::udp(
        (server.address, server.port).into(),
        (own.address, own.port).into(),
        answer,
    );
    let reason = world.dropped(Side::Outside, &forged);
    assert!(matches!(reason, DropReason::Upstream(_)), "{reason:?}");
    let elsewhere = craft::udp(
        socket("10.20.2.217:53"),
        (own.address, own.port).into(),
        answer,
    );
    assert_eq!(
        world.dropped(Side::Outside, &elsewhere),
        DropReason::Unwanted
    );
}

#[test]
fn a_server_of_a_family_without_self_ip_is_passed_over_and_told() {
    let mut plan = plan("mixed");
    plan.external_self_ips.retain(core::net::IpAddr::is_ipv4);
    let dns = plan.dns.as_mut().expect("a cache");
    dns.zones[0].servers.reverse();
    let mut world = World::with_plan(&plan, 3).name("v4.example", &["192.0.2.80"]);
    assert_eq!(world.resolve("v4.example"), Some(ip("192.0.2.80")));
    let told = |event: &Event| matches!(event, Event::NoSelfIp { server } if server.is_ipv6());
    assert!(world.events.iter().any(told));
}

#[test]
fn pings_to_others_than_self_ips_are_no_business_of_the_gateway() {
    let mut world = World::new("mixed");
    let ping = craft::echo(
        EchoKind::Request,
        ip("198.18.0.9"),
        ip("10.20.2.101"),
        5,
        6,
        b"x",
    );
    assert_eq!(world.dropped(Side::Outside, &ping), DropReason::NoSession);
}

#[test]
fn fragments_that_overlap_are_refused() {
    let (mut world, address) = mapped("mixed");
    let whole = craft::udp(socket(CLIENT), (address, 7).into(), &[0; 4000]);
    let pieces = fragment(&whole, 1000, 9);
    let _ = world.arrive(Side::Inside, &pieces[0]);
    let _ = world.arrive(Side::Inside, &pieces[1]);
    // RFC 5722 §4: the same place again, with other bytes around it.
    let mut overlapping = fragment(&whole, 600, 9).remove(2);
    assert_eq!(overlapping[4..6], pieces[1][4..6], "one identification");
    let last = overlapping.len() - 1;
    overlapping[last] ^= 1;
    world.sent.clear();
    let reason = world.dropped(Side::Inside, &overlapping);
    assert!(matches!(reason, DropReason::Fragment(_)), "{reason:?}");
}

#[test]
fn a_query_in_fragments_is_dropped() {
    let mut world = World::new("dns-nat46");
    let query = craft::udp(socket(CLIENT), socket(RESOLVER), &[0; 1400]);
    let pieces = fragment(&query, 1000, 9);
    assert_eq!(world.dropped(Side::Inside, &pieces[0]), DropReason::NotUdp);
}

#[test]
fn what_no_packet_may_be_is_not_translated() {
    let (mut world, address) = mapped("mixed");
    // A fragment of an ICMP message: its checksum covers the whole (RFC 7915 §1.2).
    let ping = craft::echo(EchoKind::Request, ip(POD), address, 5, 6, &[0; 2000]);
    let pieces = fragment(&ping, 1000, 9);
    let reason = world.dropped(Side::Inside, &pieces[0]);
    assert_eq!(
        reason,
        DropReason::Translation(nat46::DropReason::FragmentedIcmp)
    );
}

#[test]
fn a_stranger_to_an_address_that_is_not_served_outside_is_dropped() {
    let mut world = World::new("mixed");
    let packet = craft::udp(socket(STRANGER), socket("10.46.0.5:7"), b"x");
    assert_eq!(world.dropped(Side::Outside, &packet), DropReason::NotInside);
}
