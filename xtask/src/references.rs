//! What the documents point at is there: files that are linked, tests that are named.

use std::collections::BTreeSet;

use crate::step::Outcome;
use crate::tree::Tree;

/// Every relative link of a `.md` file leads to a file, and every `rfcNNNN_…` in one is a test or a file of tests.
pub(crate) fn lead_somewhere(tree: &Tree) -> Outcome {
    let mut tests = BTreeSet::new();
    for path in tree.files(&["rs"])? {
        let source = tree.read(&path.to_string_lossy())?;
        tests.extend(source.lines().filter_map(function).map(ToOwned::to_owned));
        tests.extend(
            path.file_stem()
                .map(|stem| stem.to_string_lossy().into_owned()),
        );
    }
    let (mut wrong, mut links, mut names) = (Vec::new(), 0, 0);
    for path in tree.files(&["md"])? {
        let name = path.to_string_lossy();
        let document = tree.read(&name)?;
        let folder = tree.root.join(path.parent().unwrap_or(&path));
        for link in relative_links(&document) {
            links += 1;
            if !folder.join(link).exists() {
                wrong.push(format!("{name}: no file {link}"));
            }
        }
        for test in test_names(&document) {
            names += 1;
            if !tests.contains(test) {
                wrong.push(format!("{name}: no test {test}"));
            }
        }
    }
    if wrong.is_empty() {
        return Ok(format!("{links} links, {names} tests named"));
    }
    Err(wrong.join("\n"))
}

/// The name of the function that starts on this line.
fn function(line: &str) -> Option<&str> {
    let line = line.trim_start();
    let rest = line
        .strip_prefix("pub ")
        .unwrap_or(line)
        .strip_prefix("fn ")?;
    rest.split(|letter: char| !is_word(letter)).next()
}

/// Targets of `[text](target)` that are files of the tree, without their anchors.
fn relative_links(document: &str) -> impl Iterator<Item = &str> {
    document.split("](").skip(1).filter_map(|rest| {
        let target = rest.split([')', ' ', '\n']).next()?.split('#').next()?;
        let elsewhere = target.is_empty() || target.contains("://") || target.contains("::");
        (!elsewhere && !target.starts_with("mailto:")).then_some(target)
    })
}

/// Words such as `rfc4787_req5_udp_mapping_lives_two_minutes`.
fn test_names(document: &str) -> impl Iterator<Item = &str> {
    document
        .split(|letter: char| !is_word(letter))
        .filter(|word| {
            word.strip_prefix("rfc").is_some_and(|rest| {
                let digits = rest.find(|letter: char| !letter.is_ascii_digit());
                digits.is_some_and(|end| end > 0 && rest[end..].starts_with('_'))
            })
        })
}

fn is_word(letter: char) -> bool {
    letter.is_ascii_alphanumeric() || letter == '_'
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_and_names_are_found() {
        let document = "See [a](docs/a.md#b), [b](https://example.org), [c](#d) and `rfc4787_req5_x`, rfc6052.";
        assert_eq!(relative_links(document).collect::<Vec<_>>(), ["docs/a.md"]);
        assert_eq!(test_names(document).collect::<Vec<_>>(), ["rfc4787_req5_x"]);
        assert_eq!(
            function("    fn rfc4787_req5_x() {"),
            Some("rfc4787_req5_x")
        );
        assert_eq!(function("    let fn_x = 1;"), None);
    }
}
