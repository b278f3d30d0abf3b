//! The journal: mappings in a file, so that what was answered outlives the process.
//!
//! A thread of its own commits: all operations that have come meanwhile share one commit, so that a
//! burst costs few syncs and the data thread never waits.

use core::net::{Ipv4Addr, Ipv6Addr};
use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

use dns46::{StoreAction, StoreReply};
use redb::{Database, ReadableDatabase, ReadableTable, ReadableTableMetadata, TableDefinition};
use rustix::event::EventfdFlags;

/// IPv4 address to IPv6 host.
const HOSTS: TableDefinition<'_, u32, u128> = TableDefinition::new("hosts");

/// Operations that may share a commit.
const BATCH: usize = 4096;

/// Why there is no journal.
#[derive(Debug, thiserror::Error)]
pub(crate) enum JournalError {
    #[error(
        "{path} cannot be used as journal: {error}. It was left as it is: move it away to start anew, or restore a copy"
    )]
    Open { path: String, error: String },
    #[error("{path} is in use: is this replica running already?")]
    InUse { path: String },
    #[error("journal: {0}")]
    Io(#[from] io::Error),
}

/// The journal, as the data thread sees it.
pub(crate) struct Journal {
    operations: Sender<(u64, StoreAction)>,
    replies: Receiver<(u64, StoreReply)>,
    /// Readable while replies wait.
    wake: OwnedFd,
}

impl Journal {
    /// Opens or makes the file; gives what it holds.
    pub(crate) fn open(path: &Path) -> Result<(Self, Vec<(Ipv4Addr, Ipv6Addr)>), JournalError> {
        let told = |error| told(path, error);
        let database = Database::create(path).map_err(|error| told(error.into()))?;
        let held = load(&database).map_err(told)?;
        let (operations, work) = channel::<(u64, StoreAction)>();
        let (done, replies) = channel();
        let wake = rustix::event::eventfd(0, EventfdFlags::NONBLOCK | EventfdFlags::CLOEXEC)
            .map_err(io::Error::from)?;
        let bell = wake.try_clone()?;
        thread::Builder::new()
            .name("journal".to_owned())
            .spawn(move || {
                while let Ok(first) = work.recv() {
                    let batch = core::iter::once(first).chain(work.try_iter().take(BATCH - 1));
                    let batch: Vec<(u64, StoreAction)> = batch.collect();
                    for reply in commit(&database, &batch) {
                        if done.send(reply).is_err() {
                            return;
                        }
                    }
                    let _ = rustix::io::write(&bell, &1_u64.to_ne_bytes());
                }
            })?;
        let journal = Self {
            operations,
            replies,
            wake,
        };
        Ok((journal, held))
    }

    /// Hands an operation to the thread, under a number for the reply. If the thread has gone, nothing replies.
    pub(crate) fn submit(&self, number: u64, action: StoreAction) {
        let _ = self.operations.send((number, action));
    }

    /// The next reply.
    pub(crate) fn poll(&self) -> Option<(u64, StoreReply)> {
        self.replies.try_recv().ok()
    }

    /// Rung by others, it wakes whoever waits for replies.
    pub(crate) fn bell(&self) -> io::Result<OwnedFd> {
        self.wake.try_clone()
    }

    /// Takes note that replies were looked for.
    pub(crate) fn hush(&self) {
        let _ = rustix::io::read(&self.wake, &mut [0; 8]);
    }
}

impl AsFd for Journal {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.wake.as_fd()
    }
}

fn told(path: &Path, error: redb::Error) -> JournalError {
    let path = path.display().to_string();
    match error {
        redb::Error::DatabaseAlreadyOpen => JournalError::InUse { path },
        error => JournalError::Open {
            path,
            error: error.to_string(),
        },
    }
}

/// How many mappings the journal of a gateway that does not run holds. It is read, and mended if it
/// must be, in a copy, which is removed again.
pub(crate) fn look(path: &Path) -> Result<usize, JournalError> {
    unused(path)?;
    let name = format!("egress-journal-{}.redb", std::process::id());
    let copy = std::env::temp_dir().join(name);
    let looked = || {
        let mut from = File::open(path)?;
        let mut to = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&copy)?;
        io::copy(&mut from, &mut to)?;
        drop(to);
        let database = Database::open(&copy).map_err(|error| told(path, error.into()))?;
        Ok(load(&database).map_err(|error| told(path, error))?.len())
    };
    let looked = looked();
    let _ = std::fs::remove_file(&copy);
    if looked.is_err() {
        // A gateway that started meanwhile may have changed it under the copy.
        unused(path)?;
    }
    looked
}

/// Whoever has it open has it locked.
fn unused(path: &Path) -> Result<(), JournalError> {
    match File::open(path)?.try_lock_shared() {
        Ok(()) => Ok(()),
        Err(TryLockError::WouldBlock) => Err(JournalError::InUse {
            path: path.display().to_string(),
        }),
        Err(TryLockError::Error(error)) => Err(error.into()),
    }
}

fn load(database: &Database) -> Result<Vec<(Ipv4Addr, Ipv6Addr)>, redb::Error> {
    let table = match database.begin_read()?.open_table(HOSTS) {
        Err(redb::TableError::TableDoesNotExist(_)) => return Ok(Vec::new()),
        table => table?,
    };
    let mut held = Vec::with_capacity(usize::try_from(table.len()?).unwrap_or(0));
    for pair in table.iter()? {
        let (address, host) = pair?;
        held.push((
            Ipv4Addr::from_bits(address.value()),
            Ipv6Addr::from_bits(host.value()),
        ));
    }
    Ok(held)
}

/// Does all operations in one commit; if that fails, none was done.
fn commit(database: &Database, batch: &[(u64, StoreAction)]) -> Vec<(u64, StoreReply)> {
    try_commit(database, batch).unwrap_or_else(|_| {
        let failed = batch.iter();
        failed
            .map(|(number, _)| (*number, StoreReply::Failed))
            .collect()
    })
}

fn try_commit(
    database: &Database,
    batch: &[(u64, StoreAction)],
) -> Result<Vec<(u64, StoreReply)>, redb::Error> {
    let write = database.begin_write()?;
    let mut replies = Vec::with_capacity(batch.len());
    {
        let mut table = write.open_table(HOSTS)?;
        for (number, action) in batch {
            let reply = match *action {
                StoreAction::Put { address, host } => {
                    let kept = table.get(address.to_bits())?.map(|kept| kept.value());
                    match kept {
                        Some(kept) if kept != host.to_bits() => {
                            StoreReply::Conflict(Ipv6Addr::from_bits(kept))
                        }
                        Some(_) => StoreReply::Done,
                        None => {
                            table.insert(address.to_bits(), host.to_bits())?;
                            StoreReply::Done
                        }
                    }
                }
                StoreAction::Get { address, .. } => match table.get(address.to_bits())? {
                    Some(host) => StoreReply::Found(Ipv6Addr::from_bits(host.value())),
                    None => StoreReply::Absent,
                },
                // Nobody else has this journal: what stands in it stands.
                StoreAction::Renew { address, host, .. } => {
                    match table.get(address.to_bits())?.map(|kept| kept.value()) {
                        Some(kept) if kept == host.to_bits() => StoreReply::Done,
                        Some(kept) => StoreReply::Conflict(Ipv6Addr::from_bits(kept)),
                        None => StoreReply::Absent,
                    }
                }
                StoreAction::Delete { address, host } => {
                    let kept = table.get(address.to_bits())?.map(|kept| kept.value());
                    if kept == Some(host.to_bits()) {
                        table.remove(address.to_bits())?;
                    }
                    StoreReply::Done
                }
                _ => StoreReply::Failed,
            };
            replies.push((*number, reply));
        }
    }
    write.commit()?;
    Ok(replies)
}

#[cfg(test)]
mod tests;
