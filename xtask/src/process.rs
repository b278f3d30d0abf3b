//! Other programs: run where a person can watch, or read.

use std::ffi::OsStr;
use std::process::{Command, Output, Stdio};

use crate::tree::Tree;

/// Cargo at the root of the tree, with the tree's one target folder; arguments apart by spaces.
pub(crate) fn cargo(tree: &Tree, arguments: &str) -> Command {
    let mut command = Command::new("cargo");
    command
        .args(arguments.split_whitespace())
        .current_dir(&tree.root)
        // A tier builds each crate once: what helps the next build only slows this one.
        .env("CARGO_INCREMENTAL", "0")
        .env("CARGO_TARGET_DIR", &tree.target);
    command
}

/// Any other program at the root of the tree; arguments apart by spaces.
pub(crate) fn program(tree: &Tree, name: &str, arguments: &str) -> Command {
    let mut command = Command::new(name);
    command
        .args(arguments.split_whitespace())
        .current_dir(&tree.root);
    command
}

/// Runs a command with its output in view. Errors: it can't start, or says that it failed.
pub(crate) fn watch(mut command: Command) -> Result<(), String> {
    let line = line(&command);
    println!("$ {line}");
    let status = command
        .stdin(Stdio::null())
        .status()
        .map_err(|error| format!("`{line}` can't start: {error}"))?;
    if status.success() {
        Ok(())
    } else {
        Err(format!("`{line}`: {status}"))
    }
}

/// Runs a command and returns all that it printed. Errors: it can't start, or says that it failed.
pub(crate) fn read(mut command: Command) -> Result<Output, String> {
    let line = line(&command);
    let output = command
        .stdin(Stdio::null())
        .output()
        .map_err(|error| format!("`{line}` can't start: {error}"))?;
    if output.status.success() {
        return Ok(output);
    }
    let errors = String::from_utf8_lossy(&output.stderr);
    Err(format!(
        "`{line}`: {}\n{}",
        output.status,
        errors.trim_end()
    ))
}

/// Runs a command and returns its standard output as text. Errors: as [`read`].
pub(crate) fn text(command: Command) -> Result<String, String> {
    Ok(String::from_utf8_lossy(&read(command)?.stdout).into_owned())
}

/// Whether a program can be started at all.
pub(crate) fn exists(name: &str, version_flag: &str) -> bool {
    let quiet = Command::new(name)
        .arg(version_flag)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    quiet.is_ok_and(|status| status.success())
}

fn line(command: &Command) -> String {
    let words = core::iter::once(command.get_program()).chain(command.get_args());
    words
        .map(OsStr::to_string_lossy)
        .collect::<Vec<_>>()
        .join(" ")
}
