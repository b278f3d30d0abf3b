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
        None => cli::Cli::parse().run(),
    }
}
