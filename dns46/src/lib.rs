#![doc = include_str!("../README.md")]
#![no_std]
#![forbid(unsafe_code)]
#![deny(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

extern crate alloc;

mod config;
mod event;
mod free;
mod hash;
mod page;
mod table;

pub use config::{Config, ConfigError};
pub use event::Event;
pub use table::{Assigned, Exhausted, Mapping, State, StaticError, Table};
