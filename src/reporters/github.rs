//! Diagnostics as GitHub workflow commands, which become annotations of a pull request:
//! `::error file=…,line=…,endLine=…,col=…,endColumn=…,title=…::…`.
//!
//! GitHub shows ten of each kind for a step; the rest is counted in a last one. Columns stand only where a problem begins
//! and ends in one line: the runner drops them else.

use super::text::{command_data, command_property};
use crate::diagnostic::{Diagnostic, Severity};
use crate::source::Sources;

/// What GitHub shows of one kind in a step.
const SHOWN: usize = 10;

/// The commands, worst first; `folder` leads from the repository's root to the workspace, with a `/` at its end.
pub fn render(diagnostics: &[Diagnostic], sources: &Sources, folder: &str) -> String {
    let mut text = String::new();
    for (severity, command) in [(Severity::Error, "error"), (Severity::Warning, "warning"), (Severity::Info, "notice")]
    {
        let all: Vec<&Diagnostic> = diagnostics.iter().filter(|d| d.severity == severity).collect();
        let fits = if all.len() > SHOWN { SHOWN - 1 } else { SHOWN };
        all.iter().take(fits).for_each(|diagnostic| text += &one(diagnostic, command, sources, folder));
        if all.len() > fits {
            let more = all.len() - fits;
            text += &format!("::{command} title=tieline::and {more} more: `tieline validate` tells all of them\n");
        }
    }
    text
}

fn one(diagnostic: &Diagnostic, command: &str, sources: &Sources, folder: &str) -> String {
    let mut properties = String::new();
    if let Some(span) = diagnostic.span() {
        let source = sources.get(span.file);
        let (start, end) = (source.position(span.start as usize), source.position(span.end as usize));
        let file = command_property(&format!("{folder}{}", source.path()));
        properties = format!("file={file},line={},endLine={}", start.line, end.line);
        if start.line == end.line {
            properties += &format!(",col={},endColumn={}", start.column, end.column);
        }
        properties += ",";
    }
    let help = diagnostic.help.as_ref().map(|help| format!("\nhelp: {help}")).unwrap_or_default();
    let message = command_data(&format!("{}{help}", diagnostic.message));
    format!("::{command} {properties}title={}::{message}\n", command_property(diagnostic.code))
}
