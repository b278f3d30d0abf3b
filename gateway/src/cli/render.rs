//! Findings for people, for editors and for programs.

use core::ops::Range;
use std::io::{IsTerminal, Read, Write};
use std::path::{Path, PathBuf};

use annotate_snippets::renderer::DecorStyle;
use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};
use egress_config::{Diagnostic, ReadError, Sources, Span};

/// How findings are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Format {
    /// With the line of the source underlined.
    Text,
    /// One line each: `file:line:column: level[code]: message`.
    Short,
    /// One JSON object a line.
    Json,
}

/// Two places in one text are shown in one snippet up to this distance.
const NEAR_LINES: u32 = 30;
/// A longer line, in bytes, is not shown.
const LONGEST_LINE: usize = 1000;

/// Prints findings, and after those for people how many there are.
pub(crate) fn findings(
    out: &mut dyn Write,
    sources: &Sources,
    findings: &[Diagnostic],
    format: Format,
    colour: bool,
) -> std::io::Result<()> {
    let renderer = if colour {
        Renderer::styled()
    } else {
        Renderer::plain()
    };
    let renderer = renderer.decor_style(DecorStyle::Ascii).term_width(100);
    for finding in findings {
        match format {
            Format::Text => writeln!(out, "{}\n", text(sources, finding, &renderer))?,
            Format::Short => writeln!(out, "{finding}")?,
            Format::Json => {
                let line = serde_json::to_string(&Line::new(finding))?;
                writeln!(out, "{line}")?;
            }
        }
    }
    Ok(())
}

/// `2 errors, 1 warning`, without what there is none of; empty where there is nothing.
pub(crate) fn counts(findings: &[Diagnostic]) -> String {
    use egress_config::Level::{Error, Note, Warning};
    let parts: Vec<String> = [Error, Warning, Note]
        .into_iter()
        .filter_map(|level| {
            let count = findings
                .iter()
                .filter(|finding| finding.level == level)
                .count();
            let plural = if count == 1 { "" } else { "s" };
            (count > 0).then(|| format!("{count} {level}{plural}"))
        })
        .collect();
    parts.join(", ")
}

/// Reads all paths of a command; `-` is standard input.
pub(crate) fn read(paths: &[PathBuf]) -> Result<Sources, ReadError> {
    let mut sources = Sources::new();
    for path in paths {
        if path == Path::new("-") {
            let mut text = String::new();
            std::io::stdin()
                .read_to_string(&mut text)
                .map_err(|error| ReadError::Io {
                    path: path.clone(),
                    error,
                })?;
            sources.add("<stdin>", text);
        } else {
            sources.read_path(path)?;
        }
    }
    Ok(sources)
}

/// Whether what goes to this stream is coloured: only on a terminal, and not under `NO_COLOR`.
pub(crate) fn colour(stream: &impl IsTerminal) -> bool {
    stream.is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

fn text(sources: &Sources, finding: &Diagnostic, renderer: &Renderer) -> String {
    let level = match finding.level {
        egress_config::Level::Error => Level::ERROR,
        egress_config::Level::Warning => Level::WARNING,
        egress_config::Level::Note => Level::NOTE,
    };
    let excerpts = excerpts(sources, finding);
    if excerpts.is_empty() {
        return finding.to_string();
    }
    let snippets = excerpts.iter().map(|(excerpt, marks)| {
        let annotations = marks.iter().map(|mark| {
            mark.kind
                .span(excerpt.local(mark.span))
                .label(mark.label.as_str())
        });
        Snippet::source(excerpt.text)
            .line_start(excerpt.first_line as usize)
            .path(excerpt.name)
            .annotations(annotations)
    });
    let title = level
        .primary_title(finding.message.as_str())
        .id(finding.code.name());
    let mut group: Group<'_> = title.elements(snippets);
    if let Some(help) = &finding.help {
        group = group.element(Level::HELP.message(help.as_str()));
    }
    renderer.render(&[group])
}

/// What is underlined.
struct Mark<'d> {
    kind: AnnotationKind,
    span: &'d Span,
    label: String,
}

/// The lines to be shown: of both places together if they are near each other.
fn excerpts<'s>(
    sources: &'s Sources,
    finding: &'s Diagnostic,
) -> Vec<(Excerpt<'s>, Vec<Mark<'s>>)> {
    let Some(excerpt) = Excerpt::around(sources, &finding.span) else {
        return Vec::new();
    };
    let primary = Mark {
        kind: AnnotationKind::Primary,
        span: &finding.span,
        label: subject(finding),
    };
    let Some(related) = &finding.related else {
        return vec![(excerpt, vec![primary])];
    };
    let label = related.message.clone();
    let context = Mark {
        kind: AnnotationKind::Context,
        span: &related.span,
        label,
    };
    if let Some(both) = excerpt.with(sources, &related.span) {
        return vec![(both, vec![primary, context])];
    }
    let mut excerpts = vec![(excerpt, vec![primary])];
    excerpts.extend(Excerpt::around(sources, &related.span).map(|other| (other, vec![context])));
    excerpts
}

/// What the underlined text belongs to.
fn subject(finding: &Diagnostic) -> String {
    match (finding.resource.is_empty(), finding.path.is_empty()) {
        (true, true) => String::new(),
        (true, false) => finding.path.clone(),
        (false, true) => finding.resource.clone(),
        (false, false) => format!("{}: {}", finding.resource, finding.path),
    }
}

/// Whole lines of a source, so that rendering does not walk through all of it.
struct Excerpt<'s> {
    source: usize,
    name: &'s str,
    text: &'s str,
    start: usize,
    first_line: u32,
}

impl<'s> Excerpt<'s> {
    fn around(sources: &'s Sources, span: &'s Span) -> Option<Self> {
        let text = sources.text(span.source)?;
        // Looked for as far as a line that is shown may reach.
        let before = text.as_bytes().get(..span.range.start)?;
        let near = before.len().saturating_sub(LONGEST_LINE);
        let start = match before.iter().skip(near).rposition(|byte| *byte == b'\n') {
            Some(at) => near + at + 1,
            None if near == 0 => 0,
            None => return None,
        };
        let rest = text.as_bytes().get(span.range.end..)?;
        let end = match rest
            .iter()
            .take(LONGEST_LINE)
            .position(|byte| *byte == b'\n')
        {
            Some(at) => span.range.end + at,
            None if rest.len() <= LONGEST_LINE => text.len(),
            None => return None,
        };
        let lines = text.get(start..end)?;
        (lines.len() <= LONGEST_LINE).then_some(Self {
            source: span.source,
            name: &span.name,
            text: lines,
            start,
            first_line: span.line,
        })
    }

    /// The lines that hold another place too, if it is near.
    fn with(&self, sources: &'s Sources, other: &'s Span) -> Option<Self> {
        let far = self.first_line.abs_diff(other.line) > NEAR_LINES;
        if other.source != self.source || far {
            return None;
        }
        let second = Self::around(sources, other)?;
        let start = self.start.min(second.start);
        let end = (self.start + self.text.len()).max(second.start + second.text.len());
        Some(Self {
            source: self.source,
            name: self.name,
            text: sources.text(self.source)?.get(start..end)?,
            start,
            first_line: self.first_line.min(other.line),
        })
    }

    fn local(&self, span: &Span) -> Range<usize> {
        let within = |at: usize| at.saturating_sub(self.start).min(self.text.len());
        within(span.range.start)..within(span.range.end)
    }
}

/// A finding as one JSON object.
#[derive(serde::Serialize)]
struct Line<'d> {
    level: &'static str,
    code: &'static str,
    file: &'d str,
    line: u32,
    column: u32,
    resource: &'d str,
    path: &'d str,
    message: &'d str,
    help: Option<&'d str>,
}

impl<'d> Line<'d> {
    fn new(finding: &'d Diagnostic) -> Self {
        Self {
            level: finding.level.name(),
            code: finding.code.name(),
            file: &finding.span.name,
            line: finding.span.line,
            column: finding.span.column,
            resource: &finding.resource,
            path: &finding.path,
            message: &finding.message,
            help: finding.help.as_deref(),
        }
    }
}

#[cfg(test)]
mod tests;
