//! `mappings`: static entries of a running gateway, one or many.

mod measure;

use core::net::{Ipv4Addr, Ipv6Addr};
use std::fs;
use std::io::{self, IsTerminal, Read, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use serde_json::{Value, json};

use super::mrfdb;
use super::show::{MAPPINGS, Socket, csv, print, tell, text};
use crate::admin::client::ClientError;

/// Entries of one request.
const BATCH: usize = 4096;

/// Set, remove or list mappings of a running gateway; at once, and in its journal.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
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
        address: Ipv4Addr,
        /// The host.
        host: Ipv6Addr,
    },
    /// End a mapping, with every cached answer that may speak of it.
    Delete {
        /// The address.
        address: Ipv4Addr,
    },
    /// List them all.
    List,
    /// Set every entry of a file, or of standard input: as `export` writes them.
    Import {
        /// The file; - for standard input.
        #[arg(default_value = "-", value_name = "FILE")]
        file: PathBuf,
        /// What it is; by default what its name says, else CSV.
        #[arg(short, long, value_enum)]
        format: Option<Format>,
    },
    /// Write the static entries to standard output.
    Export {
        /// How.
        #[arg(short, long, value_enum, default_value_t = Format::Csv)]
        format: Format,
        /// All mappings, not the static ones alone.
        #[arg(long)]
        all: bool,
    },
    /// Complete the entries of a shared store that older versions made: a key for each direction.
    Upgrade {
        /// As `run` has it.
        #[arg(long, value_name = "URL")]
        store: String,
    },
    /// Measure how many mappings a second a store takes, as `run` writes them; under keys of its own, deleted
    /// afterwards.
    Measure {
        /// As `run` has it.
        #[arg(long, value_name = "URL")]
        store: String,
        /// How many.
        #[arg(long, default_value_t = 100_000, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(1..=10_000_000))]
        count: u32,
        /// Mappings that wait for the store at a time.
        #[arg(long, default_value_t = 1024, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(1..=4096))]
        waiting: u32,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    /// A line of names, then an address and a host a line.
    Csv,
    /// A list of objects.
    Json,
    /// The same as YAML.
    Yaml,
}

pub(crate) fn run(arguments: &Arguments) -> ExitCode {
    let socket = &arguments.socket;
    let told = match &arguments.action {
        Action::Set { address, host } => {
            socket.request("POST", &format!("/mappings/{address}/{host}"))
        }
        Action::Delete { address } => socket.request("DELETE", &format!("/mappings/{address}")),
        Action::List => socket
            .value("/mappings")
            .map(|value| text::table(&value, MAPPINGS).into_bytes()),
        Action::Import { file, format } => return import(socket, file, *format),
        Action::Upgrade { store } => return mrfdb::upgrade(store),
        Action::Measure {
            store,
            count,
            waiting,
        } => return measure::run(store, *count, *waiting),
        Action::Export { format, all } => export(socket, *format, *all),
    };
    print(told)
}

fn export(socket: &Socket, format: Format, all: bool) -> Result<Vec<u8>, ClientError> {
    let value = socket.value("/mappings")?;
    let rows = value.as_array().into_iter().flatten();
    let rows: Vec<Value> = rows
        .filter(|row| all && row["state"] != "quarantine" || row["state"] == "static")
        .map(|row| json!({"address": row["address"], "host": row["host"]}))
        .collect();
    let rows = Value::Array(rows);
    Ok(match format {
        Format::Json => format!("{rows:#}\n"),
        Format::Yaml => egress_config::schema::yaml(&rows),
        Format::Csv => csv::csv(&rows, &["address", "host"]),
    }
    .into_bytes())
}

fn import(socket: &Socket, file: &Path, format: Option<Format>) -> ExitCode {
    let name = file.display();
    let read = if file == Path::new("-") {
        let mut text = String::new();
        io::stdin().read_to_string(&mut text).map(|_| text)
    } else {
        fs::read_to_string(file)
    };
    let text = match read {
        Ok(text) => text,
        Err(error) => {
            eprintln!("error: {name}: {error}");
            return ExitCode::from(2);
        }
    };
    let by_name = || match file.extension().and_then(|end| end.to_str()) {
        Some("json") => Format::Json,
        Some("yaml" | "yml") => Format::Yaml,
        Some(_) | None => Format::Csv,
    };
    let entries = match entries(&text, format.unwrap_or_else(by_name)) {
        Ok(entries) => entries,
        Err((line, why)) => {
            eprintln!("error: {name}:{line}: {why}; nothing was set");
            return ExitCode::from(2);
        }
    };
    let (mut set, mut refused) = (0, 0);
    let progress = io::stderr().is_terminal() && entries.len() > BATCH;
    for (number, batch) in entries.chunks(BATCH).enumerate() {
        let rows = batch
            .iter()
            .map(|(address, host)| json!({"address": address, "host": host}));
        let body = Value::Array(rows.collect()).to_string();
        let reply = socket.send("POST", "/mappings", body.as_bytes());
        let reply = reply.and_then(|reply| {
            serde_json::from_slice(&reply).map_err(|error| ClientError::Refused(error.to_string()))
        });
        let reply: Value = match reply {
            Ok(reply) => reply,
            Err(error) => {
                eprintln!("error: after {set} entries were set:");
                return tell(&error);
            }
        };
        set += reply["set"].as_u64().unwrap_or_default();
        for why in reply["refused"].as_array().into_iter().flatten() {
            refused += 1;
            eprintln!("refused: {}", why.as_str().unwrap_or_default());
        }
        if progress {
            let done = (number * BATCH + batch.len()) * 40 / entries.len();
            let (done, left) = ("#".repeat(done), ".".repeat(40 - done));
            eprint!("\r[{done}{left}] {set} set");
        }
    }
    if progress {
        eprintln!();
    }
    let _ = writeln!(io::stdout(), "{set} set, {refused} refused");
    if refused > 0 {
        ExitCode::from(1)
    } else {
        ExitCode::SUCCESS
    }
}

type Entry = (Ipv4Addr, Ipv6Addr);

/// Every entry, or the line of the first that is none, and why.
fn entries(text: &str, format: Format) -> Result<Vec<Entry>, (usize, String)> {
    // Spreadsheets begin files with a mark of their encoding.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    match format {
        Format::Json => json(text),
        Format::Yaml => yaml(text),
        Format::Csv => csv(text),
    }
}

/// Lines that say something, without comments, each with its number.
fn lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let lines = (1..).zip(text.lines());
    let lines = lines.map(|(number, line)| (number, line.split('#').next().unwrap_or_default()));
    lines.filter(|(_, line)| !line.trim().is_empty())
}

fn csv(text: &str) -> Result<Vec<Entry>, (usize, String)> {
    let mut entries = Vec::new();
    for (number, line) in lines(text) {
        let told = |why: String| (number, why);
        let (one, other) = line
            .split_once(',')
            .ok_or_else(|| told(format!("{:?}: ADDRESS,HOST was expected", line.trim())))?;
        let (one, other) = (unquoted(one), unquoted(other));
        if entries.is_empty() && (one, other) == ("address", "host") {
            continue;
        }
        entries.push((
            one.parse().map_err(|_| told(no_address(one)))?,
            other.parse().map_err(|_| told(no_host(other)))?,
        ));
    }
    Ok(entries)
}

/// A list of items with two keys each, in either order, as `export` writes them.
fn yaml(text: &str) -> Result<Vec<Entry>, (usize, String)> {
    #[derive(Default)]
    struct Item {
        /// Where it begins.
        line: usize,
        address: Option<Ipv4Addr>,
        host: Option<Ipv6Addr>,
    }
    let whole = |item: Item| match (item.address, item.host) {
        (Some(address), Some(host)) => Ok((address, host)),
        (Some(_), None) => Err((item.line, "an address without host".to_owned())),
        (None, _) => Err((item.line, "a host without address".to_owned())),
    };
    let mut entries = Vec::new();
    let mut item: Option<Item> = None;
    for (number, line) in lines(text) {
        let told = |why: String| (number, why);
        let line = line.trim();
        if line == "---" || line == "[]" {
            continue;
        }
        let begun = line
            .strip_prefix('-')
            .filter(|rest| rest.is_empty() || rest.starts_with(' '));
        if begun.is_some() {
            entries.extend(item.take().map(whole).transpose()?);
            item = Some(Item {
                line: number,
                ..Item::default()
            });
        }
        let line = begun.unwrap_or(line).trim();
        if line.is_empty() {
            continue;
        }
        let (key, value) = line
            .split_once(':')
            .ok_or_else(|| told(format!("{line:?}: address: or host: was expected")))?;
        let (key, value) = (key.trim(), unquoted(value));
        let Some(item) = &mut item else {
            return Err(told(format!(
                "{line:?}: a list was expected, as \"- address: …\""
            )));
        };
        let twice = || Err(told(format!("a second {key} in one item")));
        match key {
            "address" if item.address.is_some() => return twice(),
            "host" if item.host.is_some() => return twice(),
            "address" => item.address = Some(value.parse().map_err(|_| told(no_address(value)))?),
            "host" => item.host = Some(value.parse().map_err(|_| told(no_host(value)))?),
            other => return Err(told(format!("{other}: address or host was expected"))),
        }
    }
    entries.extend(item.map(whole).transpose()?);
    Ok(entries)
}

/// Without spaces around it, and without one pair of quotes.
fn unquoted(text: &str) -> &str {
    let text = text.trim();
    let within = |quote| text.strip_prefix(quote)?.strip_suffix(quote);
    within('"').or_else(|| within('\'')).map_or(text, str::trim)
}

fn json(text: &str) -> Result<Vec<Entry>, (usize, String)> {
    #[derive(serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Row {
        address: Ipv4Addr,
        host: Ipv6Addr,
    }
    let rows: Vec<Row> =
        serde_json::from_str(text).map_err(|error| (error.line(), error.to_string()))?;
    Ok(rows
        .into_iter()
        .map(|row| (row.address, row.host))
        .collect())
}

fn no_address(text: &str) -> String {
    format!("{:?}: an IPv4 address was expected", text.trim())
}

fn no_host(text: &str) -> String {
    format!("{:?}: an IPv6 address was expected", text.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_export_writes_is_read_again() {
        let rows = json!([
            {"address": "10.46.0.1", "host": "2001:db8::1"},
            {"address": "10.46.0.2", "host": "2001:db8::2"},
        ]);
        let wanted = vec![
            (Ipv4Addr::new(10, 46, 0, 1), "2001:db8::1".parse().unwrap()),
            (Ipv4Addr::new(10, 46, 0, 2), "2001:db8::2".parse().unwrap()),
        ];
        for (format, text) in [
            (Format::Json, format!("{rows:#}")),
            (Format::Yaml, egress_config::schema::yaml(&rows)),
            (Format::Csv, csv::csv(&rows, &["address", "host"])),
        ] {
            assert_eq!(entries(&text, format), Ok(wanted.clone()), "{text}");
        }
    }

    #[test]
    fn the_line_of_a_mistake_is_told() {
        let text = "address,host\n10.46.0.1,2001:db8::1\n10.46.0,2001:db8::2\n";
        let (line, why) = entries(text, Format::Csv).unwrap_err();
        assert_eq!(
            (line, why.as_str()),
            (3, "\"10.46.0\": an IPv4 address was expected")
        );
        assert_eq!(
            entries("[\n{\"address\": 7}]", Format::Json).unwrap_err().0,
            2
        );
    }

    fn one() -> Entry {
        (Ipv4Addr::new(10, 46, 0, 1), "2001:db8::1".parse().unwrap())
    }

    #[test]
    fn half_items_of_yaml_are_refused_with_their_line() {
        let two = "- address: 10.46.0.1\n- address: 10.46.0.2\n  host: 2001:db8::2\n";
        let end = "- address: 10.46.0.1\n  host: 2001:db8::1\n# more\n- address: 10.46.0.2\n";
        let host = "- host: 2001:db8::1\n- host: 2001:db8::2\n  address: 10.46.0.1\n";
        let twice = "- address: 10.46.0.1\n  address: 10.46.0.2\n  host: 2001:db8::2\n";
        for (text, line, why) in [
            (two, 1, "an address without host"),
            (end, 4, "an address without host"),
            (host, 1, "a host without address"),
            (twice, 2, "a second address in one item"),
        ] {
            let refused = entries(text, Format::Yaml).unwrap_err();
            assert_eq!(refused, (line, why.to_owned()), "{text}");
        }
    }

    #[test]
    fn a_host_may_stand_before_its_address() {
        let text = "---\n-\n  host: \"2001:db8::1\"\n  address: 10.46.0.1\n";
        assert_eq!(entries(text, Format::Yaml), Ok(vec![one()]));
    }

    #[test]
    fn what_spreadsheets_write_is_read() {
        let text = "\u{feff}\"address\",\"host\"\r\n\"10.46.0.1\",\"2001:db8::1\"\r\n";
        assert_eq!(entries(text, Format::Csv), Ok(vec![one()]));
        let text = "\u{feff}10.46.0.1,2001:db8::1\n";
        assert_eq!(entries(text, Format::Csv), Ok(vec![one()]));
        let text = "\u{feff}[{\"address\": \"10.46.0.1\", \"host\": \"2001:db8::1\"}]";
        assert_eq!(entries(text, Format::Json), Ok(vec![one()]));
    }
}
