//! A cached answer, ours and others', in one run. `SIZES="hot 100k"` leaves out the largest caches: criterion's
//! filter does not spare those that are filled first.

mod rows;

use core::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use egress_benches::answers::Shape;

fn hits(criterion: &mut Criterion) {
    for (size, names) in rows::sizes() {
        for shape in Shape::ALL {
            let (rows, queries) = rows::rows(shape, size, names);
            let mut turn = queries.iter().cycle();
            let mut group =
                criterion.benchmark_group(format!("hit-{shape:?}-{size}").to_lowercase());
            for (name, mut answer) in rows {
                group.bench_function(name, |bencher| {
                    bencher.iter(|| answer(black_box(turn.next().expect("some"))));
                });
            }
            group.finish();
        }
    }
}

criterion_group!(benches, hits);
criterion_main!(benches);
