//! `cargo xtask e2e`: what other people's programs make of ours.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::Command;

use crate::process::{cargo, exists, program, text, watch};
use crate::step::{Outcome, Step};
use crate::tree::Tree;

pub(crate) const STEPS: &[Step] = &[
    Step::new("packages", packages),
    Step::new("capture", capture),
    Step::new("resources", resources),
];

/// Debian packages, and a program of each that shows it is there.
const PACKAGES: &[(&str, &str)] = &[("tshark", "tshark")];

/// What tshark calls a broken packet: malformed, or with a checksum that is wrong or missing.
const BROKEN: &str = "_ws.malformed || ip.checksum.status==0 || tcp.checksum.status==0 \
    || udp.checksum.status==0 || udp.checksum.status==4 || icmp.checksum.status==0 \
    || icmpv6.checksum.status==0";
const PREFERENCES: &[&str] = &[
    "-o",
    "ip.check_checksum:TRUE",
    "-o",
    "tcp.check_checksum:TRUE",
    "-o",
    "udp.check_checksum:TRUE",
    // The links put packets out of order, on purpose.
    "-o",
    "tcp.reassemble_out_of_order:TRUE",
];

fn packages(tree: &Tree) -> Outcome {
    let user = text(program(tree, "id", "-u"))?;
    if user.trim() != "0" {
        return Err("this tier needs root".to_owned());
    }
    let missing: Vec<_> = PACKAGES
        .iter()
        .filter(|(_, program)| !exists(program, "--version"))
        .map(|(package, _)| *package)
        .collect();
    if missing.is_empty() {
        return Ok("all there".to_owned());
    }
    watch(program(tree, "apt-get", "update -q"))?;
    let mut install = program(tree, "apt-get", "install -y -q --no-install-recommends");
    install
        .args(&missing)
        .env("DEBIAN_FRONTEND", "noninteractive");
    watch(install)?;
    Ok(missing.join(" "))
}

/// A story on the simulated network, as tshark sees it.
fn capture(tree: &Tree) -> Outcome {
    let capture = Capture {
        path: tree.target.join("e2e.pcapng"),
    };
    let mut run = cargo(
        tree,
        "run --locked --release --package egress-gateway --example capture --",
    );
    run.arg(&capture.path);
    watch(run)?;

    let broken = capture.rows(BROKEN, &["frame.number", "_ws.col.Info"])?;
    if !broken.is_empty() {
        return Err(format!(
            "{} broken packets, the first: {:?}",
            broken.len(),
            broken[0]
        ));
    }
    let all = capture.rows("frame", &["frame.interface_name"])?;
    let interfaces: BTreeSet<_> = all.iter().map(|row| row[0].as_str()).collect();
    if interfaces != BTreeSet::from(["pod-ipv4", "pod-ipv6"]) {
        return Err(format!(
            "one interface per pod was expected, found {interfaces:?}"
        ));
    }
    for (family, record) in [
        ("ip", "dns.a==192.0.2.80"),
        ("ipv6", "dns.aaaa==2001:db8::80"),
    ] {
        for (what, filter) in [
            ("query", "dns.flags.response==0".to_owned()),
            ("answer", format!("dns.flags.response==1 && {record}")),
            (
                "whole page",
                "http.response.code==200 && http.content_length==1048576 && data.len==1048576"
                    .to_owned(),
            ),
        ] {
            let found = capture.rows(&format!("{family} && {filter}"), &["frame.number"])?;
            if found.is_empty() {
                return Err(format!("{family}: no {what} in the capture"));
            }
        }
    }
    Ok(format!("{} packets, none broken", all.len()))
}

/// The program reads the sample resources as its README says.
fn resources(tree: &Tree) -> Outcome {
    watch(cargo(
        tree,
        "build --locked --release --package egress-gateway",
    ))?;
    for (path, wanted) in [
        ("sets/automap", 0),
        ("sets/dns-nat46", 0),
        ("sets/reserved-static", 0),
        ("sets/mixed", 0),
        ("reject/two-faults.yaml", 2),
    ] {
        let mut run = Command::new(tree.target.join("release/egress-gateway"));
        run.current_dir(&tree.root)
            .args(["check", &format!("egress-config/tests/samples/{path}")]);
        let output = run
            .output()
            .map_err(|error| format!("egress-gateway can't start: {error}"))?;
        println!("check …/{path}: {}", output.status);
        if output.status.code() != Some(wanted) {
            return Err(format!(
                "check of `{path}`: {}, exit code {wanted} expected",
                output.status
            ));
        }
    }
    Ok("four sets, one reject".to_owned())
}

/// A pcapng file, read by tshark.
struct Capture {
    path: PathBuf,
}

impl Capture {
    /// The wanted fields of each packet that a display filter lets through.
    fn rows(&self, filter: &str, fields: &[&str]) -> Result<Vec<Vec<String>>, String> {
        let mut command = Command::new("tshark");
        command
            .arg("-r")
            .arg(&self.path)
            .args(PREFERENCES)
            .args(["-Y", filter, "-T", "fields"]);
        fields.iter().for_each(|field| {
            command.args(["-e", field]);
        });
        let printed = text(command)?;
        Ok(printed
            .lines()
            .map(|line| line.split('\t').map(ToOwned::to_owned).collect())
            .collect())
    }
}
