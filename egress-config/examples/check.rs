//! Checks the given files and directories, and prints what it finds in the short form.

use std::process::ExitCode;

use egress_config::{Sources, check};

fn main() -> ExitCode {
    let sources = match Sources::read(std::env::args().skip(1)) {
        Ok(sources) => sources,
        Err(error) => {
            eprintln!("{error}");
            return ExitCode::from(2);
        }
    };
    let checked = check(&sources);
    for diagnostic in checked.diagnostics() {
        println!("{diagnostic}");
    }
    if let Ok(plan) = checked.plan(0) {
        println!("{plan:#?}");
    }
    ExitCode::from(if checked.has_errors() { 2 } else { 0 })
}
