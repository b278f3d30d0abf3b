//! What the text of the tree must not hold: files too long to be one concept, and marks of unfinished work.

use crate::step::Outcome;
use crate::tree::Tree;

/// Lines a source file may have.
const LENGTH: usize = 600;

/// No source file is longer than [`LENGTH`] lines: one concept a file.
pub(crate) fn lengths(tree: &Tree) -> Outcome {
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

/// No mark of unfinished work is left, and no test is switched off.
pub(crate) fn marks(tree: &Tree) -> Outcome {
    // Put together here, so that this file does not find itself.
    let marks = [
        ["TO", "DO"].concat(),
        ["FIX", "ME"].concat(),
        ["unimplem", "ented!"].concat(),
        ["to", "do!("].concat(),
        ["#[ign", "ore"].concat(),
        ["#[should_", "panic"].concat(),
    ];
    let files = tree.files(&["rs", "md", "toml", "sh", "yaml", "yml"])?;
    let mut found = Vec::new();
    for path in &files {
        let name = path.to_string_lossy();
        for (number, line) in tree.read(&name)?.lines().enumerate() {
            if let Some(mark) = marks.iter().find(|mark| line.contains(mark.as_str())) {
                found.push(format!("{name}:{}: {mark}", number + 1));
            }
        }
    }
    if found.is_empty() {
        return Ok(format!("{} files", files.len()));
    }
    Err(found.join("\n"))
}
