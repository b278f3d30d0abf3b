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

use super::exchange::{Asked, Flight, GROUP};
use super::identity::{HEARTBEAT, Identity, ReplicaRow};
use super::keeping::{Scan, Sweep};
use super::location::Location;
use super::script::{Scripts, Writer};
use super::sentinel;
use super::watch::Target;
use super::wire::{Connection, StoreError};
use super::{Owner, Scope};

/// Operations that share one round trip, and one WAIT.
const BATCH: usize = 256;

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
    /// What was sent, and has no reply.
    pub(super) flight: Option<Flight>,
    /// What is to be sent once more.
    pub(super) again: Vec<Asked>,
    pub(super) kept_at: Instant,
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
    /// The same of our own, most of which it was us who changed: they are looked at when there is time.
    pub(super) dirty_own: BTreeMap<Ipv4Addr, bool>,
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
    /// Something was told since the bell rang.
    pub(super) rings: bool,
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
            let mut asked = core::mem::take(&mut self.again);
            match first {
                Ok(work) => self.take(work, &mut asked),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
            self.gather(&mut asked);
            if self.flight.is_some() && asked.len() < GROUP {
                // Few: more will have come once the replies are in.
                if let Err(error) = self.land() {
                    self.lose(&error);
                }
                self.gather(&mut asked);
            }
            let turned = self.operate(asked).and_then(|()| self.keep());
            if let Err(error) = turned {
                self.lose(&error);
            }
            if self.connection.is_none() && self.retry_at <= now() {
                self.find();
            }
            self.ring();
        }
    }

    /// What has come meanwhile.
    fn gather(&mut self, asked: &mut Vec<Asked>) {
        while asked.len() < BATCH
            && let Ok(work) = self.work.try_recv()
        {
            self.take(work, asked);
        }
    }

    fn is_busy(&self) -> bool {
        let keeps = self.scan.is_some() || self.sweep.is_on();
        self.flight.is_some() || !self.again.is_empty() || self.connection.is_some() && keeps
    }

    fn wakes_at(&self) -> Instant {
        if self.connection.is_none() {
            self.retry_at
        } else if self.dirty.is_empty() && self.dirty_own.is_empty() {
            self.heartbeat_at
        } else {
            self.heartbeat_at.min(self.settles_at.max(now() + AGAIN))
        }
    }

    fn take(&mut self, work: Work, asked: &mut Vec<Asked>) {
        match work {
            Work::Operation { tag, action } => {
                if let StoreAction::Put { address, host } = action
                    && self.scope.owner(address) == Owner::Us
                {
                    self.own.insert(address, host);
                }
                asked.push(Asked::new(tag, action));
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
                let dirty = match self.scope.owner(address) {
                    Owner::Us => &mut self.dirty_own,
                    Owner::Nobody | Owner::Other => &mut self.dirty,
                };
                *dirty.entry(address).or_insert(false) |= by_hand;
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

    /// Tells the data thread, which is woken once there is no more to tell.
    pub(super) fn tell(&mut self, told: Told) {
        self.rings |= self.told.send(told).is_ok();
    }

    pub(super) fn ring(&mut self) {
        if core::mem::take(&mut self.rings) {
            let _ = rustix::io::write(&self.bell, &1_u64.to_ne_bytes());
        }
    }

    fn lose(&mut self, error: &StoreError) {
        if let Some(flight) = self.flight.take() {
            self.fail(flight.into_asked());
        }
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

    pub(super) fn wait(&self) -> Cmd {
        let mut wait = cmd("WAIT");
        let most = u64::try_from(WAIT.as_millis()).unwrap_or(u64::MAX);
        wait.arg(self.location.wait).arg(most);
        wait
    }

    pub(super) fn is_copied(&self, reply: Option<Value>) -> bool {
        matches!(reply, Some(Value::Int(copies)) if copies >= i64::from(self.location.wait))
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
