//! Kernel settings that are changed while the gateway runs, and put back afterwards: also after a life
//! that ended without a chance to.

use alloc::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use super::network::made::Made;

/// What settings were before, by path below `/proc/sys`, and what is to be removed; kept in a file until
/// that is done.
#[derive(Debug)]
pub(crate) struct Settings {
    kept: Kept,
    file: PathBuf,
}

/// What is in the file.
#[derive(Debug, Default, serde::Serialize, serde::Deserialize)]
struct Kept {
    settings: BTreeMap<String, String>,
    #[serde(default)]
    made: Made,
}

impl Kept {
    fn read(bytes: &[u8]) -> serde_json::Result<Self> {
        // Versions before wrote the settings alone.
        serde_json::from_slice(bytes).or_else(|error| {
            let settings = serde_json::from_slice(bytes).map_err(|_| error)?;
            let made = Made::default();
            Ok(Self { settings, made })
        })
    }
}

impl Settings {
    /// Continues where a life before left off, if it did not put back what it changed.
    pub(crate) fn open(file: PathBuf) -> io::Result<Self> {
        let kept = match fs::read(&file) {
            Ok(bytes) => match Kept::read(&bytes) {
                Ok(kept) => kept,
                Err(error) => {
                    let aside = beside(&file, "damaged");
                    fs::rename(&file, &aside)?;
                    tracing::warn!(
                        "{}: {error}; what a life before left on the host stays there; the file is kept as {}",
                        file.display(),
                        aside.display()
                    );
                    Kept::default()
                }
            },
            Err(error) if error.kind() == io::ErrorKind::NotFound => Kept::default(),
            Err(error) => return Err(error),
        };
        Ok(Self { kept, file })
    }

    /// Of whoever changes nothing.
    pub(crate) fn none() -> Self {
        Self {
            kept: Kept::default(),
            file: PathBuf::new(),
        }
    }

    /// Changes a setting; what it was is on disk first.
    pub(crate) fn set(&mut self, name: &str, value: &str) -> io::Result<()> {
        if read(name)? == value {
            return Ok(());
        }
        self.keep([name.to_owned()])?;
        fs::write(path(name), value)
    }

    /// Keeps what settings are that the kernel changes along with another; those that are not there
    /// are none.
    pub(crate) fn keep(&mut self, names: impl IntoIterator<Item = String>) -> io::Result<()> {
        let mut is_new = false;
        for name in names {
            if !self.kept.settings.contains_key(&name)
                && let Ok(now) = read(&name)
            {
                self.kept.settings.insert(name, now);
                is_new = true;
            }
        }
        if is_new { self.save() } else { Ok(()) }
    }

    /// What was made that is to be removed.
    pub(crate) fn made(&self) -> Made {
        self.kept.made.clone()
    }

    /// Keeps what is about to be made.
    pub(crate) fn remember(&mut self, made: Made) -> io::Result<()> {
        if self.kept.made.join(made) {
            self.save()
        } else {
            Ok(())
        }
    }

    /// Whole or not at all, wherever it is cut off.
    fn save(&self) -> io::Result<()> {
        let new = beside(&self.file, "new");
        let mut file = File::create(&new)?;
        file.write_all(&serde_json::to_vec(&self.kept)?)?;
        file.sync_all()?;
        fs::rename(&new, &self.file)
    }

    /// Puts back what is not needed any more; gives what could not be, which is tried again at the end.
    pub(crate) fn put_back(&mut self, goes: impl Fn(&str) -> bool) -> Vec<(String, io::Error)> {
        let mut failed = Vec::new();
        let before = self.kept.settings.len();
        self.kept.settings.retain(|name, value| {
            let result = if goes(name) {
                write_back(name, value)
            } else {
                return true;
            };
            let stays = result.is_err();
            failed.extend(result.err().map(|error| (name.clone(), error)));
            stays
        });
        if self.kept.settings.len() < before
            && let Err(error) = self.save()
        {
            failed.push((self.file.display().to_string(), error));
        }
        failed
    }

    /// Puts everything back; gives what could not be.
    pub(crate) fn restore(&mut self) -> Vec<(String, io::Error)> {
        let mut failed = Vec::new();
        let settings = core::mem::take(&mut self.kept).settings;
        let mut settings: Vec<(String, String)> = settings.into_iter().collect();
        settings.sort_by_key(|(name, _)| turn(name));
        for (name, value) in settings {
            if let Err(error) = write_back(&name, &value) {
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

/// What a setting is now.
pub(crate) fn read(name: &str) -> io::Result<String> {
    Ok(fs::read_to_string(path(name))?.trim().to_owned())
}

/// A device that is gone has no settings. What is as it was is not written: that too has effects.
fn write_back(name: &str, value: &str) -> io::Result<()> {
    match read(name) {
        Ok(now) if now == value => Ok(()),
        Ok(_) => fs::write(path(name), value),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}

fn path(name: &str) -> PathBuf {
    Path::new("/proc/sys").join(name)
}

/// First what changes others, last what keeps routes while those are changed.
fn turn(name: &str) -> u8 {
    match name {
        "net/ipv4/ip_forward" | "net/ipv6/conf/all/forwarding" => 0,
        _ if name.ends_with("/accept_ra") => 2,
        _ => 1,
    }
}

fn beside(file: &Path, ending: &str) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(".");
    name.push(ending);
    name.into()
}
