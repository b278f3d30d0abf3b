//! Every operation, timed.

use criterion::{Criterion, criterion_group, criterion_main};
use egress_benches::operations;

fn time(criterion: &mut Criterion) {
    for operation in operations() {
        let mut run = (operation.prepare)();
        criterion.bench_function(operation.name, |bencher| bencher.iter(&mut run));
    }
}

criterion_group!(benches, time);
criterion_main!(benches);
