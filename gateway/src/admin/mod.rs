//! What people and programs may ask of a running gateway, and tell it.
//!
//! Requests come over HTTP on a Unix socket (`server.rs`) and are answered by the data thread, one at a
//! time, between packets (`answer.rs`).

pub(crate) mod answer;
pub(crate) mod client;
pub(crate) mod http;
pub(crate) mod metrics;
mod occupancy;
mod pages;
pub(crate) mod server;
mod status;

use alloc::collections::BTreeMap;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use core::time::Duration;

use serde::{Deserialize, Serialize};

use crate::host::redis::identity::ReplicaRow;
use crate::host::stores::{StoreRow, Stores};

pub(crate) use pages::Page;

/// Where captured packets go, as pcapng; they are lost, not waited for, while it is full.
pub(crate) type Tap = tokio::sync::mpsc::Sender<Vec<u8>>;

/// What is asked.
#[derive(Debug, Clone)]
pub(crate) enum Request {
    /// Mappings from this address on, as many as a page holds.
    Mappings {
        from: Ipv4Addr,
    },
    /// Sessions from this slot on, as many as a page holds.
    Sessions {
        from: u32,
    },
    Destinations,
    /// Every counter but those of mappings.
    Stats,
    /// What the status page shows, without what mappings there are.
    Status,
    /// Events after this one.
    Events {
        after: u64,
    },
    /// What would become of a packet, given the sessions that it may belong to.
    Trace(egress_gateway::Probe, Vec<snatpool::Session>),
    /// Static entries, so many at once as a page holds.
    Import(Vec<Entry>),
    /// Packets of one address, on both sides, from now on.
    Capture(IpAddr, Tap),
    /// A DNS message, asked as by a pod; by default by the gateway's own address on the pods' side.
    Ask {
        pod: Option<IpAddr>,
        query: Vec<u8>,
    },
    /// The reply to a question of this number.
    Asked(u16),
    /// Who holds which replica's number.
    Replicas,
    Set {
        address: Ipv4Addr,
        host: Ipv6Addr,
    },
    Remove {
        address: Ipv4Addr,
    },
    /// Cached answers from this place on, as many as a page holds.
    Flush {
        name: dnscache::Name,
        from: u32,
    },
}

impl Request {
    /// Whether mappings are changed: then the answer waits until the journal has it.
    pub(crate) const fn writes(&self) -> bool {
        matches!(
            self,
            Self::Set { .. } | Self::Remove { .. } | Self::Import(_)
        )
    }
}

/// What is answered.
#[derive(Debug)]
pub(crate) enum Answer {
    Mappings(Page<dns46::Mapping, Ipv4Addr>),
    Sessions(Page<snatpool::Session, u32>),
    Destinations(Vec<DestinationRow>),
    Stats(Box<Snapshot>),
    Status(Box<Status>),
    Events(Vec<EventRow>),
    Trace(TraceReport),
    Imported(Imported),
    /// So many answers were forgotten; where it goes on.
    Flushed(usize, Option<u32>),
    /// A question was taken, under this number.
    Asked(u16),
    /// The reply to one, if it is there.
    Replied(Option<Vec<u8>>),
    Replicas(Vec<ReplicaRow>),
    /// It was done.
    Done(String),
    /// It cannot be done, and why.
    Refused(String),
}

impl Answer {
    /// The same with what is known of the store that replicas share.
    pub(crate) fn with_store(mut self, now: Duration, stores: &Stores) -> Self {
        match &mut self {
            Self::Stats(snapshot) => snapshot.store = stores.row(now),
            Self::Status(status) => {
                status.snapshot.store = stores.row(now);
                status.known_replicas = stores.replicas().to_vec();
            }
            Self::Replicas(rows) => *rows = stores.replicas().to_vec(),
            _ => {}
        }
        self
    }
}

#[derive(Debug, Serialize)]
pub(crate) struct MappingRow {
    pub(crate) address: Ipv4Addr,
    pub(crate) host: Ipv6Addr,
    pub(crate) state: &'static str,
    pub(crate) sessions: u32,
}

/// A static entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Entry {
    pub(crate) address: Ipv4Addr,
    pub(crate) host: Ipv6Addr,
}

/// What became of an import.
#[derive(Debug, Serialize)]
pub(crate) struct Imported {
    pub(crate) set: usize,
    pub(crate) refused: Vec<String>,
}

/// A mapping that was just made.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct NewMapping {
    pub(crate) at: String,
    pub(crate) address: Ipv4Addr,
    pub(crate) host: Ipv6Addr,
    /// What was asked for, where that is remembered (`debugLogEnabled`).
    pub(crate) name: Option<String>,
}

#[derive(Debug, Clone, Serialize)]
pub(crate) struct EventRow {
    pub(crate) sequence: u64,
    pub(crate) at: String,
    pub(crate) kind: &'static str,
    pub(crate) reason: &'static str,
    pub(crate) message: String,
}

#[derive(Debug, Serialize)]
pub(crate) struct TraceReport {
    pub(crate) passes: bool,
    pub(crate) steps: Vec<TraceStep>,
}

#[derive(Debug, Serialize)]
pub(crate) struct TraceStep {
    pub(crate) looked_at: &'static str,
    pub(crate) found: String,
}

/// One way between the families.
#[derive(Debug, Serialize)]
pub(crate) struct WayRow {
    pub(crate) inside: &'static str,
    pub(crate) outside: &'static str,
    pub(crate) packets: u64,
    pub(crate) bytes: u64,
}

/// Addresses of the DNS46 subnet that follow each other, as one square of the picture.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Cell {
    pub(crate) first: Ipv4Addr,
    pub(crate) size: u32,
    pub(crate) live: u32,
    pub(crate) draining: u32,
}

/// A stretch of the DNS46 subnet that is in one hand.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Stretch {
    /// `reserved`, `slice` or `unused`.
    pub(crate) owner: &'static str,
    /// Whose slice.
    pub(crate) replica: Option<u32>,
    pub(crate) first: Ipv4Addr,
    pub(crate) last: Ipv4Addr,
    pub(crate) size: u64,
    pub(crate) cells: Vec<Cell>,
}

#[derive(Debug, Serialize)]
pub(crate) struct Occupancy {
    pub(crate) subnet: String,
    pub(crate) size: u64,
    /// In the order of their addresses.
    pub(crate) stretches: Vec<Stretch>,
}

/// What the status page shows.
#[derive(Debug, Serialize)]
pub(crate) struct Status {
    #[serde(flatten)]
    pub(crate) snapshot: Snapshot,
    pub(crate) ready: bool,
    pub(crate) replicas: u32,
    /// As the store has them.
    pub(crate) known_replicas: Vec<ReplicaRow>,
    pub(crate) ways: Vec<WayRow>,
    pub(crate) occupancy: Option<Occupancy>,
    pub(crate) newest_mappings: Vec<NewMapping>,
    pub(crate) events: Vec<EventRow>,
    /// Replies of name servers by round-trip time: under 1 ms, under 2 ms, under 4 ms and so on.
    pub(crate) upstream_rtt: Vec<u64>,
    pub(crate) upstream_rtt_mean_ms: Option<f64>,
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
    /// The store that replicas share, if there is one.
    pub(crate) store: Option<StoreRow>,
}

impl Snapshot {
    /// One more mapping.
    fn count(&mut self, mapping: &dns46::Mapping) {
        *self
            .mappings
            .entry(pages::state(mapping.state))
            .or_default() += 1;
    }
}
