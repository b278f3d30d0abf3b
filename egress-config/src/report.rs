//! Findings, collected while documents are read and compared.

use core::cmp::Ordering;

use crate::code::{Code, Level};
use crate::diagnostic::{Diagnostic, Related, Span};
use crate::source::Sources;
use crate::tree::{Document, Place};

/// Most errors of one document; most errors, and most other findings, of all documents: hostile
/// input must not fill the memory.
const MOST_PER_DOCUMENT: usize = 100;
const MOST: usize = 20_000;
/// Most replicas, names or addresses that a message lists.
const LISTED: usize = 8;
/// Most characters of a range.
const LONGEST_RANGE: usize = 1000;
/// Characters between two remembered byte offsets of a document.
const STRIDE: usize = 1024;

/// A finding that is not placed yet.
#[derive(Debug)]
pub(crate) struct Finding {
    code: Code,
    place: Place,
    message: String,
    help: Option<String>,
    related: Option<(Place, String)>,
}

impl Finding {
    pub(crate) fn new(code: Code, place: Place, message: impl Into<String>) -> Self {
        Self {
            code,
            place,
            message: message.into(),
            help: None,
            related: None,
        }
    }

    pub(crate) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    pub(crate) fn related(mut self, place: Place, message: impl Into<String>) -> Self {
        self.related = Some((place, message.into()));
        self
    }
}

/// All findings so far.
#[derive(Debug)]
pub(crate) struct Report<'s> {
    sources: &'s Sources,
    documents: Vec<Origin>,
    diagnostics: Vec<(Place, Diagnostic)>,
    errors: usize,
    others: usize,
}

/// Where a document comes from.
#[derive(Debug)]
struct Origin {
    source: usize,
    start: usize,
    end: usize,
    errors: usize,
    /// Byte offset of every `STRIDE`th character, made when first needed.
    offsets: Option<Vec<usize>>,
}

/// Whether a finding is kept.
enum Room {
    Enough,
    /// In its stead, it is told that there are more.
    Last,
    Full,
}

impl Room {
    fn of(count: usize, most: usize) -> Self {
        match count.cmp(&(most + 1)) {
            Ordering::Less => Self::Enough,
            Ordering::Equal => Self::Last,
            Ordering::Greater => Self::Full,
        }
    }
}

impl<'s> Report<'s> {
    pub(crate) fn new(sources: &'s Sources) -> Self {
        Self {
            sources,
            documents: Vec::new(),
            diagnostics: Vec::new(),
            errors: 0,
            others: 0,
        }
    }

    /// Makes a document known, and returns its number.
    pub(crate) fn document(&mut self, source: usize, document: &Document<'_>) -> u32 {
        let number = u32::try_from(self.documents.len()).unwrap_or(u32::MAX);
        self.documents.push(Origin {
            source,
            start: document.start,
            end: document.start + document.text.len(),
            errors: 0,
            offsets: None,
        });
        number
    }

    /// Keeps a finding about the field `path` of `resource`.
    pub(crate) fn push(&mut self, resource: &str, path: &str, finding: Finding) {
        let Finding {
            mut code,
            place,
            mut message,
            mut help,
            related,
        } = finding;
        match self.count(code, place) {
            Room::Enough => {}
            Room::Full => return,
            Room::Last => {
                code = Code::TooManyFindings;
                message = "further findings are not listed".to_owned();
                help = Some("correct those that are, and check again".to_owned());
            }
        }
        let span = self.span(place);
        let related = related.map(|(place, message)| Related {
            span: self.span(place),
            message,
        });
        let diagnostic = Diagnostic {
            level: code.level(),
            code,
            resource: resource.to_owned(),
            path: path.to_owned(),
            span,
            message,
            help,
            related,
        };
        self.diagnostics.push((place, diagnostic));
    }

    /// Whether a further error of this document is not listed: then its help need not be sought.
    pub(crate) fn is_full(&self, place: Place) -> bool {
        let of_document = self.documents.get(place.document as usize);
        self.errors >= MOST || of_document.is_some_and(|origin| origin.errors >= MOST_PER_DOCUMENT)
    }

    /// Errors are counted apart, so that nothing else can crowd out the first of them.
    fn count(&mut self, code: Code, place: Place) -> Room {
        if code.level() != Level::Error {
            self.others += 1;
            return Room::of(self.others, MOST);
        }
        self.errors += 1;
        let of_document = self
            .documents
            .get_mut(place.document as usize)
            .map_or(0, |origin| {
                origin.errors += 1;
                origin.errors
            });
        match Room::of(self.errors, MOST) {
            Room::Enough => Room::of(of_document, MOST_PER_DOCUMENT),
            room => room,
        }
    }

    /// The findings in the order of the texts.
    pub(crate) fn finish(self) -> Vec<Diagnostic> {
        let mut diagnostics = self.diagnostics;
        diagnostics.sort_by(|(a, found_a), (b, found_b)| {
            (a.document, a.index, found_a.code).cmp(&(b.document, b.index, found_b.code))
        });
        diagnostics
            .into_iter()
            .map(|(_, diagnostic)| diagnostic)
            .collect()
    }

    fn span(&mut self, place: Place) -> Span {
        let nowhere = || Span {
            source: 0,
            name: alloc::sync::Arc::from(""),
            line: place.line,
            column: place.column.saturating_add(1),
            range: 0..0,
        };
        let Some(origin) = self.documents.get_mut(place.document as usize) else {
            return nowhere();
        };
        let Some(source) = self.sources.all().get(origin.source) else {
            return nowhere();
        };
        let text = source
            .text
            .get(origin.start..origin.end)
            .unwrap_or_default();
        let offsets = origin.offsets.get_or_insert_with(|| offsets(text));
        let start = byte_of(text, offsets, place.index as usize);
        let rest = text.get(start..).unwrap_or_default();
        // One line at most; the parser counts what separates a value from the next one to it.
        let wanted = (place.length.max(1) as usize).min(LONGEST_RANGE);
        let end = rest
            .char_indices()
            .take(wanted)
            .take_while(|(_, c)| !matches!(c, '\n' | '\r'))
            .last()
            .map_or(0, |(byte, c)| byte + c.len_utf8());
        let line = rest.get(..end).unwrap_or_default();
        let length = match value_length(line) {
            0 => line.chars().next().map_or(0, char::len_utf8),
            length => length,
        };
        Span {
            source: origin.source,
            name: source.name.clone(),
            line: place.line,
            column: place.column.saturating_add(1),
            range: origin.start + start..origin.start + start + length,
        }
    }
}

/// At most the first 48 characters, for messages and paths.
pub(crate) fn shortened(text: &str) -> &str {
    match text.char_indices().nth(48) {
        Some((end, _)) => text.get(..end).unwrap_or(text),
        None => text,
    }
}

/// The first few, and how many more.
pub(crate) fn listed(items: impl Iterator<Item = String>, separator: &str) -> String {
    let mut items = items;
    let named: Vec<String> = items.by_ref().take(LISTED).collect();
    let text = named.join(separator);
    match items.count() {
        0 => text,
        more => format!("{text} and {more} more"),
    }
}

/// Bytes of a scalar at the start of a line, without blanks and a comment behind it.
fn value_length(line: &str) -> usize {
    match line.as_bytes() {
        [quote @ (b'"' | b'\''), inner @ ..] => {
            let mut escaped = false;
            let end = inner.iter().position(|byte| {
                let ends = byte == quote && !escaped;
                escaped = *byte == b'\\' && *quote == b'"' && !escaped;
                ends
            });
            end.map_or(line.len(), |end| end + 2)
        }
        _ => line.split(" #").next().unwrap_or_default().trim_end().len(),
    }
}

fn offsets(text: &str) -> Vec<usize> {
    if text.is_ascii() {
        return Vec::new();
    }
    text.char_indices()
        .step_by(STRIDE)
        .map(|(byte, _)| byte)
        .collect()
}

/// The byte offset of a character; the end of the text where there are fewer.
fn byte_of(text: &str, offsets: &[usize], index: usize) -> usize {
    if offsets.is_empty() {
        return index.min(text.len());
    }
    let Some(&near) = offsets.get(index / STRIDE) else {
        return text.len();
    };
    let rest = text.get(near..).unwrap_or_default();
    rest.char_indices()
        .nth(index % STRIDE)
        .map_or(text.len(), |(byte, _)| near + byte)
}
