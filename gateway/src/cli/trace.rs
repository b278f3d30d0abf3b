//! `trace SOURCE DESTINATION`: what would become of a packet.

use std::io::{self, Write};
use std::process::ExitCode;

use super::show::{Socket, tell};

/// Tell what would become of a packet of a pod, step by step, and why not.
///
/// Nothing is sent. Exit code 0: it passes; 1: it does not.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The pod, as 10.244.1.10, or with a port.
    source: String,
    /// Where it goes, as 10.46.0.5:443 or [2001:db8::7]:443; without a port it is a ping.
    destination: String,
    /// tcp, udp or icmp; with a port tcp.
    #[arg(short, long)]
    protocol: Option<String>,
    #[command(flatten)]
    socket: Socket,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(arguments: &Arguments) -> ExitCode {
    let (source, destination) = (quote(&arguments.source), quote(&arguments.destination));
    let mut path = format!("/trace?source={source}&destination={destination}");
    if let Some(protocol) = &arguments.protocol {
        path += &format!("&protocol={}", quote(protocol));
    }
    let report = match arguments.socket.value(&path) {
        Ok(report) => report,
        Err(error) => return tell(&error),
    };
    let mut out = io::stdout().lock();
    if arguments.json {
        let _ = writeln!(out, "{report:#}");
    } else {
        for step in report["steps"].as_array().into_iter().flatten() {
            let cell = |name: &str| step[name].as_str().unwrap_or_default().to_owned();
            let _ = writeln!(out, "{:16}{}", cell("looked_at"), cell("found"));
        }
    }
    if report["passes"] == true {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(1)
    }
}

/// What is no letter, digit or one of these is written as RFC 3986 §2.1 says.
fn quote(text: &str) -> String {
    text.bytes()
        .map(|byte| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'.' | b':' | b'-' => {
                char::from(byte).to_string()
            }
            _ => format!("%{byte:02X}"),
        })
        .collect()
}
