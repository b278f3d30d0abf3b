//! Several gateways, one mapping database: servers that fail, and gateways that do.

mod manual;
mod rate;
mod replicas;
mod ring;
mod secure;

use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet};

use crate::lab::{Running, rest};
use crate::process::{exists, program, text};
use crate::step::Outcome;
use crate::tree::Tree;
use ring::{COUNT, Ring, now};

/// How much is asked of it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Scale {
    /// New names of each trouble.
    pub(crate) names: usize,
    /// How often rates are compared.
    pub(crate) rounds: usize,
}

/// Scaled down, but for what `E2E_NAMES` says.
const SMALL: Scale = Scale {
    names: 900,
    rounds: 3,
};

/// Numbers of names that single checks use.
const FIRST: usize = 64;

pub(crate) fn check(tree: &Tree) -> Outcome {
    let names = match std::env::var("E2E_NAMES") {
        Ok(names) => names
            .parse()
            .map_err(|_| "E2E_NAMES: a number was expected")?,
        Err(_) => SMALL.names,
    };
    check_with(tree, Scale { names, ..SMALL })
}

pub(crate) fn check_with(tree: &Tree, scale: Scale) -> Outcome {
    let mut told = run(tree, "redis", scale)?;
    if exists("valkey-server", "--version") {
        told = format!("{told}; with Valkey: {}", run(tree, "valkey", scale)?);
    } else {
        let policy = text(program(tree, "apt-cache", "policy valkey-server"))?;
        if policy.contains("Candidate") && !policy.contains("Candidate: (none)") {
            return Err("Debian has Valkey: install valkey-server and valkey-sentinel".to_owned());
        }
        told.push_str("; this Debian has no Valkey");
    }
    Ok(told)
}

fn run(tree: &Tree, kind: &'static str, scale: Scale) -> Outcome {
    let mut ring = Ring::up(tree, kind, FIRST + 6 * scale.names)?;
    let result = all(&mut ring, scale);
    result.map_err(|why| {
        let logs = fs_logs(&ring);
        format!("{why}\nthe gateways' logs:\n{logs}")
    })
}

fn fs_logs(ring: &Ring) -> String {
    let mut logs = String::new();
    let entries = std::fs::read_dir(&ring.folder).into_iter().flatten();
    let mut names: Vec<String> = entries
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter(|name| name.starts_with("gateway-") || name.starts_with("spare"))
        .collect();
    names.sort();
    for name in names {
        logs.push_str(&format!("--- {name}\n{}", ring.log(&name)));
    }
    logs
}

fn all(ring: &mut Ring, scale: Scale) -> Outcome {
    let names = scale.names;
    let mut said = BTreeMap::new();
    for number in 0..COUNT {
        ring.start_gateway(number)?;
    }
    for number in 0..COUNT {
        ready(ring, number, "up", 15)?;
    }
    shared(ring, &mut said)?;
    manual::session(ring)?;
    let mut from = FIRST;
    for (what, trouble) in TROUBLES {
        let began = now();
        under(ring, &mut said, what, from..from + names, *trouble)?;
        from += names;
        println!(
            "{what}: {names} new names, {:.1} s",
            began.elapsed().as_secs_f32()
        );
    }
    away(ring, &mut said, from..from + names)?;
    from += names;
    let rest = from..from + names;
    let whole = rate::whole(ring, &mut said, rest.start..rest.start + names / 2)?;
    let killed = rest.start + names / 2..rest.end;
    replicas::taken_over(ring, &mut said, killed)?;
    consistent(ring, &said)?;
    let alone = rate::alone(ring, scale.rounds)?;
    secure::check(ring)?;
    let count = said.len();
    Ok(format!(
        "{alone}; a whole gateway answers {whole:.0} new names a second; {count} names told, none lost, \
         no address with two hosts"
    ))
}

/// Waits until a gateway says that it is ready, and how the store is.
fn ready(ring: &Ring, number: usize, store: &str, seconds: u64) -> Result<(), String> {
    let wanted = format!("\"store\":\"{store}\"");
    ring.until(
        &format!("gateway {number} is not ready, {store}"),
        seconds,
        |ring| {
            let told = ring.get(number, "/readyz")?;
            if told.contains("\"ready\":true") && told.contains(&wanted) {
                Ok(())
            } else {
                Err(told)
            }
        },
    )
}

/// What names were told to be, by number.
type Said = BTreeMap<usize, String>;

/// Asks for names by way of a gateway; that runs.
fn asking(
    ring: &Ring,
    pod: usize,
    first: usize,
    count: usize,
    rate: usize,
) -> Result<Running, String> {
    let mut asker = ring.command(&format!("p{pod}"), "python3");
    asker.arg(ring.folder.join("asker.py"));
    asker.args([
        "198.51.100.53",
        &first.to_string(),
        &count.to_string(),
        &rate.to_string(),
    ]);
    ring.launch(asker, &format!("asker-{pod}-{first}.log"))
}

/// What an asker was told; the longest wait, and refusals.
fn answers(ring: &Ring, said: &mut Said, pod: usize, first: usize) -> Result<(f32, u32), String> {
    let (mut longest, mut refusals) = (0_f32, 0);
    let log = ring.log(&format!("asker-{pod}-{first}.log"));
    for line in log.lines().filter(|line| !line.starts_with('#')) {
        let words: Vec<&str> = line.split(' ').collect();
        let [number, address, seconds, _, failures] = words.as_slice() else {
            return Err(format!("the asker prints {line:?}"));
        };
        let number: usize = number.parse().map_err(|_| line.to_owned())?;
        if let Some(before) = said.insert(number, (*address).to_owned())
            && before != *address
        {
            return Err(format!("n{number}.example was {before} and is {address}"));
        }
        longest = longest.max(seconds.parse().unwrap_or(0.0));
        refusals += failures.parse::<u32>().unwrap_or(0);
    }
    Ok((longest, refusals))
}

/// Asks for one name.
fn one(ring: &Ring, said: &mut Said, pod: usize, number: usize) -> Result<String, String> {
    asking(ring, pod, number, 1, 1000)?.ended()?;
    answers(ring, said, pod, number)?;
    said.get(&number)
        .cloned()
        .ok_or_else(|| "no answer".to_owned())
}

/// A mapping of one gateway is all gateways' at once.
fn shared(ring: &Ring, said: &mut Said) -> Result<(), String> {
    for maker in 0..COUNT {
        let address = one(ring, said, maker, maker + 1)?;
        for other in (0..COUNT).filter(|other| *other != maker) {
            // A first packet that is lost would be sent again after a second.
            let mut echo = ring.command(&format!("p{other}"), "python3");
            echo.arg(ring.folder.join("echo.py"))
                .args([&address, "0.3"]);
            let told = text(echo).map_err(|why| format!("{address} through {other}: {why}"))?;
            let took = told
                .split(' ')
                .nth(2)
                .and_then(|took| took.parse::<f32>().ok());
            if took.is_none_or(|took| took > 0.8) {
                return Err(format!("{address} through {other}: {told}"));
            }
        }
        // Whoever is asked next names that address, and makes none of its own.
        ring.until("a mapping is not known everywhere", 3, |ring| {
            let mut said = BTreeMap::new();
            let again = one(ring, &mut said, (maker + 1) % COUNT, maker + 1)?;
            if again == address {
                Ok(())
            } else {
                Err(format!("n{}.example is {address} and {again}", maker + 1))
            }
        })?;
    }
    println!(
        "mappings of each gateway carry traffic through the others, the first packet included"
    );
    Ok(())
}

type Trouble = fn(&mut Ring) -> Result<(), String>;

const TROUBLES: &[(&str, Trouble)] = &[
    ("no trouble", |_| {
        rest(Duration::from_secs(1));
        Ok(())
    }),
    ("master killed", |ring| {
        let master = ring.master()?;
        // The process is killed, and comes again when there is another master.
        ring.servers[master] = None;
        switched(ring, master)?;
        ring.start_server(master)
    }),
    ("master stopped for 10 s", |ring| {
        let master = ring.master()?;
        signal(&ring.servers[master], "STOP")?;
        rest(Duration::from_secs(10));
        signal(&ring.servers[master], "CONT")?;
        switched(ring, master)
    }),
    ("master cut off for 8 s", |ring| {
        let master = ring.master()?;
        ring.text("hub", &format!("ip link set s{master} down"))?;
        rest(Duration::from_secs(8));
        ring.text("hub", &format!("ip link set s{master} up"))?;
        switched(ring, master)
    }),
];

fn signal(running: &Option<Running>, signal: &str) -> Result<(), String> {
    let running = running.as_ref().ok_or("it does not run")?;
    running.signal(signal)
}

fn switched(ring: &Ring, before: usize) -> Result<(), String> {
    ring.until("no other server is made master", 20, |ring| {
        let master = ring.master()?;
        if master == before {
            return Err(format!("{master} still is"));
        }
        Ok(())
    })
}

/// New names and established flows through all gateways, while something happens to the servers.
fn under(
    ring: &mut Ring,
    said: &mut Said,
    what: &str,
    names: core::ops::Range<usize>,
    trouble: Trouble,
) -> Result<(), String> {
    let told = |why: String| format!("{what}: {why}");
    // Each pod's flow goes through its gateway to a mapping that the next gateway made.
    let mut flows = Vec::new();
    for pod in 0..COUNT {
        let address = said.get(&((pod + 1) % COUNT + 1)).cloned();
        let mut echo = ring.command(&format!("p{pod}"), "python3");
        echo.arg(ring.folder.join("echo.py"));
        echo.args([address.as_deref().unwrap_or_default(), "16"]);
        flows.push(ring.launch(echo, &format!("echo-{pod}-{}.log", names.start))?);
    }
    let share = names.len() / COUNT;
    let mut askers = Vec::new();
    for pod in 0..COUNT {
        let first = names.start + pod * share;
        askers.push(asking(ring, pod, first, share, share.div_ceil(12))?);
    }
    rest(Duration::from_secs(1));
    trouble(ring).map_err(told)?;
    let (mut longest, mut refusals) = (0_f32, 0);
    for (pod, asker) in askers.into_iter().enumerate() {
        let ended = asker.ended();
        let (waited, refused) = answers(ring, said, pod, names.start + pod * share)?;
        ended.map_err(|why| told(format!("not all names were answered: {why}")))?;
        longest = longest.max(waited);
        refusals += refused;
    }
    for (pod, flow) in flows.into_iter().enumerate() {
        let log = format!("echo-{pod}-{}.log", names.start);
        flow.ended().map_err(|why| {
            told(format!(
                "an established flow broke: {why}: {}",
                ring.log(&log)
            ))
        })?;
    }
    for number in 0..COUNT {
        ready(ring, number, "up", 15).map_err(told)?;
    }
    println!("{what}: the longest wait for an answer was {longest:.3} s, {refusals} refusals");
    consistent(ring, said).map_err(told)
}

/// Everything that was told is in the store, once it has healed, and no address ever had two hosts.
fn consistent(ring: &Ring, said: &Said) -> Result<(), String> {
    let mut hosts: BTreeMap<&str, BTreeSet<usize>> = BTreeMap::new();
    for (number, address) in said {
        hosts.entry(address).or_default().insert(*number);
    }
    if let Some((address, names)) = hosts.iter().find(|(_, names)| names.len() > 1) {
        return Err(format!("{address} was told for the hosts of {names:?}"));
    }
    ring.until("the store does not have all that was told", 15, |ring| {
        let master = ring.master()?;
        let store = dump(ring, master)?;
        for (number, address) in said {
            let found = store.get(address).cloned().unwrap_or_default();
            if found != ring::host(*number) {
                return Err(format!(
                    "n{number}.example is {address}, which stands for {found:?} in the store"
                ));
            }
        }
        Ok(())
    })?;
    // Gateways agree with each other, whatever each of them knows.
    let mut known: BTreeMap<String, String> = BTreeMap::new();
    for number in 0..COUNT {
        for line in ring.ask(number, "show mappings -o csv")?.lines().skip(1) {
            let cells: Vec<&str> = line.split(',').collect();
            if let [address, host, state, ..] = cells.as_slice()
                && *state != "quarantine"
                && let Some(before) = known.insert((*address).to_owned(), (*host).to_owned())
                && before != *host
            {
                return Err(format!(
                    "{address} is {before} to one gateway and {host} to {number}"
                ));
            }
        }
    }
    Ok(())
}

/// Address to host, as a server has them.
fn dump(ring: &Ring, server: usize) -> Result<BTreeMap<String, String>, String> {
    let line = "local t = {} for _, k in ipairs(redis.call('KEYS', 't_dns46*')) do \
                t[#t + 1] = string.sub(k, 8) .. ' ' .. redis.call('GET', k) end return t";
    let mut command = ring.command(&format!("s{server}"), "timeout");
    command.args([
        "5",
        "redis-cli",
        "-h",
        &Ring::address(server),
        "EVAL",
        line,
        "0",
    ]);
    let told = text(command)?;
    let pairs = told.lines().filter_map(|line| line.split_once(' '));
    Ok(pairs
        .map(|(address, host)| (address.to_owned(), host.to_owned()))
        .collect())
}

/// Without any server answers go on, and the store knows them all once it is back.
fn away(ring: &mut Ring, said: &mut Said, names: core::ops::Range<usize>) -> Result<(), String> {
    ring.ask(1, "mappings set 10.46.0.5 2001:db8:46:1::fff5")?;
    manual::everywhere(ring, "10.46.0.5", Some("2001:db8:46:1::fff5"))?;
    let share = names.len() / COUNT;
    let address = said.get(&1).cloned().unwrap_or_default();
    for server in &ring.servers {
        signal(server, "STOP")?;
    }
    for number in 0..COUNT {
        ready(ring, number, "away", 10)?;
    }
    let mut askers = Vec::new();
    for pod in 0..COUNT {
        let rate = share.min(400);
        askers.push(asking(ring, pod, names.start + pod * share, share, rate)?);
    }
    for (pod, asker) in askers.into_iter().enumerate() {
        let ended = asker.ended();
        let (_, refused) = answers(ring, said, pod, names.start + pod * share)?;
        ended.map_err(|why| format!("store away: not all names were answered: {why}"))?;
        if refused > 0 {
            return Err(format!("store away: {refused} refusals"));
        }
    }
    let mut echo = ring.command("p0", "python3");
    echo.arg(ring.folder.join("echo.py"))
        .args([&address, "0.3"]);
    text(echo).map_err(|why| format!("store away: {why}"))?;
    ring.ask(1, "mappings set 10.46.0.6 2001:db8:46:1::fff6")?;
    ring.ask(1, "mappings delete 10.46.0.5")?;
    // Neither is forgotten by a process that starts before the store is back.
    ring.gateways[1] = None;
    ring.start_gateway(1)?;
    ready(ring, 1, "away", 15)?;
    let metrics = ring.get(0, "/metrics")?;
    if !metrics.contains("egress_store{what=\"up\"} 0") {
        return Err(format!("store away: the metrics are\n{metrics}"));
    }
    for server in &ring.servers {
        signal(server, "CONT")?;
    }
    for number in 0..COUNT {
        ready(ring, number, "up", 30)?;
    }
    manual::everywhere(ring, "10.46.0.6", Some("2001:db8:46:1::fff6"))?;
    // That an entry is missing is believed once whoever may have to write it again has had the time.
    manual::within(ring, "10.46.0.5", None, 10)?;
    println!(
        "store away: {} names answered from the journals, and caught up",
        names.len()
    );
    consistent(ring, said)
}
