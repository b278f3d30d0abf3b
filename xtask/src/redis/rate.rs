//! How fast: a whole gateway's new names, and the store's part of them beside what the server does of itself.

use core::ops::Range;

use super::ring::Ring;
use super::{Said, answers};

/// Names that wait for an answer at a time: what a busy cluster's pods ask together.
const WAITING: usize = 256;

/// New names a second of one gateway, from query to answer: two upstream queries, the journal's commit, the store.
pub(super) fn whole(ring: &Ring, said: &mut Said, names: Range<usize>) -> Result<f64, String> {
    let (first, count) = (names.start, names.len().min(5_000));
    let mut asker = ring.command("p0", "python3");
    asker.arg(ring.folder.join("asker.py")).args([
        "198.51.100.53",
        &first.to_string(),
        &count.to_string(),
        "1000000",
        &WAITING.to_string(),
    ]);
    let log = format!("asker-0-{first}.log");
    ring.launch(asker, &log)?
        .ended()
        .map_err(|why| format!("as fast as a gateway can, not all names were answered: {why}"))?;
    let (longest, refusals) = answers(ring, said, 0, first)?;
    let told = ring.log(&log);
    let seconds = told.lines().find_map(|line| line.strip_prefix("# "));
    let seconds = seconds.and_then(|seconds| seconds.parse::<f64>().ok());
    let seconds = seconds.ok_or_else(|| format!("the asker prints {told:?}"))?;
    let rate = count as f64 / seconds;
    println!(
        "a whole gateway: {rate:.0} new names a second, {WAITING} of them waiting at a time; the longest wait was \
         {longest:.3} s, {refusals} refusals"
    );
    Ok(rate)
}

/// Mappings a second, and SETs a second of redis-benchmark, by turns on the same server.
pub(super) fn alone(ring: &mut Ring, rounds: usize) -> Result<String, String> {
    // The gateways would read what is written.
    for gateway in ring.gateways.iter_mut().filter_map(Option::take) {
        gateway.signal("TERM")?;
        gateway.ended()?;
    }
    let master = ring.master()?;
    let mut pairs = Vec::new();
    // A copy that was late, as on a machine that does other things: such a round does not count.
    let mut late = 0;
    while pairs.len() < rounds {
        let peer = benchmark(ring, master)?;
        let told = ring.program(&format!("mappings measure --store {}", Ring::store()))?;
        let ours = told.split(' ').nth(5).and_then(|word| word.parse().ok());
        let ours: f64 = ours.ok_or_else(|| told.clone())?;
        if told.contains(", 0 of them") {
            println!("{ours:.0} mappings a second; redis-benchmark: {peer:.0}");
            pairs.push((ours, peer));
        } else {
            print!("{told}");
            late += 1;
        }
        if late > rounds {
            return Err("copies are late in most rounds".to_owned());
        }
    }
    let middle = |mut all: Vec<f64>| {
        all.sort_by(f64::total_cmp);
        all[all.len() / 2]
    };
    let ratios: Vec<f64> = pairs.iter().map(|(ours, peer)| ours / peer).collect();
    let least = ratios.iter().copied().fold(f64::INFINITY, f64::min);
    let most = ratios.iter().copied().fold(0.0, f64::max);
    let ratio = middle(ratios);
    let ours = middle(pairs.iter().map(|(ours, _)| *ours).collect());
    let peer = middle(pairs.iter().map(|(_, peer)| *peer).collect());
    let told = format!(
        "store client: {ours:.0} mappings a second, redis-benchmark {peer:.0} SETs a second, median ratio {ratio:.2} \
         ({least:.2} to {most:.2}, {rounds} rounds)"
    );
    println!("{told}");
    if ratio >= 0.5 { Ok(told) } else { Err(told) }
}

fn benchmark(ring: &Ring, master: usize) -> Result<f64, String> {
    let bench = format!(
        "redis-benchmark -h {} -t set -c 50 -P 1 -n 100000 --csv",
        Ring::address(master)
    );
    let told = ring.text(&format!("s{master}"), &bench)?;
    let cells = told
        .lines()
        .find_map(|line| line.strip_prefix("\"SET\",\""));
    let rate = cells.and_then(|cells| cells.split('"').next()?.parse().ok());
    rate.ok_or_else(|| format!("redis-benchmark says {told:?}"))
}
