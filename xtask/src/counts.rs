//! Instructions per operation, counted by callgrind and compared with a committed baseline.
//!
//! Counts, unlike times, repeat on a busy machine. An operation's count is a difference, I(2N) - I(N)
//! over N: start-up and the tables made before the loop cancel out.

use core::fmt::Write as _;
use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

use crate::process::{cargo, exists, read, text, watch};
use crate::step::{Outcome, Step};
use crate::tree::Tree;

/// The only step of `cargo xtask bless`.
pub(crate) const BLESS: &[Step] = &[Step::new("bless", bless)];
/// The only step of `cargo xtask counts`.
pub(crate) const PRINT: &[Step] = &[Step::new("counts", check)];

const BASELINE: &str = "benches/instructions.toml";
/// How far above its baseline an operation may come, in percent.
const TOLERANCE: u64 = 5;
const OPERATIONS: u64 = 2000;

/// Counts every operation and compares: with its baseline on the compiler that the file names,
/// with its limit on any.
///
/// Errors: no valgrind; a count more than [`TOLERANCE`] percent above its baseline, or above its
/// limit; an operation without a baseline or a baseline without an operation.
pub(crate) fn check(tree: &Tree) -> Outcome {
    let baseline = Baseline::parse(&tree.read(BASELINE)?)?;
    let counts = count(tree)?;
    let compiler = compiler(tree)?;
    let same_compiler = compiler == baseline.rustc;
    let mut wrong = Vec::new();
    println!(
        "{:<34}{:>10}{:>10}{:>10}",
        "operation", "count", "baseline", "limit"
    );
    for (name, count) in &counts {
        let known = baseline.counts.get(name);
        let limit = baseline.limits.get(name);
        println!(
            "{name:<34}{count:>10}{:>10}{:>10}",
            shown(known),
            shown(limit)
        );
        match known {
            None => wrong.push(format!("{name} has no baseline")),
            Some(known) if same_compiler && count * 100 > known * (100 + TOLERANCE) => {
                wrong.push(format!("{name}: {count} instructions, baseline {known}"));
            }
            Some(_) => {}
        }
        if let Some(limit) = limit.filter(|limit| count > *limit) {
            wrong.push(format!("{name}: {count} instructions, limit {limit}"));
        }
    }
    for name in baseline.counts.keys().chain(baseline.limits.keys()) {
        if !counts.contains_key(name) {
            wrong.push(format!("{name} stands in {BASELINE}, but is no operation"));
        }
    }
    if !wrong.is_empty() {
        return Err(wrong.join("\n"));
    }
    Ok(if same_compiler {
        format!(
            "{} operations within {TOLERANCE} % on rustc {compiler}",
            counts.len()
        )
    } else {
        format!(
            "{} operations within their limits; the baseline is of rustc {}, not compared with {compiler}",
            counts.len(),
            baseline.rustc,
        )
    })
}

/// Counts every operation and writes the baseline; the limits stay as they are.
fn bless(tree: &Tree) -> Outcome {
    let old = Baseline::parse(&tree.read(BASELINE)?)?;
    let counts = count(tree)?;
    let new = Baseline {
        rustc: compiler(tree)?,
        counts,
        limits: old.limits,
    };
    fs::write(tree.root.join(BASELINE), new.print())
        .map_err(|error| format!("{BASELINE}: {error}"))?;
    Ok(format!(
        "{} operations written to {BASELINE}",
        new.counts.len()
    ))
}

fn count(tree: &Tree) -> Result<BTreeMap<String, u64>, String> {
    if !exists("valgrind", "--version") {
        return Err("valgrind is not installed (Debian: apt-get install valgrind)".to_owned());
    }
    watch(cargo(
        tree,
        "build --locked --release --quiet --package egress-benches --bin icount",
    ))?;
    let program = tree.target.join("release/icount");
    let mut counts = BTreeMap::new();
    for name in text(Command::new(&program))?.lines() {
        let once = instructions(&program, name, OPERATIONS)?;
        let twice = instructions(&program, name, 2 * OPERATIONS)?;
        let difference = twice.checked_sub(once).ok_or_else(|| {
            format!("{name}: {OPERATIONS} operations cost more than twice as many")
        })?;
        counts.insert(name.to_owned(), difference / OPERATIONS);
    }
    Ok(counts)
}

/// All instructions of one run of `icount NAME OPERATIONS`.
fn instructions(program: &PathBuf, name: &str, operations: u64) -> Result<u64, String> {
    let mut command = Command::new("valgrind");
    command
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(program)
        .args([name, &operations.to_string()]);
    let printed = read(command)?;
    let report = String::from_utf8_lossy(&printed.stderr);
    let collected = report
        .lines()
        .find_map(|line| line.split_once("Collected :"))
        .and_then(|(_, number)| number.trim().parse().ok());
    collected.ok_or_else(|| format!("{name}: callgrind printed no count:\n{report}"))
}

fn compiler(tree: &Tree) -> Result<String, String> {
    let mut command = Command::new("rustc");
    command.arg("--version").current_dir(&tree.root);
    let printed = text(command)?;
    let version = printed.split_whitespace().nth(1);
    version
        .map(ToOwned::to_owned)
        .ok_or_else(|| format!("`rustc --version` printed `{printed}`"))
}

fn shown(number: Option<&u64>) -> String {
    number.map_or_else(|| "-".to_owned(), u64::to_string)
}

/// The committed file: a compiler, counts on it, and limits that hold on any.
struct Baseline {
    rustc: String,
    counts: BTreeMap<String, u64>,
    limits: BTreeMap<String, u64>,
}

impl Baseline {
    fn parse(file: &str) -> Result<Self, String> {
        let mut baseline = Self {
            rustc: String::new(),
            counts: BTreeMap::new(),
            limits: BTreeMap::new(),
        };
        let mut table = "";
        for line in file.lines().map(str::trim) {
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let bad = || format!("{BASELINE}: can't read `{line}`");
            if let Some(name) = line.strip_prefix('[') {
                table = name.strip_suffix(']').ok_or_else(bad)?;
                continue;
            }
            let (key, value) = line.split_once('=').ok_or_else(bad)?;
            let (key, value) = (key.trim(), value.trim());
            let rows = match (table, key) {
                ("", "rustc") => {
                    baseline.rustc = value.trim_matches('"').to_owned();
                    continue;
                }
                ("counts", _) => &mut baseline.counts,
                ("limits", _) => &mut baseline.limits,
                _ => return Err(bad()),
            };
            rows.insert(key.to_owned(), value.parse().map_err(|_| bad())?);
        }
        Ok(baseline)
    }

    fn print(&self) -> String {
        let mut file = format!(
            "# Instructions per operation, counted by callgrind: `cargo xtask counts` compares, `cargo xtask bless`\n\
             # writes [counts]. They are compared on this compiler alone, the limits on any.\n\
             rustc = \"{}\"\n",
            self.rustc
        );
        for (table, rows) in [("limits", &self.limits), ("counts", &self.counts)] {
            let _ = write!(file, "\n[{table}]\n");
            for (name, number) in rows {
                let _ = writeln!(file, "{name} = {number}");
            }
        }
        file
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "\
# Counts.
rustc = \"1.95.0\"

[limits]
recipe = 160

[counts]
recipe = 140
general = 230
";

    #[test]
    fn what_is_printed_is_what_was_read() {
        let baseline = Baseline::parse(FILE).unwrap();
        assert_eq!(baseline.rustc, "1.95.0");
        assert_eq!(baseline.limits.get("recipe"), Some(&160));
        assert_eq!(baseline.counts.get("general"), Some(&230));
        let again = Baseline::parse(&baseline.print()).unwrap();
        assert_eq!(
            (again.limits, again.counts),
            (baseline.limits, baseline.counts)
        );
    }

    #[test]
    fn a_line_that_says_nothing_is_refused() {
        for file in [
            "recipe = 140",
            "[counts]\nrecipe",
            "[counts]\nrecipe = many",
            "[other]\na = 1",
        ] {
            assert!(Baseline::parse(file).is_err(), "{file}");
        }
    }
}
