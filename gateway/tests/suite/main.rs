//! The gateway, packet by packet.

extern crate alloc;

mod edges;
mod hostile;
mod independent;
mod lab;
mod martians;
mod model;
mod ownership;
mod parameters;
mod paths;
mod property;
mod streams;
mod ways;
mod world;
