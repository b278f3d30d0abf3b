//! Who answers a query that is known: we, the floor of every cache of messages, two caches of values that
//! look a ready name up and clone what they have, and a library that decodes and encodes.
//!
//! Ours and the floor make a reply; the caches of values have none to send yet.

use core::hint::black_box;
use core::time::Duration;
use std::env;

use egress_benches::answers::{Answers, Floor, Query, START, Shape};
use hickory_proto::op::Message;

/// Queries that are asked in turn of a large cache: enough that its answers are cold.
const TURNS: usize = 1 << 20;

/// What a row is called, and its answer to one query.
pub type Row = (&'static str, Box<dyn FnMut(&Query)>);

/// Caches by their size, as `SIZES="hot 100k"` says: the largest take a minute to fill.
pub fn sizes() -> impl Iterator<Item = (&'static str, u32)> {
    let wanted = env::var("SIZES").unwrap_or_else(|_| "hot 100k 1M".to_owned());
    let sizes = [("hot", 256), ("100k", 100_000), ("1M", 1_000_000)];
    sizes
        .into_iter()
        .filter(move |(size, _)| wanted.split(' ').any(|word| word == *size))
}

/// The rows, ours first, and the queries. Of the largest size there are two alone.
pub fn rows(shape: Shape, size: &str, names: u32) -> (Vec<Row>, Vec<Query>) {
    let mut answers = Answers::new(shape, names);
    let mut floor = Floor::new(shape, names);
    let queries = answers.queries(if size == "hot" { 256 } else { TURNS });
    let messages = answers.messages(if size == "1M" { 0 } else { names });
    let mut rows: Vec<Row> = Vec::new();
    let mut now = START;
    rows.push((
        "dnscache",
        Box::new(move |query| {
            now += Duration::from_nanos(100);
            assert!(answers.answer(now, query) > 0);
        }),
    ));
    rows.push((
        "floor",
        Box::new(move |query| assert!(floor.answer(query) > 0)),
    ));
    if messages.is_empty() {
        return (rows, queries);
    }
    let quick = quick_cache::sync::Cache::new(2 * names as usize);
    let moka = moka::sync::Cache::new(2 * u64::from(names));
    for (name, message) in &messages {
        quick.insert(name.clone(), message.clone());
        moka.insert(name.clone(), message.clone());
    }
    moka.run_pending_tasks();
    rows.push((
        "quick_cache",
        Box::new(move |query| {
            black_box(quick.get(query.name()).expect("it is there"));
        }),
    ));
    rows.push((
        "moka",
        Box::new(move |query| {
            black_box(moka.get(query.name()).expect("it is there"));
        }),
    ));
    let mut at = 0;
    rows.push((
        "hickory",
        Box::new(move |_| {
            at = (at + 1) % messages.len();
            let message = Message::from_vec(black_box(&messages[at].1)).expect("sound");
            black_box(message.to_vec().expect("sound"));
        }),
    ));
    (rows, queries)
}
