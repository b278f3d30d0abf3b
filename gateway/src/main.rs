//! The program: the gateway on a host, the demo, and commands over resource files.

extern crate alloc;

mod admin;
mod cli;
mod host;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    match cli::mrfdb_by_name() {
        Some(code) => code,
        None => cli::Cli::parse_from(arguments()).run(),
    }
}

/// Called as `tmctl`, by a link of that name, it is that subcommand.
fn arguments() -> Vec<std::ffi::OsString> {
    let mut arguments: Vec<_> = std::env::args_os().collect();
    let name = arguments.first().map(std::path::Path::new);
    if name.and_then(std::path::Path::file_name) == Some("tmctl".as_ref()) {
        arguments.insert(1, "tmctl".into());
    }
    arguments
}
