//! The mapping database that replicas share: Redis or Valkey, alone or behind Sentinels.
//!
//! Everything that waits for the network does so on threads of its own: `client.rs` for operations,
//! `watch.rs` for changes that others make and for failovers. The data thread talks to them over channels.

pub(crate) mod access;
pub(crate) mod client;
mod exchange;
pub(crate) mod identity;
mod keeping;
pub(crate) mod keys;
pub(crate) mod location;
pub(crate) mod script;
pub(crate) mod sentinel;
mod watch;
pub(crate) mod wire;

use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use core::net::{Ipv4Addr, Ipv6Addr};
use core::ops::RangeInclusive;
use core::time::Duration;
use std::io;
use std::os::fd::OwnedFd;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

use egress_config::Plan;
use ipnet::Ipv4Net;
use redis::cmd;

use client::{Client, Told, Work};
use identity::Identity;
use keys::Keys;
use location::Location;
use wire::{Connection, StoreError, string};

/// Whose an address is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Owner {
    /// This replica hands it out.
    Us,
    /// Another replica may.
    Other,
    /// People set it.
    Nobody,
}

/// The addresses that the store is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Scope {
    pub(crate) subnet: Option<Ipv4Net>,
    pub(crate) slice: Option<RangeInclusive<Ipv4Addr>>,
    pub(crate) reserved: Option<RangeInclusive<Ipv4Addr>>,
    pub(crate) replicas: u32,
}

impl Scope {
    pub(crate) fn of(plan: &Plan) -> Self {
        let dns46 = plan.dns46.as_ref();
        Self {
            subnet: dns46.map(|dns46| dns46.subnet),
            slice: dns46.map(|dns46| dns46.slice.clone()),
            reserved: dns46.and_then(|dns46| dns46.reserved.clone()),
            replicas: plan.replicas,
        }
    }

    pub(crate) fn owner(&self, address: Ipv4Addr) -> Owner {
        let holds = |range: &Option<RangeInclusive<Ipv4Addr>>| {
            range.as_ref().is_some_and(|range| range.contains(&address))
        };
        if holds(&self.slice) {
            Owner::Us
        } else if holds(&self.reserved) {
            Owner::Nobody
        } else {
            Owner::Other
        }
    }

    fn holds(&self, address: Ipv4Addr) -> bool {
        self.subnet.is_some_and(|subnet| subnet.contains(&address))
    }

    /// Tells tools without resources what is reserved; whether nobody did before.
    fn publish(&self, connection: &mut Connection, keys: &Keys) -> Result<bool, StoreError> {
        let mut get = cmd("GET");
        get.arg(keys.scope());
        let before = string(&connection.ask(get)?);
        let Some(subnet) = self.subnet else {
            return Ok(false);
        };
        let text = match &self.reserved {
            Some(range) => format!("{subnet} {} {}", range.start(), range.end()),
            None => subnet.to_string(),
        };
        if before.as_ref() != Some(&text) {
            let mut set = cmd("SET");
            set.arg(keys.scope()).arg(text);
            connection.ask(set)?;
        }
        Ok(before.is_none())
    }
}

/// The reserved range that gateways told of: `Ok(None)` if none did, an empty list if nothing is reserved.
pub(crate) fn reserved(
    connection: &mut Connection,
    keys: &Keys,
) -> Result<Option<Vec<RangeInclusive<Ipv4Addr>>>, StoreError> {
    let mut get = cmd("GET");
    get.arg(keys.scope());
    let Some(text) = string(&connection.ask(get)?) else {
        return Ok(None);
    };
    let mut words = text.split(' ').skip(1).filter_map(|word| word.parse().ok());
    let range = words.next().zip(words.next());
    Ok(Some(
        range
            .map(|(first, last)| first..=last)
            .into_iter()
            .collect(),
    ))
}

/// The store, as the data thread sees it.
pub(crate) struct Shared {
    work: Sender<Work>,
    told: Receiver<Told>,
}

impl Shared {
    /// Starts the threads. `own`: mappings of our slice that clients were told of; `known`: what we hold entries
    /// of the reserved range to be. `bell` is rung when there is something to poll.
    pub(crate) fn start(
        location: &Location,
        scope: Scope,
        identity: Identity,
        own: BTreeMap<Ipv4Addr, Ipv6Addr>,
        known: BTreeMap<Ipv4Addr, Ipv6Addr>,
        bell: OwnedFd,
    ) -> io::Result<Self> {
        let (work, orders) = channel();
        let (telling, told) = channel();
        let target = Arc::new(watch::Target::default());
        let start = client::now();
        let mut client = Client {
            location: location.clone(),
            scope,
            identity,
            scripts: script::Scripts::new(),
            work: orders,
            told: telling,
            bell,
            target: Arc::clone(&target),
            connection: None,
            flight: None,
            again: Vec::new(),
            kept_at: start,
            retry_at: start,
            backoff: Duration::from_millis(100),
            own,
            known,
            pending: BTreeMap::new(),
            dirty: BTreeMap::new(),
            dirty_own: BTreeMap::new(),
            scan: None,
            scan_at: start,
            sweep: keeping::Sweep::new(start),
            settles_at: start,
            renewed_at: start,
            heartbeat_at: start,
            looked_at: start,
            was_up: false,
            rings: false,
        };
        let spawn = |name: &str| thread::Builder::new().name(name.to_owned());
        spawn("store").spawn(move || client.run())?;
        let (of, at, to) = (location.clone(), Arc::clone(&target), work.clone());
        spawn("store-changes").spawn(move || watch::entries(&of, &at, &to))?;
        let (of, to) = (location.clone(), work.clone());
        spawn("store-failover").spawn(move || watch::failovers(&of, &target, &to))?;
        Ok(Self { work, told })
    }

    /// One whose thread is a test.
    #[cfg(test)]
    pub(crate) const fn between(work: Sender<Work>, told: Receiver<Told>) -> Self {
        Self { work, told }
    }

    pub(crate) fn submit(&self, work: Work) {
        let _ = self.work.send(work);
    }

    pub(crate) fn poll(&self) -> Option<Told> {
        self.told.try_recv().ok()
    }

    /// The next that is told, within a time: for the start, when nobody waits for packets yet.
    pub(crate) fn wait(&self, most: Duration) -> Option<Told> {
        self.told.recv_timeout(most).ok()
    }
}
