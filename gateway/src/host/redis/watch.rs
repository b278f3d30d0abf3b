//! Threads that listen: to changes of entries, and to Sentinels' news of a failover.

use alloc::sync::Arc;
use core::time::Duration;
use std::sync::mpsc::Sender;
use std::sync::{Condvar, Mutex, PoisonError};

use redis::cmd;

use super::client::{Work, now};
use super::keys::Keys;
use super::location::{Location, Server, Way};
use super::sentinel::SWITCHED;
use super::wire::{Connection, StoreError, bytes, list, string, told};

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
    let mut is_told = switch_on(&mut connection);
    if let Err(error) = &is_told {
        warn_of(error);
    }
    let database = location.access.database;
    let channel = format!("__keyspace@{database}__:");
    let mut subscribe = cmd("PSUBSCRIBE");
    subscribe.arg(format!("{channel}{}", Keys::pattern(&location.keys.hosts)));
    connection.send(&[subscribe])?;
    // What changed before is read now; what changes from now on is told.
    let mut silent = 0;
    let mut is_first = true;
    let mut read_at = now();
    while target.get().0 == number {
        let message = connection.receive()?;
        // Not only when it is silent: it may tell of some changes.
        if is_told.is_err() && read_at.elapsed() >= PATIENCE {
            read_at = now();
            if work.send(Work::Resync).is_err() {
                return Ok(false);
            }
        }
        let Some(message) = message else {
            silent += 1;
            if silent == SILENT {
                return Err(StoreError::Reply("silent".to_owned()));
            }
            connection.send(&[cmd("PING")])?;
            continue;
        };
        silent = 0;
        let message = match told(message) {
            Ok(message) => message,
            // Who we are may be allowed every key and no channel.
            Err(error) => {
                if is_told.is_ok() {
                    warn_of(&error);
                }
                is_told = Err(error);
                continue;
            }
        };
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

fn warn_of(error: &StoreError) {
    tracing::warn!("the store does not tell of changes ({error}): everything is read every second");
}

/// Has the server tell of changes, beside what it tells of already.
fn switch_on(connection: &mut Connection) -> Result<(), StoreError> {
    let mut get = cmd("CONFIG");
    get.arg("GET").arg("notify-keyspace-events");
    let set = list(connection.ask(get)?);
    let has_now = set.get(1).and_then(string).unwrap_or_default();
    let has = |letter: char| has_now.contains(letter) || has_now.contains('A') && letter != 'K';
    if NEWS.chars().all(has) {
        return Ok(());
    }
    let mut all = has_now;
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

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::net::TcpListener;
    use std::sync::mpsc::{Receiver, channel};
    use std::thread;

    use super::super::wire::scripted;
    use super::*;

    /// What a listener makes of a server that replies so.
    fn heard(replies: &'static [(&str, &str)]) -> Receiver<Work> {
        let server = scripted(replies);
        let location: Location = format!("redis://{server}").parse().unwrap();
        let (work, heard) = channel();
        thread::spawn(move || {
            let target = Target::default();
            let number = target.get().0;
            let connection = Connection::open(&server, &location.access, PATIENCE).unwrap();
            let _ = listen(&location, connection, &target, number, &work);
        });
        heard
    }

    #[test]
    fn everything_is_read_again_and_again_from_a_server_that_refuses_the_channel() {
        let heard = heard(&[
            (
                "CONFIG",
                "*2\r\n$22\r\nnotify-keyspace-events\r\n$5\r\nKg$xe\r\n",
            ),
            ("PSUBSCRIBE", "-NOPERM no channel\r\n"),
            ("PING", "+PONG\r\n"),
        ]);
        for _ in 0..2 {
            assert!(matches!(heard.recv(), Ok(Work::Resync)));
        }
    }

    #[test]
    fn everything_is_read_again_and_again_from_a_server_that_tells_of_some_changes() {
        let (work, heard) = channel();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let server = Server::parse(&listener.local_addr().unwrap().to_string(), 0).unwrap();
        thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut some = [0; 256];
            let _ = stream.read(&mut some);
            let pause = Some(Duration::from_millis(50));
            stream.set_read_timeout(pause).unwrap();
            let _ = stream.write_all(b"-ERR unknown command\r\n");
            let told = b"*4\r\n$8\r\npmessage\r\n$1\r\n*\r\n$1\r\nx\r\n$3\r\nset\r\n";
            while stream.write_all(told).is_ok() {
                let _ = stream.read(&mut some);
            }
        });
        thread::spawn(move || {
            let location: Location = format!("redis://{server}").parse().unwrap();
            let target = Target::default();
            let connection = Connection::open(&server, &location.access, PATIENCE).unwrap();
            let _ = listen(&location, connection, &target, target.get().0, &work);
        });
        for _ in 0..3 {
            assert!(matches!(heard.recv(), Ok(Work::Resync)));
        }
    }
}
