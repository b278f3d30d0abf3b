//! Translation of one packet, ours and others', in one run.
//!
//! Rows that translate in place take one packet of a ring after the other, and put back the header of one
//! that is not due soon; interproto leaves its input alone. Our rows check the packet, as interproto does;
//! the floor does not.

use core::hint::black_box;
use core::time::Duration;

use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, Criterion, criterion_group, criterion_main};
use egress_peers::floor::{self, GROWTH};
use egress_peers::packet::{HOST, MAPPED, POD, SNAT, from_host, from_pod};
use interproto::protocols::ip::{translate_ipv4_to_ipv6, translate_ipv6_to_ipv4};
use nat46::packet::Packet;
use nat46::{Config, HEADROOM, Links, PacketBuf, Rewrite, Translator, Verdict};

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
            let mut ring = Ring::new(&packet);
            bencher.iter(|| {
                let slot = black_box(ring.next());
                floor::to_ipv6(&mut slot[HEADROOM - GROWTH..], SNAT, HOST);
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
            let mut ring = Ring::new(&packet);
            bencher.iter(|| {
                let slot = black_box(ring.next());
                floor::to_ipv4(&mut slot[HEADROOM..], MAPPED, POD);
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
    group.bench_function("general", |bencher| {
        let mut ring = Ring::new(packet);
        bencher.iter(|| {
            let slot = black_box(ring.next());
            let packet = Packet::parse(&slot[HEADROOM..]).expect("a packet");
            let range = HEADROOM..slot.len();
            let mut buf = PacketBuf::new(slot, range).expect("a range of the slot");
            let verdict = translator.rewrite(NOW, &packet, &rewrite, LINKS, &mut buf);
            assert!(matches!(verdict, Verdict::Forward));
        });
    });
    group.bench_function("recipe", |bencher| {
        let mut ring = Ring::new(packet);
        bencher.iter(|| {
            let slot = black_box(ring.next());
            let packet = Packet::parse(&slot[HEADROOM..]).expect("a packet");
            let range = HEADROOM..slot.len();
            let mut buf = PacketBuf::new(slot, range).expect("a range of the slot");
            let verdict = translator.apply(NOW, &recipe, &packet, LINKS, &mut buf);
            assert!(matches!(verdict, Verdict::Forward));
        });
    });
}

/// Copies of one packet, each with headroom: as if read one after the other. A packet that was written just
/// before it is read would have the processor wait for the writes, which no packet from a device does.
struct Ring {
    slots: Vec<u8>,
    stride: usize,
    next: usize,
    /// What a translation writes over: the longer IP header, or the shorter one and a transport header.
    headers: [u8; 40],
}

impl Ring {
    const SLOTS: usize = 16;

    fn new(packet: &[u8]) -> Self {
        let slot = [&[0; HEADROOM], packet].concat();
        Self {
            slots: slot.repeat(Self::SLOTS),
            stride: slot.len(),
            next: 0,
            headers: *packet.first_chunk().expect("longer than its headers"),
        }
    }

    fn next(&mut self) -> &mut [u8] {
        let due_last = (self.next + Self::SLOTS / 2) % Self::SLOTS * self.stride + HEADROOM;
        let headers = self.slots[due_last..].first_chunk_mut();
        *headers.expect("a slot") = self.headers;
        let start = self.next * self.stride;
        self.next = (self.next + 1) % Self::SLOTS;
        &mut self.slots[start..start + self.stride]
    }
}

criterion_group!(benches, to_ipv6, to_ipv4);
criterion_main!(benches);
