//! Parameters that no other test is about reach what they are for.

use core::net::IpAddr;
use core::time::Duration;

use egress_config::{Plan, Sources};
use egress_gateway::sim::{Payload, craft};
use egress_gateway::{DropReason, Side};
use hickory_proto::op::ResponseCode;
use hickory_proto::rr::RecordType;

use crate::world::*;

const CLIENT: &str = "10.244.1.10:40000";

/// The plan of replica 0 under the set `mixed`, of which one file is changed.
fn changed(file: &str, from: &str, to: &str) -> Plan {
    let samples = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("samples/sets/mixed");
    let mut sources = Sources::new();
    for name in [
        "dnscache.yaml",
        "egress.yaml",
        "snatpool.yaml",
        "vlans.yaml",
    ] {
        let mut text = std::fs::read_to_string(samples.join(name)).unwrap();
        if name == file {
            assert!(text.contains(from), "{from:?} in {name}");
            text = text.replacen(from, to, 1);
        }
        sources.add(name, text);
    }
    let checked = egress_config::check(&sources);
    checked
        .plan(0)
        .unwrap_or_else(|error| panic!("{error}: {:?}", checked.diagnostics()))
}

#[test]
fn max_dns46_ttl_bounds_synthesized_records() {
    for (from, to, expected) in [
        ("maxDNS46TTL: 60", "maxDNS46TTL: 60", 60),
        ("maxDNS46TTL: 60", "maxDNS46TTL: 7", 7),
    ] {
        let plan = changed("egress.yaml", from, to);
        let mut world = World::with_plan(&plan, 1).name("www.example", &["2001:db8::80"]);
        let id = world.ask_of(POD, "www.example", RecordType::A);
        let (_, answer) = world.answer_to(id).expect("an answer");
        assert_eq!(answer.answers[0].ttl, expected);
    }
}

#[test]
fn each_forward_zone_is_asked_of_its_own_servers() {
    let mut world = World::new("mixed")
        .name("www.example", &["192.0.2.1"])
        .name("www.internal.org", &["192.0.2.2"]);
    world.upstream_is_silent = true;
    for (name, port) in [("www.example", 53), ("www.internal.org", 5353)] {
        world.ask_of(POD, name, RecordType::A);
        let asked = world
            .gateway
            .sessions()
            .map(|session| session.outside.destination.port);
        assert!(
            asked.into_iter().any(|asked| asked == port),
            "{name} at port {port}"
        );
    }
}

#[test]
fn answer_default_zones_answers_localhost_here() {
    let plan = changed(
        "dnscache.yaml",
        "  netResolver:\n",
        "  netResolver:\n    answerDefaultZones: true\n",
    );
    let mut world = World::with_plan(&plan, 1);
    assert_eq!(world.resolve("localhost"), Some(ip("127.0.0.1")));
    let id = world.ask_of(POD, "1.2.3.10.in-addr.arpa", RecordType::PTR);
    let (_, answer) = world.answer_to(id).expect("an answer");
    assert_eq!(answer.metadata.response_code, ResponseCode::NXDomain);
    assert_eq!(world.asked_upstream, 0);
    // Off by default.
    let mut world = World::new("mixed");
    world.ask_of(POD, "localhost", RecordType::A);
    assert_eq!(world.asked_upstream, 1);
}

#[test]
fn the_cache_is_as_large_as_its_resource_says() {
    for (size, parameter) in [(2048, "msgCacheSize"), (2048, "negCacheSize")] {
        let plan = changed(
            "dnscache.yaml",
            "  netResolver:\n",
            &format!("  netResolver:\n    {parameter}: {size}\n"),
        );
        let mut world = World::with_plan(&plan, 1);
        for number in 0..200 {
            let name = format!("n{number}.example");
            if parameter == "msgCacheSize" {
                world.add_name(&name, &["192.0.2.1"]);
            }
            world.ask_of(POD, &name, RecordType::A);
            world.pass(Duration::from_millis(10));
        }
        let cache = world.gateway.cache_stats().unwrap().cache;
        let used = if parameter == "msgCacheSize" {
            cache.message_bytes
        } else {
            cache.negative_bytes
        };
        assert!((1..=size).contains(&used), "{parameter}: {used} bytes");
    }
}

#[test]
fn a_vlan_on_which_egress_is_off_is_not_inside() {
    let plan = changed(
        "egress.yaml",
        "  dualStackEnabled: true\n",
        "  dualStackEnabled: true\n  vlanList:\n    - internal\n",
    );
    let mut world = World::with_plan(&plan, 1);
    let packet = craft::udp(socket(CLIENT), socket("203.0.113.80:7"), b"x");
    assert_eq!(
        world.dropped(Side::Inside, &packet),
        DropReason::SpoofedSource
    );
}

#[test]
fn the_mtu_of_the_vlan_outside_bounds_what_leaves() {
    let mut plan = plan("mixed");
    for vlan in plan.vlans.iter_mut().filter(|vlan| !vlan.internal) {
        vlan.mtu = 1300;
    }
    let mut world = World::with_plan(&plan, 1);
    let mut packet = craft::udp(socket(CLIENT), socket("203.0.113.80:7"), &[0; 1300]);
    craft::set_dont_fragment(&mut packet, true);
    let refusal = world.answered(Side::Inside, &packet);
    let Payload::IcmpError {
        kind: 3,
        code: 4,
        word,
        ..
    } = refusal.payload
    else {
        panic!("{refusal:?}");
    };
    assert_eq!(word & 0xffff, 1300);
    assert_eq!(refusal.source, ip("10.244.0.2"));
    assert!(matches!(refusal.destination, IpAddr::V4(_)));
}

/// `docs/parameters.md` names who reads each field of the plan, and the test that shows it.
#[test]
fn the_table_of_consumers_names_files_and_tests_that_exist() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let page = std::fs::read_to_string(root.join("docs/parameters.md")).unwrap();
    let (_, table) = page
        .split_once("## What reads the plan")
        .expect("a section");
    let mut sources = String::new();
    for folder in ["gateway/tests", "gateway/tests/suite", "xtask/src"] {
        for entry in std::fs::read_dir(root.join(folder)).unwrap() {
            let path = entry.unwrap().path();
            if path.is_file() {
                sources += &std::fs::read_to_string(path).unwrap();
            }
        }
    }
    let mut rows = 0;
    for line in table.lines().filter(|line| line.starts_with("| `")) {
        let cells: Vec<&str> = line
            .split('|')
            .map(|cell| cell.trim().trim_matches('`'))
            .collect();
        let (file, test) = (cells[2], cells[3]);
        assert!(root.join(file).is_file(), "{line}");
        assert!(sources.contains(&format!("fn {test}(")), "{line}");
        rows += 1;
    }
    assert!(rows > 20, "{rows} rows");
}
