//! Which kind a document is of, and who it is.

use super::object::{Decoder, nearest};
use super::{GROUP, Kind, VERSIONS, value};
use crate::code::Code;
use crate::report::{Finding, Report, shortened};
use crate::tree::{Content, NodeId, Place, Tree};

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
/// What a mapping says that it is.
pub(super) enum Claim<'t> {
    /// One of the four kinds.
    Kind(Kind),
    /// A list of resources, as `kubectl get -o yaml` prints it.
    List(&'t [NodeId]),
    /// Something else.
    Other,
    /// It is not to be told: what seems to be absent may be this.
    Unclear,
}

/// Reads `apiVersion` and `kind`.
pub(super) fn claim<'t>(
    tree: &'t Tree<'_>,
    node: NodeId,
    path: &str,
    report: &mut Report<'_>,
) -> Claim<'t> {
    let place = tree.node(node).place;
    let (version, kind) = match (tree.get(node, "apiVersion"), tree.get(node, "kind")) {
        (Some(version), Some(kind)) => (version, kind),
        (None, None) => {
            let finding = Finding::new(Code::PassedOver, place, "no Kubernetes resource");
            report.push("", path, finding);
            return Claim::Other;
        }
        (version, _) => {
            let absent = if version.is_none() {
                "apiVersion"
            } else {
                "kind"
            };
            let finding = Finding::new(Code::MissingField, place, format!("{absent} is missing"));
            report.push("", path, finding);
            return Claim::Unclear;
        }
    };
    let (Some(version_text), Some(kind_text)) = (tree.text(version), tree.text(kind)) else {
        let finding = Finding::new(Code::WrongType, place, "apiVersion and kind are texts");
        report.push("", path, finding);
        return Claim::Unclear;
    };
    if let Some(items) = list_items(tree, node, kind_text) {
        return Claim::List(items);
    }
    let Some(known) = Kind::ALL
        .into_iter()
        .find(|known| known.name() == kind_text)
    else {
        let message = format!("{} is not a kind that is read here", shortened(kind_text));
        let mut finding = Finding::new(Code::PassedOver, tree.node(kind).place, message);
        if let Some(near) = nearest(kind_text, Kind::ALL.into_iter().map(Kind::name)) {
            finding = finding.help(format!("did you mean {near}?"));
        }
        report.push("", path, finding);
        return Claim::Other;
    };
    let supported = version_text
        .split_once('/')
        .is_some_and(|(group, version)| group == GROUP && VERSIONS.contains(&version));
    if !supported {
        let message = format!(
            "{} is not known under {}",
            known.name(),
            shortened(version_text)
        );
        let finding = Finding::new(Code::UnsupportedVersion, tree.node(version).place, message)
            .help(format!("write {GROUP}/v1, v2 or v3"));
        report.push(known.name(), "apiVersion", finding);
    }
    Claim::Kind(known)
}

fn list_items<'t>(tree: &'t Tree<'_>, node: NodeId, kind: &str) -> Option<&'t [NodeId]> {
    if !kind.ends_with("List") {
        return None;
    }
    match &tree.node(tree.get(node, "items")?).content {
        Content::Sequence(items) => Some(items),
        Content::Scalar { .. } | Content::Mapping(_) => None,
    }
}

/// Reads `metadata`.
pub(super) fn identity(
    tree: &Tree<'_>,
    node: NodeId,
    kind: Kind,
    report: &mut Report<'_>,
) -> Option<Identity> {
    let kind_place = tree.node(tree.get(node, "kind").unwrap_or(node)).place;
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
