//! The journal, always; and beside it the store that replicas share, where there is one.
//!
//! An operation is done step by step, and those about one address one after another. A mapping is kept by the
//! journal first, then by the store; it is forgotten by the store first. A store that is away, or slow, is done
//! without: the mapping stands in the journal, and the store is told once it is back. So nothing that the store
//! alone can decide (whether another replica uses a mapping) is decided without it.

use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use core::net::{Ipv4Addr, Ipv6Addr};
use core::time::Duration;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Instant;

use dns46::{OperationId, StoreAction, StoreOperation, StoreReply};
use serde::Serialize;

#[cfg(test)]
mod tests;

mod unshared;

use super::journal::Journal;
use super::redis::client::{Told, Work};
use super::redis::identity::{LEASE, ReplicaRow};
use super::redis::{Owner, Scope, Shared};

pub(crate) use unshared::Unshared;

/// Before the lease of a number is over, nothing new is handed out under it.
const MARGIN: Duration = Duration::from_secs(3);

/// Answers that went on the journal alone, whose replies may still come.
const LATE: usize = 65_536;

/// Until a deletion that failed is tried again.
const AGAIN: Duration = Duration::from_millis(500);

/// The store, for people and programs.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct StoreRow {
    pub(crate) store: String,
    /// `up`, or `away`: answers go on from the journal.
    pub(crate) state: &'static str,
    pub(crate) since_seconds: u64,
    /// The server that takes writes.
    pub(crate) server: String,
    /// Why it is away.
    pub(crate) why: String,
    /// Mappings that went out on the journal alone.
    pub(crate) journal_only: u64,
    /// Times that it was lost, and found.
    pub(crate) lost: u64,
    pub(crate) found: u64,
    /// Changes that others made.
    pub(crate) changes: u64,
    /// Operations that wait.
    pub(crate) waiting: u64,
}

/// What the data thread hears of the store.
#[derive(Debug)]
pub(crate) enum News {
    /// An entry says this now.
    Change {
        address: Ipv4Addr,
        host: Option<Ipv6Addr>,
    },
    /// It is there. `is_new`: no gateway used it before.
    Up {
        is_new: bool,
    },
    Away {
        why: String,
    },
    /// Everything was read.
    Synced,
    /// Another process has this replica's number: this one must end.
    Fenced {
        by: String,
    },
}

/// What is being done for an operation.
#[derive(Debug, Clone, Copy)]
enum Stage {
    /// The journal's reply is the reply.
    Journal,
    /// The store is next.
    Keep,
    /// The store's reply is the reply; with one that is late the journal suffices.
    Kept,
    /// The store has another host: the journal forgets ours, then keeps that.
    Undo(Ipv6Addr),
    /// The store's reply is the reply.
    Ask,
    /// The journal is next.
    Forget,
}

pub(crate) struct Stores {
    journal: Journal,
    shared: Option<Shared>,
    scope: Scope,
    /// How the store is called.
    name: String,
    /// How long it may take.
    deadline: Duration,
    /// This replica's number is ours only while its lease lasts.
    fences: bool,
    held_at: Option<Instant>,
    is_up: bool,
    row: StoreRow,
    changed_at: Duration,
    replicas: Vec<ReplicaRow>,
    /// Entries of the reserved range in the journal.
    statics: BTreeMap<Ipv4Addr, Ipv6Addr>,
    next: u64,
    open: BTreeMap<u64, (StoreOperation, Stage)>,
    deadlines: BTreeSet<(Duration, u64)>,
    /// Addresses with an operation under way, and what waits for it.
    busy: BTreeMap<Ipv4Addr, VecDeque<StoreOperation>>,
    late: BTreeMap<u64, (Ipv4Addr, Ipv6Addr)>,
    /// Deletions that are made up for, by number.
    going: BTreeMap<u64, Ipv4Addr>,
    /// When those that failed are tried again.
    makes_up_at: Option<Duration>,
    ready: VecDeque<(OperationId, StoreReply)>,
    news: VecDeque<News>,
    unshared: Unshared,
}

impl Stores {
    pub(crate) fn new(journal: Journal, scope: Scope) -> Self {
        Self {
            journal,
            shared: None,
            scope,
            name: String::new(),
            deadline: Duration::ZERO,
            fences: false,
            held_at: None,
            is_up: false,
            row: StoreRow {
                store: String::new(),
                state: "away",
                since_seconds: 0,
                server: String::new(),
                why: String::new(),
                journal_only: 0,
                lost: 0,
                found: 0,
                changes: 0,
                waiting: 0,
            },
            changed_at: Duration::ZERO,
            replicas: Vec::new(),
            statics: BTreeMap::new(),
            next: 0,
            open: BTreeMap::new(),
            deadlines: BTreeSet::new(),
            busy: BTreeMap::new(),
            late: BTreeMap::new(),
            going: BTreeMap::new(),
            makes_up_at: None,
            ready: VecDeque::new(),
            news: VecDeque::new(),
            unshared: Unshared::default(),
        }
    }

    /// Works with a store too. `fences`: the replica's number was claimed, and is ours until its lease is over.
    pub(crate) fn share(
        &mut self,
        shared: Shared,
        name: String,
        deadline: Duration,
        fences: bool,
        statics: BTreeMap<Ipv4Addr, Ipv6Addr>,
        unshared: Unshared,
    ) {
        self.shared = Some(shared);
        self.name = name;
        self.deadline = deadline;
        self.fences = fences;
        self.statics = statics;
        self.unshared = unshared;
    }

    /// For the start: what is told next, if it is that the store is up, away or another's.
    pub(crate) fn wait(&mut self, now: Duration, most: Duration) -> Option<Told> {
        let told = self.shared.as_ref()?.wait(most)?;
        match told {
            Told::Up {
                server,
                ours,
                is_new,
            } => {
                self.up(now, server.clone(), true, is_new);
                return Some(Told::Up {
                    server,
                    ours,
                    is_new,
                });
            }
            Told::Away { .. } | Told::Fenced { .. } => return Some(told),
            _ => {}
        }
        self.hear(now, told);
        None
    }

    /// For the start: waits until everything was read.
    pub(crate) fn sync(&mut self, now: Duration, most: Duration) {
        let start = super::redis::client::now();
        while let Some(left) = most.checked_sub(start.elapsed())
            && let Some(told) = self.shared.as_ref().and_then(|shared| shared.wait(left))
        {
            let is_synced = matches!(told, Told::Synced);
            self.hear(now, told);
            if is_synced {
                return;
            }
        }
    }

    pub(crate) fn set_scope(&mut self, scope: Scope) {
        if let Some(shared) = &self.shared {
            shared.submit(Work::Scope(scope.clone()));
        }
        self.scope = scope;
    }

    /// Operations without reply.
    pub(crate) fn waiting(&self) -> usize {
        self.open.len() + self.ready.len()
    }

    pub(crate) fn submit(&mut self, now: Duration, operation: StoreOperation) {
        let address = address(&operation.action);
        if let Some(waiting) = self.busy.get_mut(&address) {
            waiting.push_back(operation);
            return;
        }
        self.busy.insert(address, VecDeque::new());
        self.begin(now, operation);
    }

    fn begin(&mut self, now: Duration, operation: StoreOperation) {
        let action = operation.action;
        if self.shared.is_none() {
            return self.on_journal(operation, Stage::Journal, action);
        }
        let owner = self.scope.owner(address(&action));
        match action {
            StoreAction::Put { .. } if owner == Owner::Us && self.is_fenced() => {
                self.finish(now, operation, StoreReply::Failed);
            }
            StoreAction::Put { .. } if owner != Owner::Other => {
                self.on_journal(operation, Stage::Keep, action);
            }
            StoreAction::Delete { .. } => self.on_store(now, operation, Stage::Forget),
            _ => self.on_store(now, operation, Stage::Ask),
        }
    }

    fn is_fenced(&self) -> bool {
        let held = |at: Instant| at.elapsed() + MARGIN < LEASE;
        self.fences && !self.held_at.is_some_and(held)
    }

    fn number(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    fn on_journal(&mut self, operation: StoreOperation, stage: Stage, action: StoreAction) {
        let number = self.number();
        self.open.insert(number, (operation, stage));
        self.journal.submit(number, action);
    }

    fn on_store(&mut self, now: Duration, operation: StoreOperation, stage: Stage) {
        let number = self.number();
        let action = operation.action;
        // The store's thread keeps in mind what it is told while the store is away.
        if let Some(shared) = &self.shared {
            let tag = number;
            shared.submit(Work::Operation { tag, action });
        }
        if self.is_up {
            self.open.insert(number, (operation, stage));
            self.deadlines
                .insert((now.saturating_add(self.deadline), number));
        } else {
            if let (Stage::Kept, StoreAction::Put { address, host }) = (stage, action)
                && self.late.len() < LATE
            {
                self.late.insert(number, (address, host));
            }
            self.replied(now, operation, stage, StoreReply::Failed);
        }
    }

    /// The journal alone keeps it, without a reply.
    fn aside(&mut self, action: StoreAction) {
        let number = self.number();
        self.journal.submit(number, action);
    }

    fn finish(&mut self, now: Duration, operation: StoreOperation, reply: StoreReply) {
        self.ready.push_back((operation.id, reply));
        let address = address(&operation.action);
        if self.scope.owner(address) == Owner::Nobody {
            match (operation.action, reply) {
                (StoreAction::Put { host, .. }, StoreReply::Done) => {
                    self.unshared.ended(address);
                    self.statics.insert(address, host);
                }
                (StoreAction::Put { .. }, StoreReply::Conflict(host)) => {
                    self.statics.insert(address, host);
                }
                (StoreAction::Delete { .. }, StoreReply::Done) => {
                    self.statics.remove(&address);
                }
                _ => {}
            }
        }
        let next = self.busy.get_mut(&address).and_then(VecDeque::pop_front);
        match next {
            Some(next) => self.begin(now, next),
            None => {
                self.busy.remove(&address);
            }
        }
    }

    /// One step is done.
    fn replied(
        &mut self,
        now: Duration,
        operation: StoreOperation,
        stage: Stage,
        reply: StoreReply,
    ) {
        match (stage, operation.action, reply) {
            (Stage::Keep, StoreAction::Put { .. }, StoreReply::Done) => {
                self.on_store(now, operation, Stage::Kept);
            }
            (Stage::Kept, StoreAction::Put { address, host }, StoreReply::Conflict(kept)) => {
                let forget = StoreAction::Delete { address, host };
                self.on_journal(operation, Stage::Undo(kept), forget);
            }
            (Stage::Kept, _, StoreReply::Failed | StoreReply::Leased) => {
                self.row.journal_only += 1;
                if self.scope.owner(address(&operation.action)) == Owner::Nobody {
                    self.unshared.note(operation.action);
                }
                self.finish(now, operation, StoreReply::Done);
            }
            (Stage::Undo(kept), StoreAction::Put { address, .. }, _) => {
                let host = kept;
                self.aside(StoreAction::Put { address, host });
                self.finish(now, operation, StoreReply::Conflict(kept));
            }
            (Stage::Forget, action, StoreReply::Failed)
                if self.scope.owner(address(&action)) == Owner::Nobody =>
            {
                // An operator's word holds here at once, and in the store once it is back.
                self.unshared.note(action);
                self.on_journal(operation, Stage::Journal, action);
            }
            (Stage::Forget, action, StoreReply::Done) => {
                self.on_journal(operation, Stage::Journal, action);
            }
            _ => self.finish(now, operation, reply),
        }
    }

    fn up(&mut self, now: Duration, server: String, is_start: bool, is_new: bool) {
        self.is_up = true;
        self.changed_at = now;
        self.row.state = "up";
        self.row.server = server;
        self.row.why.clear();
        self.row.found += 1;
        self.make_up();
        if !is_start {
            self.news.push_back(News::Up { is_new });
        }
    }

    /// Deletes from the store what was deleted while it was away.
    fn make_up(&mut self) {
        let gone: Vec<StoreAction> = self.unshared.gone().collect();
        for action in gone {
            let tag = self.number();
            if let Some(shared) = &self.shared {
                shared.submit(Work::Operation { tag, action });
                self.going.insert(tag, address(&action));
            }
        }
    }

    fn hear(&mut self, now: Duration, told: Told) {
        match told {
            Told::Reply(number, reply) => {
                if let Some(address) = self.going.remove(&number) {
                    if reply == StoreReply::Failed {
                        self.makes_up_at = Some(now.saturating_add(AGAIN));
                    } else {
                        self.unshared.ended(address);
                    }
                } else if let Some((operation, stage)) = self.open.remove(&number) {
                    self.replied(now, operation, stage, reply);
                } else if let Some((address, host)) = self.late.remove(&number)
                    && let StoreReply::Conflict(_) = reply
                    && let Some(shared) = &self.shared
                {
                    // Clients were told of ours meanwhile, and the address is ours to give.
                    shared.submit(Work::Assert { address, host });
                }
            }
            Told::Up {
                server,
                ours,
                is_new,
            } => {
                if ours {
                    self.up(now, server, false, is_new);
                } else {
                    let by = "another process since we looked last".to_owned();
                    self.news.push_back(News::Fenced { by });
                }
            }
            Told::Away { why } => {
                if self.is_up {
                    self.changed_at = now;
                    self.row.lost += 1;
                    self.news.push_back(News::Away { why: why.clone() });
                }
                self.is_up = false;
                self.row.state = "away";
                self.row.server.clear();
                self.row.why = why;
            }
            Told::Held(at) => self.held_at = Some(at),
            Told::Change {
                address,
                host: Some(host),
            } if self.unshared.is_gone(address, host) => {}
            Told::Change { address, host } => {
                self.row.changes += 1;
                self.news.push_back(News::Change { address, host });
            }
            Told::Synced => self.news.push_back(News::Synced),
            Told::Replicas(rows) => self.replicas = rows,
            Told::Fenced { by, .. } => self.news.push_back(News::Fenced { by }),
        }
    }

    /// Takes in what came; the next reply.
    pub(crate) fn poll(&mut self, now: Duration) -> Option<(OperationId, StoreReply)> {
        while let Some((number, reply)) = self.journal.poll() {
            if let Some((operation, stage)) = self.open.remove(&number) {
                self.replied(now, operation, stage, reply);
            }
        }
        while let Some(told) = self.shared.as_ref().and_then(Shared::poll) {
            self.hear(now, told);
        }
        if self.makes_up_at.is_some_and(|at| at <= now) {
            self.makes_up_at = None;
            if self.is_up {
                self.make_up();
            }
        }
        while let Some((at, number)) = self.deadlines.first().copied()
            && at <= now
        {
            self.deadlines.pop_first();
            let Some((operation, stage)) = self.open.remove(&number) else {
                continue;
            };
            if let (Stage::Kept, StoreAction::Put { address, host }) = (stage, operation.action)
                && self.late.len() < LATE
            {
                self.late.insert(number, (address, host));
            }
            self.replied(now, operation, stage, StoreReply::Failed);
        }
        self.ready.pop_front()
    }

    /// What is heard of the store; that this process must end, again and again.
    pub(crate) fn poll_news(&mut self) -> Option<News> {
        if let Some(News::Fenced { by }) = self.news.front() {
            return Some(News::Fenced { by: by.clone() });
        }
        let news = self.news.pop_front();
        if matches!(news, Some(News::Up { .. } | News::Synced)) && self.is_up {
            self.unshared.shared();
        }
        news
    }

    /// When [`poll`](Self::poll) has something to do.
    pub(crate) fn poll_timeout(&self) -> Option<Duration> {
        if !self.ready.is_empty() || !self.news.is_empty() {
            return Some(Duration::ZERO);
        }
        let late_at = self.deadlines.first().map(|(at, _)| *at);
        late_at.into_iter().chain(self.makes_up_at).min()
    }

    /// The store must have this, of which clients were told.
    pub(crate) fn assert(&self, address: Ipv4Addr, host: Ipv6Addr) {
        if let Some(shared) = &self.shared {
            shared.submit(Work::Assert { address, host });
        }
    }

    /// The journal follows what the store says of an address that this replica may have to answer for alone.
    pub(crate) fn follow(&mut self, address: Ipv4Addr, host: Option<Ipv6Addr>) {
        match self.scope.owner(address) {
            Owner::Other => return,
            Owner::Us => {}
            Owner::Nobody => {
                let before = match host {
                    Some(host) => self.statics.insert(address, host),
                    None => self.statics.remove(&address),
                };
                if let Some(before) = before.filter(|before| Some(*before) != host) {
                    let host = before;
                    self.aside(StoreAction::Delete { address, host });
                }
            }
        }
        if let Some(host) = host {
            self.aside(StoreAction::Put { address, host });
        }
    }

    /// The journal forgets what it held of a slice that was another's meanwhile.
    pub(crate) fn disown(&mut self, held: impl IntoIterator<Item = (Ipv4Addr, Ipv6Addr)>) {
        for (address, host) in held {
            self.aside(StoreAction::Delete { address, host });
        }
    }

    /// Takes note that replies were looked for.
    pub(crate) fn hush(&self) {
        self.journal.hush();
    }

    /// `None` without a store.
    pub(crate) fn row(&self, now: Duration) -> Option<StoreRow> {
        self.shared.as_ref()?;
        Some(StoreRow {
            store: self.name.clone(),
            since_seconds: now.saturating_sub(self.changed_at).as_secs(),
            waiting: self.open.len() as u64,
            ..self.row.clone()
        })
    }

    /// Who holds which replica's number, as the store told last.
    pub(crate) fn replicas(&self) -> &[ReplicaRow] {
        &self.replicas
    }
}

impl AsFd for Stores {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.journal.as_fd()
    }
}

/// The address that an operation is about.
pub(super) fn address(action: &StoreAction) -> Ipv4Addr {
    match action {
        StoreAction::Put { address, .. }
        | StoreAction::Get { address, .. }
        | StoreAction::Renew { address, .. }
        | StoreAction::Delete { address, .. } => *address,
        _ => Ipv4Addr::UNSPECIFIED,
    }
}
