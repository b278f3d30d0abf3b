//! The commands that read resource files, as a user runs them.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};

fn run(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_egress-gateway"))
        .args(arguments)
        .output()
        .unwrap()
}

fn code(output: &Output) -> i32 {
    output.status.code().unwrap()
}

fn text(bytes: &[u8]) -> &str {
    core::str::from_utf8(bytes).unwrap()
}

/// A set of the samples, as a path.
fn set(name: &str) -> String {
    let samples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../egress-config/tests/samples");
    samples.join(name).to_str().unwrap().to_owned()
}

#[test]
fn check_exits_by_the_worst_finding() {
    let (clean, warned) = (set("sets/automap"), set("sets/dns-nat46"));
    let faulty = set("reject/port-too-large.yaml");
    assert_eq!(code(&run(&["check", &clean])), 0);
    assert_eq!(code(&run(&["check", "--strict", &clean])), 0);
    assert_eq!(code(&run(&["check", &warned])), 0);
    assert_eq!(code(&run(&["check", "--strict", &warned])), 1);
    assert_eq!(code(&run(&["check", &faulty])), 2);
    assert_eq!(code(&run(&["check", "--strict", &faulty])), 2);
    assert_eq!(code(&run(&["check", "/nowhere"])), 2);
    assert_eq!(code(&run(&["check"])), 2);
}

#[test]
fn check_prints_one_line_a_finding_for_editors() {
    let faulty = set("reject/two-faults.yaml");
    let output = run(&["check", "--format", "short", &faulty]);
    let lines: Vec<&str> = text(&output.stdout).lines().collect();
    assert_eq!(lines.len(), 3);
    assert!(lines[1].ends_with(":20:23: error[wrong-family]: 2002::/64 is not an IPv4 subnet"));
}

#[test]
fn check_prints_one_object_a_line_for_programs() {
    let output = run(&["check", "--format", "json", &set("reject/two-faults.yaml")]);
    for line in text(&output.stdout).lines() {
        let finding: serde_json::Value = serde_json::from_str(line).unwrap();
        assert!(
            finding["file"]
                .as_str()
                .unwrap()
                .ends_with("two-faults.yaml")
        );
        assert!(finding["line"].is_u64() && finding["column"].is_u64());
    }
}

#[test]
fn check_reads_standard_input_and_several_paths() {
    let mut child = Command::new(env!("CARGO_BIN_EXE_egress-gateway"))
        .args(["check", "--format", "short", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    input
        .write_all(b"apiVersion: k8s.f5net.com/v1\nkind: F5SPKEgress\n")
        .unwrap();
    drop(input);
    let output = child.wait_with_output().unwrap();
    assert_eq!(
        text(&output.stdout),
        "<stdin>:2:7: error[missing-field]: metadata with a name is missing\n"
    );
    assert_eq!(code(&output), 2);
    // References lead from one path into another.
    let folder = set("sets/mixed");
    let files =
        ["egress", "dnscache", "snatpool", "vlans"].map(|file| format!("{folder}/{file}.yaml"));
    assert_eq!(
        code(&run(&[
            "check", "--strict", &files[0], &files[1], &files[2], &files[3]
        ])),
        0
    );
    assert_eq!(code(&run(&["check", &files[0], &files[1]])), 2);
}

#[test]
fn plan_draws_the_subnet() {
    let output = run(&["plan", &set("sets/dns-nat46")]);
    assert_eq!(code(&output), 0);
    let table = text(&output.stdout);
    assert!(table.contains("|rrrrrr0000000000"), "{table}");
    assert!(
        table.contains("replica 3    10.40.100.197   to 10.40.100.253"),
        "{table}"
    );
    assert!(text(&output.stderr).contains("warning[replica-without-snat-list]"));
}

#[test]
fn plan_prints_data() {
    let set = set("sets/reserved-static");
    let json = |arguments: &[&str]| -> serde_json::Value {
        let mut all = vec!["plan", set.as_str(), "-o", "json"];
        all.extend(arguments);
        serde_json::from_slice(&run(&all).stdout).unwrap()
    };
    assert_eq!(json(&[])[1]["dns46"]["slice"], "10.1.1.192-10.1.1.255");
    assert_eq!(
        json(&["--replica", "0"])["dns46"]["slice"],
        "10.1.1.128-10.1.1.191"
    );
    assert_eq!(
        json(&["--egress", "spk-ingress/egress-reserved"])[0]["replicas"],
        2
    );
    let yaml = run(&["plan", &set, "--replica", "1", "-o", "yaml"]);
    assert!(text(&yaml.stdout).contains("  usable: \"10.1.1.192-10.1.1.254\"\n"));
}

#[test]
fn plan_says_why_there_is_none() {
    let refused = |arguments: &[&str], why: &str| {
        let output = run(arguments);
        assert_eq!(code(&output), 2);
        assert!(
            text(&output.stderr).contains(why),
            "{}",
            text(&output.stderr)
        );
        assert_eq!(text(&output.stdout), "");
    };
    refused(
        &["plan", &set("sets/two-domains")],
        "error: no F5SPKEgress among the resources",
    );
    refused(
        &["plan", &set("reject/ttl-zero.yaml")],
        "error: the resources have errors (1)",
    );
    refused(
        &["plan", &set("sets/mixed"), "--replica", "2"],
        "error: no replica 2",
    );
    refused(
        &["plan", &set("sets/mixed"), "--egress", "x"],
        "error: no F5SPKEgress is called x",
    );
}

#[test]
fn diff_refuses_another_subnet() {
    let (old, new) = (set("sets/dns-nat46"), set("sets/reserved-static"));
    let output = run(&["diff", &old, &new]);
    assert_eq!(code(&output), 1);
    assert!(text(&output.stdout).contains("dns46.subnet\n  - 10.40.100.0/24\n  + 10.1.1.0/24\n"));
    assert_eq!(code(&run(&["diff", "--drain", &old, &new])), 0);
    let same = run(&["diff", &old, &old]);
    assert_eq!((code(&same), text(&same.stdout)), (0, "nothing changes\n"));
    assert_eq!(code(&run(&["diff", &old, &set("reject/ttl-zero.yaml")])), 2);
}

#[test]
fn explain_prints_the_page_of_a_code() {
    let output = run(&["explain", "overlap"]);
    assert_eq!(
        (code(&output), text(&output.stdout)),
        (0, egress_config::Code::Overlap.page())
    );
    assert_eq!(code(&run(&["explain", "nothing"])), 2);
    let all = run(&["explain"]);
    assert_eq!(
        text(&all.stdout).lines().count(),
        egress_config::Code::ALL.len()
    );
}

#[test]
fn crds_prints_what_deploy_holds() {
    let output = run(&["crds"]);
    assert_eq!(code(&output), 0);
    let committed: String = ["egresses", "dnscaches", "snatpools", "vlans"]
        .iter()
        .map(|plural| {
            let path = format!("../deploy/crds/f5-spk-{plural}.k8s.f5net.com.yaml");
            let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
            format!("---\n{}", std::fs::read_to_string(path).unwrap())
        })
        .collect();
    assert!(text(&output.stdout) == committed);
}
