//! What stands around the parameters: who a resource is, lists of resources, and how a finding reads.

use egress_config::{Diagnostic, Level, Sources, check};

fn findings(text: &str) -> Vec<Diagnostic> {
    let mut sources = Sources::new();
    sources.add("test.yaml", text);
    check(&sources).diagnostics().to_vec()
}

#[test]
fn resources_say_who_they_are() {
    let codes = |text: &str| -> Vec<String> {
        findings(text)
            .iter()
            .filter(|found| found.code.name() != "no-vlan")
            .map(|found| format!("{}:{} {}", found.span.line, found.span.column, found.code))
            .collect()
    };
    let head = "apiVersion: k8s.f5net.com/v1\nkind: F5SPKEgress\n";
    assert_eq!(codes(&format!("{head}metadata: {{name: a}}\n")), [""; 0]);
    assert_eq!(codes(head), ["2:7 missing-field"]);
    assert_eq!(
        codes(&format!("{head}metadata: {{}}\n")),
        ["3:11 missing-field"]
    );
    assert_eq!(
        codes(&format!("{head}metadata: {{name: A}}\n")),
        ["3:18 invalid-name"]
    );
    assert_eq!(
        codes(&format!("{head}metadata: {{name: 5}}\n")),
        ["3:18 wrong-type"]
    );
    assert_eq!(
        codes(&format!("{head}metadata: {{name: a, nmae: b}}\n")),
        ["3:21 unknown-field"]
    );
    assert_eq!(
        codes(&format!("{head}metadata: {{name: a}}\nspec: []\n")),
        ["4:7 wrong-type"]
    );
    assert_eq!(
        codes(&format!("{head}metadata: {{name: a}}\nspce: {{}}\n")),
        ["4:1 unknown-field"]
    );
    assert_eq!(codes("kind: F5SPKEgress\n"), ["1:1 missing-field"]);
    assert_eq!(
        codes("apiVersion: v1\nkind: Pod\nmetadata: {name: a}\nspec: {x: 1, x: 2}\n"),
        ["2:7 passed-over"]
    );
    assert_eq!(
        codes("apiVersion: k8s.f5net.com/v1\nkind: F5SPKEgres\n"),
        ["2:7 passed-over"]
    );
    assert_eq!(codes("some: mapping\n"), ["1:1 passed-over"]);
    assert_eq!(codes("[]\n"), ["1:1 wrong-type"]);
    assert_eq!(codes("apiVersion: [v1]\nkind: Pod\n"), ["1:1 wrong-type"]);
    assert_eq!(codes("apiVersion: v1\nkind: List\n"), ["2:7 passed-over"]);
    let list =
        "{apiVersion: v1, kind: List, items: [{apiVersion: v1, kind: List, items: []}, null, 5]}";
    assert_eq!(codes(list), ["1:38 passed-over", "1:85 wrong-type"]);
    assert_eq!(
        codes(
            "apiVersion: k8s.f5net.com/v4\nkind: F5SPKVlan\nmetadata: {name: a}\nspec: {name: v, interfaces: ['1.1']}\n"
        ),
        ["1:13 unsupported-version"]
    );
    assert_eq!(
        codes(
            "apiVersion: apps/v1\nkind: F5SPKVlan\nmetadata: {name: a}\nspec: {name: v, interfaces: ['1.1']}\n"
        ),
        ["1:13 unsupported-version"]
    );
}

/// What `kubectl get -o yaml` prints.
#[test]
fn lists_of_resources_are_read_item_by_item() {
    let text = "apiVersion: v1
kind: List
items:
- apiVersion: k8s.f5net.com/v1
  kind: F5SPKSnatpool
  metadata:
    name: a
    namespace: ns
    uid: 0b3c
    resourceVersion: '7'
    annotations: {anything: goes}
  spec: {name: a, addressList: [[192.0.2.1]]}
  status: {ready: true}
- apiVersion: k8s.f5net.com/v1
  kind: F5SPKSnatpool
  metadata: {name: b, namespace: ns}
  spec: {name: b, addresslist: [[192.0.2.2]], name: c}
";
    let found: Vec<String> = findings(text)
        .iter()
        .filter(|found| found.level == Level::Error)
        .map(|found| format!("{} {} {}", found.span.line, found.path, found.code))
        .collect();
    assert_eq!(
        found,
        [
            "17 spec.addressList missing-field",
            "17 spec.addresslist unknown-field",
            "17 spec.name duplicate-key"
        ]
    );
}

#[test]
fn a_mistyped_field_earns_a_guess() {
    let help = |field: &str| {
        let text = format!(
            "apiVersion: k8s.f5net.com/v1\nkind: F5SPKEgress\nmetadata: {{name: a}}\nspec: {{{field}: 1}}\n"
        );
        let found = findings(&text);
        found
            .iter()
            .find(|found| found.code.name() == "unknown-field")
            .unwrap()
            .help
            .clone()
    };
    let guess = |name: &str| Some(format!("did you mean {name}?"));
    assert_eq!(help("dnsNat46Enabeld"), guess("dnsNat46Enabled"));
    assert_eq!(help("maxDns46Ttl"), guess("maxDNS46TTL"));
    assert_eq!(help("dnscachename"), guess("dnsCacheName"));
    assert_eq!(help("somethingElse"), None);
    assert_eq!(help(&"x".repeat(10_000)), None);
}

#[test]
fn a_diagnostic_prints_as_one_line() {
    let text = "apiVersion: k8s.f5net.com/v1\nkind: F5SPKEgress\nmetadata: {name: a}\nspec: {maxTmmReplicas: 0}\n";
    let found = findings(text);
    let error = found
        .iter()
        .find(|found| found.level == Level::Error)
        .unwrap();
    assert_eq!(
        error.to_string(),
        "test.yaml:4:24: error[out-of-range]: 0 is not between 1 and 2147483647"
    );
    assert_eq!(error.resource, "F5SPKEgress default/a");
    assert_eq!(&text[error.span.range.clone()], "0");
}

/// Columns count characters, ranges bytes.
#[test]
fn places_are_right_behind_other_letters() {
    let text = format!(
        "# {}\napiVersion: k8s.f5net.com/v1\nkind: F5SPKEgress\nmetadata: {{name: a, labels: {{ä: ö}}}}\nspec: {{logProfile: äöü, maxTmmReplicas: \"0\" }} # end\n",
        "ß".repeat(5000)
    );
    let found = findings(&text);
    let error = found
        .iter()
        .find(|found| found.level == Level::Error)
        .unwrap();
    assert_eq!((error.span.line, error.span.column), (5, 41));
    assert_eq!(&text[error.span.range.clone()], "\"0\"");
}

/// A mistyped switch is not followed by `no-effect` for what it switches on.
#[test]
fn an_unknown_field_has_no_follow_up() {
    let text = "apiVersion: k8s.f5net.com/v1\nkind: F5SPKEgress\nmetadata: {name: a}\n\
                spec: {dnsNat46Enabeld: true, maxDNS46TTL: 9}\n";
    let codes: Vec<&str> = findings(text)
        .iter()
        .map(|found| found.code.name())
        .collect();
    assert_eq!(codes, ["no-vlan", "unknown-field"]);
}
