//! The fuzz workspace on stable: linted, its kept corpora replayed.

use crate::process::{cargo, watch};
use crate::step::Outcome;
use crate::tree::Tree;

/// Lints the fuzz workspace.
pub(crate) fn lint(tree: &Tree) -> Outcome {
    watch(cargo(
        tree,
        "clippy --locked --manifest-path fuzz/Cargo.toml --all-targets -- -D warnings",
    ))?;
    Ok(String::new())
}

/// Runs every target's function over its kept corpus, regressions included.
pub(crate) fn replay(tree: &Tree) -> Outcome {
    watch(cargo(
        tree,
        "test --locked --manifest-path fuzz/Cargo.toml --tests --quiet",
    ))?;
    Ok(String::new())
}

/// The names of the targets: the files of `fuzz/fuzz_targets`.
pub(crate) fn targets(tree: &Tree) -> Result<Vec<String>, String> {
    let files = tree.files(&["rs"])?;
    let names = files
        .iter()
        .filter(|path| path.starts_with("fuzz/fuzz_targets"));
    Ok(names
        .filter_map(|path| Some(path.file_stem()?.to_str()?.to_owned()))
        .collect())
}
