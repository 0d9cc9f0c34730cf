//! Expressions that are true or false, over names that anyone may see: policies.

use serde_json::Value as Json;

use super::{engine, names};
use crate::diagnostic::{Diagnostic, code};
use crate::span::Span;

/// Whether `expression` holds. What is not there is undefined: false, and no error. `at` is the scalar that the expression
/// stands in.
///
/// # Errors
/// What is wrong with the expression itself.
pub fn condition(expression: &str, at: Span, values: &Json) -> Result<bool, Box<Diagnostic>> {
    let told = |failure: engine::Failure, help: &str| {
        // A plain scalar is as long as its text: then the part at fault is known.
        let plain = (at.end - at.start) as usize == expression.len();
        let span = match failure.range.filter(|range| plain && range.end <= expression.len()) {
            Some(range) => Span::new(at.file, at.start as usize + range.start..at.start as usize + range.end),
            None => at,
        };
        Box::new(Diagnostic::error(code::INVALID_EXPRESSION, span, failure.message).help(help))
    };
    if let Some(names::Fault { range, message, help, .. }) = names::grows(expression) {
        return Err(told(engine::Failure { message, range: Some(range) }, &help));
    }
    let help = "an expression over `connection` (as `tieline render` prints it) and `env.name`";
    engine::holds(expression, values).map_err(|failure| told(failure, help))
}
