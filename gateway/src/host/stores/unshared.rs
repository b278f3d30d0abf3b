//! Manual entries that were set or deleted while the store was away: a file, so that a restart neither takes
//! those that were set for ones that were deleted from the store meanwhile, nor brings back the others.

use alloc::collections::{BTreeMap, BTreeSet};
use core::net::{Ipv4Addr, Ipv6Addr};
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};

use dns46::StoreAction;

/// A line `ADDRESS` for what was set, `-ADDRESS HOST` for what was deleted; the last about an address holds.
#[derive(Debug, Default)]
pub(crate) struct Unshared {
    path: Option<PathBuf>,
    set: BTreeSet<Ipv4Addr>,
    /// The store may still have them; what it says of them is not believed.
    gone: BTreeMap<Ipv4Addr, Ipv6Addr>,
}

impl Unshared {
    /// What the file at `path` says.
    pub(crate) fn open(path: &Path) -> Self {
        let mut unshared = Self {
            path: Some(path.to_owned()),
            ..Self::default()
        };
        for line in fs::read_to_string(path).unwrap_or_default().lines() {
            if let Some((address, host)) =
                line.strip_prefix('-').and_then(|gone| gone.split_once(' '))
            {
                if let (Ok(address), Ok(host)) = (address.parse(), host.parse()) {
                    unshared.take_in(address, Some(host));
                }
            } else if let Ok(address) = line.parse() {
                unshared.take_in(address, None);
            }
        }
        unshared
    }

    /// Set while the store was away.
    pub(crate) fn is_set(&self, address: Ipv4Addr) -> bool {
        self.set.contains(&address)
    }

    /// Deleted while the store was away.
    pub(super) fn is_gone(&self, address: Ipv4Addr, host: Ipv6Addr) -> bool {
        self.gone.get(&address) == Some(&host)
    }

    /// What is to be deleted from the store.
    pub(super) fn gone(&self) -> impl Iterator<Item = StoreAction> {
        let gone = self.gone.iter();
        gone.map(|(address, host)| StoreAction::Delete {
            address: *address,
            host: *host,
        })
    }

    fn take_in(&mut self, address: Ipv4Addr, gone: Option<Ipv6Addr>) {
        match gone {
            Some(host) => {
                self.set.remove(&address);
                self.gone.insert(address, host);
            }
            None => {
                self.gone.remove(&address);
                self.set.insert(address);
            }
        }
    }

    /// Notes an entry; one that cannot be noted is lost only if the process ends before the store is back.
    pub(super) fn note(&mut self, action: StoreAction) {
        let line = match action {
            StoreAction::Put { address, .. } => {
                self.take_in(address, None);
                format!("{address}\n")
            }
            StoreAction::Delete { address, host } => {
                self.take_in(address, Some(host));
                format!("-{address} {host}\n")
            }
            _ => return,
        };
        let Some(path) = &self.path else {
            return;
        };
        let file = File::options().create(true).append(true).open(path);
        if let Err(error) = file.and_then(|mut file| file.write_all(line.as_bytes())) {
            tracing::warn!("{}: {error}", path.display());
        }
    }

    /// The store has all that were set.
    pub(super) fn shared(&mut self) {
        if !self.set.is_empty() {
            self.set.clear();
            self.write();
        }
    }

    /// The store has it no longer, or somebody set it again.
    pub(super) fn ended(&mut self, address: Ipv4Addr) {
        if self.gone.remove(&address).is_some() {
            self.write();
        }
    }

    fn write(&self) {
        let Some(path) = &self.path else {
            return;
        };
        let set = self.set.iter().map(|address| format!("{address}\n"));
        let gone = self.gone.iter();
        let gone = gone.map(|(address, host)| format!("-{address} {host}\n"));
        let text: String = set.chain(gone).collect();
        let written = if text.is_empty() {
            fs::remove_file(path)
        } else {
            fs::write(path, text)
        };
        if let Err(error) = written {
            tracing::warn!("{}: {error}", path.display());
        }
    }
}
