//! `diff OLD NEW`: what a change of resources does to what lives.

use alloc::collections::BTreeMap;
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use egress_config::{Change, Plan};

use super::plan::{self, Chosen};

/// Tell what a change of resources does to live mappings and flows.
///
/// Exit code 0: it may be applied; 1: refused while mappings live; 2: errors.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// A file or directory with the resources that are in force.
    #[arg(value_name = "OLD")]
    old: PathBuf,
    /// A file or directory with the new ones.
    #[arg(value_name = "NEW")]
    new: PathBuf,
    #[command(flatten)]
    chosen: Chosen,
    /// Allow a change that drains all mappings.
    #[arg(long)]
    drain: bool,
}

pub(crate) fn run(arguments: &Arguments) -> ExitCode {
    let plans = |path: &PathBuf| plan::read(core::slice::from_ref(path), &arguments.chosen);
    let (Ok(old), Ok(new)) = (plans(&arguments.old), plans(&arguments.new)) else {
        return ExitCode::from(2);
    };
    let mut out = io::stdout().lock();
    if old.len() != new.len() {
        let _ = writeln!(out, "{} replicas, then {}", old.len(), new.len());
    }
    let changes = changes(&old, &new);
    if changes.is_empty() {
        let _ = writeln!(out, "nothing changes");
    }
    let all = old.len().min(new.len());
    for (change, replicas) in &changes {
        let which = match replicas.as_slice() {
            replicas if replicas.len() == all => String::new(),
            [one] => format!(" (replica {one})"),
            several => {
                let several: Vec<String> = several.iter().map(ToString::to_string).collect();
                format!(" (replicas {})", several.join(", "))
            }
        };
        let Change {
            field,
            before,
            after,
            effect,
            ..
        } = change;
        let _ = writeln!(
            out,
            "{field}{which}\n  - {before}\n  + {after}\n  {}",
            effect.summary()
        );
    }
    let refusal = old
        .iter()
        .zip(&new)
        .find_map(|(old, new)| old.diff(new).permit(1, arguments.drain).err());
    match refusal {
        Some(_) => {
            let _ = writeln!(out, "refused while mappings live: ask for it with --drain");
            ExitCode::from(1)
        }
        None => ExitCode::SUCCESS,
    }
}

/// Each change once, with the replicas that see it, in the order of the fields.
fn changes(old: &[Plan], new: &[Plan]) -> Vec<(Change, Vec<u32>)> {
    let mut changes: Vec<(Change, Vec<u32>)> = Vec::new();
    let mut known: BTreeMap<(String, String, String), usize> = BTreeMap::new();
    for (old, new) in old.iter().zip(new) {
        for change in old.diff(new).changes {
            let key = (
                change.field.clone(),
                change.before.clone(),
                change.after.clone(),
            );
            let next = changes.len();
            let at = *known.entry(key).or_insert(next);
            match changes.get_mut(at) {
                Some((_, replicas)) => replicas.push(old.replica),
                None => changes.push((change, vec![old.replica])),
            }
        }
    }
    changes
}

#[cfg(test)]
mod tests;
