//! Which server takes writes, as Sentinels say.

use alloc::collections::BTreeMap;
use core::time::Duration;

use redis::cmd;

use super::location::{Location, Server, Way};
use super::wire::{Connection, StoreError, list, string};

/// Tells of a failover, once the new master is known to the Sentinel.
pub(crate) const SWITCHED: &str = "+switch-master";

/// A connection to the server that takes writes, which says so itself.
pub(crate) fn connect(location: &Location, patience: Duration) -> Result<Connection, StoreError> {
    let server = match &location.way {
        Way::Server(server) => server.clone(),
        Way::Sentinel { sentinels, master } => find(location, sentinels, master, patience)?,
    };
    let mut connection = Connection::open(&server, &location.access, patience)?;
    connection.verify_role()?;
    Ok(connection)
}

/// What most Sentinels say: one that is cut off may not know of a failover yet.
fn find(
    location: &Location,
    sentinels: &[Server],
    master: &str,
    patience: Duration,
) -> Result<Server, StoreError> {
    let mut votes: BTreeMap<Server, usize> = BTreeMap::new();
    let mut why = "none knows it".to_owned();
    for sentinel in sentinels {
        match ask(location, sentinel, master, patience) {
            Ok(Some(server)) => *votes.entry(server).or_default() += 1,
            Ok(None) => {}
            Err(error) => why = error.to_string(),
        }
    }
    let most = votes.into_iter().max_by_key(|(_, votes)| *votes);
    most.map(|(server, _)| server)
        .ok_or_else(|| StoreError::Sentinel {
            master: master.to_owned(),
            why,
        })
}

fn ask(
    location: &Location,
    sentinel: &Server,
    master: &str,
    patience: Duration,
) -> Result<Option<Server>, StoreError> {
    let mut connection = Connection::open(sentinel, &location.sentinel_access, patience)?;
    let mut question = cmd("SENTINEL");
    question.arg("get-master-addr-by-name").arg(master);
    let reply = list(connection.ask(question)?);
    let [host, port] = reply.as_slice() else {
        return Ok(None);
    };
    let port = string(port).and_then(|port| port.parse().ok());
    Ok(string(host)
        .zip(port)
        .map(|(host, port)| Server { host, port }))
}

/// The masters that a Sentinel watches.
pub(crate) fn masters(connection: &mut Connection) -> Result<Vec<String>, StoreError> {
    let mut question = cmd("SENTINEL");
    question.arg("MASTERS");
    let masters = list(connection.ask(question)?);
    let name = |fields: Vec<redis::Value>| {
        let at = fields
            .iter()
            .position(|field| string(field).as_deref() == Some("name"))?;
        string(fields.get(at + 1)?)
    };
    Ok(masters
        .into_iter()
        .filter_map(|master| name(list(master)))
        .collect())
}
