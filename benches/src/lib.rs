//! One list of operations, measured in three ways: time (criterion), instructions (callgrind, by
//! `cargo xtask counts`) and allocations (a test).

extern crate alloc;

mod allocations;
pub mod answers;
pub mod bindings;
mod operations;
pub mod packet;

pub use allocations::{CountingAllocator, allocations_of};
pub use operations::{Operation, operations};
