//! Every code's page is true: its wrong example earns the code, its right one does not.

use egress_config::{Code, Sources, check};

fn examples(page: &str) -> Vec<&str> {
    page.split("```yaml\n")
        .skip(1)
        .map(|rest| rest.split("```").next().unwrap())
        .collect()
}

fn codes(text: &str) -> Vec<Code> {
    let mut sources = Sources::new();
    sources.add("example.yaml", text);
    check(&sources)
        .diagnostics()
        .iter()
        .map(|diagnostic| diagnostic.code)
        .collect()
}

#[test]
fn the_wrong_example_earns_the_code_and_the_right_one_does_not() {
    for code in Code::ALL {
        let page = code.page();
        assert!(page.starts_with(&format!("# {code}\n")), "{code}");
        let examples = examples(page);
        let [wrong, right] = examples.as_slice() else {
            assert_eq!(*code, Code::TooManyFindings, "{code} has no examples");
            continue;
        };
        let found = codes(wrong);
        assert!(found.contains(code), "{code}: wrong earns {found:?}");
        let others: Vec<_> = found
            .iter()
            .filter(|other| *other != code && other.level() == egress_config::Level::Error)
            .collect();
        assert!(others.is_empty(), "{code}: wrong earns {others:?} too");
        let found = codes(right);
        assert!(!found.contains(code), "{code}: right earns it");
        let errors: Vec<_> = found
            .iter()
            .filter(|other| other.level() == egress_config::Level::Error)
            .collect();
        assert!(errors.is_empty(), "{code}: right earns {errors:?}");
    }
}

#[test]
fn too_many_findings_end_the_list() {
    let mut text = "apiVersion: k8s.f5net.com/v1\nkind: F5SPKEgress\n\
                    metadata: {name: egress, namespace: spk-ingress}\nspec:\n"
        .to_owned();
    for index in 0..200 {
        text.push_str(&format!("  unknown{index}: 1\n"));
    }
    let found = codes(&text);
    assert_eq!(
        found
            .iter()
            .filter(|code| **code == Code::UnknownField)
            .count(),
        100
    );
    assert_eq!(
        found
            .iter()
            .filter(|code| **code == Code::TooManyFindings)
            .count(),
        1
    );
}

#[test]
fn names_lead_back_to_codes() {
    for code in Code::ALL {
        assert_eq!(Code::named(code.name()), Some(*code));
    }
    assert_eq!(Code::named("Syntax"), None);
}

#[test]
fn notes_do_not_crowd_out_an_error() {
    let mut text = "---\n{}\n".repeat(30_000);
    text.push_str(
        "---\napiVersion: k8s.f5net.com/v1\nkind: F5SPKEgress\n\
         metadata: {name: egress, namespace: spk-ingress}\nspec: {maxTmmReplicas: 0}\n",
    );
    let found = codes(&text);
    assert_eq!(
        found
            .iter()
            .filter(|code| **code == Code::PassedOver)
            .count(),
        20_000
    );
    assert!(found.contains(&Code::OutOfRange));
}
