//! Expressions that are true or false, over names that anyone may see: policies.

use serde_json::Value as Json;

use super::engine::{Failure, Question, json_to_jinja};
use super::names::{self, Token};
use crate::budget::{self, Cost};
use crate::diagnostic::{Diagnostic, code};
use crate::span::Span;

/// An expression that is read once and asked of many records. What a record does not have is undefined: false, and no
/// error.
pub struct Condition<'e> {
    expression: &'e str,
    /// The scalar that it stands in.
    at: Span,
    question: Question,
    /// How many of its operators and filters may look at a whole value.
    operators: u64,
}

/// What conditions are asked of.
pub struct ConditionInput {
    values: minijinja::Value,
    /// About as many bytes as they take.
    bytes: u64,
}

impl ConditionInput {
    /// Those of a map.
    pub fn new(names: &Json) -> Self {
        Self { values: json_to_jinja(names), bytes: names.to_string().len() as u64 }
    }
}

impl<'e> Condition<'e> {
    /// Reads the expression of the scalar at `at`.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn new(expression: &'e str, at: Span) -> Result<Self, Box<Diagnostic>> {
        if let Some(names::Fault { range, message, help, .. }) = names::grows(expression) {
            return Err(told(expression, at, Failure { message, range: Some(range) }, &help));
        }
        let question = Question::new(expression).map_err(|failure| told(expression, at, failure, HELP))?;
        let looks = |token: &Token<'_>| match token {
            Token::Name(word) => names::TESTS.contains(word),
            Token::Sign(sign) => *sign == "|" || *sign == "~" || names::TESTS.contains(sign),
            _ => false,
        };
        let operators = names::tokens(expression).iter().filter(|(token, _)| looks(token)).count() as u64;
        Ok(Self { expression, at, question, operators })
    }

    /// Whether it holds.
    ///
    /// # Errors
    /// What is wrong with the expression itself; or the budget of the run is used up.
    pub fn holds(&self, names: &ConditionInput) -> Result<bool, Box<Diagnostic>> {
        if !budget::spend(Cost::Steps, self.expression.len() as u64 + self.operators * (names.bytes / 64)) {
            return Err(Box::new(budget::told(Cost::Steps, self.at)));
        }
        self.question.holds(&names.values).map_err(|failure| told(self.expression, self.at, failure, HELP))
    }
}

const HELP: &str = "an expression over `connection` (as `tieline render` prints it) and `env.name`";

fn told(expression: &str, at: Span, failure: Failure, help: &str) -> Box<Diagnostic> {
    // A plain scalar is as long as its text: then the part at fault is known.
    let plain = (at.end - at.start) as usize == expression.len();
    let span = match failure.range.filter(|range| plain && range.end <= expression.len()) {
        Some(range) => Span::new(at.file, at.start as usize + range.start..at.start as usize + range.end),
        None => at,
    };
    Box::new(Diagnostic::error(code::INVALID_EXPRESSION, span, failure.message).help(help))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::source::Sources;

    /// What asking costs is what a run may have left, and not a step less.
    #[test]
    fn e2_11_a_condition_costs_its_length_and_for_each_operator_what_it_looks_at() {
        let mut sources = Sources::default();
        let at = Span::file(sources.add("tieline.yaml", String::new(), false));
        let input = ConditionInput::new(&serde_json::json!({"connection": {"id": "x".repeat(640)}}));
        assert_eq!(input.bytes / 64, 10);
        for (expression, operators) in [
            ("connection.id", 0),
            ("connection.id == 'x'", 1),
            ("connection.id ~ 'x'", 1),
            ("connection.id | default('x')", 1),
            ("connection.id is defined and 'x' in connection.id", 3),
            ("not connection.id | default('y') != 'x' or connection.id < 'x'", 5),
        ] {
            let condition = Condition::new(expression, at).unwrap();
            let cost = expression.len() as u64 + operators * 10;
            for (left, held) in [(cost, true), (cost - 1, false)] {
                budget::begin();
                assert!(budget::spend(Cost::Steps, budget::limit(Cost::Steps) - left));
                assert_eq!(condition.holds(&input).is_ok(), held, "{expression}, {left} steps left");
            }
        }
    }
}
