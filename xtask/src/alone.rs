//! Each crate as somebody's only dependency.

use std::fs;

use crate::crates::{GATEWAY, LIBRARIES};
use crate::process::{cargo, watch};
use crate::step::Outcome;
use crate::tree::Tree;

/// Builds an empty project for each crate that depends on nothing but it, default features off.
///
/// The project takes the tree's own lock file, so that it asks no registry for anything new, and its
/// profiles, so that what clippy has checked need not be checked again.
pub(crate) fn build(tree: &Tree) -> Outcome {
    let manifest = tree.root.join("Cargo.toml");
    let workspace = fs::read_to_string(&manifest)
        .map_err(|error| format!("{}: {error}", manifest.display()))?;
    let profiles = workspace
        .find("[profile.dev]")
        .map(|start| &workspace[start..]);
    // Not those of single packages, which not every crate depends on.
    let profiles = profiles.and_then(|profiles| profiles.split_once("\n#"));
    let profiles = profiles.map_or("", |(profiles, _)| profiles);
    let crates: Vec<_> = LIBRARIES.iter().chain([&GATEWAY]).collect();
    for part in &crates {
        let package = part.package;
        let folder = tree.target.join("alone").join(package);
        let at = |error| format!("{}: {error}", folder.display());
        fs::create_dir_all(folder.join("src")).map_err(at)?;
        let manifest = format!(
            "[package]\nname = \"alone\"\nversion = \"0.0.0\"\nedition = \"2024\"\n\n\
             [dependencies]\n{package} = {{ path = {:?}, default-features = false }}\n\n[workspace]\n\n{profiles}",
            tree.root.join(part.folder),
        );
        fs::write(folder.join("Cargo.toml"), manifest).map_err(at)?;
        fs::write(folder.join("src/lib.rs"), "#![no_std]\n").map_err(at)?;
        fs::copy(tree.root.join("Cargo.lock"), folder.join("Cargo.lock")).map_err(at)?;
        let mut command = cargo(tree, "check --offline --quiet");
        command.current_dir(&folder);
        println!("{package}:");
        watch(command).map_err(|why| format!("{package}: {why}"))?;
    }
    Ok(format!("{} crates", crates.len()))
}
