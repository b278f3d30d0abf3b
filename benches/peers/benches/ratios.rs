//! How many queries find their answer, ours and others', with equal room: no times, and the same in each run.
//!
//! A million names, asked for as in Zipf's law with exponent 1; then the same with one query in ten for a name
//! that is never asked for again. `QUERIES=1000000` asks less often than ten million times. Exit code 1 if a
//! promise is broken.

use std::collections::{BTreeMap, HashMap};
use std::env;
use std::process::ExitCode;

use egress_benches::answers::{Answers, Shape};

const NAMES: u32 = 1_000_000;

/// At most so many points below the better of the others.
const BELOW_THE_BETTER: f64 = 2.0;
/// With names that never come again: entries, and at least so many points above LRU.
const ABOVE_LRU: [(u32, f64); 2] = [(10_000, 5.0), (100_000, 2.0)];

fn main() -> ExitCode {
    let wanted = env::var("QUERIES").ok();
    let queries = wanted.map_or(10_000_000, |number| number.parse().expect("a number"));
    let mut broken = Vec::new();
    for (entries, least) in ABOVE_LRU {
        for once in [false, true] {
            let [ours, lru, quick] = run(entries, once, queries);
            let load = if once { "and one in ten once" } else { "" };
            println!(
                "{entries:>7} entries, Zipf {load:<20} dnscache {ours:.2} %, LRU {lru:.2} %, quick_cache {quick:.2} %"
            );
            if ours < lru.max(quick) - BELOW_THE_BETTER {
                broken.push(format!(
                    "{entries} entries {load}: too far below the better"
                ));
            }
            if once && ours < lru + least {
                broken.push(format!(
                    "{entries} entries {load}: not {least} points above LRU"
                ));
            }
        }
    }
    broken
        .iter()
        .for_each(|promise| eprintln!("broken: {promise}"));
    ExitCode::from(u8::from(!broken.is_empty()))
}

/// Percent of the queries that were hits: ours, LRU, quick_cache.
fn run(entries: u32, once: bool, queries: u32) -> [f64; 3] {
    // All answers are of one length, so that equal bytes are equally many answers.
    let mut probe = Answers::empty(Shape::Address, NAMES, 1 << 30);
    probe.ask(0);
    let (_, each) = probe.size();
    let mut ours = Answers::empty(Shape::Address, NAMES, each * entries as usize);
    let mut lru = Lru::new(entries as usize);
    let quick = quick_cache::sync::Cache::new(entries as usize);
    let mut draws = Draws::new();
    let mut hits = [0_u32; 3];
    for number in 0..queries {
        let name = if once && number % 10 == 0 {
            NAMES + number / 10
        } else {
            draws.next()
        };
        let found = [ours.ask(name), lru.ask(name), quick.get(&name).is_some()];
        if !found[2] {
            quick.insert(name, ());
        }
        for (count, found) in hits.iter_mut().zip(found) {
            *count += u32::from(found);
        }
    }
    hits.map(|count| 100.0 * f64::from(count) / f64::from(queries))
}

/// The least recently used goes first.
struct Lru {
    capacity: usize,
    used_at: HashMap<u32, u64>,
    by_time: BTreeMap<u64, u32>,
    now: u64,
}

impl Lru {
    fn new(capacity: usize) -> Self {
        Self {
            capacity,
            used_at: HashMap::new(),
            by_time: BTreeMap::new(),
            now: 0,
        }
    }

    fn ask(&mut self, name: u32) -> bool {
        self.now += 1;
        let before = self.used_at.insert(name, self.now);
        if let Some(before) = before {
            self.by_time.remove(&before);
        }
        self.by_time.insert(self.now, name);
        if self.used_at.len() > self.capacity
            && let Some((_, oldest)) = self.by_time.pop_first()
        {
            self.used_at.remove(&oldest);
        }
        before.is_some()
    }
}

/// Names by rank: the n-th is asked for 1/n as often as the first.
struct Draws {
    sums: Vec<f64>,
    state: u64,
}

impl Draws {
    fn new() -> Self {
        let mut sum = 0.0;
        let mut add = |rank| {
            sum += 1.0 / f64::from(rank);
            sum
        };
        Self {
            sums: (1..=NAMES).map(&mut add).collect(),
            state: 0x9e37_79b9_7f4a_7c15,
        }
    }

    fn next(&mut self) -> u32 {
        self.state ^= self.state << 13;
        self.state ^= self.state >> 7;
        self.state ^= self.state << 17;
        let whole = self.sums[self.sums.len() - 1];
        let at = (self.state >> 11) as f64 / (1_u64 << 53) as f64 * whole;
        self.sums.partition_point(|sum| *sum <= at) as u32
    }
}
