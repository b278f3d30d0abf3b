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
mod fragment;
mod lifetime;
mod nat;
mod refused;
mod session;
mod syn;
mod time;
mod tuple;

pub use config::{ClientLimits, Config, ConfigError, Evict, Filter, Mapping, PoolConfig, PoolId};
pub use event::{Closed, Event, Exhausted};
pub use fragment::{FragmentKey, FragmentRefused, FragmentVerdict, Piece, Ticket};
pub use lifetime::{BelowFloor, State, Timeouts, Timer};
pub use nat::{Lookup, SnatPool};
pub use refused::Refused;
pub use session::{Session, SessionId};
pub use syn::SynTicket;
pub use tuple::{Family, Protocol, Side, Signal, TcpFlags, TransportAddress, Tuple};
