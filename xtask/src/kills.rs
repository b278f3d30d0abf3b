//! kill -9 at random moments while pods ask for new names.

use core::fmt::Write;
use std::collections::BTreeMap;
use std::fs;
use std::process::Command;

use crate::host::{program, start_with};
use crate::lab::{Lab, OUTSIDE, POD4, pause_millis};
use crate::process::text;
use crate::renew::copy;
use crate::step::Outcome;
use crate::tree::Tree;

/// Hosts that have names outside, and names that are asked for in one life.
const HOSTS: usize = 20_000;
const ASKED: usize = 400;
/// The longest life of a gateway under load, in milliseconds.
const LIFE: u64 = 400;

/// The step of the end-to-end tier.
pub(crate) fn check(tree: &Tree) -> Outcome {
    rounds(tree, 20)
}

/// Ends the gateway so many times, each time somewhere in a burst of new names; after each start, every
/// mapping that a pod was told is there, and the same.
pub(crate) fn rounds(tree: &Tree, rounds: usize) -> Outcome {
    let lab = Lab::up(tree, 1 << 10)?;
    let result = run(tree, &lab, rounds);
    result.map_err(|why| format!("{why}\nthe gateway's log:\n{}", lab.log("gateway.log")))
}

fn run(tree: &Tree, lab: &Lab, rounds: usize) -> Outcome {
    let folder = lab.folder.join("kills");
    copy(tree, &folder)?;
    let told = |error: std::io::Error| format!("{}: {error}", folder.display());
    let file = folder.join("egress.yaml");
    let resources = fs::read_to_string(&file).map_err(told)?;
    let resources = resources.replace("10.46.0.0/28", "10.46.0.0/16");
    let resources = resources.replace("10.20.2.216", "10.20.2.217");
    fs::write(&file, resources).map_err(told)?;
    let mut zone = lab.log("unbound.conf");
    let mut names = String::new();
    let mut data = String::from("  local-zone: \"many.example.\" static\n");
    for number in 0..HOSTS {
        let _ = writeln!(
            data,
            "  local-data: \"n{number}.many.example. 300 IN AAAA {}\"",
            host(number)
        );
        let _ = writeln!(names, "n{number}.many.example. A");
    }
    let at = zone.find("remote-control:").unwrap_or(zone.len());
    zone.insert_str(at, &data);
    let zone = zone.replace(
        "  interface: 10.20.2.216\n  interface: 2002::10:20:2:216\n",
        "  interface: 10.20.2.217\n",
    );
    let config = folder.join("unbound.conf");
    fs::write(&config, zone).map_err(told)?;
    lab.text(OUTSIDE, "ip addr add 10.20.2.217/24 dev eth0")?;
    let mut server = lab.command(OUTSIDE, "unbound");
    server.arg("-c").arg(&config);
    let _server = lab.launch(server, "unbound-many.log")?;
    let cache = folder.join("dnscache.yaml");
    let zones = fs::read_to_string(&cache).map_err(told)?;
    fs::write(&cache, zones.replace("10.20.2.216", "10.20.2.217")).map_err(told)?;

    let path = folder.to_string_lossy().into_owned();
    let names: Vec<&str> = names.lines().collect();
    let mut answered = BTreeMap::new();
    let (mut told_in_all, mut dice) = (0, 7_u64);
    for round in 0..=rounds {
        let gateway = start_with(tree, lab, &["--config", &path])?;
        compare(tree, lab, &answered).map_err(|why| format!("after kill {round}: {why}"))?;
        told_in_all += answered.len();
        if round == rounds {
            gateway.signal("TERM")?;
            gateway.ended()?;
            break;
        }
        let first = round * ASKED % HOSTS;
        let list = folder.join("names");
        let asked = names.iter().cycle().skip(first).take(ASKED);
        let asked: Vec<&str> = asked.copied().collect();
        fs::write(&list, asked.join("\n") + "\n").map_err(told)?;
        let mut dig = lab.command(POD4, "dig");
        dig.args([
            "@198.51.100.53",
            "+noall",
            "+answer",
            "+tries=1",
            "+time=1",
            "-f",
        ])
        .arg(&list);
        let asking = lab.launch(dig, "dig.log")?;
        dice = dice.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(0x14);
        pause_millis((dice >> 33) % LIFE);
        gateway.signal("KILL")?;
        drop(gateway);
        drop(asking);
        answered = answers(&lab.log("dig.log"));
        if round % 100 == 99 {
            println!(
                "{} of {rounds} kills, {told_in_all} answers compared",
                round + 1
            );
        }
    }
    if told_in_all < rounds {
        return Err(format!("only {told_in_all} answers came in {rounds} lives"));
    }
    Ok(format!(
        "{rounds} kills, {told_in_all} answered mappings, each there and the same"
    ))
}

fn host(number: usize) -> String {
    core::net::Ipv6Addr::new(0x2001, 0xdb8, 0x99, 0, 0, 0, 0, number as u16).to_string()
}

/// Addresses by the hosts that they were told to stand for.
fn answers(log: &str) -> BTreeMap<String, String> {
    log.lines()
        .filter_map(|line| {
            let mut words = line.split_whitespace();
            let number = words.next()?.strip_prefix('n')?.split('.').next()?;
            let number: usize = number.parse().ok()?;
            let address = words.nth(3)?;
            Some((host(number), address.to_owned()))
        })
        .collect()
}

fn compare(tree: &Tree, lab: &Lab, answered: &BTreeMap<String, String>) -> Result<(), String> {
    let mut export = Command::new(program(tree));
    export
        .args(["mappings", "export", "--all", "--state"])
        .arg(lab.folder.join("state"));
    let there = text(export)?;
    let there: BTreeMap<&str, &str> = there
        .lines()
        .filter_map(|line| line.split_once(','))
        .map(|(address, host)| (host, address))
        .collect();
    for (host, address) in answered {
        let found = there.get(host.as_str());
        if found != Some(&address.as_str()) {
            return Err(format!(
                "{address} was told to be {host}, which now has {found:?}"
            ));
        }
    }
    let hosts: std::collections::BTreeSet<&&str> = there.values().collect();
    if hosts.len() != there.len() {
        return Err("two hosts have one address".to_owned());
    }
    Ok(())
}
