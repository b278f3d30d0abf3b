//! The gateway, packet by packet.

extern crate alloc;

mod edges;
mod ownership;
mod ways;
mod world;
