//! Reads what criterion measured, sets each row against interproto's, and compares with the promises.
//!
//! `egress-peers FOLDER`: criterion's output folder. Exit code 1 if a promise is broken.

use std::env;
use std::fs;
use std::path::Path;
use std::process::ExitCode;

const DIRECTIONS: [&str; 2] = ["4to6", "6to4"];
const ROWS: [&str; 4] = ["interproto", "floor", "general", "recipe"];

/// At most this much of interproto's time: row, bytes of the packet, ratio.
const AGAINST_INTERPROTO: [(&str, u16, f64); 4] = [
    ("recipe", 64, 0.30),
    ("recipe", 1500, 0.05),
    ("general", 64, 0.45),
    ("general", 1500, 0.08),
];
/// In place, a long packet costs no more than a short one, times this.
const LONG_AGAINST_SHORT: f64 = 1.15;

fn main() -> ExitCode {
    let Some(folder) = env::args_os().nth(1) else {
        eprintln!("usage: egress-peers FOLDER");
        return ExitCode::from(2);
    };
    match compare(Path::new(&folder)) {
        Ok(broken) if broken.is_empty() => ExitCode::SUCCESS,
        Ok(broken) => {
            broken
                .iter()
                .for_each(|promise| eprintln!("broken: {promise}"));
            ExitCode::FAILURE
        }
        Err(why) => {
            eprintln!("{why}");
            ExitCode::from(2)
        }
    }
}

/// Prints the table; returns the promises that do not hold.
fn compare(folder: &Path) -> Result<Vec<String>, String> {
    let mut broken = Vec::new();
    println!(
        "{:<12}{:<12}{:>10}{:>14}",
        "group", "row", "ns", "x interproto"
    );
    for direction in DIRECTIONS {
        for row in ROWS {
            let short = median(folder, direction, 64, row)?;
            let long = median(folder, direction, 1500, row)?;
            for (length, time) in [(64, short), (1500, long)] {
                let ratio = time / median(folder, direction, length, "interproto")?;
                println!(
                    "{:<12}{row:<12}{time:>10.1}{ratio:>14.3}",
                    format!("{direction}-{length}")
                );
                let promise = AGAINST_INTERPROTO
                    .iter()
                    .find(|(of, at, _)| *of == row && *at == length);
                if let Some((_, _, most)) = promise.filter(|(_, _, most)| ratio > *most) {
                    broken.push(format!(
                        "{direction}-{length} {row}: {ratio:.3} of interproto, at most {most}"
                    ));
                }
            }
            let own = matches!(row, "general" | "recipe");
            if own && long > short * LONG_AGAINST_SHORT {
                broken.push(format!(
                    "{direction} {row}: {long:.1} ns at 1500 bytes, {short:.1} at 64, at most {LONG_AGAINST_SHORT} times"
                ));
            }
        }
    }
    Ok(broken)
}

/// Criterion's median of one row, in nanoseconds.
fn median(folder: &Path, direction: &str, length: u16, row: &str) -> Result<f64, String> {
    let path = folder.join(format!("{direction}-{length}/{row}/new/estimates.json"));
    let text = fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?;
    let estimates: serde_json::Value =
        serde_json::from_str(&text).map_err(|error| format!("{}: {error}", path.display()))?;
    let median = estimates["median"]["point_estimate"].as_f64();
    median.ok_or_else(|| format!("{}: no median", path.display()))
}
