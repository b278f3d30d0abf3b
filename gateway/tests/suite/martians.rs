//! Addresses that nothing is forwarded to or from, packet by packet; and `trace`, which says the same.

use core::net::{IpAddr, SocketAddr};
use core::time::Duration;

use egress_config::Plan;
use egress_gateway::sim::{EchoKind, craft};
use egress_gateway::{DropReason, Gateway, Options, Probe, Side, Verdict};
use snatpool::Protocol;

use crate::world::{TCP_SYN, World, ip, plan};

const QUERY: &[u8] = b"\x12\x34\x01\0\0\x01\0\0\0\0\0\0\x03www\x07example\0\0\x01\0\x01";

/// Nothing comes from them, and nothing goes to them.
const MARTIANS: [&str; 19] = [
    "0.0.0.0",
    "0.1.2.3",
    "127.0.0.1",
    "127.255.255.255",
    "169.254.169.254",
    "224.0.0.1",
    "239.255.255.250",
    "240.0.0.1",
    "255.255.255.254",
    "255.255.255.255",
    "::",
    "::1",
    "::ffff:198.51.100.7",
    "fe80::1",
    "febf::1",
    "ff01::1",
    "ff02::1",
    "ff05::2",
    "ff0e::1",
];

const MAY_BE_INSIDE: [&str; 3] = ["169.254.169.254", "240.0.0.1", "255.255.255.254"];

const SOURCES: [&str; 6] = [
    "10.244.1.10",
    "10.244.0.2",
    "198.18.0.9",
    "2002::10:244:0:10",
    "2002::10:244:0:2",
    "2001:db8:bad::9",
];

/// Hosts, self IPs, SNAT addresses, mapped addresses and others of the subnet, the sorry IP.
const DESTINATIONS: [&str; 16] = [
    "198.51.100.7",
    "10.244.0.2",
    "10.20.2.2",
    "10.20.2.101",
    "10.46.0.1",
    "10.46.0.2",
    "10.46.0.5",
    "10.46.0.12",
    "192.168.1.1",
    "2001:db8::80",
    "2002::10:244:0:2",
    "2002::10:20:2:2",
    "2002::10:50:20:1",
    "2001:db8:64::c633:6407",
    "2001:db8:64::a00:1",
    "100::1",
];

/// One mapped address stands for a host, and one for what is none.
fn world(plan: &Plan) -> World {
    let mut world = World::with_plan(plan, 1);
    // trace looks at every place of a session.
    let mut options = Options::default();
    options.sessions = Some(2048);
    world.gateway = Gateway::with_options(plan, &options, [1; 32]).unwrap();
    for (address, host) in [("10.46.0.1", "2001:db8::80"), ("10.46.0.2", "ff0e::1")] {
        let (IpAddr::V4(address), IpAddr::V6(host)) = (ip(address), ip(host)) else {
            panic!("{address} {host}")
        };
        world.gateway.set_mapping(world.now, address, host).unwrap();
    }
    // The store takes them.
    world.pass(Duration::from_secs(1));
    world
}

/// The martians, and for IPv6 those that hide under the NAT64 prefix.
fn destinations() -> Vec<IpAddr> {
    let hidden = MARTIANS.iter().filter_map(|martian| match ip(martian) {
        IpAddr::V4(martian) => {
            let [a, b, c, d] = martian.octets().map(u16::from);
            Some(ip(&format!(
                "2001:db8:64::{:x}:{:x}",
                a << 8 | b,
                c << 8 | d
            )))
        }
        IpAddr::V6(_) => None,
    });
    let plain = MARTIANS.iter().chain(&DESTINATIONS).map(|text| ip(text));
    plain.chain(hidden).collect()
}

fn sources() -> impl Iterator<Item = IpAddr> {
    MARTIANS.iter().chain(&SOURCES).map(|text| ip(text))
}

fn packet(probe: &Probe) -> Vec<u8> {
    let (from, to) = (probe.source, probe.destination);
    match probe.protocol {
        Protocol::Tcp => craft::tcp(from, to, TCP_SYN, (1, 0), None, &[]),
        Protocol::Udp => craft::udp(from, to, if to.port() == 53 { QUERY } else { &[] }),
        Protocol::Icmp => craft::echo(EchoKind::Request, from.ip(), to.ip(), 1, 1, b"ping"),
    }
}

fn probes() -> Vec<Probe> {
    let kinds = [
        (Protocol::Icmp, 0),
        (Protocol::Tcp, 53),
        (Protocol::Tcp, 80),
        (Protocol::Udp, 53),
        (Protocol::Udp, 5353),
    ];
    let mut probes = Vec::new();
    for source in sources() {
        let same_family = |to: &IpAddr| to.is_ipv4() == source.is_ipv4();
        for destination in destinations().into_iter().filter(same_family) {
            for (protocol, port) in kinds {
                probes.push(Probe {
                    protocol,
                    source: SocketAddr::new(source, 40_000),
                    destination: SocketAddr::new(destination, port),
                });
            }
        }
    }
    probes
}

/// Lets a real packet of a probe arrive; gives the verdict, and under which names drops were counted.
fn arrive(world: &mut World, side: Side, probe: &Probe) -> (Verdict, Vec<&'static str>) {
    // Answers and errors are limited in rate.
    world.pass(Duration::from_secs(1));
    let before = world.gateway.stats().drops.clone();
    let verdict = world.arrive(side, &packet(probe));
    let after = world.gateway.stats().drops.iter();
    let grown = after.filter(|(name, count)| before.get(*name) != Some(count));
    (verdict, grown.map(|(name, _)| *name).collect())
}

fn is_martian(address: IpAddr) -> bool {
    MARTIANS.iter().any(|martian| ip(martian) == address)
}

/// Whatever is configured: SNAT, own sources, and an inside that has what no inside should.
#[test]
fn trace_says_what_becomes_of_a_packet_from_inside() {
    let mixed = plan("mixed");
    let mut plain = mixed.clone();
    plain.snat = egress_config::Snat::None;
    let mut open = mixed.clone();
    for network in [
        "0.0.0.0/8",
        "127.0.0.0/8",
        "169.254.0.0/16",
        "224.0.0.0/3",
        "::/80",
        "fe80::/10",
        "ff00::/8",
    ] {
        open.inside.push(network.parse().unwrap());
    }
    let (mut passed, mut dropped) = (0, 0);
    for plan in [mixed, plain, open] {
        let mut world = world(&plan);
        for probe in probes() {
            let trace = world.gateway.trace(&probe);
            let (verdict, counted) = arrive(&mut world, Side::Inside, &probe);
            let passes = !matches!(verdict, Verdict::Drop(_)) && counted.is_empty();
            assert_eq!(
                trace.passes, passes,
                "{probe:?}: {verdict:?} {counted:?}, {trace:?}"
            );
            let (from, to) = (probe.source.ip(), probe.destination.ip());
            // Pods, and resolvers of theirs, may have some of them, where the operator says so.
            let may = |address: IpAddr| MAY_BE_INSIDE.iter().any(|one| ip(one) == address);
            let is_query = probe.destination.port() == 53;
            if is_martian(from) && !may(from) || is_martian(to) && !(is_query && may(to)) {
                assert!(!passes, "{probe:?}: {verdict:?}");
            }
            if passes {
                passed += 1;
                continue;
            }
            dropped += 1;
            assert_eq!(counted.len(), 1, "{probe:?}: {verdict:?}");
            let told = &trace.steps.last().unwrap().found;
            let is_said = [
                "spoofed-source",
                "martian-source",
                "martian-destination",
                "no-virtual-server",
                "unwanted",
            ];
            if is_said.contains(&counted[0]) {
                assert!(
                    told.contains(counted[0]),
                    "{probe:?}: {counted:?}, {trace:?}"
                );
            }
        }
        let sessions = world
            .gateway
            .sessions()
            .filter(|session| is_martian(session.outside.destination.address));
        assert_eq!(sessions.count(), 0);
    }
    assert!(
        passed > 50 && dropped > 1000,
        "{passed} passed, {dropped} did not"
    );
}

#[test]
fn nothing_martian_comes_in_from_outside() {
    let mut world = world(&plan("mixed"));
    for probe in probes() {
        let (from, to) = (probe.source.ip(), probe.destination.ip());
        if !is_martian(from) && !is_martian(to) {
            continue;
        }
        let (verdict, counted) = arrive(&mut world, Side::Outside, &probe);
        assert!(
            matches!(verdict, Verdict::Drop(_)),
            "{probe:?}: {verdict:?}"
        );
        assert_eq!(counted.len(), 1, "{probe:?}");
        if is_martian(from) {
            let reason = DropReason::MartianSource;
            assert_eq!(verdict, Verdict::Drop(reason), "{probe:?}");
        }
    }
    assert_eq!(world.gateway.sessions().count(), 0);
}
