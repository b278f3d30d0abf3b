//! Which replica we are: a number that no two processes have, by a lease in the store.

use core::fmt::Write;
use core::time::Duration;
use std::fs::{self, File};
use std::io;
use std::path::Path;

use redis::{Value, cmd};
use rustix::fs::FlockOperation;
use serde::Serialize;

use super::keys::Keys;
use super::script::Scripts;
use super::wire::{Connection, StoreError, list, string, told};

/// For how long a number is ours after the last word to the store.
pub(crate) const LEASE: Duration = Duration::from_secs(15);
pub(crate) const HEARTBEAT: Duration = Duration::from_secs(1);

/// A replica, as far as the store knows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct ReplicaRow {
    pub(crate) replica: u32,
    /// `self`, `alive`, `dead` (its number can be taken over), or `free`.
    pub(crate) state: &'static str,
    /// Where it runs, and since when.
    #[serde(rename = "where")]
    pub(crate) about: String,
    /// The state directory that has its number, or had it last.
    #[serde(skip)]
    pub(crate) instance: String,
}

#[derive(Debug)]
pub(crate) struct Identity {
    pub(crate) replica: u32,
    /// The same in every life with this state directory.
    pub(crate) instance: String,
    pub(crate) about: String,
    /// Locked while we live, so that no other process has it.
    _file: File,
}

/// Why a state directory is not ours.
#[derive(Debug, thiserror::Error)]
pub(crate) enum IdentityError {
    #[error("{file}: {error}")]
    File { file: String, error: io::Error },
    #[error("{file} is locked: does this replica run already?")]
    Locked { file: String },
    #[error("no entropy: {0}")]
    Entropy(getrandom::Error),
}

impl Identity {
    /// That of a state directory's replica; made if there is none.
    pub(crate) fn of(state: &Path, replica: u32) -> Result<Self, IdentityError> {
        let path = state.join(format!("replica-{replica}-instance"));
        let failed = |error| IdentityError::File {
            file: path.display().to_string(),
            error,
        };
        let file = File::options()
            .read(true)
            .append(true)
            .create(true)
            .open(&path)
            .map_err(failed)?;
        rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive).map_err(|_| {
            IdentityError::Locked {
                file: path.display().to_string(),
            }
        })?;
        let mut instance = fs::read_to_string(&path).map_err(failed)?;
        if instance.len() != 32 {
            let mut bytes = [0; 16];
            getrandom::fill(&mut bytes).map_err(IdentityError::Entropy)?;
            instance = bytes.iter().fold(String::new(), |mut text, byte| {
                let _ = write!(text, "{byte:02x}");
                text
            });
            fs::write(&path, &instance).map_err(failed)?;
        }
        let host = fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
        let about = format!(
            "{} pid {} since {:.0}",
            host.trim(),
            std::process::id(),
            jiff::Timestamp::now()
        );
        Ok(Self {
            replica,
            instance,
            about,
            _file: file,
        })
    }

    /// Takes or keeps the number; gives who held it before, `None` if somebody else does and lives.
    pub(crate) fn claim(
        &self,
        connection: &mut Connection,
        scripts: &Scripts,
        keys: &Keys,
    ) -> Result<Option<String>, StoreError> {
        let claim = scripts.claim(keys, self.replica, &self.instance, LEASE, &self.about);
        match told(connection.ask(claim)?)? {
            Value::Array(_) => Ok(None),
            value => {
                // Anything else is no leave to hand addresses out.
                let strange = || StoreError::Reply("no reply to a claim".to_owned());
                string(&value).map(Some).ok_or_else(strange)
            }
        }
    }

    /// Who has the number, for people.
    pub(crate) fn holder(&self, connection: &mut Connection, keys: &Keys) -> String {
        let mut get = cmd("GET");
        get.arg(keys.alive(self.replica));
        let about = connection.ask(get).ok().as_ref().and_then(string);
        about.unwrap_or_else(|| "another process".to_owned())
    }

    /// Every number.
    pub(crate) fn look(
        &self,
        connection: &mut Connection,
        keys: &Keys,
        replicas: u32,
    ) -> Result<Vec<ReplicaRow>, StoreError> {
        look(connection, keys, replicas, &self.instance)
    }
}

/// Every number of `replicas`, as the store has it.
pub(crate) fn look(
    connection: &mut Connection,
    keys: &Keys,
    replicas: u32,
    own: &str,
) -> Result<Vec<ReplicaRow>, StoreError> {
    let mut command = cmd("MGET");
    for number in 0..replicas {
        command.arg(keys.replica(number)).arg(keys.alive(number));
    }
    let values = list(connection.ask(command)?);
    let rows = (0..replicas).zip(values.chunks(2));
    Ok(rows
        .map(|(replica, pair)| {
            let instance = pair.first().and_then(string);
            let about = pair.get(1).and_then(string);
            ReplicaRow {
                replica,
                state: match (&instance, &about) {
                    (Some(instance), Some(_)) if instance == own => "self",
                    (_, Some(_)) => "alive",
                    (Some(_), None) => "dead",
                    (None, None) => "free",
                },
                about: about.unwrap_or_default(),
                instance: instance.unwrap_or_default(),
            }
        })
        .collect())
}

/// Takes a number that nobody alive has: the one that this state directory had before, else one of a dead
/// replica, which leaves mappings behind, else a free one. `None` if all are taken.
pub(crate) fn claim_any(
    connection: &mut Connection,
    keys: &Keys,
    replicas: u32,
    state: &Path,
) -> Result<Option<Identity>, Box<dyn core::error::Error>> {
    let scripts = Scripts::new();
    for reply in connection.ask_all(&scripts.load())? {
        told(reply)?;
    }
    let rows = look(connection, keys, replicas, "")?;
    let mut found = Vec::new();
    for row in rows {
        // Another process of this host may have that directory's instance.
        let identity = match Identity::of(state, row.replica) {
            Ok(identity) => identity,
            Err(IdentityError::Locked { .. }) => continue,
            Err(error) => return Err(error.into()),
        };
        let rank = match row.state {
            _ if row.instance == identity.instance => 0,
            "dead" => 1,
            "free" => 2,
            _ => continue,
        };
        found.push((rank, row.replica, identity));
    }
    found.sort_by_key(|(rank, replica, _)| (*rank, *replica));
    for (_, _, identity) in found {
        if identity.claim(connection, &scripts, keys)?.is_some() {
            return Ok(Some(identity));
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::super::location::Location;
    use super::super::wire::scripted;
    use super::*;

    #[test]
    fn a_number_is_ours_by_the_reply_of_the_script_alone() {
        let folder = std::env::temp_dir().join(format!("identity-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let identity = Identity::of(&folder, 0).unwrap();
        let claims: [(&[(&str, &str)], _); 6] = [
            (&[("EVALSHA", "$0\r\n\r\n")], Some(Some(""))),
            (&[("EVALSHA", "$1\r\nx\r\n")], Some(Some("x"))),
            (&[("EVALSHA", "*1\r\n$1\r\nx\r\n")], Some(None)),
            (&[("EVALSHA", "$-1\r\n")], None),
            (&[("EVALSHA", ":1\r\n")], None),
            (&[("EVALSHA", "-NOSCRIPT none\r\n")], None),
        ];
        for (replies, wanted) in claims {
            let server = scripted(replies);
            let location: Location = format!("redis://{server}").parse().unwrap();
            let mut connection = Connection::open(&server, &location.access, HEARTBEAT).unwrap();
            let claimed = identity.claim(&mut connection, &Scripts::new(), &location.keys);
            let claimed = claimed.ok();
            let claimed = claimed.as_ref().map(Option::as_deref);
            assert_eq!(claimed, wanted, "{replies:?}");
        }
        let _ = fs::remove_dir_all(&folder);
    }
}
