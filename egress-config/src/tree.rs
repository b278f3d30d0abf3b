//! YAML (and JSON, which is YAML) as a tree whose every node knows its place.
//!
//! Nodes live in one list and are named by their index, so that an alias costs nothing: it is the
//! index of the node that it stands for.

mod build;
mod split;

pub(crate) use build::build;
pub(crate) use split::{Document, split};

use alloc::borrow::Cow;

/// Where something stands in a document. Small, because every value keeps one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    /// Number of the document among all documents of all sources.
    pub(crate) document: u32,
    /// In characters from the start of the document.
    pub(crate) index: u32,
    /// Of the source, from 1.
    pub(crate) line: u32,
    /// In characters, from 0.
    pub(crate) column: u32,
    /// In characters; may reach over several lines.
    pub(crate) length: u32,
}

/// One document, built.
#[derive(Debug)]
pub(crate) struct Tree<'t> {
    pub(crate) root: NodeId,
    /// Keys that a mapping has twice.
    pub(crate) duplicates: Vec<Duplicate>,
    nodes: Vec<Node<'t>>,
}

/// Index of a node in its tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NodeId(u32);

/// A value and its place.
#[derive(Debug)]
pub(crate) struct Node<'t> {
    pub(crate) place: Place,
    pub(crate) content: Content<'t>,
}

#[derive(Debug)]
pub(crate) enum Content<'t> {
    Scalar {
        text: Cow<'t, str>,
        /// Written without quotes: may be a number, a boolean or null.
        plain: bool,
    },
    Sequence(Vec<NodeId>),
    Mapping(Vec<Entry>),
}

/// Key and value of a mapping; the key is always a scalar.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Entry {
    pub(crate) key: NodeId,
    pub(crate) value: NodeId,
}

/// A key that its mapping already has.
#[derive(Debug)]
pub(crate) struct Duplicate {
    pub(crate) path: String,
    pub(crate) first: Place,
    pub(crate) second: Place,
}

/// Why a document is no tree.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct SyntaxFault {
    pub(crate) place: Place,
    pub(crate) message: String,
}

impl<'t> Tree<'t> {
    /// The node; ids are only made by this tree's builder, so that there always is one.
    pub(crate) fn node(&self, id: NodeId) -> &Node<'t> {
        const NOTHING: &Node<'static> = &Node {
            place: Place {
                document: 0,
                index: 0,
                line: 1,
                column: 0,
                length: 0,
            },
            content: Content::Sequence(Vec::new()),
        };
        self.nodes.get(id.0 as usize).unwrap_or(NOTHING)
    }

    /// The text of a scalar, quoted or not.
    pub(crate) fn text(&self, id: NodeId) -> Option<&str> {
        match &self.node(id).content {
            Content::Scalar { text, .. } => Some(text),
            Content::Sequence(_) | Content::Mapping(_) => None,
        }
    }

    /// The value under `key`, if this is a mapping that has it.
    pub(crate) fn get(&self, id: NodeId, key: &str) -> Option<NodeId> {
        let Content::Mapping(entries) = &self.node(id).content else {
            return None;
        };
        let entry = entries
            .iter()
            .find(|entry| self.text(entry.key) == Some(key))?;
        (!self.is_null(entry.value)).then_some(entry.value)
    }

    /// Whether the value is `null`, `~` or nothing: the same as not written.
    pub(crate) fn is_null(&self, id: NodeId) -> bool {
        matches!(&self.node(id).content, Content::Scalar { text, plain: true }
            if matches!(&**text, "" | "~" | "null" | "Null" | "NULL"))
    }
}

#[cfg(test)]
mod tests;
