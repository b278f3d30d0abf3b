//! `cargo xtask soak`: the long runs, started by hand.

use std::env;

use crate::process::{cargo, program, read, watch};
use crate::step::{Outcome, Step};
use crate::tree::Tree;
use crate::{coverage, fuzz};

pub(crate) const STEPS: &[Step] = &[
    Step::new("fuzz", fuzz_each),
    Step::new("coverage", coverage::regions),
    Step::new("properties", properties),
    Step::new("miri", miri),
    Step::new("sessions", sessions),
    Step::new("host", host),
    Step::new("kills", kills),
    Step::new("storm", storm),
    Step::new("load", load),
    Step::new("redis", redis),
];

/// Each target for ten minutes, or `SOAK_FUZZ_SECONDS`, from its kept corpus.
///
/// What it finds stays in `fuzz/artifacts`; what it learns, in `fuzz/target/corpus`, so that the
/// kept corpus stays small.
fn fuzz_each(tree: &Tree) -> Outcome {
    nightly(
        tree,
        "cargo fuzz --version",
        "cargo-fuzz (cargo install cargo-fuzz)",
    )?;
    let seconds = number("SOAK_FUZZ_SECONDS", 600)?;
    let targets = fuzz::targets(tree)?;
    let mut failed = Vec::new();
    for target in &targets {
        let learned = format!("fuzz/target/corpus/{target}");
        let kept = format!("fuzz/corpus/{target}");
        std::fs::create_dir_all(tree.root.join(&learned))
            .map_err(|error| format!("{learned}: {error}"))?;
        let fuzzer = program(
            tree,
            "rustup",
            &format!(
                "run nightly cargo fuzz run {target} {learned} {kept} -- -max_total_time={seconds} -timeout=10"
            ),
        );
        if watch(fuzzer).is_err() {
            failed.push(target.as_str());
        }
    }
    if failed.is_empty() {
        return Ok(format!("{} targets, {seconds} s each", targets.len()));
    }
    Err(format!(
        "failed: {}; the inputs lie in fuzz/artifacts",
        failed.join(", ")
    ))
}

/// Every property with many more cases than a test run has time for; optimised, with checks on.
fn properties(tree: &Tree) -> Outcome {
    let cases = number("SOAK_CASES", 20_000)?.to_string();
    let mut command = cargo(tree, "test --locked --workspace --tests --quiet");
    command
        .env("PROPTEST_CASES", &cases)
        .env("MODEL_STEPS", "1000000")
        .env("CARGO_PROFILE_DEV_OPT_LEVEL", "2")
        .env("CARGO_TARGET_DIR", tree.target.join("soak"));
    watch(command)?;
    Ok(format!("{cases} cases a property"))
}

/// Ten million sessions opened, aged and expired, and what the most expensive call touches.
fn sessions(tree: &Tree) -> Outcome {
    let mut command = cargo(
        tree,
        "test --locked --release --package snatpool --lib no_call_touches -- --nocapture",
    );
    command.env("SNATPOOL_SESSIONS", "10000000");
    watch(command)?;
    Ok("10,000,000 sessions".to_owned())
}

/// The end-to-end checks with a page of 1 GiB; root.
fn host(tree: &Tree) -> Outcome {
    crate::host::check_with(tree, 1 << 30)
}

/// kill -9 a thousand times in bursts of new names; root.
fn kills(tree: &Tree) -> Outcome {
    crate::kills::rounds(tree, number("SOAK_KILLS", 1000)? as usize)
}

/// A minute of spoiled packets on both sides; root.
fn storm(tree: &Tree) -> Outcome {
    crate::storm::seconds(tree, number("SOAK_STORM_SECONDS", 60)?)
}

/// A million mappings of a journal, against what redb needs to iterate over them.
fn load(tree: &Tree) -> Outcome {
    let line = "test --locked --release --package egress-gateway --bin egress-gateway a_million -- --nocapture";
    let mut command = cargo(tree, line);
    command.env("JOURNAL_MAPPINGS", "1000000");
    let told = crate::process::text(command)?;
    let ratio = told.lines().find(|line| line.contains(" of redb's "));
    Ok(ratio.ok_or_else(|| told.clone())?.to_owned())
}

/// Three gateways and the store they share, with 10,000 new names in each trouble; root.
fn redis(tree: &Tree) -> Outcome {
    let scale = crate::redis::Scale {
        names: number("SOAK_NAMES", 10_000)? as usize,
        rounds: 7,
    };
    crate::redis::check_with(tree, scale)
}

/// The packet crates' unit tests under Miri, which knows undefined behaviour when it runs.
fn miri(tree: &Tree) -> Outcome {
    nightly(
        tree,
        "cargo miri --version",
        "Miri (rustup component add --toolchain nightly miri)",
    )?;
    for package in ["nat46", "snatpool"] {
        let mut command = program(
            tree,
            "rustup",
            &format!("run nightly cargo miri test --locked --package {package} --lib"),
        );
        command
            .env("MIRIFLAGS", "-Zmiri-disable-isolation")
            .env("PROPTEST_CASES", "4");
        watch(command)?;
    }
    Ok(String::new())
}

/// Whether a nightly tool answers. Errors: it does not, under the name of what is missing.
fn nightly(tree: &Tree, words: &str, what: &str) -> Result<(), String> {
    read(program(tree, "rustup", &format!("run nightly {words}")))
        .map_err(|why| format!("needs nightly Rust and {what}: {why}"))?;
    Ok(())
}

fn number(variable: &str, default: u64) -> Result<u64, String> {
    match env::var(variable) {
        Ok(value) => value
            .parse()
            .map_err(|_| format!("{variable}={value} is no number")),
        Err(_) => Ok(default),
    }
}
