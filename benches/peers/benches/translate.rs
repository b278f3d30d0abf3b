//! Translation of one packet, ours and others', in one run.
//!
//! Rows that translate in place restore the headers before each translation; interproto leaves its
//! input alone. Our rows check the packet, as interproto does; the floor does not.

use core::hint::black_box;
use core::time::Duration;

use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, Criterion, criterion_group, criterion_main};
use egress_benches::packet::{HOST, MAPPED, POD, SNAT, from_host, from_pod};
use egress_peers::floor::{self, GROWTH};
use interproto::protocols::ip::{translate_ipv4_to_ipv6, translate_ipv6_to_ipv4};
use nat46::packet::Packet;
use nat46::{Config, HEADROOM, Links, PacketBuf, Rewrite, Translator, Verdict};

/// Length of the headers that a translation changes, with the room before them.
const CHANGED: usize = GROWTH + 40;
const NOW: Duration = Duration::from_secs(1000);
const LINKS: Links = Links {
    mtu_in: 1500,
    mtu_out: 1520,
};

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
        ours(
            &mut group,
            &packet,
            Rewrite {
                source: SNAT.into(),
                destination: HOST.into(),
                source_port: 50_000,
                destination_port: 443,
            },
        );
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
        ours(
            &mut group,
            &packet,
            Rewrite {
                source: MAPPED.into(),
                destination: POD.into(),
                source_port: 443,
                destination_port: 40_000,
            },
        );
        group.finish();
    }
}

/// The general path, and the recipe of the flow.
fn ours(group: &mut BenchmarkGroup<'_, WallTime>, packet: &[u8], rewrite: Rewrite) {
    let mut translator = Translator::new(Config::DEFAULT, [7; 32]);
    let parsed = Packet::parse(packet).expect("a packet");
    let recipe = translator.recipe(&parsed, &rewrite).expect("a flow");
    let mut memory = vec![0; HEADROOM];
    memory.extend(packet);
    let changed = HEADROOM..HEADROOM + CHANGED.min(packet.len());
    let headers = packet[..changed.len()].to_vec();

    group.bench_function("general", |bencher| {
        bencher.iter(|| {
            memory[changed.clone()].copy_from_slice(&headers);
            let (packet, mut buf) = look(black_box(&mut memory));
            let verdict = translator.rewrite(NOW, &packet, &rewrite, LINKS, &mut buf);
            assert_eq!(verdict, Verdict::Forward);
        });
    });
    group.bench_function("recipe", |bencher| {
        bencher.iter(|| {
            memory[changed.clone()].copy_from_slice(&headers);
            let (packet, mut buf) = look(black_box(&mut memory));
            let verdict = translator.apply(NOW, &recipe, &packet, LINKS, &mut buf);
            assert_eq!(verdict, Verdict::Forward);
        });
    });
}

fn look(memory: &mut [u8]) -> (Packet, PacketBuf<'_>) {
    let packet = Packet::parse(&memory[HEADROOM..]).expect("a packet");
    let range = HEADROOM..memory.len();
    (
        packet,
        PacketBuf::new(memory, range).expect("a range of the buffer"),
    )
}

criterion_group!(benches, to_ipv6, to_ipv4);
criterion_main!(benches);
