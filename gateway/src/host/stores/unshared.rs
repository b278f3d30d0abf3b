//! Manual entries that were set while the store was away: a file, so that a restart does not take them for ones
//! that were deleted from the store meanwhile.

use core::net::Ipv4Addr;
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};

use dns46::StoreAction;

#[derive(Debug, Default)]
pub(crate) struct Unshared {
    path: Option<PathBuf>,
    is_empty: bool,
}

impl Unshared {
    /// The file at `path`, and what it says.
    pub(crate) fn open(path: &Path) -> (Self, Vec<Ipv4Addr>) {
        let text = fs::read_to_string(path).unwrap_or_default();
        let unshared = Self {
            path: Some(path.to_owned()),
            is_empty: text.is_empty(),
        };
        let addresses = text.lines().filter_map(|line| line.parse().ok());
        (unshared, addresses.collect())
    }

    /// Notes an entry; one that cannot be noted is lost only if the process ends before the store is back.
    pub(super) fn note(&mut self, action: StoreAction) {
        let (Some(path), StoreAction::Put { address, .. }) = (&self.path, action) else {
            return;
        };
        let file = File::options().create(true).append(true).open(path);
        if let Err(error) = file.and_then(|mut file| writeln!(file, "{address}")) {
            tracing::warn!("{}: {error}", path.display());
        }
        self.is_empty = false;
    }

    /// The store has them all.
    pub(super) fn clear(&mut self) {
        if let Some(path) = &self.path
            && !self.is_empty
        {
            let _ = fs::remove_file(path);
            self.is_empty = true;
        }
    }
}
