//! Diagnostics for people, drawn by miette: the message, the line with the place underlined, what to do.

use std::collections::BTreeMap;
use std::fmt::{self, Write};

use miette::{GraphicalReportHandler, GraphicalTheme, LabeledSpan, SourceCode, ThemeStyles};

use super::shown::Shown;
use super::snippet::Snippet;
use super::text::visible;
use crate::diagnostic::{Diagnostic, Label, Severity, listed};
use crate::source::Sources;
use crate::span::FileId;

/// How to draw.
#[derive(Clone, Copy, Debug)]
pub struct Look {
    /// With colour.
    pub color: bool,
    /// With box-drawing characters; else ASCII.
    pub unicode: bool,
    /// Columns of the terminal.
    pub width: usize,
}

/// Nobody reads more at once.
const SHOWN: usize = 200;
/// Places of one file that are so many lines apart are drawn one by one: all lines between would be drawn with them.
const APART: usize = 24;
/// Places of one diagnostic that are drawn.
const MAX_LABELS: usize = 24;

/// Draws the first two hundred diagnostics, and says how many more there are. `environments` is how many there are: a problem of all of them needs no names.
pub fn render(diagnostics: &[Diagnostic], sources: &Sources, environments: usize, look: Look) -> Shown {
    let (diagnostics, more) = diagnostics.split_at(diagnostics.len().min(SHOWN));
    let mut snippets: BTreeMap<FileId, Snippet> = BTreeMap::new();
    for label in diagnostics.iter().flat_map(|d| &d.labels) {
        snippets.entry(label.span.file).or_insert_with(|| Snippet::new(sources.get(label.span.file)));
    }
    let mut theme = if look.unicode { GraphicalTheme::unicode() } else { GraphicalTheme::ascii() };
    // The terminal's own sixteen colours, which people have chosen.
    theme.styles = if look.color { ThemeStyles::ansi() } else { ThemeStyles::none() };
    let handler =
        GraphicalReportHandler::new_themed(theme).with_width(look.width).with_wrap_lines(false).with_links(false);
    let mut text = String::new();
    for diagnostic in diagnostics {
        let drawn = Drawn::new(diagnostic, sources, &snippets, environments);
        let _ = handler.render_report(&mut text, &drawn);
        for place in &drawn.related {
            let _ = handler.render_report(&mut text, place);
        }
        text.push('\n');
    }
    if !more.is_empty() {
        let _ = write!(
            text,
            "… and {} more: `tieline validate --format concise` tells all of them in a line each\n\n",
            more.len()
        );
    }
    Shown::drawn(&text)
}

/// A diagnostic as miette reads it.
#[derive(Debug)]
struct Drawn<'a> {
    code: &'static str,
    severity: Severity,
    message: String,
    help: Option<String>,
    labels: Vec<LabeledSpan>,
    snippet: Option<&'a Snippet>,
    related: Vec<Drawn<'a>>,
}

impl<'a> Drawn<'a> {
    fn new(
        diagnostic: &Diagnostic,
        sources: &Sources,
        snippets: &'a BTreeMap<FileId, Snippet>,
        environments: usize,
    ) -> Self {
        let file = diagnostic.span().map(|s| s.file);
        let line = |label: &Label| sources.position(label.span).line;
        let first = diagnostic.labels.first().map_or(0, line);
        let here = |label: &&Label| Some(label.span.file) == file && line(label).abs_diff(first) <= APART;
        let snippet = file.and_then(|f| snippets.get(&f));
        // A file that could not be read has nothing to underline: its path leads the message.
        let readable = file.is_some_and(|f| !sources.get(f).text().is_empty());
        let labels = diagnostic.labels.iter().take(MAX_LABELS).filter(here).filter(|_| readable);
        let labels = labels.enumerate().filter_map(|(i, label)| Some(labeled(label, i == 0, snippet?))).collect();
        let elsewhere = diagnostic.labels.iter().take(MAX_LABELS).filter(|l| !here(l));
        let related = elsewhere.filter_map(|label| {
            let snippet = snippets.get(&label.span.file)?;
            Some(Drawn {
                code: "",
                severity: Severity::Info,
                message: visible(&label.message).into_owned(),
                help: None,
                labels: vec![labeled(&Label { message: String::new(), ..label.clone() }, true, snippet)],
                snippet: Some(snippet),
                related: Vec::new(),
            })
        });
        let message = lines(&diagnostic.message);
        let message = match file {
            Some(file) if !readable => format!("{}: {message}", visible(sources.get(file).path())),
            _ => message,
        };
        let mut help = diagnostic.help.as_deref().map(lines);
        if (1..environments).contains(&diagnostic.environments.len()) {
            let names: Vec<&str> = diagnostic.environments.iter().map(|e| &**e).collect();
            let found = format!("found in: {}", visible(&names.join(", ")));
            help = Some(help.map_or(found.clone(), |help| format!("{help}\n{found}")));
        }
        if !diagnostic.customers.is_empty() {
            let found = listed(diagnostic.customers.iter().map(|c| &**c), 8);
            let found = format!("found for: {}", visible(&found));
            help = Some(help.map_or(found.clone(), |help| format!("{help}\n{found}")));
        }
        Self {
            code: diagnostic.code,
            severity: diagnostic.severity,
            message,
            help,
            labels,
            snippet: snippet.filter(|_| readable),
            related: related.collect(),
        }
    }
}

fn labeled(label: &Label, primary: bool, snippet: &Snippet) -> LabeledSpan {
    let message = (!label.message.is_empty()).then(|| visible(&label.message).into_owned());
    let span = snippet.locate(label.span);
    if primary { LabeledSpan::new_primary_with_span(message, span) } else { LabeledSpan::new_with_span(message, span) }
}

/// Our own line breaks stay; everything else is made visible.
fn lines(text: &str) -> String {
    text.split('\n').map(visible).collect::<Vec<_>>().join("\n")
}

impl fmt::Display for Drawn<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Drawn<'_> {}

impl miette::Diagnostic for Drawn<'_> {
    fn code<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        (!self.code.is_empty()).then(|| Box::new(format!("{}[{}]", self.severity.word(), self.code)) as _)
    }

    fn severity(&self) -> Option<miette::Severity> {
        Some(match self.severity {
            Severity::Error => miette::Severity::Error,
            Severity::Warning => miette::Severity::Warning,
            Severity::Info => miette::Severity::Advice,
        })
    }

    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        self.help.as_ref().map(|h| Box::new(h) as _)
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        self.snippet.as_ref().map(|s| s as &dyn SourceCode)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        (!self.labels.is_empty()).then(|| Box::new(self.labels.iter().cloned()) as _)
    }
}

/// `2 errors, 1 warning`, the last line of a run that found something.
pub fn tally(diagnostics: &[Diagnostic]) -> String {
    let count = |severity| diagnostics.iter().filter(|d| d.severity == severity).count();
    let mut text = String::new();
    for (severity, word) in [(Severity::Error, "error"), (Severity::Warning, "warning")] {
        let n = count(severity);
        if n > 0 {
            let _ = write!(text, "{}{n} {word}{}", if text.is_empty() { "" } else { ", " }, plural(n));
        }
    }
    text
}

/// `s` unless there is one.
pub fn plural(n: usize) -> &'static str {
    if n == 1 { "" } else { "s" }
}
