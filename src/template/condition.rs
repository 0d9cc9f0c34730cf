//! Expressions that are true or false, over names that anyone may see: policies.

use std::ops::Range;

use serde_json::Value as Json;

use super::engine::{Failure, Question, json_to_jinja};
use super::names::{self, Token};
use super::policy_words::{self, PolicyName};
use super::split::{Part, parts};
use crate::budget::{self, Cost};
use crate::diagnostic::{Diagnostic, code};
use crate::span::Span;

/// An expression that is read once and asked of many records. What a record does not have is undefined: false, equal to
/// nothing, before and in nothing.
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
        // Syntax errors point into the text as it was written.
        Question::new(expression).map_err(|failure| told(expression, at, failure, HELP))?;
        if let Some(names::Fault { code, range, message, help }) = policy_words::fault(expression) {
            let mut fault = told(expression, at, Failure { message, range: Some(range) }, &help);
            fault.code = code;
            return Err(fault);
        }
        let question = Question::new(&policy_words::compared(expression))
            .map_err(|Failure { message, .. }| told(expression, at, Failure { message, range: None }, HELP))?;
        let looks = |token: &Token<'_>| match token {
            Token::Name(word) => names::TESTS.contains(word),
            Token::Sign(sign) => *sign == "|" || *sign == "~" || names::TESTS.contains(sign),
            _ => false,
        };
        let operators = names::tokens(expression).iter().filter(|(token, _)| looks(token)).count() as u64;
        Ok(Self { expression, at, question, operators })
    }

    /// The names in it.
    pub fn names(&self) -> Vec<PolicyName<'e>> {
        policy_words::names(self.expression)
    }

    /// What a diagnostic underlines for a range of the expression's text.
    pub fn span(&self, range: Range<usize>) -> Span {
        part(self.expression, self.at, Some(range))
    }

    /// Whether it holds.
    ///
    /// # Errors
    /// It can't be evaluated for these names; or the budget of the run is used up.
    pub fn holds(&self, names: &ConditionInput) -> Result<bool, Undecided> {
        self.value(names).map(|value| value.is_true())
    }

    /// Its value as a text; empty for null or an undefined value.
    ///
    /// # Errors
    /// As [`Condition::holds`].
    pub fn text(&self, names: &ConditionInput) -> Result<String, Undecided> {
        self.value(names).map(|value| if value.is_none() { String::new() } else { value.to_string() })
    }

    fn value(&self, names: &ConditionInput) -> Result<minijinja::Value, Undecided> {
        if !budget::spend(Cost::Steps, self.expression.len() as u64 + self.operators * (names.bytes / 64)) {
            return Err(Undecided::Over(Box::new(budget::told(Cost::Steps, self.at))));
        }
        self.question.value(&names.values).map_err(|failure| Undecided::Failed(failure.message))
    }
}

/// A piece of the text that a policy shows.
pub enum MessagePart<'e> {
    /// As it stands.
    Text(&'e str),
    /// An expression, whose value stands there.
    Value(Condition<'e>),
}

/// The pieces of the text of the scalar at `at`.
///
/// # Errors
/// An expression in it has no end, or is none.
pub fn message(text: &str, at: Span) -> Result<Vec<MessagePart<'_>>, Box<Diagnostic>> {
    let open = |start: usize| {
        let failure =
            Failure { message: "`${{` is never closed".to_owned(), range: Some(start..start + super::OPEN.len()) };
        told(text, at, failure, "close it with `}}`, or write `$${{` for the characters themselves")
    };
    let piece = |one| match one {
        Part::Text(text) => Ok(MessagePart::Text(text)),
        Part::Escape => Ok(MessagePart::Text(super::OPEN)),
        Part::Expression(expression, range) => {
            let blank = expression.len() - expression.trim_start().len();
            let expression = expression.trim();
            let from = range.start + blank;
            Condition::new(expression, part(text, at, Some(from..from + expression.len()))).map(MessagePart::Value)
        }
    };
    parts(text).map_err(open)?.into_iter().map(piece).collect()
}

/// Why a condition neither holds nor doesn't.
pub enum Undecided {
    /// It can't be evaluated: why not.
    Failed(String),
    /// The budget of the run is used up.
    Over(Box<Diagnostic>),
}

const HELP: &str = "an expression over `connection` (as `tieline render` prints it) and `env.name`";

fn told(expression: &str, at: Span, failure: Failure, help: &str) -> Box<Diagnostic> {
    Box::new(
        Diagnostic::error(code::INVALID_EXPRESSION, part(expression, at, failure.range), failure.message).help(help),
    )
}

/// The place of a part of an expression; that of its whole scalar where it is not known.
fn part(expression: &str, at: Span, range: Option<Range<usize>>) -> Span {
    // A plain scalar is as long as its text, and one in quotes without escapes by two more.
    let quotes = match ((at.end - at.start) as usize).checked_sub(expression.len()) {
        Some(0) => 0,
        Some(2) => 1,
        _ => return at,
    };
    let from = at.start as usize + quotes;
    let known = range.filter(|range| range.end <= expression.len());
    known.map_or(at, |range| Span::new(at.file, from + range.start..from + range.end))
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
        let input = ConditionInput::new(&serde_json::json!({"connection": {"id": "x".repeat(616)}}));
        assert_eq!(input.bytes, 640);
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

    /// What a record does not have is in no order, and false.
    #[test]
    fn e2_11_a_condition_is_asked_of_a_record() {
        let mut sources = Sources::default();
        let at = Span::file(sources.add("tieline.yaml", String::new(), false));
        let record = serde_json::json!({"c": {"port": 5, "none": null, "name": "abc", "big": u64::MAX, "on": true}});
        let input = ConditionInput::new(&record);
        for (expression, held) in [
            ("c.port < 6", true),
            ("c.port < 5", false),
            ("c.none < 6", false),
            ("c.what < 6", false),
            ("c.what.ever", false),
            ("c.none is defined and c.what is not defined", true),
            ("c.name is startingwith 'ab' and c.name is not startingwith 'b'", true),
            ("c.name is endingwith 'bc' and c.name is not endingwith 'b'", true),
            ("c.name not in ['abc']", false),
            ("c.what not in ['abc']", true),
            ("c.big > 5 and c.on", true),
        ] {
            assert_eq!(Condition::new(expression, at).unwrap().holds(&input).ok(), Some(held), "{expression}");
        }
        let text = |expression: &str| Condition::new(expression, at).unwrap().text(&input).ok();
        assert_eq!(text("c.port").as_deref(), Some("5"));
        assert_eq!((text("c.none").as_deref(), text("c.what").as_deref()), (Some(""), Some("")));
        assert_eq!(Condition::new("c.port < d.e", at).unwrap().names().len(), 2);
    }

    #[test]
    fn e2_11_what_a_message_is_made_of_has_its_place() {
        let mut sources = Sources::default();
        for (quote, text) in [("", "a $${{ ${{  c.port }}b"), ("'", "a $${{ ${{  c.port }}b")] {
            let file = sources.add("tieline.yaml", format!("{quote}{text}{quote}"), false);
            let at = Span::new(file, 0..text.len() + 2 * quote.len());
            let pieces: Vec<String> = message(text, at)
                .unwrap()
                .iter()
                .map(|piece| match piece {
                    MessagePart::Text(text) => (*text).to_owned(),
                    MessagePart::Value(condition) => format!("<{}>", sources.slice(condition.span(2..6))),
                })
                .collect();
            assert_eq!(pieces, ["a ", "${{", " ", "<port>", "b"]);
            let told = |text: &str| message(text, at).err().map(|told| sources.slice(told.labels[0].span).to_owned());
            assert_eq!(told("a $${{ ${{  c.pxrt ) b").as_deref(), Some("${{"));
            assert_eq!(told("a $${{ ${{  c port }}b").as_deref(), Some("port"));
        }
        // Escaped, so that no offset is known: the whole of it.
        let at = Span::new(sources.add("tieline.yaml", "\"c.port\\t\"".to_owned(), false), 0..10);
        assert_eq!(Condition::new("c.port\t", at).unwrap().span(2..6), at);
    }
}
