#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]
#![deny(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

extern crate alloc;

// In the order in which data meets them.
mod source;

mod tree;

#[cfg_attr(
    not(feature = "schema"),
    expect(dead_code, reason = "parts of the tables are for schemas alone")
)]
mod parameter;

mod decode;

mod check;

mod plan;

mod report;

mod diagnostic;

mod code;

#[cfg(feature = "schema")]
pub mod schema;

pub use check::{Checked, check};
pub use code::{Code, Level};
pub use diagnostic::{Diagnostic, Related, Span};
pub use plan::{
    Change, ChangeEffect, Diff, DiffError, Dns46Plan, DnsPlan, ForwardZone, NextHop, Plan,
    PlanError, Snat, VirtualServer, VlanPlan,
};
pub use source::{ReadError, Sources};
