//! A mapped address looked up, beside the read of an array as large.

use core::hint::black_box;
use core::net::{Ipv4Addr, Ipv6Addr};
use core::time::Duration;

use criterion::{Criterion, criterion_group, criterion_main};
use dns46::{Config, Table};

const NOW: Duration = Duration::from_secs(1000);
/// Bytes that are read of a table's page.
const ENTRY: usize = 16;

fn lookups(criterion: &mut Criterion) {
    for bits in [16_u32, 20] {
        let addresses = 1_u32 << bits;
        let network = u32::from(Ipv4Addr::new(10, 0, 0, 0));
        let subnet = format!("10.0.0.0/{}", 32 - bits)
            .parse()
            .expect("a network");
        let last = Ipv4Addr::from(network + addresses - 1);
        let config = Config::new(subnet, Ipv4Addr::from(network)..=last, None).expect("a pool");
        let mut table = Table::new(config, [7; 32]);
        for number in 0..addresses - 2 {
            let host = Ipv6Addr::from_bits(0x2001_0db8 << 96 | u128::from(number));
            let assigned = table.assign(NOW, host, Duration::from_secs(60));
            assigned.expect("room for all");
            while table.poll_event().is_some() {}
        }
        let array: Vec<[u8; ENTRY]> = (0..addresses).map(|number| [number as u8; ENTRY]).collect();
        let mut state = 1_u32;
        let mut next = move || {
            state ^= state << 13;
            state ^= state >> 17;
            state ^= state << 5;
            state % addresses
        };
        let mut group = criterion.benchmark_group(format!("mappings-{addresses}"));
        group.bench_function("array", |bencher| {
            bencher.iter(|| {
                let index = black_box(next()) as usize;
                u128::from_ne_bytes(black_box(&array)[index]) as u64
            });
        });
        group.bench_function("lookup", |bencher| {
            bencher.iter(|| {
                let host = table.lookup(Ipv4Addr::from(network + black_box(next())));
                host.map_or(0, |host| host.to_bits() as u64)
            });
        });
        group.finish();
    }
}

criterion_group!(benches, lookups);
criterion_main!(benches);
