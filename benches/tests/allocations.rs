//! Nothing is allocated per packet of an established flow, nor per cached answer.

use egress_benches::{CountingAllocator, allocations_of, operations};

#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator;

#[test]
fn the_counter_counts() {
    assert_eq!(allocations_of(|| drop(Box::new(7))), 1);
    assert_eq!(allocations_of(|| drop(vec![0_u8; 100])), 1);
    assert_eq!(allocations_of(|| ()), 0);
}

#[test]
fn no_operation_allocates_once_it_is_warm() {
    for operation in operations().filter(|operation| !operation.allocates) {
        let mut run = (operation.prepare)();
        (0..100).for_each(|_| run());
        let allocations = allocations_of(|| (0..1000).for_each(|_| run()));
        assert_eq!(
            allocations, 0,
            "{}: allocations in 1000 operations",
            operation.name
        );
    }
}
