//! `show WHAT`: what a running gateway says of itself; `flush` and `tmctl` beside it.

pub(super) mod csv;
pub(super) mod text;

use std::io::{self, IsTerminal, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use serde_json::Value;

use crate::admin::client::{self, ClientError};

pub(crate) use text::columns;

/// Where the gateway is.
#[derive(Debug, clap::Args)]
pub(crate) struct Socket {
    /// The state directory of the gateway.
    #[arg(
        long,
        global = true,
        default_value = "/var/lib/egress-gateway",
        value_name = "DIR"
    )]
    state: PathBuf,
    /// Which replica, from 0.
    #[arg(long, global = true, default_value_t = 0, value_name = "N")]
    replica: u32,
}

impl Socket {
    pub(super) fn send(
        &self,
        method: &str,
        path: &str,
        body: &[u8],
    ) -> Result<Vec<u8>, ClientError> {
        let name = format!("replica-{}-admin.sock", self.replica);
        client::send(&self.state.join(name), method, path, body)
    }

    pub(super) const fn replica(&self) -> u32 {
        self.replica
    }

    /// The state directory.
    pub(super) fn folder(&self) -> &std::path::Path {
        &self.state
    }

    /// A reply that goes on.
    pub(super) fn stream(&self, path: &str) -> Result<client::Stream, ClientError> {
        let name = format!("replica-{}-admin.sock", self.replica);
        client::Stream::open(&self.state.join(name), path)
    }

    pub(super) fn request(&self, method: &str, path: &str) -> Result<Vec<u8>, ClientError> {
        self.send(method, path, &[])
    }

    pub(super) fn value(&self, path: &str) -> Result<Value, ClientError> {
        let body = self.request("GET", path)?;
        serde_json::from_slice(&body).map_err(|error| ClientError::Refused(error.to_string()))
    }
}

/// What there is to see.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum What {
    /// Which address stands for which host.
    Mappings,
    /// Flows, as they are on both sides.
    Sessions,
    /// Outside addresses, and the sessions on them.
    Pools,
    /// The peers that most sessions were opened to since the start.
    Destinations,
    /// DNS and its cache.
    Cache,
    /// Packets, drops, connections.
    Stats,
    /// Who holds which replica's number, as the store that they share has it.
    Replicas,
    /// What happened last: resources added and updated, and what went wrong.
    Events,
}

/// The columns of mappings.
pub(super) const MAPPINGS: &[&str] = &["address", "host", "state", "sessions"];

impl What {
    /// The columns of a list, in their order.
    const fn names(self) -> &'static [&'static str] {
        match self {
            Self::Mappings => MAPPINGS,
            Self::Sessions => &[
                "protocol",
                "client",
                "to",
                "leaves_as",
                "peer",
                "state",
                "expires_in_seconds",
            ],
            Self::Pools => &["address", "pool", "sessions", "high_water"],
            Self::Destinations => &["protocol", "peer", "sessions", "over"],
            Self::Replicas => &["replica", "state", "where"],
            Self::Events => &["sequence", "at", "kind", "reason", "message"],
            Self::Cache | Self::Stats => &[],
        }
    }
}

/// Show what a running gateway does.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    #[arg(value_enum)]
    what: What,
    #[command(flatten)]
    socket: Socket,
    /// How it is printed.
    #[arg(short, long, value_enum, default_value_t = Output::Table)]
    output: Output,
    /// Print it anew, every second or every so many, until interrupted.
    #[arg(short, long, value_name = "SECONDS", num_args = 0..=1, default_missing_value = "1", conflicts_with = "follow")]
    watch: Option<u64>,
    /// Of events: print further ones as they come.
    #[arg(short, long)]
    follow: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Output {
    /// For people.
    Table,
    /// As the socket gives it.
    Json,
    /// The same as YAML.
    Yaml,
    /// With a line of names first; of stats and cache a line for each figure.
    Csv,
}

pub(crate) fn run(arguments: &Arguments) -> ExitCode {
    if arguments.follow {
        return follow(arguments);
    }
    loop {
        let told = match look(arguments) {
            Ok(told) => told,
            Err(error) => return tell(&error),
        };
        let mut out = io::stdout().lock();
        let Some(every) = arguments.watch else {
            let _ = out.write_all(told.as_bytes());
            return ExitCode::SUCCESS;
        };
        // From the top of the screen, where there is one.
        let head = if out.is_terminal() {
            "\x1b[H\x1b[2J"
        } else {
            ""
        };
        if write!(out, "{head}{told}")
            .and_then(|()| out.flush())
            .is_err()
        {
            return ExitCode::SUCCESS;
        }
        drop(out);
        rest(every.max(1));
    }
}

fn look(arguments: &Arguments) -> Result<String, ClientError> {
    let path = match arguments.what {
        What::Mappings => "/mappings",
        What::Sessions => "/sessions",
        What::Destinations => "/destinations",
        What::Events => "/events",
        What::Replicas => "/replicas",
        What::Pools | What::Cache | What::Stats => "/stats",
    };
    let mut value = arguments.socket.value(path)?;
    let value = match arguments.what {
        What::Pools => value["addresses"].take(),
        What::Cache => value["dns"].take(),
        What::Mappings
        | What::Sessions
        | What::Destinations
        | What::Replicas
        | What::Events
        | What::Stats => value,
    };
    Ok(match arguments.output {
        Output::Json => format!("{value:#}\n"),
        Output::Yaml => egress_config::schema::yaml(&value),
        Output::Table if arguments.what == What::Events => lines(&value),
        Output::Table => text::table(&value, arguments.what.names()),
        Output::Csv => csv::csv(&value, arguments.what.names()),
    })
}

/// Events as the original's tools print them: type, reason, from, message.
fn lines(events: &Value) -> String {
    let rows = events.as_array().into_iter().flatten();
    rows.map(|row| {
        let cell = |name: &str| row[name].as_str().unwrap_or_default().to_owned();
        let from = "spk-controller";
        format!(
            "{}  {:7}  {:14}  {from}  {}\n",
            cell("at"),
            cell("kind"),
            cell("reason"),
            cell("message")
        )
    })
    .collect()
}

fn follow(arguments: &Arguments) -> ExitCode {
    if arguments.what != What::Events {
        eprintln!("error: --follow is for events; say --watch");
        return ExitCode::from(2);
    }
    let mut after = 0;
    let mut is_first = true;
    loop {
        let events = match arguments.socket.value(&format!("/events?after={after}")) {
            Ok(events) => events,
            Err(error) => return tell(&error),
        };
        let told = match arguments.output {
            // One object a line, so that programs can follow too.
            Output::Json => {
                let rows = events.as_array().into_iter().flatten();
                rows.map(|row| format!("{row}\n")).collect()
            }
            // The names stand above the first ones alone; YAML's list goes on.
            Output::Csv => {
                let told = csv::csv(&events, arguments.what.names());
                match told.split_once('\n') {
                    Some((_, rows)) if !is_first => rows.to_owned(),
                    _ => told,
                }
            }
            Output::Yaml if events.as_array().is_some_and(|rows| !rows.is_empty()) => {
                egress_config::schema::yaml(&events)
            }
            Output::Yaml => String::new(),
            Output::Table => lines(&events),
        };
        is_first = false;
        let mut out = io::stdout().lock();
        if out
            .write_all(told.as_bytes())
            .and_then(|()| out.flush())
            .is_err()
        {
            return ExitCode::SUCCESS;
        }
        drop(out);
        let last = events.as_array().and_then(|rows| rows.last());
        after = last.map_or(after, |row| row["sequence"].as_u64().unwrap_or(after));
        rest(1);
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "a person looks on; the gateway's own deadlines are elsewhere"
)]
pub(super) fn rest(seconds: u64) {
    std::thread::sleep(core::time::Duration::from_secs(seconds));
}

/// Forget the cached answers about a name and all below it.
#[derive(Debug, clap::Args)]
pub(crate) struct Flush {
    /// The name; . for all.
    name: String,
    #[command(flatten)]
    socket: Socket,
}

pub(crate) fn flush(arguments: &Flush) -> ExitCode {
    let path = format!("/flush/{}", arguments.name);
    print(arguments.socket.request("POST", &path))
}

/// Print a table of the original: `tmctl -d blade virtual_server_stat -s name,clientside.tot_conns`.
#[derive(Debug, clap::Args)]
pub(crate) struct Tmctl {
    /// The database; there is one.
    #[arg(short, default_value = "blade", value_name = "NAME")]
    database: String,
    /// The table: virtual_server_stat.
    table: String,
    /// The columns, apart by commas.
    #[arg(
        short,
        default_value = "name,clientside.tot_conns",
        value_name = "COLUMNS"
    )]
    select: String,
    /// Print commas instead of columns.
    #[arg(short = 'c')]
    csv: bool,
    #[command(flatten)]
    socket: Socket,
}

pub(crate) fn tmctl(arguments: &Tmctl) -> ExitCode {
    if arguments.table != "virtual_server_stat" {
        eprintln!(
            "error: {}: the only table is virtual_server_stat",
            arguments.table
        );
        return ExitCode::from(2);
    }
    let columns: Vec<&str> = arguments.select.split(',').collect();
    let known = ["name", "clientside.tot_conns", "serverside.tot_conns"];
    if let Some(unknown) = columns.iter().find(|column| !known.contains(column)) {
        eprintln!("error: {unknown}: the columns are {}", known.join(", "));
        return ExitCode::from(2);
    }
    let value = match arguments.socket.value("/stats") {
        Ok(value) => value,
        Err(error) => return tell(&error),
    };
    let servers = value["virtual_servers"]
        .as_array()
        .cloned()
        .unwrap_or_default();
    let rows = servers.iter().map(|server| {
        let cell = |column: &&str| match *column {
            "name" => server[0].as_str().unwrap_or_default().to_owned(),
            _ => server[1].to_string(),
        };
        columns.iter().map(cell).collect::<Vec<String>>()
    });
    let told = if arguments.csv {
        csv::lines(&columns, rows)
    } else {
        text::columns(&columns, rows)
    };
    print(Ok(told.into_bytes()))
}

pub(super) fn print(told: Result<Vec<u8>, ClientError>) -> ExitCode {
    match told {
        Ok(told) => {
            let _ = io::stdout().lock().write_all(&told);
            ExitCode::SUCCESS
        }
        Err(error) => tell(&error),
    }
}

pub(super) fn tell(error: &ClientError) -> ExitCode {
    eprintln!("error: {error}");
    ExitCode::from(1)
}

#[cfg(test)]
mod tests {
    use core::net::{Ipv4Addr, Ipv6Addr};

    use serde::Serialize;

    use super::*;
    use crate::admin::{AddressRow, DestinationRow, EventRow, MappingRow, SessionRow};
    use crate::host::redis::identity::ReplicaRow;

    #[test]
    fn lists_are_shown_with_every_member() {
        fn names(row: impl Serialize) -> Vec<String> {
            let row = serde_json::to_value(row).unwrap();
            row.as_object().unwrap().keys().cloned().collect()
        }
        let text = String::new;
        let rows = [
            (
                What::Mappings,
                names(MappingRow {
                    address: Ipv4Addr::UNSPECIFIED,
                    host: Ipv6Addr::UNSPECIFIED,
                    state: "",
                    sessions: 0,
                }),
            ),
            (
                What::Sessions,
                names(SessionRow {
                    protocol: "",
                    client: text(),
                    to: text(),
                    leaves_as: text(),
                    peer: text(),
                    state: text(),
                    expires_in_seconds: 0,
                }),
            ),
            (
                What::Pools,
                names(AddressRow {
                    address: text(),
                    pool: "",
                    sessions: 0,
                    high_water: 0,
                }),
            ),
            (
                What::Destinations,
                names(DestinationRow {
                    protocol: "",
                    peer: text(),
                    sessions: 0,
                    over: 0,
                }),
            ),
            (
                What::Replicas,
                names(ReplicaRow {
                    replica: 0,
                    state: "",
                    about: text(),
                    instance: text(),
                }),
            ),
            (
                What::Events,
                names(EventRow {
                    sequence: 0,
                    at: text(),
                    kind: "",
                    reason: "",
                    message: text(),
                }),
            ),
        ];
        for (what, names) in rows {
            let mut shown = what.names().to_vec();
            shown.sort_unstable();
            assert_eq!(shown, names, "{what:?}");
        }
    }
}
