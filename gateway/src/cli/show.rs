//! `show WHAT`: what a running gateway says of itself; `mappings`, `flush` and `tmctl` beside it.

mod text;

use std::io::{self, Write};
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
    fn request(&self, method: &str, path: &str) -> Result<Vec<u8>, ClientError> {
        let name = format!("replica-{}-admin.sock", self.replica);
        client::request(&self.state.join(name), method, path)
    }

    fn value(&self, path: &str) -> Result<Value, ClientError> {
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
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Output {
    /// For people.
    Table,
    /// As the socket gives it.
    Json,
    /// The same as YAML.
    Yaml,
    /// With a line of names first.
    Csv,
}

pub(crate) fn run(arguments: &Arguments) -> ExitCode {
    let path = match arguments.what {
        What::Mappings => "/mappings",
        What::Sessions => "/sessions",
        What::Destinations => "/destinations",
        What::Pools | What::Cache | What::Stats => "/stats",
    };
    let value = match arguments.socket.value(path) {
        Ok(value) => value,
        Err(error) => return tell(&error),
    };
    let value = match arguments.what {
        What::Mappings | What::Sessions | What::Destinations => value,
        What::Pools => value["addresses"].clone(),
        What::Cache => value["dns"].clone(),
        What::Stats => value,
    };
    let told = match arguments.output {
        Output::Json => format!("{value:#}\n"),
        Output::Yaml => egress_config::schema::yaml(&value),
        Output::Table => text::table(&value),
        Output::Csv => text::csv(&value),
    };
    let _ = io::stdout().lock().write_all(told.as_bytes());
    ExitCode::SUCCESS
}

/// Set, remove or list mappings of a running gateway; at once, and in its journal.
#[derive(Debug, clap::Args)]
pub(crate) struct Mappings {
    #[command(subcommand)]
    action: Action,
    #[command(flatten)]
    socket: Socket,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    /// Let an address of the reserved range stand for a host until it is deleted.
    Set {
        /// The address.
        address: core::net::Ipv4Addr,
        /// The host.
        host: core::net::Ipv6Addr,
    },
    /// End a mapping, with every cached answer that may speak of it.
    Delete {
        /// The address.
        address: core::net::Ipv4Addr,
    },
    /// List them all.
    List,
}

pub(crate) fn mappings(arguments: &Mappings) -> ExitCode {
    let socket = &arguments.socket;
    let told = match &arguments.action {
        Action::Set { address, host } => {
            socket.request("POST", &format!("/mappings/{address}/{host}"))
        }
        Action::Delete { address } => socket.request("DELETE", &format!("/mappings/{address}")),
        Action::List => socket
            .value("/mappings")
            .map(|value| text::table(&value).into_bytes()),
    };
    print(told)
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
        text::lines(&columns, rows)
    } else {
        text::columns(&columns, rows)
    };
    print(Ok(told.into_bytes()))
}

fn print(told: Result<Vec<u8>, ClientError>) -> ExitCode {
    match told {
        Ok(told) => {
            let _ = io::stdout().lock().write_all(&told);
            ExitCode::SUCCESS
        }
        Err(error) => tell(&error),
    }
}

fn tell(error: &ClientError) -> ExitCode {
    eprintln!("error: {error}");
    ExitCode::from(1)
}
