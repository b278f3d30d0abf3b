//! `check PATH…`: reads resources and tells what is wrong with them.

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use super::render::{self, Format};

/// Check resource files.
///
/// All paths are checked together. Exit code 0: no error; 1: warnings, with --strict; 2: errors.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Files, directories (their *.yaml, *.yml and *.json files) or - for standard input.
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// How findings are printed.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
    /// Exit with 1 where there are warnings.
    #[arg(long)]
    strict: bool,
}

pub(crate) fn run(arguments: &Arguments) -> ExitCode {
    let sources = match render::read(&arguments.paths) {
        Ok(sources) => sources,
        Err(error) => {
            eprintln!("error: {error}");
            return ExitCode::from(2);
        }
    };
    let checked = egress_config::check(&sources);
    let findings = checked.diagnostics();
    let mut out = io::stdout().lock();
    let colour = render::colour(&out);
    // A reader that has gone away wants no more.
    let printed = render::findings(&mut out, &sources, findings, arguments.format, colour);
    if printed.is_ok() && arguments.format == Format::Text {
        let resources = checked.resources().count();
        let plural = if resources == 1 { "" } else { "s" };
        let counts = render::counts(findings);
        let counts = if counts.is_empty() {
            "nothing to tell".to_owned()
        } else {
            counts
        };
        let _ = writeln!(out, "{resources} resource{plural}: {counts}");
    }
    let warns = findings
        .iter()
        .any(|finding| finding.level == egress_config::Level::Warning);
    if checked.has_errors() {
        ExitCode::from(2)
    } else if warns && arguments.strict {
        ExitCode::from(1)
    } else {
        ExitCode::SUCCESS
    }
}
