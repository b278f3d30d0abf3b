//! What each fuzz target does with its bytes.
//!
//! One plain function a target: libFuzzer calls it from `fuzz_targets/`, and `tests/replay.rs` calls
//! it on stable with every input of the kept corpora. A function returns, or panics at what is wrong.

use std::env;
use std::fs;
use std::process::ExitCode;

/// A target: its name, and what it does with an input.
pub struct Target {
    /// The name of the file in `fuzz_targets/` and of the folder in `corpus/`.
    pub name: &'static str,
    /// Panics at what is wrong.
    pub run: fn(&[u8]),
}

/// Every target.
pub const TARGETS: &[Target] = &[];

/// Runs a target on the files named on the command line: a crash, looked at without libFuzzer.
pub fn run_files(target: fn(&[u8])) -> ExitCode {
    for path in env::args_os().skip(1) {
        match fs::read(&path) {
            Ok(input) => target(&input),
            Err(error) => {
                eprintln!("{}: {error}", path.display());
                return ExitCode::FAILURE;
            }
        }
    }
    ExitCode::SUCCESS
}
