//! CustomResourceDefinitions (`apiextensions.k8s.io/v1`).

use serde_json::{Map, Value, json};

use super::rule::{self, Rule};
use super::yaml::yaml;
use crate::decode::{GROUP, Kind, VERSIONS};
use crate::parameter::{DNSCACHE, EGRESS, Effect, Parameter, SNATPOOL, Shape, VLAN};

/// Longest text, in characters: that of a Kubernetes name.
const LONGEST_TEXT: u64 = 253;
/// Longest text form of an IPv6 address, and of one with a prefix length.
const LONGEST_ADDRESS: u64 = 45;
const LONGEST_SUBNET: u64 = 49;

/// A definition, ready for `kubectl apply`.
#[non_exhaustive]
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Definition {
    /// `metadata.name`, as `f5-spk-egresses.k8s.f5net.com`.
    pub name: String,
    /// One YAML document, without marker.
    pub yaml: String,
}

/// The definitions of all four kinds.
#[must_use]
pub fn definitions() -> Vec<Definition> {
    Kind::ALL
        .into_iter()
        .map(|kind| Definition {
            name: format!("{}.{GROUP}", names(kind).plural),
            yaml: yaml(&definition(kind)),
        })
        .collect()
}

/// What a kind is called on the command line of `kubectl`.
struct Names {
    singular: &'static str,
    plural: &'static str,
    /// Without hyphens, both numbers.
    short: [&'static str; 2],
}

const fn names(kind: Kind) -> Names {
    match kind {
        Kind::Egress => Names {
            singular: "f5-spk-egress",
            plural: "f5-spk-egresses",
            short: ["f5spkegress", "f5spkegresses"],
        },
        Kind::Dnscache => Names {
            singular: "f5-spk-dnscache",
            plural: "f5-spk-dnscaches",
            short: ["f5spkdnscache", "f5spkdnscaches"],
        },
        Kind::Snatpool => Names {
            singular: "f5-spk-snatpool",
            plural: "f5-spk-snatpools",
            short: ["f5spksnatpool", "f5spksnatpools"],
        },
        Kind::Vlan => Names {
            singular: "f5-spk-vlan",
            plural: "f5-spk-vlans",
            short: ["f5spkvlan", "f5spkvlans"],
        },
    }
}

/// The table of a kind's `spec`.
pub(super) const fn table(kind: Kind) -> &'static [Parameter] {
    match kind {
        Kind::Egress => EGRESS,
        Kind::Dnscache => DNSCACHE,
        Kind::Snatpool => SNATPOOL,
        Kind::Vlan => VLAN,
    }
}

/// What a kind is, in a sentence.
pub(super) const fn about(kind: Kind) -> &'static str {
    match kind {
        Kind::Egress => "How pods' flows leave: SNAT, DNS46 and NAT46, DNS64 and NAT64.",
        Kind::Dnscache => "Which servers are asked about which names, and how much is remembered.",
        Kind::Snatpool => "The source addresses of pods' flows, a list a replica.",
        Kind::Vlan => "A network of the gateway, its interface and self IPs.",
    }
}

fn definition(kind: Kind) -> Value {
    let names = names(kind);
    let schema = json!({
        "type": "object",
        "description": about(kind),
        "required": ["spec"],
        "properties": {
            "apiVersion": {"type": "string"},
            "kind": {"type": "string"},
            "metadata": {"type": "object"},
            "spec": object(table(kind), "What is wanted.", rule::of_spec(kind)),
            "status": {
                "type": "object",
                "description": "What the gateway says about it.",
                "x-kubernetes-preserve-unknown-fields": true,
            },
        },
    });
    let versions: Vec<Value> = VERSIONS
        .iter()
        .map(|version| {
            json!({
                "name": version,
                "served": true,
                // The one that the samples are written in; all have the same schema.
                "storage": *version == "v1",
                "schema": {"openAPIV3Schema": schema},
                "subresources": {"status": {}},
                "additionalPrinterColumns": columns(kind),
            })
        })
        .collect();
    json!({
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": format!("{}.{GROUP}", names.plural)},
        "spec": {
            "group": GROUP,
            "scope": "Namespaced",
            "names": {
                "kind": kind.name(),
                "listKind": format!("{}List", kind.name()),
                "singular": names.singular,
                "plural": names.plural,
                "shortNames": names.short,
            },
            "versions": versions,
        },
    })
}

/// What `kubectl get` shows.
fn columns(kind: Kind) -> Vec<Value> {
    let column =
        |name: &str, kind: &str, path: &str| json!({"name": name, "type": kind, "jsonPath": path});
    let mut columns = match kind {
        Kind::Egress => vec![
            column("DNS46", "boolean", ".spec.dnsNat46Enabled"),
            column("Subnet", "string", ".spec.dnsNat46Ipv4Subnet"),
            column("NAT64", "boolean", ".spec.nat64Enabled"),
            column("Snatpool", "string", ".spec.egressSnatpool"),
            column("Cache", "string", ".spec.dnsCacheName"),
            column("Replicas", "integer", ".spec.maxTmmReplicas"),
        ],
        Kind::Dnscache => vec![
            column("Type", "string", ".spec.cacheType"),
            column(
                "Zones",
                "string",
                ".spec.netResolver.forwardZones[*].forwardZone",
            ),
        ],
        Kind::Snatpool => vec![column("Pool", "string", ".spec.name")],
        Kind::Vlan => vec![
            column("VLAN", "string", ".spec.name"),
            column("Interfaces", "string", ".spec.interfaces"),
            column("Tag", "integer", ".spec.tag"),
            column("Internal", "boolean", ".spec.internal"),
        ],
    };
    columns.push(column("Age", "date", ".metadata.creationTimestamp"));
    columns
}

fn object(table: &[Parameter], about: &str, rules: Vec<Rule>) -> Value {
    let properties: Map<String, Value> = table
        .iter()
        .map(|parameter| (parameter.name.to_owned(), property(parameter)))
        .collect();
    let required: Vec<&str> = table
        .iter()
        .filter(|parameter| parameter.required)
        .map(|parameter| parameter.name)
        .collect();
    let mut schema = json!({"type": "object", "description": about, "properties": properties});
    if !required.is_empty() {
        set(&mut schema, "required", json!(required));
    }
    with_rules(&mut schema, rules);
    schema
}

fn property(parameter: &Parameter) -> Value {
    let mut about = parameter.about.to_owned();
    if let Effect::Ignored(reason) = parameter.effect {
        about.push_str(&format!(" No effect: {reason}."));
    }
    let mut schema = match &parameter.shape {
        Shape::Object(table) => object(table, &about, Vec::new()),
        shape => of_shape(shape),
    };
    if let Some(default) = parameter.default {
        // An absent number of replicas is told apart from 1.
        if parameter.name == "maxTmmReplicas" {
            about.push_str(&format!(" Default: {default}."));
        } else {
            set(
                &mut schema,
                "default",
                default_value(&parameter.shape, default),
            );
        }
    }
    set(&mut schema, "description", json!(about));
    with_rules(&mut schema, rule::of_parameter(parameter.name));
    schema
}

fn of_shape(shape: &Shape) -> Value {
    let text = |longest: u64| json!({"type": "string", "maxLength": longest});
    match shape {
        Shape::Boolean => json!({"type": "boolean"}),
        Shape::Integer { min, max } => {
            json!({"type": "integer", "format": "int64", "minimum": min, "maximum": max})
        }
        Shape::Text => text(LONGEST_TEXT),
        Shape::Word(words) => json!({"type": "string", "enum": words}),
        Shape::DomainName => json!({
            "type": "string",
            "maxLength": 254,
            "pattern": r"^(\.|[A-Za-z0-9_-]{1,63}(\.[A-Za-z0-9_-]{1,63})*\.?)$",
        }),
        Shape::Ip => json!({
            "type": "string",
            "maxLength": LONGEST_ADDRESS,
            "anyOf": [{"format": "ipv4"}, {"format": "ipv6"}],
        }),
        Shape::Ipv4 => json!({"type": "string", "maxLength": LONGEST_ADDRESS, "format": "ipv4"}),
        Shape::Ipv6 => json!({"type": "string", "maxLength": LONGEST_ADDRESS, "format": "ipv6"}),
        Shape::Ipv4Net => json!({
            "type": "string",
            "maxLength": LONGEST_SUBNET,
            "pattern": r"^[0-9]{1,3}(\.[0-9]{1,3}){3}/[0-9]{1,2}$",
        }),
        Shape::Nat64Prefix => json!({
            "type": "string",
            "maxLength": LONGEST_SUBNET,
            "pattern": r"^[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*/(32|40|48|56|64|96)$",
        }),
        Shape::List { of, most } => {
            let items = match of {
                Shape::Object(table) => object(table, "One of the list.", Vec::new()),
                of => of_shape(of),
            };
            json!({"type": "array", "maxItems": most, "items": items})
        }
        Shape::Object(table) => object(table, "", Vec::new()),
        Shape::Anything => json!({"x-kubernetes-preserve-unknown-fields": true}),
    }
}

fn default_value(shape: &Shape, default: &str) -> Value {
    match shape {
        Shape::Boolean => json!(default == "true"),
        Shape::Integer { .. } => default
            .parse::<u64>()
            .map_or(Value::Null, |number| json!(number)),
        Shape::Text
        | Shape::Word(_)
        | Shape::DomainName
        | Shape::Ip
        | Shape::Ipv4
        | Shape::Ipv6
        | Shape::Ipv4Net
        | Shape::Nat64Prefix
        | Shape::List { .. }
        | Shape::Object(_)
        | Shape::Anything => json!(default.trim_matches('"')),
    }
}

fn with_rules(schema: &mut Value, rules: Vec<Rule>) {
    if !rules.is_empty() {
        let rules: Vec<Value> = rules
            .into_iter()
            .map(|rule| json!({"rule": rule.expression, "message": rule.message}))
            .collect();
        set(schema, "x-kubernetes-validations", json!(rules));
    }
}

fn set(schema: &mut Value, key: &str, value: Value) {
    if let Value::Object(schema) = schema {
        schema.insert(key.to_owned(), value);
    }
}
