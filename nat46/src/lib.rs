#![doc = include_str!("../README.md")]
#![no_std]
#![forbid(unsafe_code)]
#![deny(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod buffer;
mod bytes;
pub mod checksum;
pub mod offload;
pub mod packet;

pub mod address;

mod config;
mod identification;
mod rate_limit;
mod recipe;
mod split;
mod translate;
mod verdict;

pub use buffer::{HEADROOM, PacketBuf};
pub use config::{Config, ErrorRate, LowestIpv6Mtu, MssClamp, TrafficClass, UdpZero};
pub use recipe::Recipe;
pub use split::Pieces;
pub use translate::{Translator, complete_checksum};
pub use verdict::{DropReason, ErrorRewrite, IcmpError, Links, Rewrite, Verdict};
