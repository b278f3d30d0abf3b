//! The thread that works on the store: operations, all that have come meanwhile at once; and, between them, what
//! keeps the store and this replica of one mind (`keeping.rs`).

use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use core::net::{Ipv4Addr, Ipv6Addr};
use core::time::Duration;
use std::os::fd::OwnedFd;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender};
use std::time::Instant;

use dns46::{StoreAction, StoreReply};
use redis::{Cmd, Value, cmd};

use super::identity::{HEARTBEAT, Identity, ReplicaRow};
use super::keeping::{Scan, Sweep};
use super::location::Location;
use super::script::{self, Scripts, Told as Read, Writer};
use super::sentinel;
use super::watch::Target;
use super::wire::{Connection, StoreError};
use super::{Owner, Scope};

/// Operations that share one round trip, and one WAIT.
const BATCH: usize = 1024;

/// A server that says nothing for so long is away.
const PATIENCE: Duration = Duration::from_millis(500);

/// How long servers have to copy a write.
const WAIT: Duration = Duration::from_millis(100);

/// How soon the store is looked for again.
const AGAIN: Duration = Duration::from_millis(100);
const AGAIN_MOST: Duration = Duration::from_secs(2);

/// After it was away, other replicas have so long to write and to renew what they use before anything counts as
/// gone, and before anything is deleted.
const SETTLES: Duration = Duration::from_secs(5);
const RENEWED: Duration = Duration::from_secs(60);

/// For the thread.
#[derive(Debug)]
pub(crate) enum Work {
    Operation {
        tag: u64,
        action: StoreAction,
    },
    /// Clients were told of it: it is to stand in the store, whatever does now.
    Assert {
        address: Ipv4Addr,
        host: Ipv6Addr,
    },
    /// Somebody changed its entry; `by_hand` if not by letting it end.
    Dirty {
        address: Ipv4Addr,
        by_hand: bool,
    },
    /// Changes may have been missed.
    Resync,
    /// There is another master.
    Switched,
    Scope(Scope),
}

/// From the thread.
#[derive(Debug)]
pub(crate) enum Told {
    Reply(u64, StoreReply),
    /// The store can be used. `ours`: nobody else held this replica's number since we did. `is_new`: no gateway
    /// used it before.
    Up {
        server: String,
        ours: bool,
        is_new: bool,
    },
    Away {
        why: String,
    },
    /// This replica's number was ours at that moment.
    Held(Instant),
    /// What an entry of the store says now.
    Change {
        address: Ipv4Addr,
        host: Option<Ipv6Addr>,
    },
    /// Everything was read, and what differs from what was known was told.
    Synced,
    Replicas(Vec<ReplicaRow>),
    /// Somebody else has this replica's number.
    Fenced {
        by: String,
    },
}

pub(crate) struct Client {
    pub(super) location: Location,
    pub(super) scope: Scope,
    pub(super) identity: Identity,
    pub(super) scripts: Scripts,
    pub(super) work: Receiver<Work>,
    pub(super) told: Sender<Told>,
    pub(super) bell: OwnedFd,
    pub(super) target: Arc<Target>,
    pub(super) connection: Option<Connection>,
    pub(super) retry_at: Instant,
    pub(super) backoff: Duration,
    /// Mappings of our slice that the store is to have.
    pub(super) own: BTreeMap<Ipv4Addr, Ipv6Addr>,
    /// Entries of the reserved range that were set while the store was away, or not copied in time.
    pub(super) pending: BTreeMap<Ipv4Addr, Ipv6Addr>,
    /// Entries of others that the data thread was told of.
    pub(super) known: BTreeMap<Ipv4Addr, Ipv6Addr>,
    /// Entries that somebody changed, and whether by hand.
    pub(super) dirty: BTreeMap<Ipv4Addr, bool>,
    pub(super) scan: Option<Scan>,
    pub(super) scan_at: Instant,
    pub(super) sweep: Sweep,
    /// When an entry that is not there counts as gone, and when one may be deleted.
    pub(super) settles_at: Instant,
    pub(super) renewed_at: Instant,
    pub(super) heartbeat_at: Instant,
    pub(super) looked_at: Instant,
    /// The number was ours in this life.
    pub(super) was_up: bool,
}

#[expect(
    clippy::disallowed_methods,
    reason = "the network has times of its own; the gateway's are elsewhere"
)]
pub(crate) fn now() -> Instant {
    Instant::now()
}

impl Client {
    /// Runs until nobody has work for it.
    pub(super) fn run(&mut self) {
        loop {
            let first = if self.is_busy() {
                self.work.try_recv().map_err(|error| match error {
                    std::sync::mpsc::TryRecvError::Empty => RecvTimeoutError::Timeout,
                    std::sync::mpsc::TryRecvError::Disconnected => RecvTimeoutError::Disconnected,
                })
            } else {
                let until = self.wakes_at().saturating_duration_since(now());
                self.work.recv_timeout(until)
            };
            let mut operations = Vec::new();
            match first {
                Ok(work) => self.take(work, &mut operations),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
            while operations.len() < BATCH
                && let Ok(work) = self.work.try_recv()
            {
                self.take(work, &mut operations);
            }
            let turned = self.operate(operations).and_then(|()| self.keep());
            if let Err(error) = turned {
                self.lose(&error);
            }
            if self.connection.is_none() && self.retry_at <= now() {
                self.find();
            }
        }
    }

    fn is_busy(&self) -> bool {
        self.connection.is_some() && (self.scan.is_some() || self.sweep.is_on())
    }

    fn wakes_at(&self) -> Instant {
        if self.connection.is_none() {
            self.retry_at
        } else if self.dirty.is_empty() {
            self.heartbeat_at
        } else {
            self.heartbeat_at.min(self.settles_at.max(now() + AGAIN))
        }
    }

    fn take(&mut self, work: Work, operations: &mut Vec<(u64, StoreAction)>) {
        match work {
            Work::Operation { tag, action } => {
                if let StoreAction::Put { address, host } = action
                    && self.scope.owner(address) == Owner::Us
                {
                    self.own.insert(address, host);
                }
                operations.push((tag, action));
            }
            Work::Assert { address, host } => match self.scope.owner(address) {
                Owner::Us => {
                    self.own.insert(address, host);
                    self.sweep.also(address);
                }
                Owner::Nobody => {
                    self.pending.insert(address, host);
                }
                Owner::Other => {}
            },
            Work::Dirty { address, by_hand } => {
                *self.dirty.entry(address).or_insert(false) |= by_hand;
            }
            Work::Resync => self.scan = Some(Scan::default()),
            Work::Switched => {
                if self.connection.is_some() {
                    self.lose(&StoreError::Reply("there is another master".to_owned()));
                }
                self.retry_at = now();
            }
            Work::Scope(scope) => {
                self.own
                    .retain(|address, _| scope.owner(*address) == Owner::Us);
                self.scope = scope;
            }
        }
    }

    /// Tells the data thread.
    pub(super) fn tell(&self, told: Told) {
        if self.told.send(told).is_ok() {
            let _ = rustix::io::write(&self.bell, &1_u64.to_ne_bytes());
        }
    }

    fn lose(&mut self, error: &StoreError) {
        if self.connection.take().is_some() {
            self.target.set(None);
            // While the store is away nothing is answered with mappings of other replicas.
            let scope = &self.scope;
            self.known
                .retain(|address, _| scope.owner(*address) == Owner::Nobody);
            self.tell(Told::Away {
                why: error.to_string(),
            });
        }
        self.scan = None;
        self.retry_at = now() + self.backoff;
        self.backoff = (self.backoff * 2).min(AGAIN_MOST);
    }

    /// Looks for the server that takes writes, and writes to it what it may have lost.
    fn find(&mut self) {
        let found = sentinel::connect(&self.location, PATIENCE)
            .and_then(|connection| self.bring_up(connection));
        match found {
            Ok(Some(connection)) => {
                self.backoff = AGAIN;
                self.target.set(Some(connection.server().clone()));
                self.connection = Some(connection);
            }
            // Somebody else holds the number.
            Ok(None) => self.retry_at = now() + HEARTBEAT,
            Err(error) => {
                tracing::debug!("store: {error}");
                self.retry_at = now() + self.backoff;
                self.backoff = (self.backoff * 2).min(AGAIN_MOST);
                if !self.was_up {
                    self.tell(Told::Away {
                        why: error.to_string(),
                    });
                }
            }
        }
    }

    fn bring_up(&mut self, mut connection: Connection) -> Result<Option<Connection>, StoreError> {
        for reply in connection.ask_all(&self.scripts.load())? {
            super::wire::told(reply)?;
        }
        let sent = now();
        let Some(before) =
            self.identity
                .claim(&mut connection, &self.scripts, &self.location.keys)?
        else {
            let by = self.identity.holder(&mut connection, &self.location.keys);
            self.tell(Told::Fenced { by });
            return Ok(None);
        };
        let ours = before.is_empty() || before == self.identity.instance;
        if !ours && self.was_up {
            self.tell(Told::Fenced { by: before });
            return Ok(None);
        }
        let is_new = self.scope.publish(&mut connection, &self.location.keys)?;
        if !ours {
            // What we knew of this slice, others have changed since.
            self.own.clear();
        }
        let own: Vec<_> = self.own.iter().map(|(a, h)| (*a, *h)).collect();
        for chunk in own.chunks(BATCH) {
            self.assert(&mut connection, chunk)?;
        }
        self.write_pending(&mut connection)?;
        let again = now();
        if self.was_up {
            self.settles_at = again + SETTLES;
        }
        self.renewed_at = again + RENEWED;
        self.heartbeat_at = again + HEARTBEAT;
        self.sweep = Sweep::new(again + self.location.expiry / 8);
        self.was_up = true;
        self.tell(Told::Up {
            server: connection.server().to_string(),
            ours,
            is_new,
        });
        self.tell(Told::Held(sent));
        Ok(Some(connection))
    }

    /// Does what was asked, and replies; whatever is not certain has failed.
    fn operate(&mut self, operations: Vec<(u64, StoreAction)>) -> Result<(), StoreError> {
        if operations.is_empty() {
            return Ok(());
        }
        let Some(mut connection) = self.connection.take() else {
            self.fail(&operations);
            return Ok(());
        };
        let done = self.exchange(&mut connection, &operations);
        self.connection = Some(connection);
        match done {
            Ok(replies) => {
                for ((tag, action), reply) in operations.iter().zip(replies) {
                    let reply = self.settle(action, reply);
                    self.tell(Told::Reply(*tag, reply));
                }
                Ok(())
            }
            Err(error) => {
                self.fail(&operations);
                Err(error)
            }
        }
    }

    fn fail(&mut self, operations: &[(u64, StoreAction)]) {
        for (tag, action) in operations {
            self.settle(action, Read::Reply(StoreReply::Failed));
            self.tell(Told::Reply(*tag, StoreReply::Failed));
        }
    }

    /// Keeps in mind what the store must still be told.
    fn settle(&mut self, action: &StoreAction, read: Read) -> StoreReply {
        let reply = match read {
            Read::Reply(reply) => reply,
            Read::Spelt(_) => StoreReply::Failed,
            Read::Fenced => {
                self.tell(Told::Fenced {
                    by: "another process".to_owned(),
                });
                StoreReply::Failed
            }
        };
        match (*action, self.scope.owner(address(action))) {
            (StoreAction::Put { address, .. }, Owner::Us) => {
                if matches!(reply, StoreReply::Conflict(_)) {
                    self.own.remove(&address);
                }
            }
            (StoreAction::Put { address, host }, Owner::Nobody) => {
                if reply == StoreReply::Failed {
                    self.pending.insert(address, host);
                } else {
                    self.pending.remove(&address);
                }
            }
            (StoreAction::Delete { address, .. }, _) => {
                self.pending.remove(&address);
                if reply != StoreReply::Leased {
                    self.own.remove(&address);
                }
            }
            (StoreAction::Get { address, .. }, Owner::Other) => {
                if let StoreReply::Found(host) = reply {
                    self.known.insert(address, host);
                }
            }
            (StoreAction::Renew { .. }, _)
                if reply == StoreReply::Absent && now() < self.settles_at =>
            {
                // Its owner may not have written it again yet.
                return StoreReply::Failed;
            }
            _ => {}
        }
        reply
    }

    /// One round trip, and a second for entries that are spelt otherwise.
    fn exchange(
        &mut self,
        connection: &mut Connection,
        operations: &[(u64, StoreAction)],
    ) -> Result<Vec<Read>, StoreError> {
        let none = vec![Vec::new(); operations.len()];
        let mut read = self.round(connection, operations, &none)?;
        let mut again = Vec::new();
        for (index, ((_, action), read)) in operations.iter().zip(&mut read).enumerate() {
            if let Read::Spelt(text) = read {
                match script::other(action, text) {
                    Some(reply) => *read = Read::Reply(reply),
                    None => again.push((index, core::mem::take(text))),
                }
            }
        }
        if again.is_empty() {
            return Ok(read);
        }
        let (indexes, spelt): (Vec<usize>, Vec<Vec<u8>>) = again.into_iter().unzip();
        let few: Vec<(u64, StoreAction)> = indexes
            .iter()
            .filter_map(|index| operations.get(*index).copied())
            .collect();
        for (index, reply) in indexes
            .into_iter()
            .zip(self.round(connection, &few, &spelt)?)
        {
            if let Some(read) = read.get_mut(index) {
                *read = reply;
            }
        }
        Ok(read)
    }

    fn round(
        &mut self,
        connection: &mut Connection,
        operations: &[(u64, StoreAction)],
        spelt: &[Vec<u8>],
    ) -> Result<Vec<Read>, StoreError> {
        let mut commands = vec![cmd("ROLE")];
        let mut sent = Vec::with_capacity(operations.len());
        let mut writes = false;
        for ((_, action), spelt) in operations.iter().zip(spelt) {
            let command = self.command(action, spelt);
            sent.push(command.is_some());
            commands.extend(command);
            writes |= matches!(action, StoreAction::Put { .. } | StoreAction::Delete { .. });
        }
        let waits = writes && self.location.wait > 0;
        if waits {
            commands.push(self.wait());
        }
        let mut replies = connection.ask_all(&commands)?.into_iter();
        connection.check_role(&replies.next().unwrap_or_default())?;
        let mut read: Vec<Read> = operations
            .iter()
            .zip(sent)
            .map(|((_, action), sent)| match sent.then(|| replies.next()) {
                Some(Some(reply)) => {
                    if let Value::ServerError(error) = &reply {
                        tracing::warn!("store: {} {}", error.code(), error.details().unwrap_or(""));
                    }
                    script::read(action, &reply)
                }
                Some(None) | None => Read::Reply(StoreReply::Failed),
            })
            .collect();
        if waits && !self.is_copied(replies.next()) {
            for ((_, action), read) in operations.iter().zip(&mut read) {
                let write = matches!(action, StoreAction::Put { .. } | StoreAction::Delete { .. });
                if write && *read == Read::Reply(StoreReply::Done) {
                    *read = Read::Reply(StoreReply::Failed);
                }
            }
        }
        Ok(read)
    }

    pub(super) fn wait(&self) -> Cmd {
        let mut wait = cmd("WAIT");
        let most = u64::try_from(WAIT.as_millis()).unwrap_or(u64::MAX);
        wait.arg(self.location.wait).arg(most);
        wait
    }

    pub(super) fn is_copied(&self, reply: Option<Value>) -> bool {
        matches!(reply, Some(Value::Int(copies)) if copies >= i64::from(self.location.wait))
    }

    /// `None`: not now.
    fn command(&self, action: &StoreAction, spelt: &[u8]) -> Option<Cmd> {
        let Location { keys, expiry, .. } = &self.location;
        let owner = self.scope.owner(address(action));
        let writer = self.writer(owner);
        Some(match *action {
            StoreAction::Put { address, host } => {
                let expiry = self.expiry(owner);
                self.scripts
                    .put(keys, address, host, spelt, expiry, writer, false)
            }
            StoreAction::Get { address, lease } => self.scripts.lease(
                keys,
                address,
                None,
                spelt,
                lease,
                *expiry,
                &self.identity.instance,
            ),
            StoreAction::Renew {
                address,
                host,
                lease,
            } => self.scripts.lease(
                keys,
                address,
                Some(host),
                spelt,
                lease,
                *expiry,
                &self.identity.instance,
            ),
            StoreAction::Delete { address, host } => {
                if owner == Owner::Us && now() < self.renewed_at {
                    return None;
                }
                let leases = owner == Owner::Us;
                self.scripts
                    .delete(keys, address, host, spelt, writer, leases)
            }
            _ => return None,
        })
    }

    /// Entries of the reserved range never end.
    pub(super) fn expiry(&self, owner: Owner) -> Duration {
        match owner {
            Owner::Nobody => Duration::ZERO,
            Owner::Us | Owner::Other => self.location.expiry,
        }
    }

    pub(super) fn writer(&self, owner: Owner) -> Writer<'_> {
        match owner {
            Owner::Us => Writer {
                replica: self.identity.replica,
                instance: &self.identity.instance,
            },
            Owner::Nobody | Owner::Other => Writer::ANYBODY,
        }
    }
}

fn address(action: &StoreAction) -> Ipv4Addr {
    match action {
        StoreAction::Put { address, .. }
        | StoreAction::Get { address, .. }
        | StoreAction::Renew { address, .. }
        | StoreAction::Delete { address, .. } => *address,
        _ => Ipv4Addr::UNSPECIFIED,
    }
}
