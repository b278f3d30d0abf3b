//! `cargo xtask bench`: times, for a quiet machine; counts are in the test tier.

use crate::counts;
use crate::process::{cargo, watch};
use crate::step::{Outcome, Step};
use crate::tree::Tree;

pub(crate) const STEPS: &[Step] = &[
    Step {
        name: "criterion",
        run: criterion,
    },
    Step {
        name: "peers",
        run: peers,
    },
    Step {
        name: "instructions",
        run: counts::check,
    },
];

fn criterion(tree: &Tree) -> Outcome {
    watch(cargo(
        tree,
        &[
            "bench",
            "--locked",
            "--package",
            "egress-benches",
            "--benches",
        ],
    ))?;
    Ok(String::new())
}

/// Other people's translators beside ours; a workspace of its own, since some are GPL.
fn peers(tree: &Tree) -> Outcome {
    watch(cargo(
        tree,
        &[
            "bench",
            "--locked",
            "--manifest-path",
            "benches/peers/Cargo.toml",
            "--benches",
        ],
    ))?;
    Ok(String::new())
}
