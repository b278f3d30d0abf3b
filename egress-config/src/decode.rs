//! From a tree to resources, with every fault of a value on the way.

mod field;
mod object;
mod value;

mod dnscache;
mod egress;
mod snatpool;
mod vlan;

pub(crate) use dnscache::Dnscache;
pub(crate) use egress::{Egress, SnatType};
pub(crate) use field::{Field, Located};
pub(crate) use snatpool::Snatpool;
pub(crate) use vlan::Vlan;

use object::Decoder;

use crate::code::Code;
use crate::report::{Finding, Report, shortened};
use crate::tree::{Content, NodeId, Place, Tree};

/// The API group of all four kinds, and its versions.
pub(crate) const GROUP: &str = "k8s.f5net.com";
pub(crate) const VERSIONS: [&str; 3] = ["v1", "v2", "v3"];

/// What `metadata` may hold beside `name` and `namespace` (ObjectMeta of the Kubernetes API).
const OBJECT_META: &[&str] = &[
    "name",
    "namespace",
    "labels",
    "annotations",
    "creationTimestamp",
    "deletionGracePeriodSeconds",
    "deletionTimestamp",
    "finalizers",
    "generateName",
    "generation",
    "managedFields",
    "ownerReferences",
    "resourceVersion",
    "selfLink",
    "uid",
];
const TOP: &[&str] = &["apiVersion", "kind", "metadata", "spec", "status"];

/// The four kinds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    Egress,
    Dnscache,
    Snatpool,
    Vlan,
}

impl Kind {
    pub(crate) const ALL: [Self; 4] = [Self::Egress, Self::Dnscache, Self::Snatpool, Self::Vlan];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Egress => "F5SPKEgress",
            Self::Dnscache => "F5SPKDnscache",
            Self::Snatpool => "F5SPKSnatpool",
            Self::Vlan => "F5SPKVlan",
        }
    }
}

/// Who a resource is.
#[derive(Debug, Clone)]
pub(crate) struct Identity {
    pub(crate) namespace: String,
    pub(crate) name: String,
    /// `Kind namespace/name`.
    pub(crate) label: String,
    /// Of its name.
    pub(crate) place: Place,
}

impl Identity {
    pub(crate) fn qualified(&self) -> String {
        format!("{}/{}", self.namespace, self.name)
    }
}

/// All resources of one command, in the order of the texts.
#[derive(Debug, Clone, Default)]
pub(crate) struct Resources {
    pub(crate) egresses: Vec<Egress>,
    pub(crate) dnscaches: Vec<Dnscache>,
    pub(crate) snatpools: Vec<Snatpool>,
    pub(crate) vlans: Vec<Vlan>,
    /// A document was not readable: what seems to be absent may stand in it.
    pub(crate) incomplete: bool,
}

/// Reads the resource or the list of resources of one document.
pub(crate) fn decode(tree: &Tree<'_>, report: &mut Report<'_>, into: &mut Resources) {
    resource(tree, tree.root, "", report, into);
}

fn resource(
    tree: &Tree<'_>,
    node: NodeId,
    path: &str,
    report: &mut Report<'_>,
    into: &mut Resources,
) {
    let place = tree.node(node).place;
    if tree.is_null(node) {
        return;
    }
    if !matches!(tree.node(node).content, Content::Mapping(_)) {
        into.incomplete = true;
        let finding = Finding::new(Code::WrongType, place, "a resource is a mapping")
            .help("start with apiVersion, kind, metadata and spec");
        report.push("", path, finding);
        return;
    }
    let (version, kind) = (tree.get(node, "apiVersion"), tree.get(node, "kind"));
    let (Some(version_text), Some(kind_text)) = (
        version.and_then(|version| tree.text(version)),
        kind.and_then(|kind| tree.text(kind)),
    ) else {
        if version.is_none() && kind.is_none() {
            let finding = Finding::new(Code::PassedOver, place, "no Kubernetes resource");
            report.push("", path, finding);
        } else {
            into.incomplete = true;
            let absent = if version.is_none() {
                "apiVersion"
            } else {
                "kind"
            };
            let finding = Finding::new(Code::MissingField, place, format!("{absent} is missing"));
            report.push("", path, finding);
        }
        return;
    };
    let version_place = version.map_or(place, |version| tree.node(version).place);
    let kind_place = kind.map_or(place, |kind| tree.node(kind).place);
    if let Some(items) = list_items(tree, node, kind_text)
        && path.is_empty()
    {
        for (index, item) in items.iter().enumerate() {
            resource(tree, *item, &format!("items[{index}]"), report, into);
        }
        return;
    }
    let Some(kind) = Kind::ALL.into_iter().find(|kind| kind.name() == kind_text) else {
        let shown = shortened(kind_text);
        let message = format!("{shown} is not a kind that is read here");
        let mut finding = Finding::new(Code::PassedOver, kind_place, message);
        if let Some(near) = object::nearest(kind_text, Kind::ALL.into_iter().map(Kind::name)) {
            finding = finding.help(format!("did you mean {near}?"));
        }
        report.push("", path, finding);
        return;
    };
    let group_and_version = version_text.split_once('/');
    if !group_and_version
        .is_some_and(|(group, version)| group == GROUP && VERSIONS.contains(&version))
    {
        let shown = shortened(version_text);
        let message = format!("{} is not known under {shown}", kind.name());
        let finding = Finding::new(Code::UnsupportedVersion, version_place, message)
            .help(format!("write {GROUP}/v1, v2 or v3"));
        report.push(kind.name(), "apiVersion", finding);
    }
    let Some(identity) = identity(tree, node, kind, kind_place, report) else {
        into.incomplete = true;
        return;
    };
    // Paths are told from the resource on, also of one that is an item of a list.
    let prefix = if path.is_empty() {
        String::new()
    } else {
        format!("{path}.")
    };
    for duplicate in &tree.duplicates {
        if !duplicate.path.starts_with(&prefix) {
            continue;
        }
        let key = duplicate.path.rsplit('.').next().unwrap_or_default();
        let message = format!("{key} is there twice");
        let path = duplicate.path.get(prefix.len()..).unwrap_or_default();
        let help = match path {
            "apiVersion" | "kind" => "is a line with --- missing between two resources?",
            _ => "keep one of the two",
        };
        let finding = Finding::new(Code::DuplicateKey, duplicate.second, message)
            .help(help)
            .related(duplicate.first, "first here");
        report.push(&identity.label, path, finding);
    }
    let mut decoder = Decoder::new(tree, report, &identity.label);
    decoder.known_keys(node, TOP, "");
    let spec = tree.get(node, "spec");
    match kind {
        Kind::Egress => {
            into.egresses
                .push(Egress::decode(&mut decoder, spec, "spec", &identity));
        }
        Kind::Dnscache => {
            into.dnscaches
                .push(Dnscache::decode(&mut decoder, spec, "spec", &identity));
        }
        Kind::Snatpool => {
            into.snatpools
                .push(Snatpool::decode(&mut decoder, spec, "spec", &identity));
        }
        Kind::Vlan => into
            .vlans
            .push(Vlan::decode(&mut decoder, spec, "spec", &identity)),
    }
}

/// The items of a `List`, or of a list of one kind, as `kubectl get -o yaml` prints it.
fn list_items<'a>(tree: &'a Tree<'_>, node: NodeId, kind: &str) -> Option<&'a [NodeId]> {
    if !kind.ends_with("List") {
        return None;
    }
    match &tree.node(tree.get(node, "items")?).content {
        Content::Sequence(items) => Some(items),
        Content::Scalar { .. } | Content::Mapping(_) => None,
    }
}

fn identity(
    tree: &Tree<'_>,
    node: NodeId,
    kind: Kind,
    kind_place: Place,
    report: &mut Report<'_>,
) -> Option<Identity> {
    let metadata = tree.get(node, "metadata");
    let place = metadata.map_or(kind_place, |metadata| tree.node(metadata).place);
    let path = "metadata";
    let Some(metadata) =
        metadata.filter(|metadata| matches!(tree.node(*metadata).content, Content::Mapping(_)))
    else {
        let finding = Finding::new(Code::MissingField, place, "metadata with a name is missing");
        report.push(kind.name(), path, finding);
        return None;
    };
    let mut part = |key: &str, fallback: Option<&str>| -> Option<(String, Place)> {
        let Some(value) = tree.get(metadata, key) else {
            return match fallback {
                Some(fallback) => Some((fallback.to_owned(), place)),
                None => {
                    let message = format!("metadata.{key} is missing");
                    let finding = Finding::new(Code::MissingField, place, message);
                    report.push(kind.name(), &format!("{path}.{key}"), finding);
                    None
                }
            };
        };
        let value_place = tree.node(value).place;
        match value::object_name(tree, value) {
            Ok(text) => Some((text, value_place)),
            Err(fault) => {
                let finding = fault.at(value_place);
                report.push(kind.name(), &format!("{path}.{key}"), finding);
                None
            }
        }
    };
    let namespace = part("namespace", Some("default"));
    let name = part("name", None);
    let ((namespace, _), (name, place)) = (namespace?, name?);
    let label = format!("{} {namespace}/{name}", kind.name());
    Decoder::new(tree, report, &label).known_keys(metadata, OBJECT_META, &format!("{path}."));
    Some(Identity {
        namespace,
        name,
        label,
        place,
    })
}
