//! Sessions looked up, opened and closed, beside a floor: a hashbrown table of slots under the same hash of
//! a key of 40 bytes, and one record of 64 bytes that is compared and stamped. `SIZES="1k 1M"` leaves out
//! the largest table, which takes 4 GiB.

use core::hint::black_box;
use core::time::Duration;
use std::env;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use egress_benches::bindings::{Floor, Flows};
use snatpool::{Lookup, Signal};

const BATCH: usize = 32;
/// Flows that are looked up in turn: enough that those of a large table are cold.
const TURNS: usize = 1 << 20;

fn lookups(criterion: &mut Criterion) {
    // Criterion's filter does not spare the tables that are filled first.
    let wanted = env::var("SIZES").unwrap_or_else(|_| "1k 1M 10M".to_owned());
    for (name, sessions) in [("1k", 1_000), ("1M", 1_000_000), ("10M", 10_000_000)] {
        if !wanted.split(' ').any(|size| size == name) {
            continue;
        }
        let mut flows = Flows::open(sessions);
        let mut floor = Floor::open(sessions);
        let turns = flows.turns(TURNS.min(sessions as usize * 8));
        let inside: Vec<_> = turns.iter().map(|turn| turn.inside).collect();
        let outside: Vec<_> = turns.iter().map(|turn| turn.outside).collect();
        let mut group = criterion.benchmark_group(format!("lookup-{name}"));
        let now = Duration::from_secs(1);

        let keys: Vec<[u8; 40]> = turns.iter().map(|turn| Floor::key(turn.index)).collect();
        let mut at = 0;
        group.bench_function("floor-with-ready-keys", |bencher| {
            bencher.iter(|| {
                at = (at + 1) % keys.len();
                assert!(floor.touch(black_box(&keys[at]), at as u32));
            });
        });
        drop(keys);
        // A packet has a tuple, not a key: this is the floor that lookups are held against.
        group.bench_function("floor", |bencher| {
            bencher.iter(|| {
                at = (at + 1) % inside.len();
                let key = Floor::key_of(black_box(&inside[at]));
                assert!(floor.touch(&key, at as u32));
            });
        });
        group.bench_function("outbound", |bencher| {
            bencher.iter(|| {
                at = (at + 1) % inside.len();
                let found = flows
                    .nat
                    .outbound(now, black_box(&inside[at]), Signal::None);
                assert!(matches!(found, Lookup::Session(_)));
            });
        });
        group.bench_function("inbound", |bencher| {
            bencher.iter(|| {
                at = (at + 1) % outside.len();
                let found = flows
                    .nat
                    .inbound(now, black_box(&outside[at]), Signal::None);
                assert!(matches!(found, Lookup::Session(_)));
            });
        });
        group.throughput(Throughput::Elements(BATCH as u64));
        let inside: Vec<_> = turns
            .iter()
            .map(|turn| (turn.inside, Signal::None))
            .collect();
        let mut found = [Lookup::Miss; BATCH];
        let mut at = 0;
        group.bench_function("outbound-batch", |bencher| {
            bencher.iter(|| {
                at = (at + BATCH) % (inside.len() - BATCH);
                let packets = black_box(&inside[at..at + BATCH]);
                flows.nat.outbound_batch(now, packets, &mut found);
                assert!(matches!(found[BATCH - 1], Lookup::Session(_)));
            });
        });
        drop(inside);
        let outside: Vec<_> = turns
            .iter()
            .map(|turn| (turn.outside, Signal::None))
            .collect();
        group.bench_function("inbound-batch", |bencher| {
            bencher.iter(|| {
                at = (at + BATCH) % (outside.len() - BATCH);
                let packets = black_box(&outside[at..at + BATCH]);
                flows.nat.inbound_batch(now, packets, &mut found);
                assert!(matches!(found[BATCH - 1], Lookup::Session(_)));
            });
        });
        group.finish();
    }
}

/// A session opened and closed in a table that is well filled, beside two inserts and two removes.
fn open_and_close(criterion: &mut Criterion) {
    let sessions = 1_000_000;
    let mut flows = Flows::open(sessions);
    let mut floor = Floor::open(sessions);
    let mut other = Floor::open(sessions);
    let mut group = criterion.benchmark_group("open-close");
    let mut index = sessions;
    group.bench_function("floor", |bencher| {
        bencher.iter(|| {
            index += 1;
            let tables = [&mut floor, &mut other];
            assert!(Floor::insert_and_remove(
                tables,
                black_box(index),
                sessions + 1
            ));
        });
    });
    group.bench_function("snatpool", |bencher| {
        let mut now = Duration::from_secs(1);
        bencher.iter(|| {
            index += 1;
            now += Duration::from_nanos(100);
            assert!(flows.open_and_close(now, black_box(index)));
        });
    });
    group.finish();
}

criterion_group!(benches, lookups, open_and_close);
criterion_main!(benches);
