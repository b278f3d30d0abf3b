//! Every sample earns exactly the errors and warnings that it names, at the lines that it names.

use std::fs;
use std::path::{Path, PathBuf};

use egress_config::{Checked, Level, Sources, check};

fn samples(folder: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/samples")
        .join(folder);
    let mut paths: Vec<PathBuf> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    paths.sort();
    paths
}

fn checked(path: &Path) -> Checked {
    check(&Sources::read([path]).unwrap())
}

/// `level code`, and the line where the sample names one; notes are free.
fn found(checked: &Checked) -> Vec<(String, u32)> {
    let mut found: Vec<(String, u32)> = checked
        .diagnostics()
        .iter()
        .filter(|diagnostic| diagnostic.level != Level::Note)
        .map(|diagnostic| {
            (
                format!("{} {}", diagnostic.level, diagnostic.code),
                diagnostic.span.line,
            )
        })
        .collect();
    found.sort();
    found
}

#[test]
fn rejected_samples_earn_exactly_what_they_name() {
    let paths = samples("reject");
    assert!(paths.len() >= 26);
    for path in paths {
        let text = fs::read_to_string(&path).unwrap();
        let mut expected: Vec<(String, Option<u32>)> = text
            .lines()
            .filter_map(|line| line.strip_prefix("# expect: "))
            .map(|line| match line.split_once(" line ") {
                Some((what, line)) => (what.to_owned(), Some(line.parse().unwrap())),
                None => (line.to_owned(), None),
            })
            .collect();
        expected.sort();
        let found = found(&checked(&path));
        let same = found.len() == expected.len()
            && found
                .iter()
                .zip(&expected)
                .all(|((found, at), (expected, line))| {
                    found == expected && line.is_none_or(|line| line == *at)
                });
        assert!(
            same,
            "{}: wanted {expected:?}, found {found:?}",
            path.display()
        );
    }
}

#[test]
fn sets_earn_exactly_what_they_name() {
    let paths = samples("sets");
    assert!(paths.len() >= 5);
    for path in paths {
        let expected = fs::read_to_string(path.join("expected.txt")).unwrap();
        let mut expected: Vec<&str> = expected
            .lines()
            .filter(|line| *line != "nothing" && !line.is_empty())
            .collect();
        expected.sort_unstable();
        let checked = checked(&path);
        let found = found(&checked);
        let names: Vec<&str> = found.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, expected, "{}", path.display());
        assert!(!checked.has_errors());
    }
}
