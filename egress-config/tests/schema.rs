//! The custom resource definitions: as committed, and as an API server would apply them.

use std::fs;
use std::path::{Path, PathBuf};

use egress_config::schema;
use saphyr_parser::{Event, Parser, ScalarStyle};
use serde_json::{Map, Value, json};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// `cargo run -p egress-config --features schema --example generate` writes both.
#[test]
fn committed_files_are_what_the_tables_give() {
    for definition in schema::definitions() {
        let path = root()
            .join("deploy/crds")
            .join(format!("{}.yaml", definition.name));
        let committed = fs::read_to_string(&path).unwrap();
        assert!(
            committed == definition.yaml,
            "{} is out of date",
            path.display()
        );
    }
    let path = root().join("docs/parameters.md");
    let committed = fs::read_to_string(&path).unwrap();
    assert!(
        committed == schema::parameters_page(),
        "{} is out of date",
        path.display()
    );
}

/// Each parameter names a test, and the test is there.
#[test]
fn the_page_names_tests_that_exist() {
    let sources =
        ["plan.rs", "together.rs"].map(|file| root().join("egress-config/tests").join(file));
    let tests: String = sources
        .iter()
        .map(|path| fs::read_to_string(path).unwrap())
        .collect();
    let mut rows = 0;
    // The gateway's own tests hold the rest of the page against itself.
    let page = schema::parameters_page();
    let (page, _) = page.split_once("## What reads the plan").unwrap();
    for row in page.lines().filter(|line| line.starts_with("| `")) {
        let test = row.split(" | ").nth(4).unwrap().trim_matches('`');
        assert!(
            !test.is_empty() && tests.contains(&format!("fn {test}()")),
            "{row}"
        );
        rows += 1;
    }
    assert!(rows >= 60, "{rows}");
}

/// All documents of a text as JSON values; enough of YAML's core schema for these tests.
fn documents(text: &str) -> Vec<Value> {
    enum Open {
        List(Vec<Value>),
        Map(Map<String, Value>, Option<String>),
    }
    let mut documents = Vec::new();
    let mut open: Vec<Open> = Vec::new();
    for event in Parser::new_from_str(text) {
        let value = match event.unwrap().0 {
            Event::Scalar(text, style, ..) => match (style, &*text) {
                (ScalarStyle::Plain, "true") => json!(true),
                (ScalarStyle::Plain, "false") => json!(false),
                (ScalarStyle::Plain, "null") => json!(null),
                (ScalarStyle::Plain, number) if number.parse::<u64>().is_ok() => {
                    json!(number.parse::<u64>().unwrap())
                }
                (_, text) => json!(text),
            },
            Event::SequenceStart(..) => {
                open.push(Open::List(Vec::new()));
                continue;
            }
            Event::MappingStart(..) => {
                open.push(Open::Map(Map::new(), None));
                continue;
            }
            Event::SequenceEnd | Event::MappingEnd => match open.pop().unwrap() {
                Open::List(list) => Value::Array(list),
                Open::Map(map, _) => Value::Object(map),
            },
            _ => continue,
        };
        match open.last_mut() {
            None => documents.push(value),
            Some(Open::List(list)) => list.push(value),
            Some(Open::Map(map, key)) => match key.take() {
                Some(key) => drop(map.insert(key, value)),
                None => *key = Some(value.as_str().unwrap().to_owned()),
            },
        }
    }
    documents
}

#[test]
fn yaml_reads_back_as_the_same_value() {
    let value = json!({
        "empty": [{}, [], ""],
        "nested": [[1, 2], [{"a": {"b": [true, null]}}]],
        "texts": ["yes", "1.10", "- a", "a: b", "# c", "ä\n\"", " x", "x ", "0x1", "~", "*a", "plain text"],
        "": {"key with: colon": "v"},
    });
    assert_eq!(
        documents(&schema::yaml(&value)),
        core::slice::from_ref(&value)
    );
}

/// Kind, then the schema of one version.
fn schemas() -> Vec<(String, Value)> {
    schema::definitions()
        .iter()
        .flat_map(|definition| {
            let crd = documents(&definition.yaml).remove(0);
            let kind = crd["spec"]["names"]["kind"].as_str().unwrap().to_owned();
            crd["spec"]["versions"]
                .as_array()
                .unwrap()
                .iter()
                .map(|version| (kind.clone(), version["schema"]["openAPIV3Schema"].clone()))
                .collect::<Vec<_>>()
        })
        .collect()
}

/// Why a server would refuse a resource, by schema or by rule.
fn refusals(resource: &Value) -> Vec<String> {
    let (_, schema) = schemas()
        .into_iter()
        .find(|(kind, _)| *kind == resource["kind"])
        .unwrap();
    let validator = jsonschema::options()
        .should_validate_formats(true)
        .build(&schema)
        .unwrap();
    let mut refusals: Vec<String> = validator
        .iter_errors(resource)
        .map(|error| error.to_string())
        .collect();
    // Rules are looked at only where the schema holds, as on a server.
    if refusals.is_empty()
        && let Err(errors) = kube_cel::Validator::new().validate(&schema, resource, None)
    {
        refusals.extend(errors.iter().map(|error| error.message.clone()));
    }
    refusals
}

fn sample(path: &str) -> Vec<Value> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/samples")
        .join(path);
    documents(&fs::read_to_string(path).unwrap())
}

#[test]
fn every_resource_of_the_sets_is_accepted() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/samples/sets");
    let mut count = 0;
    for set in fs::read_dir(folder).unwrap() {
        for file in fs::read_dir(set.unwrap().path()).unwrap() {
            let path = file.unwrap().path();
            if path
                .extension()
                .is_some_and(|extension| extension == "yaml")
            {
                for resource in documents(&fs::read_to_string(&path).unwrap()) {
                    assert_eq!(refusals(&resource), [""; 0], "{}", path.display());
                    count += 1;
                }
            }
        }
    }
    assert!(count >= 16, "{count}");
}

#[test]
fn rejects_of_one_resource_are_refused() {
    for file in [
        "boolean-as-text",
        "cache-type",
        "dns46-without-cache",
        "nameserver-inside-subnet",
        "nat64-prefix-length",
        "nat64-without-cache",
        "port-too-large",
        "rate-limit-too-large",
        "replicas-zero",
        "reserved-beyond-subnet",
        "reserved-leaves-nothing",
        "sorry-inside-subnet",
        "subnet-not-ipv4",
        "subnet-with-host-bits",
        "ttl-zero",
        "two-faults",
        "zone-twice",
    ] {
        let resources = sample(&format!("reject/{file}.yaml"));
        let refused = resources
            .iter()
            .filter(|resource| !refusals(resource).is_empty())
            .count();
        assert_eq!(refused, 1, "{file}");
    }
}

#[test]
fn rejects_of_several_resources_are_accepted_one_by_one() {
    for file in [
        "duplicate-resource",
        "missing-cache",
        "missing-snatpool",
        "nameserver-not-in-pool",
        "pools-overlap",
        "two-egresses",
    ] {
        for resource in sample(&format!("reject/{file}.yaml")) {
            assert_eq!(refusals(&resource), [""; 0], "{file}");
        }
    }
}

/// The server's rules and the crate's checks agree on the division of the subnet.
#[test]
fn the_rule_of_division_agrees_with_the_check() {
    for length in [24, 28, 29, 30, 31, 32] {
        for reserved in [0, 1, 2, 3, 7, 16, 255, 256] {
            for replicas in [1, 2, 3, 4, 8] {
                let spec = json!({
                    "dnsNat46Enabled": true,
                    "dnsCacheName": "cache",
                    "dnsNat46Ipv4Subnet": format!("10.9.8.0/{length}"),
                    "maxReservedStaticIps": reserved,
                    "maxTmmReplicas": replicas,
                });
                let resource = json!({
                    "apiVersion": "k8s.f5net.com/v1",
                    "kind": "F5SPKEgress",
                    "metadata": {"name": "egress", "namespace": "ns"},
                    "spec": spec,
                });
                let mut sources = egress_config::Sources::new();
                sources.add("egress.json", resource.to_string());
                let refused = egress_config::check(&sources)
                    .diagnostics()
                    .iter()
                    .any(|found| found.code == egress_config::Code::NoAddressForReplica);
                assert_eq!(
                    !refusals(&resource).is_empty(),
                    refused,
                    "/{length}, {reserved} reserved, {replicas} replicas: {:?}",
                    refusals(&resource)
                );
            }
        }
    }
}

#[test]
fn the_rule_of_bits_64_to_71_agrees_with_the_check() {
    for (prefix, wanted) in [
        ("64:ff9b::/96", true),
        ("2001:db8:1:2::/96", true),
        ("2001:db8:1:2:100::/96", false),
        ("2001:db8:1:2:ff00::/96", false),
        ("2001:db8:1:2:ff::/96", true),
        ("2001:db8:1:2:00ff::/96", true),
        ("2001:db8:1:2:0100::/96", false),
        ("2001:db8:1:2:ff:0:0:0/96", true),
        ("2001:db8:1:2:100:0:0:0/96", false),
        ("2001:db8::ff:0:0:0/96", true),
        ("2001:db8::100:0:0:0/96", false),
        ("2001:db8::1:100:0:0:0/96", false),
        ("2001:db8:1:200::/96", true),
        ("2001:db8:1:200::/64", true),
        ("2001:db8::200:0:0/96", true),
        ("2001:db8::/32", true),
        ("2001:db8::/72", false),
        ("2001:db8:1::/32", false),
        ("10.0.0.0/32", false),
    ] {
        let resource = json!({
            "apiVersion": "k8s.f5net.com/v1",
            "kind": "F5SPKEgress",
            "metadata": {"name": "egress", "namespace": "ns"},
            "spec": {"nat64Enabled": true, "dnsCacheName": "cache", "nat64Ipv6Subnet": prefix},
        });
        assert_eq!(
            refusals(&resource).is_empty(),
            wanted,
            "{prefix}: {:?}",
            refusals(&resource)
        );
        let mut sources = egress_config::Sources::new();
        sources.add("egress.json", resource.to_string());
        let faulty = egress_config::check(&sources)
            .diagnostics()
            .iter()
            .any(|found| found.path == "spec.nat64Ipv6Subnet");
        assert_eq!(!faulty, wanted, "{prefix}");
    }
}
