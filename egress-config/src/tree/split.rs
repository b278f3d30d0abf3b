//! A text into its documents, so that a fault in one leaves the others readable.

/// One document of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Document<'t> {
    pub(crate) text: &'t str,
    /// Byte offset in the source.
    pub(crate) start: usize,
    /// Line of the source on which it starts, from 1.
    pub(crate) first_line: u32,
}

/// Cuts at every line that is a document marker. YAML allows no other meaning for `---` or `...`
/// at the start of a line, not even within quotes (YAML 1.2.2 rule 206, `c-forbidden`).
pub(crate) fn split(text: &str) -> Vec<Document<'_>> {
    let mut documents = Vec::new();
    let skipped = if text.starts_with('\u{feff}') {
        '\u{feff}'.len_utf8()
    } else {
        0
    };
    let (mut start, mut first_line) = (skipped, 1);
    let mut directives_only = true;
    let (mut offset, mut line) = (skipped, 1);
    while let Some(whole) = text.get(offset..).and_then(first_line_of) {
        let end = offset + whole.len();
        // A document with directives starts at the first of them, not at its marker.
        if is_marker(whole, "---") && !directives_only {
            push(&mut documents, text, start, offset, first_line);
            (start, first_line) = (offset, line);
        } else if is_marker(whole, "...") {
            push(&mut documents, text, start, offset, first_line);
            (start, first_line) = (end, line + 1);
            directives_only = true;
            (offset, line) = (end, line + 1);
            continue;
        }
        let content = whole.trim();
        directives_only &= content.is_empty() || content.starts_with(['#', '%']);
        (offset, line) = (end, line + 1);
    }
    push(&mut documents, text, start, offset, first_line);
    documents
}

/// The first line with its break: CR LF, CR or LF (YAML 1.2.2 section 5.4).
fn first_line_of(text: &str) -> Option<&str> {
    if text.is_empty() {
        return None;
    }
    let end = match text.bytes().position(|byte| matches!(byte, b'\r' | b'\n')) {
        Some(at) if text.as_bytes().get(at..at + 2) == Some(b"\r\n") => at + 2,
        Some(at) => at + 1,
        None => text.len(),
    };
    text.get(..end)
}

fn is_marker(line: &str, marker: &str) -> bool {
    line.strip_prefix(marker)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with([' ', '\t', '\r', '\n']))
}

fn push<'t>(documents: &mut Vec<Document<'t>>, text: &'t str, start: usize, end: usize, line: u32) {
    let Some(document) = text.get(start..end) else {
        return;
    };
    let empty = |line: &str| {
        let content = line.strip_prefix("---").unwrap_or(line).trim();
        content.is_empty() || content.starts_with('#')
    };
    if !document.lines().all(empty) {
        documents.push(Document {
            text: document,
            start,
            first_line: line,
        });
    }
}
