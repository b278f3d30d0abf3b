//! `cargo xtask e2e`: what other people's programs make of ours.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::Command;

use crate::process::{cargo, exists, program, text, watch};
use crate::step::{Outcome, Step};
use crate::tree::Tree;
use crate::{host, kills, lab, load, redis, storm};

pub(crate) const STEPS: &[Step] = &[
    Step::new("packages", packages),
    Step::new("demo", demo),
    Step::new("capture", capture),
    Step::new("acts", acts),
    Step::new("resources", resources),
    Step::new("host", host::check),
    Step::new("load", load::check),
    Step::new("kills", kills::check),
    Step::new("storm", storm::check),
    Step::new("redis", redis::check),
];

/// Debian packages, and a program of each that shows it is there.
const PACKAGES: &[(&str, &str)] = &[("tshark", "tshark")];

/// What tshark calls a broken packet: malformed, or with a checksum that is wrong or missing.
const BROKEN: &str = "_ws.malformed || ip.checksum.status==0 || tcp.checksum.status==0 \
    || udp.checksum.status==0 || udp.checksum.status==4 || icmp.checksum.status==0 \
    || icmpv6.checksum.status==0";
/// The resources that the demo runs by default.
const STORY: &str = "gateway/samples/sets/dns-nat46";
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
    let mut missing: Vec<_> = PACKAGES
        .iter()
        .filter(|(_, program)| !exists(program, "--version"))
        .map(|(package, _)| *package)
        .collect();
    missing.extend(lab::missing());
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

/// The README's main command, as a person would run it.
fn demo(tree: &Tree) -> Outcome {
    watch(cargo(
        tree,
        "run --locked --release --package egress-gateway -- demo",
    ))?;
    // The user's own resources: two sets play to the end, and one has no DNS46 to show.
    for (set, wanted) in [("reserved-static", 0), ("mixed", 0), ("automap", 2)] {
        let mut run = gateway(tree);
        run.args(["demo", "--config", &format!("gateway/samples/sets/{set}")]);
        exits(run, &format!("demo --config …/{set}"), wanted)?;
    }
    Ok("reserved-static, mixed, automap".to_owned())
}

/// The demo's packets as tshark sees them.
fn capture(tree: &Tree) -> Outcome {
    let capture = Capture {
        path: tree.target.join("e2e-demo.pcapng"),
    };
    let mut run = gateway(tree);
    run.args(["demo", "--config", STORY, "--pcap"])
        .arg(&capture.path);
    watch(run)?;

    let sound = capture.is_sound()?;
    let all = capture.rows("frame", &["frame.interface_name"])?;
    let interfaces: BTreeSet<_> = all.iter().map(|row| row[0].as_str()).collect();
    if interfaces.len() != 2 {
        return Err(format!(
            "one interface per side was expected, found {interfaces:?}"
        ));
    }

    let story = tree.files(&["yaml", "yml"])?;
    let story: Vec<_> = story
        .iter()
        .filter(|path| path.starts_with(STORY))
        .collect();
    let mut resources = String::new();
    for path in &story {
        resources.push_str(&tree.read(&path.to_string_lossy())?);
    }

    // Two pods ask A over IPv4, at a resolver that answers nothing else than DNS because it does not exist.
    let queries = capture.rows(
        "ip && dns.flags.response==0 && dns.qry.type==1",
        &["ip.src", "ip.dst", "dns.qry.name"],
    )?;
    let pods: BTreeSet<_> = queries.iter().map(|row| row[0].as_str()).collect();
    let names: BTreeSet<_> = queries.iter().map(|row| row[2].as_str()).collect();
    if pods.len() < 2 || names.len() < 2 {
        return Err(format!(
            "A queries of two pods for two names were expected, found {queries:?}"
        ));
    }

    // Each name is answered with an A, and its pod connects to that very address.
    let mut mapped = BTreeSet::new();
    for row in capture.rows(
        "ip && dns.flags.response==1 && dns.a",
        &["ip.src", "ip.dst", "dns.a", "dns.qry.name"],
    )? {
        for address in row[2].split(',') {
            mapped.insert((row[1].clone(), address.to_owned()));
        }
    }
    let mut connected = 0;
    let mut hosts = BTreeSet::new();
    for (pod, address) in &mapped {
        let filter =
            format!("ip.src=={pod} && ip.dst=={address} && tcp.flags.syn==1 && tcp.flags.ack==0");
        if !capture.rows(&filter, &["tcp.dstport"])?.is_empty() {
            connected += 1;
            hosts.insert(address.clone());
        }
    }
    if connected < 2 || hosts.len() < 2 {
        return Err(format!(
            "two pods connected to two synthesized addresses were expected; answers: {mapped:?}"
        ));
    }

    // The same exchange in IPv6, from addresses of the SNAT pool, and the pages on both sides.
    let outside = capture.rows(
        "ipv6 && tcp.flags.syn==1 && tcp.flags.ack==0",
        &["ipv6.src", "ipv6.dst"],
    )?;
    let sources: BTreeSet<_> = outside.iter().map(|row| row[0].as_str()).collect();
    let servers: BTreeSet<_> = outside.iter().map(|row| row[1].as_str()).collect();
    if servers.len() < 2 {
        return Err(format!(
            "connections to two IPv6 servers were expected, found {outside:?}"
        ));
    }
    if let Some(foreign) = sources.iter().find(|source| !resources.contains(**source)) {
        return Err(format!(
            "{foreign} is no address of the resources in {STORY}"
        ));
    }
    for family in ["ip", "ipv6"] {
        let pages = capture.rows(
            &format!("{family} && http.response.code==200"),
            &["http.content_length"],
        )?;
        if pages.len() < 2 || pages.iter().any(|row| row[0] != pages[0][0]) {
            return Err(format!(
                "{family}: two pages of one length were expected, found {pages:?}"
            ));
        }
    }
    Ok(format!(
        "{sound}; {} queries, {connected} connections",
        queries.len()
    ))
}

/// Every way through the gateway, as tshark sees it.
fn acts(tree: &Tree) -> Outcome {
    let capture = Capture {
        path: tree.target.join("e2e-acts.pcapng"),
    };
    let mut run = gateway(tree);
    run.args(["demo", "--pcap"]).arg(&capture.path);
    watch(run)?;
    capture.is_sound()
}

/// The program reads the sample resources as its README says.
fn resources(tree: &Tree) -> Outcome {
    for (path, wanted) in [
        ("sets/automap", 0),
        ("sets/dns-nat46", 0),
        ("sets/reserved-static", 0),
        ("sets/mixed", 0),
        ("reject/two-faults.yaml", 2),
    ] {
        let mut run = gateway(tree);
        run.args(["check", &format!("egress-config/tests/samples/{path}")]);
        exits(run, &format!("check …/{path}"), wanted)?;
    }
    Ok("four sets, one reject".to_owned())
}

/// The program that the step `demo` built.
fn gateway(tree: &Tree) -> Command {
    let mut command = Command::new(tree.target.join("release/egress-gateway"));
    command.current_dir(&tree.root);
    command
}

/// Runs a command that is to exit with a certain code.
fn exits(mut run: Command, what: &str, wanted: i32) -> Result<(), String> {
    let output = run
        .output()
        .map_err(|error| format!("egress-gateway can't start: {error}"))?;
    println!("{what}: {}", output.status);
    if output.status.code() == Some(wanted) {
        return Ok(());
    }
    let errors = String::from_utf8_lossy(&output.stderr);
    Err(format!(
        "{what}: {}, exit code {wanted} expected\n{errors}",
        output.status
    ))
}

/// A pcapng file, read by tshark.
struct Capture {
    path: PathBuf,
}

impl Capture {
    /// Whether no packet is broken in any way; says how many there are.
    fn is_sound(&self) -> Outcome {
        let broken = self.rows(BROKEN, &["frame.number", "_ws.col.Info"])?;
        if let Some(first) = broken.first() {
            let count = broken.len();
            return Err(format!("{count} broken packets, the first: {first:?}"));
        }
        let all = self.rows("frame", &["frame.number"])?;
        Ok(format!("{} packets, none broken", all.len()))
    }

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
