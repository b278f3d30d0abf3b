//! Kernel settings that are changed while the gateway runs, and put back afterwards: also after a life
//! that ended without a chance to.

use alloc::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// What settings were before, by path below `/proc/sys`; kept in a file until they are put back.
#[derive(Debug)]
pub(crate) struct Settings {
    before: BTreeMap<String, String>,
    file: PathBuf,
}

impl Settings {
    /// Continues where a life before left off, if it did not put back what it changed.
    pub(crate) fn open(file: PathBuf) -> io::Result<Self> {
        let before = match fs::read(&file) {
            Ok(bytes) => serde_json::from_slice(&bytes)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => BTreeMap::new(),
            Err(error) => return Err(error),
        };
        Ok(Self { before, file })
    }

    /// Of whoever changes nothing.
    pub(crate) fn none() -> Self {
        Self {
            before: BTreeMap::new(),
            file: PathBuf::new(),
        }
    }

    /// Changes a setting; what it was is on disk first.
    pub(crate) fn set(&mut self, name: &str, value: &str) -> io::Result<()> {
        let path = Path::new("/proc/sys").join(name);
        let now = fs::read_to_string(&path)?;
        if now.trim() == value {
            return Ok(());
        }
        if !self.before.contains_key(name) {
            self.before.insert(name.to_owned(), now.trim().to_owned());
            fs::write(&self.file, serde_json::to_vec(&self.before)?)?;
        }
        fs::write(&path, value)
    }

    /// Puts everything back; gives what could not be.
    pub(crate) fn restore(&mut self) -> Vec<(String, io::Error)> {
        let mut failed = Vec::new();
        for (name, value) in core::mem::take(&mut self.before) {
            let result = fs::write(Path::new("/proc/sys").join(&name), value);
            // A device that is gone has no settings.
            if let Err(error) = result
                && error.kind() != io::ErrorKind::NotFound
            {
                failed.push((name, error));
            }
        }
        if let Err(error) = fs::remove_file(&self.file)
            && error.kind() != io::ErrorKind::NotFound
        {
            failed.push((self.file.display().to_string(), error));
        }
        failed
    }
}
