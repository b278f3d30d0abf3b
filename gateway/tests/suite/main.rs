//! The gateway, packet by packet.

extern crate alloc;

mod edges;
mod independent;
mod lab;
mod model;
mod ownership;
mod paths;
mod property;
mod streams;
mod ways;
mod world;
