//! `cargo xtask test`: what needs no root.

use crate::crates::{BARE_TARGET, LIBRARIES};
use crate::process::{cargo, program, text, watch};
use crate::step::{Outcome, Step};
use crate::tree::Tree;
use crate::{alone, bench, counts, dependencies, documents, fuzz, lengths, marks, references};

/// Cheap checks first, so that a slip shows in the first seconds.
pub(crate) const STEPS: &[Step] = &[
    Step::new("format", format),
    Step::new("lengths", lengths::check),
    Step::new("marks", marks::none),
    Step::new("documents", documents::agree),
    Step::new("references", references::lead_somewhere),
    Step::new("dependencies", dependencies::independent),
    Step::new("licences", dependencies::licences),
    Step::new("clippy", clippy),
    Step::new("tests", tests),
    Step::new("doctests", doctests),
    Step::new("docs", docs),
    Step::new("no-std", no_std),
    Step::new("alone", alone::build),
    Step::new("fuzz-lint", fuzz::lint),
    Step::new("fuzz-replay", fuzz::replay),
    Step::new("peers-lint", bench::lint),
    Step::new("instructions", counts::check),
];

fn format(tree: &Tree) -> Outcome {
    watch(cargo(tree, "fmt --all --check"))?;
    for manifest in ["fuzz/Cargo.toml", "benches/peers/Cargo.toml"] {
        watch(cargo(
            tree,
            &format!("fmt --check --manifest-path {manifest}"),
        ))?;
    }
    Ok(String::new())
}

fn clippy(tree: &Tree) -> Outcome {
    watch(cargo(
        tree,
        "clippy --locked --workspace --all-targets -- -D warnings",
    ))?;
    Ok(String::new())
}

/// The examples have no tests of their own; that they build, clippy has shown.
fn tests(tree: &Tree) -> Outcome {
    watch(cargo(
        tree,
        "test --locked --workspace --lib --bins --tests --quiet",
    ))?;
    Ok(String::new())
}

fn doctests(tree: &Tree) -> Outcome {
    watch(cargo(tree, "test --locked --workspace --doc --quiet"))?;
    Ok(String::new())
}

fn docs(tree: &Tree) -> Outcome {
    let mut command = cargo(tree, "doc --locked --workspace --no-deps");
    command.env("RUSTDOCFLAGS", "-D warnings");
    watch(command)?;
    Ok(String::new())
}

/// One crate at a time: a build of several at once would unify their features and hide std.
fn no_std(tree: &Tree) -> Outcome {
    let installed = text(program(tree, "rustup", "target list --installed"))?;
    if !installed.lines().any(|line| line == BARE_TARGET) {
        watch(program(
            tree,
            "rustup",
            &format!("target add {BARE_TARGET}"),
        ))?;
    }
    let mut built = 0;
    for library in LIBRARIES.iter().filter(|library| library.no_std) {
        let package = library.package;
        watch(cargo(
            tree,
            &format!(
                "clippy --locked --no-default-features --target {BARE_TARGET} --package {package} -- -D warnings"
            ),
        ))?;
        built += 1;
    }
    Ok(format!("{built} crates on {BARE_TARGET}"))
}
