//! Threads that listen: to changes of entries, and to Sentinels' news of a failover.

use alloc::sync::Arc;
use core::time::Duration;
use std::sync::mpsc::Sender;
use std::sync::{Condvar, Mutex, PoisonError};

use redis::cmd;

use super::client::Work;
use super::keys::Keys;
use super::location::{Location, Server, Way};
use super::sentinel::SWITCHED;
use super::wire::{Connection, StoreError, bytes, list, string};

/// How long a connection may take, and how often a silent one is asked whether it still is one.
const PATIENCE: Duration = Duration::from_secs(1);
/// Silent for so many times, it is none.
const SILENT: u32 = 3;

/// What a server tells of: keys (K) that are set ($), deleted (g), ended (x) or evicted (e).
const NEWS: &str = "Kg$xe";

/// The server that is used now.
#[derive(Debug, Default)]
pub(crate) struct Target {
    state: Mutex<(u64, Option<Server>)>,
    changed: Condvar,
}

impl Target {
    pub(crate) fn set(&self, server: Option<Server>) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        *state = (state.0 + 1, server);
        self.changed.notify_all();
    }

    fn get(&self) -> (u64, Option<Server>) {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.clone()
    }

    /// Waits for a change, or for a second.
    fn wait(&self) {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.changed.wait_timeout(state, PATIENCE);
        drop(waited.unwrap_or_else(PoisonError::into_inner));
    }
}

/// Tells of every entry that changes; runs until nobody listens.
pub(crate) fn entries(location: &Location, target: &Arc<Target>, work: &Sender<Work>) {
    loop {
        let (number, server) = target.get();
        let Some(server) = server else {
            if work.send(Work::Resync).is_err() {
                return;
            }
            target.wait();
            continue;
        };
        let listened = Connection::open(&server, &location.access, PATIENCE)
            .and_then(|connection| listen(location, connection, target, number, work));
        match listened {
            Ok(true) => {}
            Ok(false) => return,
            Err(error) => {
                tracing::debug!("changes of the store: {error}");
                target.wait();
            }
        }
    }
}

/// `false`: nobody listens any more.
fn listen(
    location: &Location,
    mut connection: Connection,
    target: &Target,
    number: u64,
    work: &Sender<Work>,
) -> Result<bool, StoreError> {
    let is_told = switch_on(&mut connection);
    if let Err(error) = &is_told {
        tracing::warn!(
            "the store does not tell of changes ({error}): everything is read every second"
        );
    }
    let database = location.access.database;
    let channel = format!("__keyspace@{database}__:");
    let mut subscribe = cmd("PSUBSCRIBE");
    subscribe.arg(format!("{channel}{}", Keys::pattern(&location.keys.hosts)));
    connection.send(&[subscribe])?;
    // What changed before is read now; what changes from now on is told.
    let mut silent = 0;
    let mut is_first = true;
    while target.get().0 == number {
        let Some(message) = connection.receive()? else {
            silent += 1;
            if silent == SILENT {
                return Err(StoreError::Reply("silent".to_owned()));
            }
            connection.send(&[cmd("PING")])?;
            if is_told.is_err() && work.send(Work::Resync).is_err() {
                return Ok(false);
            }
            continue;
        };
        silent = 0;
        let parts = list(message);
        let sent = match parts.as_slice() {
            [kind, _, name, event] if string(kind).as_deref() == Some("pmessage") => {
                let key = bytes(name).and_then(|name| name.strip_prefix(channel.as_bytes()));
                let address = key.and_then(|key| location.keys.address_of(key));
                let event = string(event).unwrap_or_default();
                let by_hand = !matches!(event.as_str(), "expired" | "evicted");
                address.map(|address| work.send(Work::Dirty { address, by_hand }))
            }
            _ if is_first => {
                is_first = false;
                Some(work.send(Work::Resync))
            }
            _ => None,
        };
        if sent.is_some_and(|sent| sent.is_err()) {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Has the server tell of changes, beside what it tells of already.
fn switch_on(connection: &mut Connection) -> Result<(), StoreError> {
    let mut get = cmd("CONFIG");
    get.arg("GET").arg("notify-keyspace-events");
    let told = list(connection.ask(get)?);
    let now = told.get(1).and_then(string).unwrap_or_default();
    let has = |letter: char| now.contains(letter) || now.contains('A') && letter != 'K';
    if NEWS.chars().all(has) {
        return Ok(());
    }
    let mut all = now;
    for letter in NEWS.chars() {
        if !all.contains(letter) {
            all.push(letter);
        }
    }
    let mut set = cmd("CONFIG");
    set.arg("SET").arg("notify-keyspace-events").arg(all);
    connection.ask(set).map(drop)
}

/// Tells of failovers; runs until nobody listens.
pub(crate) fn failovers(location: &Location, target: &Arc<Target>, work: &Sender<Work>) {
    let Way::Sentinel { sentinels, master } = &location.way else {
        return;
    };
    for sentinel in sentinels.iter().cycle() {
        let listened = Connection::open(sentinel, &location.sentinel_access, PATIENCE)
            .and_then(|connection| hear(connection, master, work));
        if matches!(listened, Ok(false)) {
            return;
        }
        target.wait();
    }
}

/// `false`: nobody listens any more.
fn hear(mut connection: Connection, master: &str, work: &Sender<Work>) -> Result<bool, StoreError> {
    let mut subscribe = cmd("SUBSCRIBE");
    subscribe.arg(SWITCHED);
    connection.send(&[subscribe])?;
    let mut silent = 0;
    // What was missed until now, the look for the master has made good.
    loop {
        let Some(message) = connection.receive()? else {
            silent += 1;
            if silent == SILENT {
                return Ok(true);
            }
            connection.send(&[cmd("PING")])?;
            continue;
        };
        silent = 0;
        let parts = list(message);
        let text = match parts.as_slice() {
            [kind, _, text] if string(kind).as_deref() == Some("message") => string(text),
            _ => None,
        };
        // `MASTER OLD-HOST OLD-PORT HOST PORT`.
        let text = text.unwrap_or_default();
        let is_ours = text.split(' ').next() == Some(master);
        if is_ours && work.send(Work::Switched).is_err() {
            return Ok(false);
        }
    }
}
