//! Translation of one packet, ours and others', in one run.
//!
//! In-place rows restore the headers before each translation; interproto leaves its input alone.

use core::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use egress_peers::floor::{self, GROWTH};
use egress_peers::packet::{HOST, MAPPED, POD, SNAT, from_host, from_pod};
use interproto::protocols::ip::{translate_ipv4_to_ipv6, translate_ipv6_to_ipv4};

/// Length of the headers that a translation changes, with the room before them.
const CHANGED: usize = GROWTH + 40;

fn to_ipv6(criterion: &mut Criterion) {
    for length in [64, 1500] {
        let packet = from_pod(length);
        let mut group = criterion.benchmark_group(format!("4to6-{length}"));
        group.bench_function("interproto", |bencher| {
            bencher.iter(|| translate_ipv4_to_ipv6(black_box(&packet), SNAT, HOST).unwrap());
        });
        group.bench_function("floor", |bencher| {
            let mut template = vec![0; GROWTH];
            template.extend(&packet);
            let mut buffer = template.clone();
            bencher.iter(|| {
                buffer[..CHANGED].copy_from_slice(&template[..CHANGED]);
                floor::to_ipv6(black_box(&mut buffer), SNAT, HOST);
            });
        });
        group.finish();
    }
}

fn to_ipv4(criterion: &mut Criterion) {
    for length in [64, 1500] {
        let packet = from_host(length);
        let mut group = criterion.benchmark_group(format!("6to4-{length}"));
        group.bench_function("interproto", |bencher| {
            bencher.iter(|| translate_ipv6_to_ipv4(black_box(&packet), MAPPED, POD).unwrap());
        });
        group.bench_function("floor", |bencher| {
            let mut buffer = packet.clone();
            bencher.iter(|| {
                buffer[..CHANGED].copy_from_slice(&packet[..CHANGED]);
                floor::to_ipv4(black_box(&mut buffer), MAPPED, POD);
            });
        });
        group.finish();
    }
}

criterion_group!(benches, to_ipv6, to_ipv4);
criterion_main!(benches);
