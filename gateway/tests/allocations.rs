//! What an established flow costs in allocations: nothing.

use core::alloc::{GlobalAlloc, Layout};
use core::cell::Cell;
use core::net::SocketAddr;
use core::time::Duration;
use std::alloc::System;
use std::path::Path;

use egress_config::Sources;
use egress_gateway::sim::craft;
use egress_gateway::{BUFFER, Gateway, Side, Verdict};
use nat46::{HEADROOM, PacketBuf};

struct Counting;

std::thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

// SAFETY: hands every call on to the system's allocator, and counts.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.with(|count| count.set(count.get() + 1));
        // SAFETY: the caller's promises are passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller's promises are passed on.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const CLIENT: &str = "10.244.1.10:40000";
const HOST: &str = "[2001:db8::80]:80";
const ADDRESS: &str = "10.40.100.60:80";

struct Driver {
    gateway: Gateway,
    buffer: Vec<u8>,
}

impl Driver {
    /// The drive loop for one packet, which is forwarded and brings nothing else.
    fn send(&mut self, now: Duration, side: Side, packet: &[u8]) {
        let place = HEADROOM..HEADROOM + packet.len();
        self.buffer[place.clone()].copy_from_slice(packet);
        let mut buf = PacketBuf::new(&mut self.buffer, place).unwrap();
        let verdict = self.gateway.handle_packet(now, side, &mut buf);
        assert_eq!(verdict, Verdict::Forward);
        assert_eq!(self.gateway.poll_transmit(now, &mut self.buffer), None);
        assert_eq!(self.gateway.poll_store(), None);
        while self.gateway.poll_event().is_some() {}
        self.gateway.handle_timeout(now);
    }
}

#[test]
fn an_established_flow_allocates_nothing_per_packet() {
    let set = Path::new(env!("CARGO_MANIFEST_DIR")).join("samples/sets/dns-nat46");
    let mut sources = Sources::new();
    sources.read_path(&set).unwrap();
    let plan = egress_config::check(&sources).plan(0).unwrap();
    let mut gateway = Gateway::new(&plan, [1; 32]).unwrap();
    let [client, host, address] =
        [CLIENT, HOST, ADDRESS].map(|text| text.parse::<SocketAddr>().unwrap());
    let (core::net::IpAddr::V4(mapped), core::net::IpAddr::V6(to)) = (address.ip(), host.ip())
    else {
        panic!("one address of each family");
    };
    assert_eq!(gateway.load(Duration::ZERO, [(mapped, to)]), 1);

    let mut driver = Driver {
        gateway,
        buffer: vec![0; BUFFER],
    };
    let syn = craft::tcp(client, address, 0x02, (1, 0), None, &[]);
    driver.send(Duration::ZERO, Side::Inside, &syn);
    let source = driver.gateway.sessions().next().unwrap().outside.source;
    let leaves_as = SocketAddr::new(source.address, source.port);
    let syn_ack = craft::tcp(host, leaves_as, 0x12, (1, 2), None, &[]);
    driver.send(Duration::ZERO, Side::Outside, &syn_ack);
    let out = craft::tcp(client, address, 0x10, (2, 2), None, &[7; 1000]);
    let back = craft::tcp(host, leaves_as, 0x10, (2, 2), None, &[8; 1000]);
    // The first of each direction makes its recipe.
    driver.send(Duration::ZERO, Side::Inside, &out);
    driver.send(Duration::ZERO, Side::Outside, &back);

    let before = ALLOCATIONS.with(Cell::get);
    for number in 0..10_000 {
        let now = Duration::from_millis(number);
        driver.send(now, Side::Inside, &out);
        driver.send(now, Side::Outside, &back);
    }
    assert_eq!(ALLOCATIONS.with(Cell::get) - before, 0);
}
