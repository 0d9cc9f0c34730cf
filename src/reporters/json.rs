//! Diagnostics for machines: the shape of `schemas/output/validate.json`. Positions count from 1, columns in code
//! points, `byte` from 0, ends are exclusive. No source text is in it.

use serde_json::{Value, json};

use super::text::visible_json;
use crate::diagnostic::{Diagnostic, Severity};
use crate::source::Sources;
use crate::span::Span;

/// What was looked at, for the summary.
#[derive(Clone, Copy, Debug, Default)]
pub struct Totals {
    /// Files read.
    pub files: usize,
    /// Connections.
    pub connections: usize,
    /// Environments.
    pub environments: usize,
}

/// The version of every JSON output's form: minor is additive.
pub const FORMAT_VERSION: &str = "1.0";

/// The whole report, with a line break at its end.
pub fn render(diagnostics: &[Diagnostic], sources: &Sources, totals: Totals) -> String {
    let count = |severity| diagnostics.iter().filter(|d| d.severity == severity).count();
    let report = json!({
        "format_version": FORMAT_VERSION,
        "diagnostics": diagnostics.iter().map(|d| one(d, sources)).collect::<Vec<_>>(),
        "summary": {
            "errors": count(Severity::Error),
            "warnings": count(Severity::Warning),
            "files": totals.files,
            "connections": totals.connections,
            "environments": totals.environments,
        },
    });
    pretty(&report)
}

/// Indented JSON with a line break at its end.
pub fn pretty(value: &Value) -> String {
    visible_json(&format!("{value:#}\n")).into_owned()
}

fn one(diagnostic: &Diagnostic, sources: &Sources) -> Value {
    let span = diagnostic.span();
    let related: Vec<Value> = diagnostic
        .labels
        .iter()
        .skip(1)
        .map(|l| json!({"message": l.message, "file": sources.path(l.span), "range": range(l.span, sources)}))
        .collect();
    json!({
        "code": diagnostic.code,
        "severity": diagnostic.severity.word(),
        "message": diagnostic.message,
        "help": diagnostic.help,
        "file": span.map(|s| sources.path(s)),
        "range": span.map(|s| range(s, sources)),
        "related": related,
        "environments": diagnostic.environments.iter().map(|e| &**e).collect::<Vec<_>>(),
        "customers": diagnostic.customers.iter().map(|c| &**c).collect::<Vec<_>>(),
    })
}

fn range(span: Span, sources: &Sources) -> Value {
    let source = sources.get(span.file);
    let place = |offset: u32| {
        let position = source.position(offset as usize);
        json!({"line": position.line, "column": position.column, "byte": offset})
    };
    json!({"start": place(span.start), "end": place(span.end)})
}
