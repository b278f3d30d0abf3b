//! What is done between operations: the replica's number is kept, changes of others are read, everything is read
//! after a gap, and entries are written again before they end.

use alloc::collections::BTreeMap;
use core::net::{Ipv4Addr, Ipv6Addr};
use core::ops::Bound;
use core::time::Duration;
use std::time::Instant;

use redis::cmd;

use super::Owner;
use super::client::{Client, Told, now};
use super::identity::HEARTBEAT;
use super::keys::{self, Keys};
use super::wire::{Connection, StoreError, bytes, list, string, told};

/// Entries that are read, or written again, at once.
const PAGE: usize = 512;

/// How long, under load, operations have the connection for themselves.
const REST: Duration = Duration::from_millis(20);

/// How often everything is read, even if nothing seems to have been missed.
const RESYNC: Duration = Duration::from_secs(60);

/// How often it is looked who holds which replica's number.
const LOOK: Duration = Duration::from_secs(3);

/// A walk through all entries.
#[derive(Debug, Default)]
pub(crate) struct Scan {
    /// Where it stands; nothing before the first page.
    cursor: Option<String>,
    seen: BTreeMap<Ipv4Addr, Ipv6Addr>,
}

/// Our own entries, written again from time to time so that they do not end.
#[derive(Debug)]
pub(crate) struct Sweep {
    begins_at: Instant,
    every: Duration,
    /// The last one that was written again.
    cursor: Option<Ipv4Addr>,
    /// These at once.
    also: Vec<Ipv4Addr>,
}

impl Sweep {
    pub(super) fn new(begins_at: Instant) -> Self {
        Self {
            every: begins_at.saturating_duration_since(now()),
            begins_at,
            cursor: None,
            also: Vec::new(),
        }
    }

    pub(super) const fn is_on(&self) -> bool {
        self.cursor.is_some() || !self.also.is_empty()
    }

    pub(super) fn also(&mut self, address: Ipv4Addr) {
        self.also.push(address);
    }
}

impl Client {
    /// One step of each; under load now and then.
    pub(super) fn keep(&mut self) -> Result<(), StoreError> {
        let is_idle = self.flight.is_none() && self.again.is_empty();
        if !is_idle && self.kept_at.elapsed() < REST {
            return Ok(());
        }
        self.land()?;
        self.kept_at = now();
        let Some(mut connection) = self.connection.take() else {
            return Ok(());
        };
        let kept = self.keep_on(&mut connection, is_idle);
        self.connection = Some(connection);
        kept
    }

    fn keep_on(&mut self, connection: &mut Connection, is_idle: bool) -> Result<(), StoreError> {
        let moment = now();
        if moment >= self.heartbeat_at {
            self.heartbeat_at = moment + HEARTBEAT;
            self.beat(connection)?;
        }
        self.read_dirty(connection, is_idle)?;
        if !self.pending.is_empty() {
            self.write_pending(connection)?;
        }
        if moment >= self.scan_at && self.scan.is_none() {
            self.scan = Some(Scan::default());
        }
        if let Some(scan) = self.scan.take() {
            self.scan = self.read_page(connection, scan)?;
            if self.scan.is_none() {
                self.scan_at = now() + RESYNC;
                if now() < self.settles_at {
                    self.scan_at = self.settles_at;
                }
            }
        }
        self.write_again(connection)
    }

    fn beat(&mut self, connection: &mut Connection) -> Result<(), StoreError> {
        connection.verify_role()?;
        let sent = now();
        let claimed = self
            .identity
            .claim(connection, &self.scripts, &self.location.keys)?;
        match claimed {
            Some(before) if before.is_empty() || before == self.identity.instance => {
                self.tell(Told::Held(sent));
            }
            Some(before) => self.tell(Told::Fenced { by: before }),
            None => {
                let by = self.identity.holder(connection, &self.location.keys);
                self.tell(Told::Fenced { by });
            }
        }
        if sent >= self.looked_at {
            self.looked_at = sent + LOOK;
            let rows = self
                .identity
                .look(connection, &self.location.keys, self.scope.replicas)?;
            self.tell(Told::Replicas(rows));
        }
        Ok(())
    }

    /// Writes our own entries over whatever stands in their places.
    pub(super) fn assert(
        &self,
        connection: &mut Connection,
        entries: &[(Ipv4Addr, Ipv6Addr)],
    ) -> Result<(), StoreError> {
        if entries.is_empty() {
            return Ok(());
        }
        let writer = self.writer(Owner::Us);
        let expiry = self.expiry(Owner::Us);
        let keys = &self.location.keys;
        let mut commands: Vec<_> = entries
            .iter()
            .map(|(address, host)| {
                self.scripts
                    .put(keys, *address, *host, b"", expiry, writer, true)
            })
            .collect();
        if self.location.wait > 0 {
            commands.push(self.wait());
        }
        let mut replies = connection.ask_all(&commands)?;
        if self.location.wait > 0 && !self.is_copied(replies.pop()) {
            tracing::warn!("store: entries were written again, and not copied in time");
        }
        for reply in replies {
            told(reply)?;
        }
        Ok(())
    }

    /// Entries of the reserved range that the store does not have yet: where it has another, that stands.
    pub(super) fn write_pending(&mut self, connection: &mut Connection) -> Result<(), StoreError> {
        let entries: Vec<_> = self.pending.iter().map(|(a, h)| (*a, *h)).collect();
        for page in entries.chunks(PAGE) {
            let keys = &self.location.keys;
            let writer = self.writer(Owner::Nobody);
            let mut commands: Vec<_> = page
                .iter()
                .map(|(address, host)| {
                    let never = Duration::ZERO;
                    self.scripts
                        .put(keys, *address, *host, b"", never, writer, false)
                })
                .collect();
            commands.push(self.wait());
            let mut replies = connection.ask_all(&commands)?;
            let copied = self.location.wait == 0 || self.is_copied(replies.pop());
            for ((address, _), reply) in page.iter().zip(replies) {
                told(reply)?;
                self.dirty.insert(*address, false);
                if copied {
                    self.pending.remove(address);
                }
            }
        }
        Ok(())
    }

    /// What became of entries that somebody changed.
    fn read_dirty(&mut self, connection: &mut Connection, is_idle: bool) -> Result<(), StoreError> {
        let own = self.dirty_own.iter().filter(|_| is_idle);
        let page = self.dirty.iter().chain(own).take(PAGE);
        let page: Vec<_> = page.map(|(a, h)| (*a, *h)).collect();
        if page.is_empty() {
            return Ok(());
        }
        let addresses: Vec<Ipv4Addr> = page.iter().map(|(address, _)| *address).collect();
        let settled = now() >= self.settles_at;
        let hosts = read(connection, &self.location.keys, &addresses)?;
        for ((address, by_hand), host) in page.into_iter().zip(hosts) {
            let owner = self.scope.owner(address);
            if host.is_none() && !settled {
                // Its owner may not have written it again yet.
                if owner == Owner::Us && self.own.contains_key(&address) {
                    self.sweep.also(address);
                    self.dirty_own.remove(&address);
                }
                continue;
            }
            self.dirty.remove(&address);
            self.dirty_own.remove(&address);
            if let (Some(host), Some(scan)) = (host, &mut self.scan) {
                scan.seen.insert(address, host);
            }
            let is_ours = owner == Owner::Us && self.own.contains_key(&address);
            match host {
                None if is_ours && !by_hand => self.sweep.also(address),
                None => {
                    self.own.remove(&address);
                    self.known.remove(&address);
                    self.tell(Told::Change { address, host });
                }
                Some(host) => self.tell_of(address, host),
            }
        }
        Ok(())
    }

    /// The next page of a walk; `None` at its end.
    fn read_page(
        &mut self,
        connection: &mut Connection,
        mut scan: Scan,
    ) -> Result<Option<Scan>, StoreError> {
        let mut command = cmd("SCAN");
        command
            .arg(scan.cursor.as_deref().unwrap_or("0"))
            .arg("MATCH")
            .arg(Keys::pattern(&self.location.keys.hosts))
            .arg("COUNT")
            .arg(PAGE);
        let mut reply = list(connection.ask(command)?).into_iter();
        let cursor = reply.next().as_ref().and_then(string);
        let found = list(reply.next().unwrap_or_default());
        let addresses = found.iter().filter_map(bytes);
        let addresses: Vec<Ipv4Addr> = addresses
            .filter_map(|key| self.location.keys.address_of(key))
            .filter(|address| self.scope.holds(*address))
            .collect();
        let hosts = read(connection, &self.location.keys, &addresses)?;
        for (address, host) in addresses.into_iter().zip(hosts) {
            if let Some(host) = host {
                scan.seen.insert(address, host);
            }
        }
        if let Some(cursor) = cursor.filter(|cursor| cursor != "0") {
            scan.cursor = Some(cursor);
            return Ok(Some(scan));
        }
        for address in self.own.keys() {
            if !scan.seen.contains_key(address) {
                self.sweep.also(*address);
            }
        }
        if now() >= self.settles_at {
            let gone = self
                .known
                .keys()
                .filter(|known| !scan.seen.contains_key(known));
            self.dirty.extend(gone.map(|address| (*address, true)));
        }
        for (address, host) in scan.seen {
            self.tell_of(address, host);
        }
        self.tell(Told::Synced);
        Ok(None)
    }

    /// Tells of an entry, unless that is known.
    fn tell_of(&mut self, address: Ipv4Addr, host: Ipv6Addr) {
        let known = match self.scope.owner(address) {
            Owner::Us => self.own.get(&address),
            Owner::Nobody | Owner::Other => self.known.get(&address),
        };
        if known == Some(&host) {
            return;
        }
        match self.scope.owner(address) {
            // It is to outlive its expiry like our others. Where we told clients of another host, that stands.
            Owner::Us => {
                self.own.entry(address).or_insert(host);
            }
            Owner::Nobody | Owner::Other => {
                self.known.insert(address, host);
            }
        }
        let host = Some(host);
        self.tell(Told::Change { address, host });
    }

    fn write_again(&mut self, connection: &mut Connection) -> Result<(), StoreError> {
        let mut page: Vec<Ipv4Addr> = self.sweep.also.drain(..).collect();
        if now() >= self.sweep.begins_at {
            self.sweep.begins_at = now() + self.sweep.every;
            self.sweep.cursor = Some(Ipv4Addr::UNSPECIFIED);
        }
        if let Some(cursor) = self.sweep.cursor {
            let behind = (Bound::Excluded(cursor), Bound::Unbounded);
            let next = self
                .own
                .range(behind)
                .take(PAGE)
                .map(|(address, _)| *address);
            let next: Vec<Ipv4Addr> = next.collect();
            self.sweep.cursor = next.last().copied();
            page.extend(next);
        }
        let entries = page.into_iter().filter_map(|address| {
            let host = self.own.get(&address)?;
            Some((address, *host))
        });
        let entries: Vec<_> = entries.collect();
        self.assert(connection, &entries)
    }
}

/// What entries say.
pub(crate) fn read(
    connection: &mut Connection,
    keys: &Keys,
    addresses: &[Ipv4Addr],
) -> Result<Vec<Option<Ipv6Addr>>, StoreError> {
    if addresses.is_empty() {
        return Ok(Vec::new());
    }
    let mut command = cmd("MGET");
    for address in addresses {
        command.arg(keys.host(*address));
    }
    let values = list(connection.ask(command)?);
    Ok(values
        .iter()
        .map(|value| bytes(value).and_then(keys::value))
        .collect())
}
