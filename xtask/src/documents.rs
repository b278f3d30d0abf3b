//! The documents say what the manifests say.

use crate::crates::{Crate, GATEWAY, LIBRARIES};
use crate::step::Outcome;
use crate::tree::Tree;

/// Compares the README, ARCHITECTURE.md and the crates' own front pages with the manifests.
pub(crate) fn agree(tree: &Tree) -> Outcome {
    let manifest = tree.read("Cargo.toml")?;
    let readme = tree.read("README.md")?;
    let architecture = tree.read("ARCHITECTURE.md")?;
    let mut wrong = Vec::new();

    let rust_version = value(&manifest, "rust-version").ok_or("no rust-version in Cargo.toml")?;
    if !readme.contains(&rust_version) {
        wrong.push(format!(
            "README.md does not name Rust {rust_version}, the rust-version of Cargo.toml"
        ));
    }
    for command in [
        "cargo xtask test",
        "cargo run --release -p egress-gateway -- demo",
    ] {
        if !readme.contains(command) {
            wrong.push(format!("README.md does not name `{command}`"));
        }
    }

    let members = members(&manifest).ok_or("no members in Cargo.toml")?;
    for member in members.iter().chain([&"fuzz".to_owned()]) {
        if !architecture.contains(&format!("{member}/")) {
            wrong.push(format!(
                "ARCHITECTURE.md does not name the folder {member}/"
            ));
        }
    }

    for Crate {
        folder, package, ..
    } in LIBRARIES.iter().chain([&GATEWAY])
    {
        if !members.iter().any(|member| member == folder) {
            wrong.push(format!("{folder} is no member of the workspace"));
            continue;
        }
        if !readme.contains(&format!("]({folder})")) {
            wrong.push(format!("README.md does not link to {folder}"));
        }
        let own = tree.read(&format!("{folder}/Cargo.toml"))?;
        if value(&own, "name").as_deref() != Some(*package) {
            wrong.push(format!(
                "{folder}/Cargo.toml does not name the package {package}"
            ));
        }
        let library = tree.read(&format!("{folder}/src/lib.rs"))?;
        if !library.contains("#![doc = include_str!(\"../README.md\")]") {
            wrong.push(format!(
                "{folder}/README.md is not the crate's rustdoc front page"
            ));
        }
        if !tree
            .read(&format!("{folder}/README.md"))?
            .contains("```rust")
        {
            wrong.push(format!("{folder}/README.md has no compiled example"));
        }
    }
    for Crate { folder, .. } in LIBRARIES {
        let library = tree.read(&format!("{folder}/src/lib.rs"))?;
        for attribute in [
            "#![forbid(unsafe_code)]",
            "clippy::unwrap_used",
            "clippy::expect_used",
            "clippy::panic",
            "clippy::indexing_slicing",
        ] {
            if !library.contains(attribute) {
                wrong.push(format!("{folder}/src/lib.rs lacks {attribute}"));
            }
        }
    }

    if wrong.is_empty() {
        Ok(format!("{} members, Rust {rust_version}", members.len()))
    } else {
        Err(wrong.join("\n"))
    }
}

/// The string after the first `key = `.
fn value(manifest: &str, key: &str) -> Option<String> {
    let line = manifest
        .lines()
        .find_map(|line| line.strip_prefix(key)?.trim_start().strip_prefix('='))?;
    Some(line.trim().trim_matches('"').to_owned())
}

fn members(manifest: &str) -> Option<Vec<String>> {
    let (_, rest) = manifest.split_once("members = [")?;
    let (list, _) = rest.split_once(']')?;
    let names = list.split(',').map(|name| name.trim().trim_matches('"'));
    Some(
        names
            .filter(|name| !name.is_empty())
            .map(ToOwned::to_owned)
            .collect(),
    )
}
