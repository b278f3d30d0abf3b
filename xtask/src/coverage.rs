//! How much of a crate its kept corpora reach.

use std::fs;

use crate::fuzz;
use crate::process::{cargo, exists, program, text, watch};
use crate::step::Outcome;
use crate::tree::Tree;

/// A crate, the first letters of its targets' names, and the least share of its regions in percent.
const CRATES: &[(&str, &str, f64)] = &[
    ("nat46", "nat46_", 90.0),
    ("snatpool", "snatpool_", 0.0),
    ("dnscache", "dnscache_", 0.0),
    ("dns46", "dns46_", 0.0),
    ("egress-config", "egress_config", 0.0),
];

/// Replays the corpora in instrumented programs and asks llvm-cov about each crate's regions.
///
/// Errors: no llvm-cov of the compiler's LLVM; a crate below its least share.
pub(crate) fn regions(tree: &Tree) -> Outcome {
    let version = text(program(tree, "rustc", "-vV"))?;
    let major = version
        .lines()
        .find_map(|line| line.strip_prefix("LLVM version: "))
        .and_then(|version| version.split('.').next())
        .ok_or("rustc does not name its LLVM")?;
    let (cov, profdata) = (
        format!("llvm-cov-{major}"),
        format!("llvm-profdata-{major}"),
    );
    if !exists(&cov, "--version") {
        return Err(format!(
            "{cov} is not installed (Debian: apt-get install llvm-{major})"
        ));
    }

    let folder = tree.target.join("coverage");
    let profiles = folder.join("profiles");
    // Profiles of an earlier run would count as reached.
    if profiles.exists() {
        fs::remove_dir_all(&profiles)
            .map_err(|error| format!("{}: {error}", profiles.display()))?;
    }
    let mut build = cargo(
        tree,
        "build --locked --quiet --manifest-path fuzz/Cargo.toml --bins",
    );
    build
        .env("RUSTFLAGS", "-C instrument-coverage")
        .env("CARGO_TARGET_DIR", &folder)
        // Build scripts and macros are instrumented too.
        .env("LLVM_PROFILE_FILE", folder.join("build-%p.profraw"));
    watch(build)?;

    let mut notes = Vec::new();
    let mut low = Vec::new();
    for (name, prefix, least) in CRATES {
        let merged = profiles.join(format!("{name}.profdata"));
        let mut merge = program(tree, &profdata, "merge -sparse -o");
        merge.arg(&merged);
        let mut report = program(tree, &cov, "report --ignore-filename-regex=tests");
        report.arg(format!("--instr-profile={}", merged.display()));
        for target in fuzz::targets(tree)?
            .iter()
            .filter(|target| target.starts_with(prefix))
        {
            let profile = profiles.join(format!("{target}.profraw"));
            let door = folder.join("debug").join(target);
            let mut replay = program(tree, &door.to_string_lossy(), "");
            let corpus = tree.root.join("fuzz/corpus").join(target);
            for input in fs::read_dir(&corpus).map_err(|error| format!("{target}: {error}"))? {
                replay.arg(input.map_err(|error| format!("{target}: {error}"))?.path());
            }
            replay.env("LLVM_PROFILE_FILE", &profile);
            text(replay)?;
            merge.arg(&profile);
            report.arg("--object").arg(&door);
        }
        watch(merge)?;
        report
            .arg("--sources")
            .arg(tree.root.join(name).join("src"));
        let table = text(report)?;
        println!("{table}");
        let share = table
            .lines()
            .find(|line| line.starts_with("TOTAL"))
            .and_then(|line| line.split_whitespace().nth(3))
            .and_then(|share| share.trim_end_matches('%').parse::<f64>().ok())
            .ok_or_else(|| format!("{cov} printed no total for {name}"))?;
        notes.push(format!("{name} {share} %"));
        if share < *least {
            low.push(format!(
                "{name}: {share} % of its regions, {least} % wanted"
            ));
        }
    }
    if low.is_empty() {
        Ok(notes.join(", "))
    } else {
        Err(low.join(", "))
    }
}
