//! The store that replicas share: at the start, and what is heard of it later.

use alloc::collections::{BTreeMap, BTreeSet};
use core::net::{Ipv4Addr, Ipv6Addr};
use core::time::Duration;
use std::io;
use std::path::Path;

use dns46::{Learned, State};
use egress_config::Plan;
use egress_gateway::Gateway;

use super::events::Events;
use crate::host::journal::Journal;
use crate::host::redis::client::{self, Told};
use crate::host::redis::identity::{self, HEARTBEAT, Identity, LEASE};
use crate::host::redis::location::Location;
use crate::host::redis::wire::StoreError;
use crate::host::redis::{Owner, Scope, Shared, sentinel};
use crate::host::stores::{News, Stores, Unshared};

/// Where mappings are shared.
#[derive(Debug, clap::Args)]
pub(super) struct Sharing {
    /// Share mappings with other replicas: redis://HOST:PORT or redis-sentinel://HOST:PORT,…/MASTER, and behind
    /// a ? any of password-file=, ca=, cert=, key=, server-name=, prefix=, reverse-prefix=, wait=, expiry=.
    #[arg(long, value_name = "URL")]
    pub(super) store: Option<Location>,
    /// How long the store may take for a mapping, in milliseconds; then its answer goes out on the journal.
    #[arg(long, default_value_t = 200, value_name = "MS", value_parser = clap::value_parser!(u64).range(1..=2000))]
    store_deadline: u64,
}

impl Sharing {
    const fn deadline(&self) -> Duration {
        Duration::from_millis(self.store_deadline)
    }

    /// How long a mapping may take as a whole: the journal's time comes on top.
    pub(super) fn patience(&self) -> Option<Duration> {
        let journal = Duration::from_secs(1);
        self.store.as_ref().map(|_| self.deadline() + journal)
    }
}

/// Which replica to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Number {
    This(u32),
    /// One that the store has no living holder of.
    Claimed,
}

pub(super) fn number(text: &str) -> Result<Number, String> {
    if text == "auto" {
        return Ok(Number::Claimed);
    }
    let number = text.parse().map(Number::This);
    number.map_err(|_| "a number from 0 on, or auto, was expected".to_owned())
}

/// Waits until the store has a number for us.
pub(super) fn claim(
    location: &Location,
    state: &Path,
    replicas: u32,
) -> Result<Identity, Box<dyn core::error::Error>> {
    std::fs::create_dir_all(state).map_err(|error| format!("{}: {error}", state.display()))?;
    let mut last = String::new();
    loop {
        let why = match sentinel::connect(location, HEARTBEAT) {
            Ok(mut connection) => {
                match identity::claim_any(&mut connection, &location.keys, replicas, state) {
                    Ok(Some(identity)) => {
                        tracing::info!(replica = identity.replica, "replica number claimed");
                        return Ok(identity);
                    }
                    Ok(None) => format!("all {replicas} replica numbers have living holders"),
                    // The store went away in this moment.
                    Err(error) => error.downcast::<StoreError>()?.to_string(),
                }
            }
            Err(error) => error.to_string(),
        };
        if why != last {
            tracing::warn!("no replica number yet: {why}");
            last = why;
        }
        super::super::show::rest(1);
    }
}

/// What the journal holds, and with it the store if there is one; gives how many mappings were taken in.
pub(super) fn open(
    now: Duration,
    gateway: &mut Gateway,
    plan: &Plan,
    (arguments, unshared): (&Sharing, &Path),
    journal: (Journal, Vec<(Ipv4Addr, Ipv6Addr)>),
    identity: Option<(Identity, bool)>,
) -> Result<(Stores, usize), Box<dyn core::error::Error>> {
    let (journal, held) = journal;
    let scope = Scope::of(plan);
    let bell = journal.bell()?;
    let mut stores = Stores::new(journal, scope.clone());
    let (Some(location), Some((identity, fences))) = (&arguments.store, identity) else {
        let taken = gateway.load(now, held);
        return Ok((stores, taken));
    };
    let of = |owner: Owner| -> BTreeMap<Ipv4Addr, Ipv6Addr> {
        let held = held.iter().copied();
        held.filter(|(address, _)| scope.owner(*address) == owner)
            .collect()
    };
    let (own, statics) = (of(Owner::Us), of(Owner::Nobody));
    let unshared = Unshared::open(unshared);
    let is_alone = |address: &&Ipv4Addr| unshared.is_set(**address);
    let alone: BTreeSet<Ipv4Addr> = statics.keys().filter(is_alone).copied().collect();
    let shared = Shared::start(
        location,
        scope.clone(),
        identity,
        own.clone(),
        statics.clone(),
        bell,
    )?;
    stores.share(
        shared,
        location.to_string(),
        arguments.deadline(),
        fences,
        statics.clone(),
        unshared,
    );
    let mut taken = gateway.load(now, statics.clone());
    match first(now, &mut stores)? {
        Some((ours, is_new)) => {
            if ours {
                taken += gateway.load(now, own);
            } else {
                tracing::info!(
                    "another process had this replica's number: its mappings are taken over"
                );
                stores.disown(own);
            }
            for (address, host) in statics {
                if is_new || alone.contains(&address) {
                    stores.assert(address, host);
                }
            }
            stores.sync(now, Duration::from_secs(5));
            taken += take_in(now, gateway, &mut stores);
        }
        None => {
            tracing::warn!("the store is away: started with what the journal holds");
            taken += gateway.load(now, own);
            for (address, host) in statics {
                if alone.contains(&address) {
                    stores.assert(address, host);
                }
            }
        }
    }
    Ok((stores, taken))
}

/// Waits for the store: whether this replica's number was ours all the time, and whether the store is new; `None`
/// if it is away.
fn first(
    now: Duration,
    stores: &mut Stores,
) -> Result<Option<(bool, bool)>, Box<dyn core::error::Error>> {
    let start = client::now();
    let mut most = Duration::from_secs(3);
    let mut holder = None;
    while let Some(left) = most.checked_sub(start.elapsed()) {
        match stores.wait(now, left) {
            Some(Told::Up { ours, is_new, .. }) => return Ok(Some((ours, is_new))),
            Some(Told::Fenced { by }) => {
                if holder.is_none() {
                    tracing::warn!("another process has this replica's number, waiting: {by}");
                }
                // One that was killed just now, with another state directory, is dead by then.
                most = LEASE + Duration::from_secs(5);
                holder = Some(by);
            }
            _ => {}
        }
    }
    match holder {
        Some(by) => Err(format!("another process has this replica's number: {by}").into()),
        None => Ok(None),
    }
}

/// Takes in the changes that were read at the start.
fn take_in(now: Duration, gateway: &mut Gateway, stores: &mut Stores) -> usize {
    let mut taken = 0;
    while let Some(news) = stores.poll_news() {
        match news {
            News::Change { address, host } => {
                taken += usize::from(change(now, gateway, stores, address, host) == Learned::Taken);
            }
            // The first turn tells.
            News::Fenced { .. } => break,
            News::Up { .. } | News::Away { .. } | News::Synced => {}
        }
    }
    taken
}

fn change(
    now: Duration,
    gateway: &mut Gateway,
    stores: &mut Stores,
    address: Ipv4Addr,
    host: Option<Ipv6Addr>,
) -> Learned {
    let learned = gateway.learn(now, address, host);
    match learned {
        Learned::Taken => stores.follow(address, host),
        Learned::Contradicts(ours) => stores.assert(address, ours),
        Learned::Known => {}
    }
    learned
}

/// Takes in what is heard of the store, some at a time.
pub(super) fn turn(
    now: Duration,
    gateway: &mut Gateway,
    stores: &mut Stores,
    events: &mut Events,
) -> io::Result<()> {
    /// Between two looks at the devices.
    const SOME: usize = 256;
    for _ in 0..SOME {
        let Some(news) = stores.poll_news() else {
            break;
        };
        match news {
            News::Change { address, host } => {
                let _ = change(now, gateway, stores, address, host);
            }
            News::Up { is_new } => {
                if is_new {
                    let statics = gateway
                        .mappings()
                        .filter(|mapping| mapping.state == State::Static);
                    for mapping in statics {
                        stores.assert(mapping.address, mapping.host);
                    }
                }
                tracing::info!("the store is there again, and knows what it missed");
                let message = "the store is there again".to_owned();
                events.push("Normal", "StoreUp", message);
            }
            News::Away { why } => {
                gateway.forget_known(now);
                tracing::error!("the store is away, answers go on from the journal: {why}");
                let message = format!("the store is away, answers go on from the journal: {why}");
                events.push("Warning", "StoreAway", message);
            }
            News::Synced => {}
            News::Fenced { by } => {
                let why = format!("another process has this replica's number: {by}");
                return Err(io::Error::other(why));
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::redis::wire::scripted;

    #[test]
    fn a_number_is_waited_for_although_the_store_goes_away_while_it_is_claimed() {
        let folder = std::env::temp_dir().join(format!("claim-{}", std::process::id()));
        let server = scripted(&[
            ("ROLE", "*1\r\n$6\r\nmaster\r\n"),
            ("SCRIPT", "+loaded\r\n"),
            ("MGET", "*2\r\n$-1\r\n$-1\r\n"),
            ("EVALSHA", "-READONLY a replica now\r\n"),
            ("EVALSHA", "$0\r\n\r\n"),
        ]);
        let location: Location = format!("redis://{server}").parse().unwrap();
        let identity = claim(&location, &folder, 1).unwrap();
        assert_eq!(identity.replica, 0);
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
