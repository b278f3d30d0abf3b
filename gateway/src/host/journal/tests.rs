use core::hint::black_box;
use core::time::Duration;
use std::process::Command;
use std::time::Instant;

use egress_config::{Plan, Sources};
use egress_gateway::Gateway;

use super::*;

const ROUNDS: usize = 7;

/// A pool that a million mappings fit into, all of it this replica's.
fn plan() -> Plan {
    let mut sources = Sources::new();
    let egress = include_str!("../../../samples/sets/reserved-static/egress.yaml")
        .replace("10.1.1.0/24", "10.64.0.0/11")
        .replace("maxTmmReplicas: 2", "maxTmmReplicas: 1");
    sources.add("egress.yaml", egress);
    for text in [
        include_str!("../../../samples/sets/reserved-static/dnscache.yaml"),
        include_str!("../../../samples/sets/reserved-static/vlans.yaml"),
    ] {
        sources.add("more.yaml", text);
    }
    let checked = egress_config::check(&sources);
    checked.plan(0).expect("the sample is valid")
}

/// How long it takes to be ready with a million mappings, against what redb alone needs to iterate over them:
/// each time in the first thread of a process of its own, as at a start. Without `JOURNAL_MAPPINGS`, a
/// thousand are loaded and nothing is measured.
#[test]
fn a_million_mappings_load_within_three_times_what_redb_needs_to_iterate() {
    const PART: &str = "JOURNAL_LOAD_PART";
    const NAME: &str = "host::journal::tests::a_million_mappings_load_within_three_times_what_redb_needs_to_iterate";
    let wanted = std::env::var("JOURNAL_MAPPINGS").ok();
    let mappings = wanted
        .as_deref()
        .map_or(1000, |wanted| wanted.parse().expect("a number"));
    if let Ok(part) = std::env::var(PART) {
        let (part, path) = part.split_once(' ').expect("a part and a path");
        let path = Path::new(path);
        let time = if part == "iterate" {
            iterate(path)
        } else {
            ready(path, mappings)
        };
        println!("\ntook {}", time.as_nanos());
        return;
    }
    let path = std::env::temp_dir().join(format!("journal-load-{}", std::process::id()));
    fill(&path, mappings);
    if wanted.is_none() {
        ready(&path, mappings);
        let _ = std::fs::remove_file(&path);
        return;
    }
    let time = |part: &str| {
        let output = Command::new(std::env::current_exe().expect("it runs"))
            .args([NAME, "--exact", "--nocapture", "--test-threads=1"])
            .env(PART, format!("{part} {}", path.display()))
            .output()
            .expect("it runs again");
        let told = String::from_utf8_lossy(&output.stdout).into_owned();
        let took = told.lines().find_map(|line| line.strip_prefix("took "));
        took.and_then(|took| took.parse().ok())
            .unwrap_or_else(|| panic!("{told}"))
    };
    let mut ratios: Vec<f64> = (0..ROUNDS)
        .map(|_| {
            let (iterated, loaded): (f64, f64) = (time("iterate"), time("load"));
            println!(
                "iterated in {:.1} ms, ready in {:.1} ms",
                iterated / 1e6,
                loaded / 1e6
            );
            loaded / iterated
        })
        .collect();
    let _ = std::fs::remove_file(&path);
    ratios.sort_by(f64::total_cmp);
    let [least, median, most] = [0, ROUNDS / 2, ROUNDS - 1].map(|index| ratios[index]);
    println!("{mappings} mappings: {median:.2} of redb's iteration ({least:.2} to {most:.2})");
    assert!(median <= 3.0, "{median}");
}

fn fill(path: &Path, mappings: u32) {
    let first = Ipv4Addr::new(10, 64, 1, 0).to_bits();
    let database = Database::create(path).expect("the file can be made");
    let write = database.begin_write().expect("it can be written");
    {
        let mut table = write.open_table(HOSTS).expect("the table can be made");
        let mut host = 1_u128;
        for number in 0..mappings {
            host = host.wrapping_mul(0x2d99_787f_ddd9_3a26_67c0_9a4d_4a5d_8d25) | 1;
            table.insert(first + number, host).expect("there is room");
        }
    }
    write.commit().expect("there is room");
}

/// redb alone.
#[expect(clippy::disallowed_methods, reason = "real time is what it is about")]
fn iterate(path: &Path) -> Duration {
    let start = Instant::now();
    let database = Database::open(path).expect("it was made");
    let read = database.begin_read().expect("it can be read");
    let table = read.open_table(HOSTS).expect("it was made");
    let sum = table.iter().expect("it can be read").fold(0, |sum, pair| {
        let (address, host) = pair.expect("it can be read");
        u128::from(address.value()).wrapping_add(host.value()) ^ sum
    });
    black_box(sum);
    start.elapsed()
}

/// The journal opened, and the gateway ready with what it holds.
#[expect(clippy::disallowed_methods, reason = "real time is what it is about")]
fn ready(path: &Path, mappings: u32) -> Duration {
    let mut gateway = Gateway::new(&plan(), [7; 32]).expect("the plan is valid");
    let start = Instant::now();
    let (journal, held) = Journal::open(path).expect("it was made");
    let taken = gateway.load(Duration::ZERO, held);
    let took = start.elapsed();
    drop(journal);
    assert_eq!(taken, mappings as usize);
    took
}
