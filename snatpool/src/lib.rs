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

// What callers say and hear.
mod config;
mod event;
mod refused;
mod session;
mod tuple;

// The whole, then its parts in the order in which a first packet meets them.
mod nat;

mod block;
mod client;
mod numbers;
mod pool;

mod port;
mod portset;

mod binding;
mod lifetime;
mod own;

mod fragment;
mod notice;
mod stats;
mod syn;
mod top;

// What they are made of.
mod table;

mod key;
mod lines;
mod record;
mod row;
mod tags;

mod portable;

mod bits;
mod hash;
mod looks;
mod meter;
mod queue;
mod time;
mod wheel;

pub use config::{
    ClientLimits, Config, ConfigError, Evict, Filter, Mapping, PoolConfig, PoolId, PortBlocks,
};
pub use event::{Closed, Event, Exhausted, PortBlock};
pub use fragment::{FragmentKey, FragmentRefused, FragmentVerdict, Piece, Ticket};
pub use lifetime::{BelowFloor, State, Timeouts, Timer};
pub use nat::{AddressStats, ExportCursor, ImportError, Imported, Lookup, SnatPool, Stats};
pub use refused::Refused;
pub use session::{Session, SessionId};
pub use syn::SynTicket;
pub use top::Destination;
pub use tuple::{Family, Protocol, Side, Signal, TcpFlags, TransportAddress, Tuple};
