//! What was found, as values: rendering them is the caller's affair.

use alloc::sync::Arc;
use core::fmt;
use core::ops::Range;

use crate::code::{Code, Level};

/// One finding, with the place that it is about.
///
/// `Display` prints the short form `file:line:column: level[code]: message`.
#[non_exhaustive]
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// How bad it is; each code has one level.
    pub level: Level,
    /// The kind of finding, a word.
    pub code: Code,
    /// `Kind namespace/name`, empty where the document is not that far readable.
    pub resource: String,
    /// The field, as in `spec.forwardZones[0].nameServers[1].port`; empty for a whole document.
    pub path: String,
    /// Where.
    pub span: Span,
    /// What is wrong, in one sentence without a full stop.
    pub message: String,
    /// What to do about it.
    pub help: Option<String>,
    /// The other place, where two together make the fault.
    pub related: Option<Related>,
}

/// A second place that a finding is about.
#[non_exhaustive]
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Related {
    /// Where.
    pub span: Span,
    /// What is there, a few words.
    pub message: String,
}

/// A place in one of the [`Sources`](crate::Sources).
#[non_exhaustive]
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Span {
    /// Index of the text, for [`Sources::text`](crate::Sources::text).
    pub source: usize,
    /// Its name.
    pub name: Arc<str>,
    /// Line, from 1.
    pub line: u32,
    /// Column in characters, from 1.
    pub column: u32,
    /// The same place as byte range of the text; never empty but at the end of the text, and
    /// never past the end of its first line, and of 1,000 characters at most.
    pub range: Range<usize>,
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            level,
            code,
            span,
            message,
            ..
        } = self;
        write!(
            f,
            "{}:{}:{}: {level}[{code}]: {message}",
            span.name, span.line, span.column
        )
    }
}
