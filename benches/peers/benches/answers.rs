//! A cached answer, ours and others', in one run: beside the floor of every cache of messages, two caches of
//! values that look a ready name up and clone what they have, and a library that decodes and encodes.
//!
//! Ours and the floor make a reply; the caches of values have none to send yet. `SIZES="hot 100k"` leaves
//! out the largest caches, which take a minute to fill.

use core::hint::black_box;
use core::time::Duration;
use std::env;

use criterion::{Criterion, criterion_group, criterion_main};
use egress_benches::answers::{Answers, Floor, START, Shape};
use hickory_proto::op::Message;

/// Queries that are asked in turn: enough that the answers of a large cache are cold.
const TURNS: usize = 1 << 20;

fn hits(criterion: &mut Criterion) {
    // Criterion's filter does not spare the caches that are filled first.
    let wanted = env::var("SIZES").unwrap_or_else(|_| "hot 100k 1M".to_owned());
    for (size, names, turns) in [
        ("hot", 256, 256),
        ("100k", 100_000, TURNS),
        ("1M", 1_000_000, TURNS),
    ] {
        if !wanted.split(' ').any(|word| word == size) {
            continue;
        }
        for shape in Shape::ALL {
            of_shape(criterion, shape, size, names, turns);
        }
    }
}

fn of_shape(criterion: &mut Criterion, shape: Shape, size: &str, names: u32, turns: usize) {
    let mut answers = Answers::new(shape, names);
    let mut floor = Floor::new(shape, names);
    let queries = answers.queries(turns);
    let mut group = criterion.benchmark_group(format!("hit-{shape:?}-{size}").to_lowercase());
    let mut turn = queries.iter().cycle();
    let mut next = || black_box(turn.next().expect("some"));
    group.bench_function("floor", |bencher| {
        bencher.iter(|| assert!(floor.answer(next()) > 0));
    });
    let mut now = START;
    group.bench_function("dnscache", |bencher| {
        bencher.iter(|| {
            now += Duration::from_nanos(100);
            assert!(answers.answer(now, next()) > 0);
        });
    });
    if size == "1M" {
        return;
    }
    let messages = answers.messages(names);
    let quick = quick_cache::sync::Cache::new(2 * names as usize);
    let moka = moka::sync::Cache::new(2 * u64::from(names));
    for (name, message) in &messages {
        quick.insert(name.clone(), message.clone());
        moka.insert(name.clone(), message.clone());
    }
    moka.run_pending_tasks();
    group.bench_function("quick_cache", |bencher| {
        bencher.iter(|| quick.get(next().name()).expect("it is there"));
    });
    group.bench_function("moka", |bencher| {
        bencher.iter(|| moka.get(next().name()).expect("it is there"));
    });
    group.bench_function("hickory", |bencher| {
        let mut turn = messages.iter().cycle();
        bencher.iter(|| {
            let (_, bytes) = black_box(turn.next().expect("some"));
            let message = Message::from_vec(bytes).expect("sound");
            message.to_vec().expect("sound")
        });
    });
    group.finish();
}

criterion_group!(benches, hits);
criterion_main!(benches);
