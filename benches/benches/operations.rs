//! Every operation, timed.

use criterion::{Criterion, criterion_group, criterion_main};
use egress_benches::OPERATIONS;

fn operations(criterion: &mut Criterion) {
    for operation in OPERATIONS {
        let mut run = (operation.prepare)();
        criterion.bench_function(operation.name, |bencher| bencher.iter(&mut run));
    }
}

criterion_group!(benches, operations);
criterion_main!(benches);
