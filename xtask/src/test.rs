//! `cargo xtask test`: what needs no root.

use crate::crates::{BARE_TARGET, LIBRARIES};
use crate::process::{cargo, program, text, watch};
use crate::step::{Outcome, Step};
use crate::text as text_of_the_tree;
use crate::tree::Tree;
use crate::{alone, counts, dependencies, documents, fuzz};

/// Cheap checks first, so that a slip shows in the first seconds.
pub(crate) const STEPS: &[Step] = &[
    Step {
        name: "format",
        run: format,
    },
    Step {
        name: "lengths",
        run: text_of_the_tree::lengths,
    },
    Step {
        name: "marks",
        run: text_of_the_tree::marks,
    },
    Step {
        name: "documents",
        run: documents::agree,
    },
    Step {
        name: "dependencies",
        run: dependencies::independent,
    },
    Step {
        name: "licences",
        run: dependencies::licences,
    },
    Step {
        name: "clippy",
        run: clippy,
    },
    Step {
        name: "tests",
        run: tests,
    },
    Step {
        name: "doctests",
        run: doctests,
    },
    Step {
        name: "docs",
        run: docs,
    },
    Step {
        name: "no-std",
        run: no_std,
    },
    Step {
        name: "alone",
        run: alone::build,
    },
    Step {
        name: "fuzz-lint",
        run: fuzz::lint,
    },
    Step {
        name: "fuzz-replay",
        run: fuzz::replay,
    },
    Step {
        name: "instructions",
        run: counts::check,
    },
];

fn format(tree: &Tree) -> Outcome {
    watch(cargo(tree, &["fmt", "--all", "--check"]))?;
    for manifest in ["fuzz/Cargo.toml", "benches/peers/Cargo.toml"] {
        watch(cargo(
            tree,
            &["fmt", "--check", "--manifest-path", manifest],
        ))?;
    }
    Ok(String::new())
}

fn clippy(tree: &Tree) -> Outcome {
    watch(cargo(
        tree,
        &[
            "clippy",
            "--locked",
            "--workspace",
            "--all-targets",
            "--",
            "-D",
            "warnings",
        ],
    ))?;
    Ok(String::new())
}

fn tests(tree: &Tree) -> Outcome {
    watch(cargo(
        tree,
        &[
            "test",
            "--locked",
            "--workspace",
            "--lib",
            "--bins",
            "--tests",
            "--examples",
            "--quiet",
        ],
    ))?;
    Ok(String::new())
}

fn doctests(tree: &Tree) -> Outcome {
    watch(cargo(
        tree,
        &["test", "--locked", "--workspace", "--doc", "--quiet"],
    ))?;
    Ok(String::new())
}

fn docs(tree: &Tree) -> Outcome {
    let mut command = cargo(tree, &["doc", "--locked", "--workspace", "--no-deps"]);
    command.env("RUSTDOCFLAGS", "-D warnings");
    watch(command)?;
    Ok(String::new())
}

/// One crate at a time: a build of several at once would unify their features and hide std.
fn no_std(tree: &Tree) -> Outcome {
    let installed = text(program(tree, "rustup", &["target", "list", "--installed"]))?;
    if !installed.lines().any(|line| line == BARE_TARGET) {
        watch(program(tree, "rustup", &["target", "add", BARE_TARGET]))?;
    }
    let mut built = 0;
    for library in LIBRARIES.iter().filter(|library| library.no_std) {
        let package = library.package;
        watch(cargo(
            tree,
            &[
                "clippy",
                "--locked",
                "--no-default-features",
                "--target",
                BARE_TARGET,
                "--package",
                package,
                "--",
                "-D",
                "warnings",
            ],
        ))?;
        built += 1;
    }
    Ok(format!("{built} crates on {BARE_TARGET}"))
}
