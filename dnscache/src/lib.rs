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

mod client;
mod config;
mod event;
mod resolver;
mod slab;
mod stats;
mod wire;
mod zone;

pub use client::{Client, DropReason, Fetch, Ticket, Transport, Verdict};
pub use config::{Config, Unmatched};
pub use event::{Event, FetchId, Mismatch, Transmit};
pub use resolver::Resolver;
pub use stats::Stats;
pub use wire::{Edns, ExtendedError, Name, NameError, Query, QueryError, Question, rcode, rtype};
pub use zone::ForwardZone;
