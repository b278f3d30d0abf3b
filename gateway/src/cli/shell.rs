//! `completions SHELL` and `man DIR`: the program's interface, for shells and readers.

use std::io;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::CommandFactory;

use super::Cli;

/// Print the completions of a shell, to be sourced or put where it looks for them.
#[derive(Debug, clap::Args)]
pub(crate) struct Completions {
    shell: clap_complete::Shell,
}

/// Write the manual pages, one a command, into a directory.
#[derive(Debug, clap::Args)]
pub(crate) struct Man {
    #[arg(value_name = "DIR")]
    directory: PathBuf,
}

pub(crate) fn completions(arguments: &Completions) -> ExitCode {
    let mut script = Vec::new();
    clap_complete::generate(
        arguments.shell,
        &mut Cli::command(),
        "egress-gateway",
        &mut script,
    );
    let _ = io::Write::write_all(&mut io::stdout().lock(), &script);
    ExitCode::SUCCESS
}

pub(crate) fn man(arguments: &Man) -> ExitCode {
    match clap_mangen::generate_to(Cli::command(), &arguments.directory) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {}: {error}", arguments.directory.display());
            ExitCode::from(2)
        }
    }
}
