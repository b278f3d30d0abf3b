//! The gateway, packet by packet.

extern crate alloc;

mod ownership;
mod world;
