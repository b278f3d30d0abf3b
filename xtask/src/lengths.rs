//! Source files too long to be one concept.

use crate::step::Outcome;
use crate::tree::Tree;

/// Lines a source file may have.
const LENGTH: usize = 600;

/// No source file is longer than [`LENGTH`] lines: one concept a file.
pub(crate) fn check(tree: &Tree) -> Outcome {
    let files = tree.files(&["rs"])?;
    let mut long = Vec::new();
    let mut longest = 0;
    for path in &files {
        let name = path.to_string_lossy();
        let lines = tree.read(&name)?.lines().count();
        longest = longest.max(lines);
        if lines > LENGTH {
            long.push(format!("{name} has {lines}"));
        }
    }
    if long.is_empty() {
        return Ok(format!(
            "{} files, the longest of {longest} lines",
            files.len()
        ));
    }
    Err(format!(
        "files of more than {LENGTH} lines: {}",
        long.join(", ")
    ))
}
