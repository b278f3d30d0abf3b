//! From a tree to resources, with every fault of a value on the way.

mod field;
mod identity;
mod object;
mod value;

mod dnscache;
mod egress;
mod snatpool;
mod vlan;

pub(crate) use dnscache::Dnscache;
pub(crate) use egress::{Egress, SnatType};
pub(crate) use field::{Field, Located};
pub(crate) use identity::Identity;
pub(crate) use snatpool::Snatpool;
pub(crate) use vlan::Vlan;

use identity::{Claim, claim, identity};
use object::Decoder;

use crate::code::Code;
use crate::report::{Finding, Report};
use crate::tree::{Content, NodeId, Tree};

/// The API group of all four kinds, and its versions.
pub(crate) const GROUP: &str = "k8s.f5net.com";
pub(crate) const VERSIONS: [&str; 3] = ["v1", "v2", "v3"];

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
    let Some(items) = resource(tree, tree.root, "", report, into) else {
        return;
    };
    for (index, item) in items.iter().enumerate() {
        let path = format!("items[{index}]");
        if resource(tree, *item, &path, report, into).is_some() {
            let place = tree.node(*item).place;
            report.push(
                "",
                &path,
                Finding::new(Code::PassedOver, place, "a list within a list"),
            );
        }
    }
}

/// Reads a resource; gives the items of what is a list instead.
fn resource<'t>(
    tree: &'t Tree<'_>,
    node: NodeId,
    path: &str,
    report: &mut Report<'_>,
    into: &mut Resources,
) -> Option<&'t [NodeId]> {
    if tree.is_null(node) {
        return None;
    }
    if !matches!(tree.node(node).content, Content::Mapping(_)) {
        into.incomplete = true;
        let place = tree.node(node).place;
        let finding = Finding::new(Code::WrongType, place, "a resource is a mapping")
            .help("start with apiVersion, kind, metadata and spec");
        report.push("", path, finding);
        return None;
    }
    let kind = match claim(tree, node, path, report) {
        Claim::Kind(kind) => kind,
        Claim::List(items) => return Some(items),
        Claim::Other => return None,
        Claim::Unclear => {
            into.incomplete = true;
            return None;
        }
    };
    let Some(identity) = identity(tree, node, kind, report) else {
        into.incomplete = true;
        return None;
    };
    duplicate_keys(tree, path, &identity, report);
    let mut decoder = Decoder::new(tree, report, &identity.label);
    decoder.known_keys(node, TOP, "");
    let spec = tree.get(node, "spec");
    match kind {
        Kind::Egress => into
            .egresses
            .push(Egress::decode(&mut decoder, spec, &identity)),
        Kind::Dnscache => into
            .dnscaches
            .push(Dnscache::decode(&mut decoder, spec, &identity)),
        Kind::Snatpool => into
            .snatpools
            .push(Snatpool::decode(&mut decoder, spec, &identity)),
        Kind::Vlan => into.vlans.push(Vlan::decode(&mut decoder, spec, &identity)),
    }
    None
}

/// Tells of keys that are there twice in the resource at `path` of the document. Like all paths, theirs
/// are told from the resource on.
fn duplicate_keys(tree: &Tree<'_>, path: &str, identity: &Identity, report: &mut Report<'_>) {
    let prefix = if path.is_empty() {
        String::new()
    } else {
        format!("{path}.")
    };
    for duplicate in &tree.duplicates {
        let Some(path) = duplicate.path.strip_prefix(&prefix) else {
            continue;
        };
        let key = path.rsplit('.').next().unwrap_or_default();
        let help = match path {
            "apiVersion" | "kind" => "is a line with --- missing between two resources?",
            _ => "keep one of the two",
        };
        let message = format!("{key} is there twice");
        let finding = Finding::new(Code::DuplicateKey, duplicate.second, message)
            .help(help)
            .related(duplicate.first, "first here");
        report.push(&identity.label, path, finding);
    }
}
