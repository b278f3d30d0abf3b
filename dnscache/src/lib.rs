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

mod wire;

mod config;
mod zone;

mod client;
mod connections;
mod limit;
mod local;
mod ticket;

mod cache;
mod entry;
mod hash;
mod key;
mod sieve;
mod ttl;
mod understand;

mod exchange;
mod forwarder;
mod server;
mod stream;
mod upstream;

mod event;
mod resolver;
mod slab;
mod stats;

pub use client::{Client, DropReason, Fetch, Ticket, Transport, Verdict};
pub use config::{Config, Unmatched};
pub use connections::{ConnectionLimits, Connections, Framed};
pub use event::{Event, FetchId, Mismatch, Transmit};
pub use resolver::{DumpCursor, LoadError, Loaded, Resolver};
pub use stats::{
    CacheStats, ClientStats, DropCounts, MismatchCounts, RttCounts, Stats, TypeCounts,
    UpstreamStats,
};
pub use stream::StreamId;
pub use understand::Kind;
pub use upstream::{StreamInput, StreamTransmit};
pub use wire::{Edns, ExtendedError, Name, NameError, Query, QueryError, Question, rcode, rtype};
pub use zone::ForwardZone;
