//! How much memory checking takes.

use core::alloc::{GlobalAlloc, Layout};
use core::fmt::Write;
use core::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::alloc::System;

use egress_config::{Sources, check};

/// The system's allocator, counting what is in use and the most that ever was.
struct Counting;

static USED: AtomicUsize = AtomicUsize::new(0);
static MOST: AtomicUsize = AtomicUsize::new(0);

// SAFETY: every call goes to the system's allocator unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        MOST.fetch_max(
            USED.fetch_add(layout.size(), Relaxed) + layout.size(),
            Relaxed,
        );
        // SAFETY: the caller's promises are the system allocator's.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        USED.fetch_sub(layout.size(), Relaxed);
        // SAFETY: the caller's promises are the system allocator's.
        unsafe { System.dealloc(at, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// The most that was in use beyond what was before, while checking a text.
fn peak(text: String) -> usize {
    let mut sources = Sources::new();
    sources.add("text.yaml", text);
    let before = USED.load(Relaxed);
    MOST.store(before, Relaxed);
    let checked = check(&sources);
    let most = MOST.load(Relaxed) - before;
    drop(checked);
    most
}

/// One test, so that nothing else allocates meanwhile.
#[test]
fn memory_is_bounded() {
    let mut text = String::new();
    for index in 0..10_000 {
        write!(
            text,
            "---\napiVersion: k8s.f5net.com/v1\nkind: F5SPKSnatpool\n\
             metadata:\n  name: pool-{index}\n  namespace: spk-ingress\n\
             spec:\n  name: pool_{index}\n  addressList:\n    - - 2001:db8::{index:x}:1\n    - - 2001:db8::{index:x}:2\n"
        )
        .unwrap();
    }
    let length = text.len();
    let most = peak(text);
    println!(
        "10,000 resources: {length} bytes, at most {most} in use, {:.1} times",
        most as f64 / length as f64
    );
    assert!(most <= 20 * length, "{most} bytes for {length}");

    let resource = "apiVersion: k8s.f5net.com/v1\nkind: F5SPKEgress\n\
                    metadata: {name: egress, namespace: spk-ingress}\nspec:\n";
    let megabytes = |count: usize| count * 1_000_000;
    for (what, text) in [
        (
            "a long text",
            format!(
                "{resource}  egressSnatpool: {}\n",
                "x".repeat(megabytes(10))
            ),
        ),
        (
            "a long key",
            format!("{resource}  ? {}\n  : 1\n", "x".repeat(megabytes(1))),
        ),
        (
            "unknown fields",
            resource.to_owned()
                + &(0..200_000)
                    .map(|i| format!("  a{i}: 1\n"))
                    .collect::<String>(),
        ),
        (
            "equal keys",
            resource.to_owned() + &"  a: 1\n".repeat(300_000),
        ),
        (
            "a long list",
            format!("{resource}  vlanList: [{}]\n", "a, ".repeat(400_000)),
        ),
        ("open lists", "[".repeat(megabytes(10))),
        ("many documents", "---\na\n".repeat(100_000)),
    ] {
        let length = text.len();
        let most = peak(text);
        println!("{what}: {length} bytes, at most {most} in use");
        assert!(most <= 200 * 1_000_000, "{what}: {most} bytes for {length}");
    }
}
