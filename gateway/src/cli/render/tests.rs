use super::{Format, counts, findings};

/// Two namespaces of faults: one place, two near each other, two far apart, no help, notes.
const TEXT: &str = include_str!("faults.yaml");

fn rendered(format: Format) -> String {
    let mut sources = egress_config::Sources::new();
    sources.add("faults.yaml", TEXT);
    let checked = egress_config::check(&sources);
    let mut out = Vec::new();
    findings(&mut out, &sources, checked.diagnostics(), format, false).unwrap();
    String::from_utf8(out).unwrap()
}

#[track_caller]
fn compare(found: &str, wanted: &str) {
    assert!(found == wanted, "found:\n{found}");
}

#[test]
fn for_people_with_the_line_underlined() {
    compare(&rendered(Format::Text), include_str!("faults.text"));
}

#[test]
fn for_editors_one_line_each() {
    compare(&rendered(Format::Short), include_str!("faults.short"));
}

#[test]
fn for_programs_one_object_a_line() {
    let json = rendered(Format::Json);
    compare(&json, include_str!("faults.json"));
    for line in json.lines() {
        let value: serde_json::Value = serde_json::from_str(line).unwrap();
        let keys: Vec<&String> = value.as_object().unwrap().keys().collect();
        assert_eq!(
            keys,
            [
                "code", "column", "file", "help", "level", "line", "message", "path", "resource"
            ]
        );
    }
}

#[test]
fn counted_by_level() {
    let mut sources = egress_config::Sources::new();
    sources.add("faults.yaml", TEXT);
    let checked = egress_config::check(&sources);
    assert_eq!(counts(checked.diagnostics()), "8 errors, 3 notes");
    assert_eq!(counts(&[]), "");
}

/// A line of a megabyte is not printed.
#[test]
fn a_long_line_is_left_out() {
    let mut sources = egress_config::Sources::new();
    let long = "x".repeat(1_000_000);
    sources.add(
        "long.yaml",
        format!("apiVersion: k8s.f5net.com/v1\nkind: F5SPKEgress\nmetadata: {{name: a}}\nspec: {{{long}: 1}}\n"),
    );
    let checked = egress_config::check(&sources);
    let mut out = Vec::new();
    findings(
        &mut out,
        &sources,
        checked.diagnostics(),
        Format::Text,
        false,
    )
    .unwrap();
    assert!(out.len() < 2000, "{}", out.len());
}
