//! A query that the cache answers, and the floor beneath it.

use core::hint::black_box;
use core::time::Duration;

use super::Operation;
use crate::answers::{Answers, Floor, START, Shape};

pub(super) const OPERATIONS: &[Operation] = &[
    Operation::new("dnscache-floor-address", || floor(Shape::Address)),
    Operation::new("dnscache-floor-chain", || floor(Shape::Chain)),
    Operation::new("dnscache-floor-name-error", || floor(Shape::NameError)),
    Operation::new("dnscache-hit-address", || hit(Shape::Address)),
    Operation::new("dnscache-hit-chain", || hit(Shape::Chain)),
    Operation::new("dnscache-hit-name-error", || hit(Shape::NameError)),
];

/// So few that everything is at hand.
const NAMES: u32 = 16;

/// The whole way of a cached answer: the query read, the entry found, the reply written.
fn hit(shape: Shape) -> Box<dyn FnMut()> {
    let mut answers = Answers::new(shape, NAMES);
    let queries = answers.queries(NAMES as usize);
    let mut now = START;
    let mut at = 0;
    Box::new(move || {
        now += Duration::from_micros(1);
        at = (at + 1) % queries.len();
        assert!(answers.answer(now, black_box(&queries[at])) > 0);
    })
}

/// The least that any cache of messages does: see [`Floor`].
fn floor(shape: Shape) -> Box<dyn FnMut()> {
    let mut floor = Floor::new(shape, NAMES);
    let queries = Answers::new(shape, NAMES).queries(NAMES as usize);
    let mut at = 0;
    Box::new(move || {
        at = (at + 1) % queries.len();
        assert!(floor.answer(black_box(&queries[at])) > 0);
    })
}
