//! `explain CODE`: what a code of a finding means.

use std::io::{self, Write};
use std::process::ExitCode;

use egress_config::Code;

/// Explain the code of a finding.
///
/// Prints what it means, with a wrong and a right example; without a code, lists all codes.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The word in brackets, as nameserver-not-in-pool.
    code: Option<String>,
}

pub(crate) fn run(arguments: &Arguments) -> ExitCode {
    let mut out = io::stdout().lock();
    let Some(name) = &arguments.code else {
        for code in Code::ALL {
            let _ = writeln!(out, "{:<8} {:<30} {}", code.level(), code, code.summary());
        }
        return ExitCode::SUCCESS;
    };
    match Code::named(name) {
        Some(code) => {
            let _ = out.write_all(code.page().as_bytes());
            ExitCode::SUCCESS
        }
        None => {
            eprintln!("error: there is no code {name}; without a code, explain lists all of them");
            ExitCode::from(2)
        }
    }
}
