//! `cargo xtask bench`: times, for a quiet machine; counts are in the test tier.

use crate::counts;
use crate::process::{cargo, watch};
use crate::step::{Outcome, Step};
use crate::tree::Tree;

pub(crate) const STEPS: &[Step] = &[
    Step::new("criterion", criterion),
    Step::new("peers", peers),
    Step::new("instructions", counts::check),
];

/// The workspace of the peers; apart, since some of them are GPL.
const PEERS: &str = "--locked --quiet --manifest-path benches/peers/Cargo.toml";

fn criterion(tree: &Tree) -> Outcome {
    watch(cargo(
        tree,
        "bench --locked --package egress-benches --benches",
    ))?;
    Ok(String::new())
}

/// Other people's translators beside ours, and the promised ratios.
fn peers(tree: &Tree) -> Outcome {
    watch(cargo(tree, &format!("test {PEERS} --tests")))?;
    let measured = tree.target.join("criterion");
    let mut bench = cargo(tree, &format!("bench {PEERS} --benches"));
    bench.env("CRITERION_HOME", &measured);
    watch(bench)?;
    let mut compare = cargo(tree, &format!("run {PEERS} --"));
    compare.arg(&measured);
    watch(compare)?;
    Ok(String::new())
}

/// Lints the peers' workspace, so that it goes on compiling.
pub(crate) fn lint(tree: &Tree) -> Outcome {
    watch(cargo(
        tree,
        &format!("clippy {PEERS} --all-targets -- -D warnings"),
    ))?;
    Ok(String::new())
}
