//! Which packages a crate stands on: the libraries not on each other, and nothing copyleft.

use std::collections::BTreeSet;

use crate::crates::LIBRARIES;
use crate::process::{cargo, text};
use crate::step::Outcome;
use crate::tree::Tree;

/// What nat46 may depend on at run time; nothing of it allocates or needs std.
const NAT46_ONLY: &[&str] = &[
    "nat46",
    "ipnet",
    "thiserror",
    "thiserror-impl",
    "proc-macro2",
    "quote",
    "syn",
    "unicode-ident",
];

/// The five libraries never depend on each other, and nat46 on hardly anything.
pub(crate) fn independent(tree: &Tree) -> Outcome {
    let mut wrong = Vec::new();
    for library in LIBRARIES {
        let stands_on = packages(tree, library.package)?;
        for other in LIBRARIES
            .iter()
            .filter(|other| other.package != library.package)
        {
            if stands_on.contains(other.package) {
                wrong.push(format!("{} depends on {}", library.package, other.package));
            }
        }
        if library.package == "nat46" {
            for package in stands_on
                .iter()
                .filter(|package| !NAT46_ONLY.contains(&package.as_str()))
            {
                wrong.push(format!("nat46 depends on {package}"));
            }
        }
    }
    if wrong.is_empty() {
        Ok(format!("{} libraries", LIBRARIES.len()))
    } else {
        Err(wrong.join(", "))
    }
}

/// Every package that the workspace builds with may be used under a permissive licence (MPL's file-wise copyleft included).
pub(crate) fn licences(tree: &Tree) -> Outcome {
    let listed = text(cargo(
        tree,
        "tree --locked --workspace --all-features --edges normal,build,dev --prefix none --format {p}|{l}",
    ))?;
    let mut packages = BTreeSet::new();
    for line in listed.lines().filter(|line| !line.is_empty()) {
        let (package, licence) = line
            .split_once('|')
            .ok_or_else(|| format!("cargo tree printed `{line}`"))?;
        packages.insert((package, licence.trim_end_matches(" (*)")));
    }
    let wrong: Vec<_> = packages
        .iter()
        .filter(|(_, licence)| !permissive(licence))
        .map(|(package, licence)| format!("{package}: `{licence}`"))
        .collect();
    if wrong.is_empty() {
        Ok(format!("{} packages", packages.len()))
    } else {
        Err(wrong.join(", "))
    }
}

/// Whether an SPDX expression leaves a choice without GPL, AGPL, LGPL, EUPL or WTFPL.
fn permissive(licence: &str) -> bool {
    let alternatives = licence.split(" OR ").flat_map(|part| part.split('/'));
    let mut choices = alternatives.map(|part| part.trim_matches(['(', ')', ' ']));
    choices.any(|choice| {
        !choice.is_empty()
            && !["GPL", "EUPL", "WTFPL"]
                .iter()
                .any(|word| choice.contains(word))
    })
}

fn packages(tree: &Tree, package: &str) -> Result<BTreeSet<String>, String> {
    let listed = text(cargo(
        tree,
        &format!("tree --locked --package {package} --edges normal --prefix none --format {{p}}"),
    ))?;
    Ok(listed
        .lines()
        .filter_map(|line| line.split_whitespace().next())
        .map(ToOwned::to_owned)
        .collect())
}

#[cfg(test)]
mod tests {
    use super::permissive;

    #[test]
    fn a_licence_needs_one_permissive_choice() {
        for licence in [
            "MIT OR Apache-2.0",
            "MIT/Apache-2.0",
            "Unicode-3.0",
            "GPL-3.0 OR MIT",
            "MPL-2.0",
        ] {
            assert!(permissive(licence), "{licence}");
        }
        for licence in [
            "GPL-3.0",
            "AGPL-3.0-only",
            "LGPL-2.1 OR GPL-2.0",
            "EUPL-1.2",
            "WTFPL",
            "",
        ] {
            assert!(!permissive(licence), "{licence}");
        }
    }
}
