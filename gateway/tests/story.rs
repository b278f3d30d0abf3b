//! The main story, and the program that tells it.

use std::path::Path;
use std::process::{Command, Output};

use egress_config::{Plan, Sources};
use egress_gateway::sim::LinkConfig;
use egress_gateway::story::{Fault, Report, Script, Stage, Story, Tour};

fn set(name: &str) -> String {
    let samples = Path::new(env!("CARGO_MANIFEST_DIR")).join("samples/sets");
    samples.join(name).to_str().unwrap().to_owned()
}

fn plan(name: &str) -> Plan {
    let mut sources = Sources::new();
    sources.read_path(Path::new(&set(name))).unwrap();
    egress_config::check(&sources).plan(0).unwrap()
}

fn play(name: &str, script: Script) -> Report {
    Story::new(&plan(name), script).unwrap().run().unwrap()
}

fn demo(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_egress-gateway"))
        .arg("demo")
        .args(arguments)
        .output()
        .unwrap()
}

fn text(bytes: &[u8]) -> &str {
    core::str::from_utf8(bytes).unwrap()
}

const FAULTS: [(Fault, Stage); 6] = [
    (Fault::Upstream, Stage::Upstream),
    (Fault::Store, Stage::Store),
    (Fault::Mapping, Stage::Mapping),
    (Fault::Snat, Stage::Binding),
    (Fault::Return, Stage::Return),
    (Fault::Checksum, Stage::Checksums),
];

#[test]
fn every_stage_happens_under_each_set_that_has_dns46() {
    for name in ["dns-nat46", "reserved-static", "mixed"] {
        let report = play(name, Script::default());
        assert_eq!(report.failed(), None, "{name}");
    }
}

#[test]
fn each_fault_fails_the_stage_that_it_breaks() {
    for name in ["dns-nat46", "reserved-static"] {
        for (fault, stage) in FAULTS {
            let script = Script {
                fault: Some(fault),
                ..Script::default()
            };
            let report = play(name, script);
            let failed = report.failed().map(|(stage, _)| stage);
            assert_eq!(failed, Some(stage), "{fault:?} under {name}");
        }
    }
}

/// Plays with a fifth of all packets lost between pod and host, each way, and others out of order.
fn lossy(seed: u64) {
    // The way has two links, each of which lets the square root of four fifths pass.
    let script = Script {
        seed,
        link: LinkConfig::lossy(1.0 - 0.8_f64.sqrt()),
        attempts: 5,
        ..Script::default()
    };
    let report = play("dns-nat46", script);
    let pages = report.told.iter().filter(|told| told.stage == Stage::Page);
    let came = pages.filter(|told| told.outcome.is_ok()).count();
    assert_eq!(came, 2, "seed {seed}: {:?}", report.failed());
    let flawed = report
        .told
        .iter()
        .find(|told| told.stage == Stage::Checksums);
    assert!(
        flawed.is_some_and(|told| told.outcome.is_ok()),
        "seed {seed}"
    );
}

#[test]
fn pages_come_though_a_fifth_of_the_packets_is_lost_seeds_0_to_49() {
    (0..50).for_each(lossy);
}

#[test]
fn pages_come_though_a_fifth_of_the_packets_is_lost_seeds_50_to_99() {
    (50..100).for_each(lossy);
}

#[test]
fn demo_exits_0_and_tells_the_story() {
    let output = demo(&[]);
    assert_eq!(output.status.code(), Some(0));
    let told = text(&output.stdout);
    for expected in [
        "\nname              clientside.tot_conns\n----------------- --------------------\n",
        "\negress-ipv4-nat46                    2\n",
        "HTTP 200, 1048576 bytes",
        "The whole story happened",
    ] {
        assert!(told.contains(expected), "{expected:?} in\n{told}");
    }
    assert!(!told.contains('\x1b'), "colour is for terminals");
}

#[test]
fn demo_exits_1_and_names_the_stage_that_failed() {
    for (fault, stage) in FAULTS {
        let output = demo(&["--break", fault.name()]);
        assert_eq!(output.status.code(), Some(1), "{fault:?}");
        let expected = format!("failed at stage `{}`: ", stage.name());
        let told = text(&output.stderr);
        assert!(told.contains(&expected), "{told}");
    }
}

#[test]
fn demo_plays_under_the_users_own_resources() {
    for name in ["reserved-static", "mixed"] {
        let output = demo(&["--config", &set(name), "--json"]);
        assert_eq!(output.status.code(), Some(0), "{name}");
        let told: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(told["succeeded"], true);
        assert_eq!(told["virtual_server_stat"]["egress-ipv4-nat46"], 2);
    }
}

#[test]
fn demo_plays_one_act_or_all() {
    let acts = |arguments: &[&str]| -> Vec<String> {
        let output = demo(arguments);
        assert_eq!(output.status.code(), Some(0));
        let told: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        let acts = told["acts"].as_array().unwrap().iter();
        acts.map(|act| act["act"].as_str().unwrap().to_owned())
            .collect()
    };
    assert_eq!(acts(&["--json", "--act", "mixed"]), ["mixed"]);
    let all = ["dns-nat46", "automap", "reserved-static", "mixed"];
    assert_eq!(acts(&["--json"]), all);
}

#[test]
fn demo_exits_2_where_there_is_no_dns46() {
    let output = demo(&["--config", &set("automap")]);
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("DNS46 is off"));
}

#[test]
fn demos_of_two_seeds_differ_and_of_one_do_not() {
    let [first, again, other] = ["1", "1", "2"].map(|seed| {
        let output = demo(&["--seed", seed, "--json"]);
        serde_json::from_slice::<serde_json::Value>(&output.stdout).unwrap()
    });
    assert_eq!(first, again);
    let port = |told: &serde_json::Value| told["sessions"][0]["leaves_as"].clone();
    let query = |told: &serde_json::Value| told["stages"][0]["moments"][0]["text"].clone();
    assert_ne!(port(&first), port(&other));
    assert_ne!(query(&first), query(&other));
}

#[test]
fn demo_writes_a_capture_of_both_sides() {
    let path = std::env::temp_dir().join(format!("demo-{}.pcapng", std::process::id()));
    let output = demo(&["--pcap", path.to_str().unwrap()]);
    let written = std::fs::read(&path).unwrap();
    std::fs::remove_file(&path).unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert!(written.starts_with(&[0x0a, 0x0d, 0x0d, 0x0a]));
    let holds = |text: &[u8]| written.windows(text.len()).any(|window| window == text);
    assert!(holds(b" stands for 2001:db8:46:1::80") && holds(b"outside"));
}

#[test]
fn every_trip_of_every_act_succeeds() {
    for name in ["dns-nat46", "automap", "reserved-static", "mixed"] {
        let tour = Tour::play(&plan(name), 1).unwrap().unwrap();
        assert_eq!(tour.failed(), None, "{name}");
    }
}
