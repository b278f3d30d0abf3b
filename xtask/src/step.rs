//! Steps of a tier: run in order, timed, and summed up at the end.

use core::time::Duration;
use std::time::Instant;

use crate::tree::Tree;

/// A note for the summary, or why the step failed.
pub(crate) type Outcome = Result<String, String>;

/// One step of a tier.
pub(crate) struct Step {
    /// What the summary and the command line call it.
    name: &'static str,
    /// What it does, and what makes it fail.
    run: fn(&Tree) -> Outcome,
}

impl Step {
    /// A step by its name.
    pub(crate) const fn new(name: &'static str, run: fn(&Tree) -> Outcome) -> Self {
        Self { name, run }
    }
}

/// Runs `steps`, or those of them that `names` picks; true if every one of them passed.
///
/// A failed step does not stop the ones after it: one run shows all that is wrong.
/// Errors: a name that is no step's.
pub(crate) fn run(
    tier: &str,
    tree: &Tree,
    steps: &[Step],
    names: &[String],
) -> Result<bool, String> {
    if names.iter().any(|name| name == "--list") {
        steps.iter().for_each(|step| println!("{}", step.name));
        return Ok(true);
    }
    if let Some(unknown) = names
        .iter()
        .find(|name| !steps.iter().any(|step| step.name == **name))
    {
        return Err(format!(
            "`{tier}` has no step `{unknown}`; `cargo xtask {tier} --list` names them"
        ));
    }
    let picked: Vec<&Step> = steps
        .iter()
        .filter(|step| names.is_empty() || names.iter().any(|name| name == step.name))
        .collect();

    let started_at = clock();
    let mut results = Vec::new();
    for (index, step) in picked.iter().enumerate() {
        println!("\n=== {tier} {}/{}: {}", index + 1, picked.len(), step.name);
        let step_at = clock();
        let outcome = (step.run)(tree);
        let took = step_at.elapsed();
        match &outcome {
            Ok(note) => println!("=== {}: ok, {}{}", step.name, seconds(took), aside(note)),
            Err(why) => println!("=== {}: FAILED, {}: {why}", step.name, seconds(took)),
        }
        results.push((step.name, took, outcome));
    }

    println!("\n=== {tier}: summary");
    for (name, took, outcome) in &results {
        let (word, note) = match outcome {
            Ok(note) => ("ok", note),
            Err(why) => ("FAILED", why),
        };
        let first = note.lines().next().unwrap_or_default();
        println!("{word:<7}{:>8}  {name:<14}{first}", seconds(*took));
    }
    let failed = results
        .iter()
        .filter(|(_, _, outcome)| outcome.is_err())
        .count();
    println!(
        "=== {tier}: {} of {} steps passed, {failed} failed, in {}{}",
        results.len() - failed,
        steps.len(),
        seconds(started_at.elapsed()),
        if picked.len() < steps.len() {
            " (only the steps asked for)"
        } else {
            ""
        },
    );
    Ok(failed == 0)
}

/// The clock of a command that a person waits for.
#[expect(
    clippy::disallowed_methods,
    reason = "xtask measures its own steps; no library sees it"
)]
pub(crate) fn clock() -> Instant {
    Instant::now()
}

fn seconds(time: Duration) -> String {
    format!("{:.1} s", time.as_secs_f64())
}

fn aside(note: &str) -> String {
    if note.is_empty() {
        String::new()
    } else {
        format!(" ({note})")
    }
}
