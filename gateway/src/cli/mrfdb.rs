//! `mrfdb`: manual entries in the shared store, with the options and the columns of the original's tool; and
//! `mappings upgrade`.

mod entries;
mod options;

use core::net::{Ipv4Addr, Ipv6Addr};
use std::ffi::OsString;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use self::entries::Entries;
use self::options::{Act, Options};
use crate::admin::client::{self, ClientError};
use crate::host::redis::keys::{self, Keys};
use crate::host::redis::location::Location;
use crate::host::redis::wire::StoreError;

/// Set, delete and show entries as the original's tool does: -ipport=HOST:PORT -serverName=NAME -type=dns46
/// -set|-delete|-display=all -key=IPV4 -val=IPV6.
///
/// -ipport is a Sentinel, or a server; without it, a gateway of this host is asked (-state=DIR -replica=N).
/// For TLS: -ca=FILE, -cert=FILE and -certKey=FILE. Further: -master=NAME, -passwordFile=FILE,
/// -sentinelPasswordFile=FILE, -prefix=, -reversePrefix=, and --force for keys that are not reserved. The same
/// when the program is called by the name mrfdb.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    #[arg(
        trailing_var_arg = true,
        allow_hyphen_values = true,
        value_name = "OPTION"
    )]
    options: Vec<String>,
}

#[derive(Debug, thiserror::Error)]
enum ToolError {
    #[error("{0}")]
    Usage(String),
    #[error("{0}")]
    Refused(String),
    #[error("{0}")]
    Store(#[from] StoreError),
    #[error("{0}")]
    Gateway(#[from] ClientError),
    #[error("{0}")]
    Io(#[from] io::Error),
}

/// If the program was called `mrfdb`.
pub(crate) fn by_name() -> Option<ExitCode> {
    let mut words = std::env::args_os();
    let name: OsString = words.next()?;
    if Path::new(&name).file_name()? != "mrfdb" {
        return None;
    }
    let options: Vec<String> = words
        .map(|word| word.to_string_lossy().into_owned())
        .collect();
    Some(run(&Arguments { options }))
}

pub(crate) fn run(arguments: &Arguments) -> ExitCode {
    let done = Options::read(&arguments.options)
        .map_err(ToolError::Usage)
        .and_then(|options| match options.location() {
            Some(_) => in_store(&options),
            None => in_gateway(&options),
        });
    finish(done)
}

fn finish(done: Result<String, ToolError>) -> ExitCode {
    match done {
        Ok(told) => {
            let _ = io::stdout().lock().write_all(told.as_bytes());
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::from(if matches!(error, ToolError::Usage(_)) {
                2
            } else {
                1
            })
        }
    }
}

fn in_store(options: &Options) -> Result<String, ToolError> {
    let mut entries = Entries::open(options)?;
    if let Act::Set { address, .. } | Act::Delete { address, .. } = options.act
        && !options.force
    {
        entries.refuse_unless_reserved(address)?;
    }
    match options.act {
        Act::Set { address, host } => {
            entries.set(address, host, options.force)?;
            Ok(String::new())
        }
        Act::Delete { address, host } => {
            entries.delete(address, host)?;
            Ok(String::new())
        }
        Act::Display(only) => {
            let mut shown = String::new();
            for (key, value) in entries.all()? {
                if only.is_none_or(|only| entries.is_about(only, &key, &value)) {
                    shown.push_str(&keys::shown(&key, value));
                }
            }
            Ok(shown)
        }
    }
}

/// Through the socket of a gateway of this host.
fn in_gateway(options: &Options) -> Result<String, ToolError> {
    let name = format!("replica-{}-admin.sock", options.replica);
    let socket: PathBuf = options.state.join(name);
    match options.act {
        Act::Set { address, host } => {
            let path = format!("/mappings/{address}/{host}");
            client::send(&socket, "POST", &path, &[])?;
            Ok(String::new())
        }
        Act::Delete { address, host } => {
            // What the gateway has now; another host that is set in this moment goes too.
            let stands = rows(&socket)?
                .into_iter()
                .find(|row| row.address == address);
            if let Some((host, kept)) = host.zip(stands.map(|row| row.host))
                && host != kept
            {
                return Err(ToolError::Refused(format!("{address} stands for {kept}")));
            }
            client::send(&socket, "DELETE", &format!("/mappings/{address}"), &[])?;
            Ok(String::new())
        }
        Act::Display(only) => {
            let prefixes = Keys::default();
            let standing = rows(&socket)?.into_iter();
            let wanted = standing.filter(|row| only.is_none_or(|only| only == row.address));
            Ok(wanted
                .map(|row| {
                    let one = keys::shown(&prefixes.host(row.address), row.host);
                    one + &keys::shown(&prefixes.address(row.host), row.address)
                })
                .collect())
        }
    }
}

#[derive(serde::Deserialize)]
struct Row {
    address: Ipv4Addr,
    host: Ipv6Addr,
    state: String,
}

/// What stands in a gateway.
fn rows(socket: &Path) -> Result<Vec<Row>, ToolError> {
    let rows = client::send(socket, "GET", "/mappings", &[])?;
    let mut rows: Vec<Row> = serde_json::from_slice(&rows).map_err(io::Error::other)?;
    rows.retain(|row| row.state != "quarantine");
    Ok(rows)
}

/// Completes every single entry of a store.
pub(crate) fn upgrade(store: &str) -> ExitCode {
    let location = store.parse::<Location>().map_err(ToolError::Usage);
    let done = location
        .and_then(|location| Entries::at(&location))
        .and_then(|mut entries| {
            let (completed, all) = entries.complete()?;
            Ok(format!("{completed} of {all} entries were completed\n"))
        });
    finish(done)
}
