//! From parser events to a [`Tree`], within bounds.

use alloc::collections::BTreeMap;

use saphyr_parser::{Event, Marker, Parser, ScalarStyle, Span, Tag};

use crate::report::shortened;

use super::{Content, Document, Duplicate, Entry, Node, NodeId, Place, SyntaxFault, Tree};

/// Deepest nesting. The resources need seven levels.
pub(super) const DEEPEST: usize = 64;
/// Most nodes of one document, those behind aliases counted at each use.
pub(super) const MOST_NODES: u64 = 1_000_000;
/// Most repeated keys that are told of.
const MOST_DUPLICATES: usize = 100;

/// Reads one document.
pub(crate) fn build<'t>(document: &Document<'t>, number: u32) -> Result<Tree<'t>, SyntaxFault> {
    let mut builder = Builder {
        number,
        first_line: document.first_line,
        nodes: Vec::new(),
        open: Vec::new(),
        root: None,
        anchors: BTreeMap::new(),
        weight: 0,
        duplicates: Vec::new(),
    };
    let mut parser = Parser::new_from_str(document.text);
    while let Some(event) = parser.next_event() {
        match event {
            Ok((event, span)) => builder.take(event, span)?,
            Err(error) => {
                let place = builder.place(at(document.text, error.marker().index()), 1);
                return Err(SyntaxFault {
                    place,
                    message: error.info().to_owned(),
                });
            }
        }
    }
    let Some(root) = builder.root else {
        let place = builder.place(Marker::new(0, 1, 0), 0);
        return Err(SyntaxFault {
            place,
            message: "the document is empty".to_owned(),
        });
    };
    Ok(Tree {
        root,
        duplicates: builder.duplicates,
        nodes: builder.nodes,
    })
}

/// The line and column of a character. Errors at the end of a text are told on a line that is not
/// there.
fn at(text: &str, index: usize) -> Marker {
    let before: Vec<char> = text.chars().take(index).collect();
    let breaks = before
        .windows(2)
        .filter(|pair| *pair == ['\r', '\n'])
        .count();
    let ends = before.iter().filter(|c| matches!(c, '\r' | '\n')).count();
    let column = before
        .iter()
        .rev()
        .take_while(|c| !matches!(c, '\r' | '\n'))
        .count();
    Marker::new(before.len(), 1 + ends - breaks, column)
}

struct Builder<'t> {
    number: u32,
    first_line: u32,
    nodes: Vec<Node<'t>>,
    open: Vec<Open>,
    root: Option<NodeId>,
    /// Finished nodes with an anchor, and how many nodes an alias to each adds.
    anchors: BTreeMap<usize, (NodeId, u64)>,
    /// Nodes so far, as if aliases were written out.
    weight: u64,
    duplicates: Vec<Duplicate>,
}

/// A collection that is not finished.
struct Open {
    node: NodeId,
    start: Marker,
    anchor: usize,
    weight_before: u64,
    /// The key whose value is awaited.
    key: Option<NodeId>,
    items: Items,
}

enum Items {
    Sequence(Vec<NodeId>),
    Mapping(Vec<Entry>),
}

impl<'t> Builder<'t> {
    fn take(&mut self, event: Event<'t>, span: Span) -> Result<(), SyntaxFault> {
        match event {
            Event::Nothing
            | Event::StreamStart
            | Event::StreamEnd
            | Event::DocumentStart(_)
            | Event::DocumentEnd => Ok(()),
            Event::Scalar(text, style, anchor, tag) => {
                let plain = style == ScalarStyle::Plain && !is_text(tag.as_deref());
                let place = self.place(span.start, span.len());
                let node = self.push(place, Content::Scalar { text, plain })?;
                self.finish(node, anchor, 1, span.start)
            }
            Event::Alias(anchor) => match self.anchors.get(&anchor) {
                Some(&(node, weight)) => {
                    self.weigh(weight, span.start)?;
                    self.attach(node, span.start)
                }
                None => self.fault(span.start, "an alias within the value that it stands for"),
            },
            Event::SequenceStart(anchor, _) => self.open(anchor, span, Items::Sequence(Vec::new())),
            Event::MappingStart(anchor, _) => self.open(anchor, span, Items::Mapping(Vec::new())),
            Event::SequenceEnd | Event::MappingEnd => self.close(span),
        }
    }

    fn open(&mut self, anchor: usize, span: Span, items: Items) -> Result<(), SyntaxFault> {
        if self.open.len() == DEEPEST {
            return self.fault(span.start, &format!("nested deeper than {DEEPEST} levels"));
        }
        let weight_before = self.weight;
        let place = self.place(span.start, span.len());
        let node = self.push(place, Content::Sequence(Vec::new()))?;
        self.open.push(Open {
            node,
            start: span.start,
            anchor,
            weight_before,
            key: None,
            items,
        });
        Ok(())
    }

    fn close(&mut self, span: Span) -> Result<(), SyntaxFault> {
        let Some(open) = self.open.pop() else {
            return Ok(());
        };
        if let Items::Mapping(entries) = &open.items {
            self.find_duplicates(entries);
        }
        if let Some(node) = self.nodes.get_mut(open.node.0 as usize) {
            let length = span.end.index().saturating_sub(open.start.index());
            node.place.length = node.place.length.max(small(length));
            node.content = match open.items {
                Items::Sequence(items) => Content::Sequence(items),
                Items::Mapping(entries) => Content::Mapping(entries),
            };
        }
        let weight = self.weight - open.weight_before;
        self.finish(open.node, open.anchor, weight, open.start)
    }

    fn finish(
        &mut self,
        node: NodeId,
        anchor: usize,
        weight: u64,
        at: Marker,
    ) -> Result<(), SyntaxFault> {
        if anchor != 0 {
            self.anchors.insert(anchor, (node, weight));
        }
        self.attach(node, at)
    }

    /// Puts a finished value where it belongs.
    fn attach(&mut self, node: NodeId, at: Marker) -> Result<(), SyntaxFault> {
        let Some(parent) = self.open.last_mut() else {
            if self.root.is_some() {
                return self.fault(at, "a second value in one document");
            }
            self.root = Some(node);
            return Ok(());
        };
        match &mut parent.items {
            Items::Sequence(items) => items.push(node),
            Items::Mapping(entries) => match parent.key.take() {
                Some(key) => entries.push(Entry { key, value: node }),
                None => {
                    let scalar = self
                        .nodes
                        .get(node.0 as usize)
                        .is_some_and(|node| matches!(node.content, Content::Scalar { .. }));
                    if !scalar {
                        return self.fault(at, "a key that is not a plain text");
                    }
                    parent.key = Some(node);
                }
            },
        }
        Ok(())
    }

    fn push(&mut self, place: Place, content: Content<'t>) -> Result<NodeId, SyntaxFault> {
        let id = NodeId(small(self.nodes.len()));
        self.weight += 1;
        if self.weight > MOST_NODES {
            return Err(too_many(place));
        }
        self.nodes.push(Node { place, content });
        Ok(id)
    }

    fn weigh(&mut self, weight: u64, at: Marker) -> Result<(), SyntaxFault> {
        self.weight = self.weight.saturating_add(weight);
        if self.weight > MOST_NODES {
            return Err(too_many(self.place(at, 1)));
        }
        Ok(())
    }

    fn find_duplicates(&mut self, entries: &[Entry]) {
        // Few keys are compared with each other, many are looked up.
        const FEW: usize = 16;
        let mut seen: BTreeMap<&str, Place> = BTreeMap::new();
        let mut found: Vec<(Place, Place, String)> = Vec::new();
        let key = |id: NodeId| -> Option<(&str, Place)> {
            let node = self.nodes.get(id.0 as usize)?;
            match &node.content {
                Content::Scalar { text, .. } => Some((text, node.place)),
                Content::Sequence(_) | Content::Mapping(_) => None,
            }
        };
        for (index, entry) in entries.iter().enumerate() {
            let Some((text, place)) = key(entry.key) else {
                continue;
            };
            let first = if entries.len() <= FEW {
                entries
                    .iter()
                    .take(index)
                    .filter_map(|earlier| key(earlier.key))
                    .find_map(|(earlier, place)| (earlier == text).then_some(place))
            } else {
                let first = seen.get(text).copied();
                seen.entry(text).or_insert(place);
                first
            };
            if let Some(first) = first {
                found.push((first, place, shortened(text).to_owned()));
                if found.len() == MOST_DUPLICATES {
                    break;
                }
            }
        }
        if found.is_empty() {
            return;
        }
        let prefix = self.path();
        let room = MOST_DUPLICATES.saturating_sub(self.duplicates.len());
        for (first, second, key) in found.into_iter().take(room) {
            let path = if prefix.is_empty() {
                key
            } else {
                format!("{prefix}.{key}")
            };
            self.duplicates.push(Duplicate {
                path,
                first,
                second,
            });
        }
    }

    /// The path of the value that is being attached to the innermost open collection.
    fn path(&self) -> String {
        let mut path = String::new();
        for open in &self.open {
            match (&open.items, open.key) {
                (Items::Sequence(items), _) => path.push_str(&format!("[{}]", items.len())),
                (Items::Mapping(_), Some(key)) => {
                    if !path.is_empty() {
                        path.push('.');
                    }
                    if let Some(Node {
                        content: Content::Scalar { text, .. },
                        ..
                    }) = self.nodes.get(key.0 as usize)
                    {
                        path.push_str(shortened(text));
                    }
                }
                (Items::Mapping(_), None) => {}
            }
        }
        path
    }

    fn place(&self, at: Marker, length: usize) -> Place {
        Place {
            document: self.number,
            index: small(at.index()),
            line: self
                .first_line
                .saturating_add(small(at.line().saturating_sub(1))),
            column: small(at.col()),
            length: small(length),
        }
    }

    fn fault<T>(&self, at: Marker, message: &str) -> Result<T, SyntaxFault> {
        Err(SyntaxFault {
            place: self.place(at, 1),
            message: message.to_owned(),
        })
    }
}

fn too_many(place: Place) -> SyntaxFault {
    let message = format!("more than {MOST_NODES} values in one document, aliases written out");
    SyntaxFault { place, message }
}

/// `!!str` makes a text of a plain scalar.
fn is_text(tag: Option<&Tag>) -> bool {
    tag.is_some_and(|tag| tag.is_yaml_core_schema() && tag.suffix == "str")
}

fn small(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}
