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

mod responder;

mod local;

mod policy;
mod scope;

mod message;
mod synthesis;

mod embed;

mod config;
mod table;

mod free;
mod hash;
mod hosts;
mod page;
mod time;

mod event;
mod store;

pub use config::{Config, ConfigError};
pub use embed::{Prefix, PrefixError};
pub use event::{Asker, Event};
pub use policy::{Basis, Decision, Nat64, ServiceBindings, Settings};
pub use responder::{Dns46, Learned, Lookup, Pair, Refusal, Stats, Synthesized, Ticket};
pub use scope::{Scope, Zone, ZoneError};
pub use store::{OperationId, StoreAction, StoreOperation, StoreReply};
pub use table::{Assigned, Exhausted, Mapping, State, StaticError, Table};
