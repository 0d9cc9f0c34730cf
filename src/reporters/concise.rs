//! Diagnostics a line each, as compilers and editors know them: `FILE:LINE:COLUMN: SEVERITY[CODE]: MESSAGE`.

use super::text::visible;
use crate::diagnostic::Diagnostic;
use crate::source::Sources;

/// The lines; `folder` is put before every path.
pub fn render(diagnostics: &[Diagnostic], sources: &Sources, folder: &str) -> String {
    let line = |diagnostic: &Diagnostic| {
        let place = diagnostic.span().map_or_else(String::new, |span| {
            let position = sources.position(span);
            format!("{}{}:{}:{}: ", visible(folder), visible(sources.path(span)), position.line, position.column)
        });
        format!("{place}{}[{}]: {}\n", diagnostic.severity.word(), diagnostic.code, visible(&diagnostic.message))
    };
    diagnostics.iter().map(line).collect()
}
