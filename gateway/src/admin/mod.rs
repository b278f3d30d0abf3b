//! What people and programs may ask of a running gateway, and tell it.
//!
//! Requests come over HTTP on a Unix socket (`server.rs`) and are answered by the data thread, one at a
//! time, between packets (`answer.rs`).

pub(crate) mod answer;
pub(crate) mod client;
pub(crate) mod metrics;
pub(crate) mod server;

use alloc::collections::BTreeMap;
use core::net::{Ipv4Addr, Ipv6Addr};

use serde::Serialize;

/// What is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Request {
    Mappings,
    Sessions,
    Destinations,
    Stats,
    Set { address: Ipv4Addr, host: Ipv6Addr },
    Remove { address: Ipv4Addr },
    Flush { name: dnscache::Name },
}

/// What is answered.
#[derive(Debug)]
pub(crate) enum Answer {
    Mappings(Vec<MappingRow>),
    Sessions(Vec<SessionRow>),
    Destinations(Vec<DestinationRow>),
    Stats(Box<Snapshot>),
    /// It was done.
    Done(String),
    /// It cannot be done, and why.
    Refused(String),
}

#[derive(Debug, Serialize)]
pub(crate) struct MappingRow {
    pub(crate) address: Ipv4Addr,
    pub(crate) host: Ipv6Addr,
    pub(crate) state: &'static str,
    pub(crate) sessions: u32,
}

#[derive(Debug, Serialize)]
pub(crate) struct SessionRow {
    pub(crate) protocol: &'static str,
    pub(crate) client: String,
    pub(crate) to: String,
    pub(crate) leaves_as: String,
    pub(crate) peer: String,
    pub(crate) state: String,
    pub(crate) expires_in_seconds: u64,
}

#[derive(Debug, Serialize)]
pub(crate) struct DestinationRow {
    pub(crate) protocol: &'static str,
    pub(crate) peer: String,
    /// At most.
    pub(crate) sessions: u64,
    /// So many of them may be another's.
    pub(crate) over: u64,
}

#[derive(Debug, Serialize)]
pub(crate) struct AddressRow {
    pub(crate) address: String,
    pub(crate) pool: &'static str,
    pub(crate) sessions: u32,
    pub(crate) high_water: u32,
}

/// Every counter at one moment.
#[derive(Debug, Serialize)]
pub(crate) struct Snapshot {
    pub(crate) egress: String,
    pub(crate) replica: u32,
    pub(crate) uptime_seconds: u64,
    /// In the order of every table.
    pub(crate) virtual_servers: Vec<(&'static str, u64)>,
    pub(crate) packets: BTreeMap<&'static str, u64>,
    pub(crate) drops: BTreeMap<&'static str, u64>,
    pub(crate) dns: BTreeMap<&'static str, u64>,
    pub(crate) mappings: BTreeMap<&'static str, u64>,
    pub(crate) free_addresses: u32,
    pub(crate) sessions: BTreeMap<&'static str, u64>,
    pub(crate) addresses: Vec<AddressRow>,
}
