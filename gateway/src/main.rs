//! The program: the gateway on a host, the demo, and commands over resource files.

extern crate alloc;

mod admin;
mod cli;
mod host;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    cli::Cli::parse().run()
}
