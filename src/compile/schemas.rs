//! The workspace's own connectors: what is wrong with their schemas.

use crate::connectors::Catalogue;
use crate::diagnostic::{Diagnostic, code};
use crate::rules::levels::Levels;
use crate::rules::{Judge, unmarked_secret};
use crate::span::Span;
use crate::workspace::Workspace;

/// Schemas that can't be used, what they leave in clear, and those that would take a built-in id.
pub(super) fn check(workspace: &Workspace, catalogue: &Catalogue, levels: &Levels) -> Vec<Diagnostic> {
    let mut told = Vec::new();
    for (id, file) in &workspace.connectors {
        if catalogue.file(id).is_none() {
            let message = format!("`{id}` is a built-in connector: its id can't be taken");
            told.push(
                Diagnostic::error(code::INVALID_CONNECTOR_SCHEMA, Span::file(*file), message)
                    .help("give the file another name"),
            );
        } else if let Some(Err(faults)) = catalogue.get(id) {
            for fault in faults {
                let span = Span::new(*file, fault.range.clone().unwrap_or(0..0));
                let help = fault.help.as_deref().unwrap_or(
                    "write a JSON Schema (2020-12) of `{config, auth}` that stands alone: `$ref` within the file only",
                );
                if let Some(masked) = &fault.masked {
                    workspace.sources.mask(Span::new(*file, masked.clone()));
                }
                told.push(Diagnostic::error(code::INVALID_CONNECTOR_SCHEMA, span, fault.message.clone()).help(help));
            }
        } else if let Some(Ok(connector)) = catalogue.get(id) {
            let judge = Judge::new(levels, &workspace.sources);
            for field in connector.unmarked() {
                let span = Span::new(*file, field.range.clone());
                judge.beside(unmarked_secret::unmarked(id, &field.name, span), &mut told);
            }
        }
    }
    told
}
