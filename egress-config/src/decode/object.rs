//! Mappings, against the table of what they may hold.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{Ipv4Net, Ipv6Net};

use super::field::{Field, Listed, Located};
use super::value::{self, Fault};
use crate::code::Code;
use crate::parameter::{Effect, Parameter, Shape};
use crate::report::{Finding, Report, shortened};
use crate::tree::{Content, Entry, NodeId, Place, Tree};

/// Reads the values of one resource.
pub(crate) struct Decoder<'d, 't, 's> {
    tree: &'d Tree<'t>,
    report: &'d mut Report<'s>,
    label: &'d str,
}

/// A mapping whose keys are known.
#[derive(Debug)]
pub(crate) struct Object {
    path: String,
    place: Place,
    table: &'static [Parameter],
    /// One a parameter of the table.
    slots: Vec<Option<Entry>>,
    /// Whether it has other keys too: what seems to be absent may be meant by one of them.
    unknown: bool,
    /// Whether it is no mapping.
    faulty: bool,
}

impl Object {
    /// Of its first key.
    pub(crate) const fn place(&self) -> Place {
        self.place
    }

    /// Whether a key is not in the table.
    pub(crate) const fn has_unknown(&self) -> bool {
        self.unknown
    }

    /// Whether there is something that is no mapping.
    pub(crate) const fn is_faulty(&self) -> bool {
        self.faulty
    }

    /// Where the key of a parameter stands.
    pub(crate) fn key_place(&self, tree: &Tree<'_>, name: &str) -> Option<Place> {
        self.slot(name).map(|entry| tree.node(entry.key).place)
    }

    /// The most items that the table allows for a list.
    pub(crate) fn most(&self, name: &str) -> usize {
        if let Some(Shape::List { most, .. }) = self.shape(name) {
            *most
        } else {
            0
        }
    }

    /// The value of a parameter. A name that is in no table would be absent for ever: the page of
    /// parameters names a test for each that is.
    fn slot(&self, name: &str) -> Option<Entry> {
        let mut slots = self.table.iter().zip(&self.slots);
        slots
            .find(|(parameter, _)| parameter.name == name)
            .and_then(|(_, slot)| *slot)
    }

    fn shape(&self, name: &str) -> Option<&'static Shape> {
        self.table
            .iter()
            .find(|parameter| parameter.name == name)
            .map(|parameter| &parameter.shape)
    }
}

impl<'d, 't, 's> Decoder<'d, 't, 's> {
    pub(crate) const fn new(
        tree: &'d Tree<'t>,
        report: &'d mut Report<'s>,
        label: &'d str,
    ) -> Self {
        Self {
            tree,
            report,
            label,
        }
    }

    pub(crate) const fn tree(&self) -> &'d Tree<'t> {
        self.tree
    }

    pub(crate) fn push(&mut self, path: &str, finding: Finding) {
        self.report.push(self.label, path, finding);
    }

    /// Tells of keys that are not `known`.
    pub(crate) fn known_keys(&mut self, node: NodeId, known: &[&'static str], prefix: &str) {
        let Content::Mapping(entries) = &self.tree.node(node).content else {
            return;
        };
        for entry in entries {
            let key = self.tree.text(entry.key).unwrap_or_default();
            if !known.contains(&key) {
                self.unknown(prefix, entry.key, known.iter().copied());
            }
        }
    }

    /// Opens a mapping; an absent or faulty one has no values.
    pub(crate) fn object(
        &mut self,
        node: Option<NodeId>,
        path: &str,
        table: &'static [Parameter],
        fallback: Place,
    ) -> Object {
        let place = node.map_or(fallback, |node| self.tree.node(node).place);
        let mut object = Object {
            path: path.to_owned(),
            place,
            table,
            slots: vec![None; table.len()],
            unknown: false,
            faulty: false,
        };
        let entries = match node.map(|node| (node, &self.tree.node(node).content)) {
            Some((_, Content::Mapping(entries))) => entries.as_slice(),
            Some((node, Content::Scalar { .. } | Content::Sequence(_))) => {
                let fault = value::wrong_type(self.tree, node, "a mapping");
                self.push(path, fault.at(place));
                object.faulty = true;
                return object;
            }
            None => &[],
        };
        for entry in entries {
            let key = self.tree.text(entry.key).unwrap_or_default();
            match table.iter().position(|parameter| parameter.name == key) {
                // The first of two equal keys counts; the second has been told of.
                Some(index) => {
                    if let Some(slot) = object.slots.get_mut(index)
                        && slot.is_none()
                        && !self.tree.is_null(entry.value)
                    {
                        *slot = Some(*entry);
                    }
                }
                None => {
                    object.unknown = true;
                    let prefix = format!("{path}.");
                    self.unknown(&prefix, entry.key, table.iter().map(|known| known.name));
                }
            }
        }
        for (parameter, slot) in table.iter().zip(&object.slots) {
            match (slot, &parameter.effect) {
                (None, _) if parameter.required => {
                    let message = format!("{} is missing", parameter.name);
                    let finding =
                        Finding::new(Code::MissingField, place, message).help(parameter.about);
                    self.report
                        .push(self.label, &format!("{path}.{}", parameter.name), finding);
                }
                (Some(entry), Effect::Ignored(reason)) => {
                    self.ignored(parameter, *entry, path, reason)
                }
                (Some(_), Effect::Plan(_)) | (None, _) => {}
            }
        }
        object
    }

    pub(crate) fn boolean(&mut self, object: &Object, name: &str) -> Field<bool> {
        self.field(object, name, value::boolean)
    }

    /// Within the range that the table gives.
    pub(crate) fn integer(&mut self, object: &Object, name: &str) -> Field<u64> {
        let (min, max) = if let Some(Shape::Integer { min, max }) = object.shape(name) {
            (*min, *max)
        } else {
            (0, 0)
        };
        self.field(object, name, |tree, node| {
            value::integer(tree, node, min, max)
        })
    }

    /// One of the words that the table gives.
    pub(crate) fn word(&mut self, object: &Object, name: &str, code: Code) -> Field<&'static str> {
        let words: &[&str] = if let Some(Shape::Word(words)) = object.shape(name) {
            words
        } else {
            &[]
        };
        self.field(object, name, |tree, node| {
            value::word(tree, node, words, code)
        })
    }

    /// A reference: the empty text is none.
    pub(crate) fn reference(&mut self, object: &Object, name: &str) -> Field<String> {
        match self.field(object, name, value::text) {
            Field::Given(given) if given.value.is_empty() => Field::Absent,
            field => field,
        }
    }

    pub(crate) fn name(&mut self, object: &Object, name: &str) -> Field<String> {
        self.field(object, name, value::name)
    }

    pub(crate) fn domain_name(&mut self, object: &Object, name: &str) -> Field<String> {
        self.field(object, name, value::domain_name)
    }

    pub(crate) fn ip(&mut self, object: &Object, name: &str) -> Field<IpAddr> {
        self.field(object, name, value::ip)
    }

    pub(crate) fn ipv4(&mut self, object: &Object, name: &str) -> Field<Ipv4Addr> {
        self.field(object, name, value::ipv4)
    }

    pub(crate) fn ipv4_net(&mut self, object: &Object, name: &str) -> Field<Ipv4Net> {
        self.field(object, name, value::ipv4_net)
    }

    pub(crate) fn nat64_prefix(&mut self, object: &Object, name: &str) -> Field<Ipv6Net> {
        self.field(object, name, value::nat64_prefix)
    }

    pub(crate) fn names(&mut self, object: &Object, name: &str) -> Field<Listed<String>> {
        self.list(object, name, value::name)
    }

    pub(crate) fn ips(&mut self, object: &Object, name: &str) -> Field<Listed<IpAddr>> {
        self.list(object, name, value::ip)
    }

    pub(crate) fn ipv4s(&mut self, object: &Object, name: &str) -> Field<Listed<Ipv4Addr>> {
        self.list(object, name, value::ipv4)
    }

    pub(crate) fn ipv6s(&mut self, object: &Object, name: &str) -> Field<Listed<Ipv6Addr>> {
        self.list(object, name, value::ipv6)
    }

    /// The value's node and the path to it, for nested values.
    pub(crate) fn nested(&self, object: &Object, name: &str) -> Option<(NodeId, String)> {
        object
            .slot(name)
            .map(|entry| (entry.value, format!("{}.{name}", object.path)))
    }

    /// The items of a nested list of at most `most`; none of a longer one.
    pub(crate) fn items(&mut self, node: NodeId, path: &str, most: usize) -> &'d [NodeId] {
        let tree = self.tree;
        let fault = match &tree.node(node).content {
            Content::Sequence(items) if items.len() <= most => return items,
            Content::Sequence(items) => {
                let message = format!("{} items, where at most {most} are allowed", items.len());
                Fault::new(Code::OutOfRange, message)
            }
            Content::Scalar { .. } | Content::Mapping(_) => value::wrong_type(tree, node, "a list"),
        };
        self.push(path, fault.at(tree.node(node).place));
        &[]
    }

    /// Whether [`items`](Self::items) has all items of the list.
    pub(crate) fn is_list(&self, node: NodeId, most: usize) -> bool {
        matches!(&self.tree.node(node).content, Content::Sequence(items) if items.len() <= most)
    }

    /// Reads items that are values; faulty ones are told of and left out.
    pub(crate) fn values<T>(
        &mut self,
        items: &[NodeId],
        path: &str,
        read: impl Fn(&Tree<'_>, NodeId) -> Result<T, Fault>,
    ) -> Listed<T> {
        let mut listed = Listed {
            items: Vec::new(),
            written: items.len(),
        };
        for (index, item) in items.iter().enumerate() {
            let place = self.tree.node(*item).place;
            match read(self.tree, *item) {
                Ok(value) => listed.items.push(Located { value, place }),
                Err(fault) => self.push(&format!("{path}[{index}]"), fault.at(place)),
            }
        }
        listed
    }

    fn list<T>(
        &mut self,
        object: &Object,
        name: &str,
        read: impl Fn(&Tree<'_>, NodeId) -> Result<T, Fault>,
    ) -> Field<Listed<T>> {
        let Some((node, path)) = self.nested(object, name) else {
            return Field::Absent;
        };
        let place = self.tree.node(node).place;
        let most = object.most(name);
        let items = self.items(node, &path, most);
        if !self.is_list(node, most) {
            return Field::Faulty(place);
        }
        Field::Given(Located {
            value: self.values(items, &path, read),
            place,
        })
    }

    fn field<T>(
        &mut self,
        object: &Object,
        name: &str,
        read: impl FnOnce(&Tree<'_>, NodeId) -> Result<T, Fault>,
    ) -> Field<T> {
        let Some(entry) = object.slot(name) else {
            return Field::Absent;
        };
        let place = self.tree.node(entry.value).place;
        match read(self.tree, entry.value) {
            Ok(value) => Field::Given(Located { value, place }),
            Err(fault) => {
                self.push(&format!("{}.{name}", object.path), fault.at(place));
                Field::Faulty(place)
            }
        }
    }

    fn ignored(&mut self, parameter: &Parameter, entry: Entry, path: &str, reason: &str) {
        let (tree, node) = (self.tree, entry.value);
        let place = tree.node(node).place;
        let read = match &parameter.shape {
            Shape::Boolean => value::boolean(tree, node).map(drop),
            Shape::Integer { min, max } => value::integer(tree, node, *min, *max).map(drop),
            Shape::Text => value::text(tree, node).map(drop),
            Shape::Word(words) => value::word(tree, node, words, Code::OutOfRange).map(drop),
            Shape::DomainName
            | Shape::Ip
            | Shape::Ipv4
            | Shape::Ipv6
            | Shape::Ipv4Net
            | Shape::Nat64Prefix
            | Shape::List { .. }
            | Shape::Object(_)
            | Shape::Anything => Ok(()),
        };
        let default = parameter.default.map(|default| default.trim_matches('"'));
        let finding = match read {
            Err(fault) => fault.at(place),
            Ok(()) if tree.text(node).is_some() && tree.text(node) == default => return,
            Ok(()) => {
                let message = format!("{} has no effect: {reason}", parameter.name);
                Finding::new(Code::NoEffect, tree.node(entry.key).place, message)
            }
        };
        self.push(&format!("{path}.{}", parameter.name), finding);
    }

    fn unknown(&mut self, prefix: &str, key: NodeId, known: impl Iterator<Item = &'static str>) {
        let text = self.tree.text(key).unwrap_or_default();
        let place = self.tree.node(key).place;
        let message = format!("unknown field {}", shortened(text));
        let mut finding = Finding::new(Code::UnknownField, place, message);
        if !self.report.is_full(place)
            && let Some(near) = nearest(text, known)
        {
            finding = finding.help(format!("did you mean {near}?"));
        }
        self.push(&format!("{prefix}{}", shortened(text)), finding);
    }
}

/// The known word that a mistyped one most likely means: at most a third of it differs.
pub(crate) fn nearest(
    text: &str,
    known: impl Iterator<Item = &'static str>,
) -> Option<&'static str> {
    const LONGEST: usize = 48;
    if text.len() > LONGEST {
        return None;
    }
    let typed = text.to_ascii_lowercase();
    known
        .map(|word| (distance(&typed, &word.to_ascii_lowercase()), word))
        .filter(|(distance, word)| *distance <= word.len().max(3) / 3)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, word)| word)
}

/// Insertions, deletions and replacements between two words (Levenshtein); a swap counts two.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (index, from) in a.chars().enumerate() {
        let mut diagonal = index;
        let mut left = index + 1;
        let mut next = vec![left];
        for (to, above) in b.iter().zip(row.iter().skip(1)) {
            let cost = (diagonal + usize::from(from != *to))
                .min(above + 1)
                .min(left + 1);
            diagonal = *above;
            left = cost;
            next.push(cost);
        }
        row = next;
    }
    row.last().copied().unwrap_or(0)
}
