//! Marks of unfinished work, and tests switched off.

use crate::step::Outcome;
use crate::tree::Tree;

/// No mark of unfinished work is left, and no test is switched off.
pub(crate) fn none(tree: &Tree) -> Outcome {
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
