//! A text that is no YAML -> what was done wrong, and where: the parser notices most slips later than they were made.

use std::ops::Range;

use super::MAX_DEPTH;
use super::characters::Refused;
use super::events::{SyntaxError, SyntaxErrorKind};
use super::tree::Builder;
use crate::diagnostic::{Diagnostic, code};
use crate::span::Span;

impl Builder<'_> {
    /// Tells a character that no file may have.
    fn refused(&mut self, character: char, at: usize) {
        let span = self.span(at..at + character.len_utf8());
        self.stop(
            Diagnostic::error(code::CONTROL_CHARACTER, span, Refused::describe(character))
                .help(Refused::help(character)),
        );
    }

    /// Tells what is nested too deep, in blocks, brackets and aliases together.
    pub(super) fn too_deep(&mut self, span: Span) {
        self.stop(
            Diagnostic::error(code::YAML_TOO_DEEP, span, format!("nested more than {MAX_DEPTH} deep"))
                .help("flatten the value"),
        );
    }

    /// Tells what kept the parser from going on.
    pub(super) fn syntax(&mut self, error: &SyntaxError) {
        if let SyntaxErrorKind::Refused(character) = error.kind {
            return self.refused(character, error.offset);
        }
        let mut end = (error.offset + 1).min(self.text.len());
        while !self.text.is_char_boundary(end) {
            end += 1;
        }
        let mut start = error.offset;
        while !self.text.is_char_boundary(start) {
            start -= 1;
        }
        let span = self.span(start..end);
        let word = |from: usize| {
            let rest = &self.text[from..];
            from + rest.find([' ', '\n', '\r', ',', ']', '}']).unwrap_or(rest.len())
        };
        let diagnostic = match error.kind {
            SyntaxErrorKind::TooDeep => return self.too_deep(span),
            SyntaxErrorKind::Tab => tab(span),
            SyntaxErrorKind::UnknownAnchor => {
                let span = self.span(start..word(start).max(end));
                Diagnostic::error(code::YAML_ALIAS, span, "an alias without an anchor of its name before it")
                    .help("if the value starts with `*`, quote it")
            }
            _ => self.likely(error, start).unwrap_or_else(|| {
                Diagnostic::error(code::YAML_SYNTAX, span, format!("not YAML: {}", error.message))
                    .help(syntax_help(error.kind))
            }),
        };
        self.stop(diagnostic);
    }

    /// The usual slips, told where they were made: the parser notices them later.
    fn likely(&self, error: &SyntaxError, at: usize) -> Option<Diagnostic> {
        let told = |range: Range<usize>, message: &str, help: &str| {
            Some(Diagnostic::error(code::YAML_SYNTAX, self.span(range), message).help(help))
        };
        let line = self.text[..at].rfind('\n').map_or(0, |i| i + 1);
        let line_end = self.text[at..].find('\n').map_or(self.text.len(), |i| at + i);
        // A map of one pair in a list, `[a: b]`, has no bracket of its own.
        let bracket = |at: &usize| self.text.get(*at..).is_some_and(|rest| rest.starts_with(['[', '{']));
        let open = self.stack.iter().rev().filter(|open| open.flow).map(|open| open.span.start as usize - self.skipped);
        let flow = open.take(2).find(bracket).filter(|_| self.stack.last().is_some_and(|open| open.flow));
        if let Some(open) = self.text[line..line_end].find("${{").map(|i| line + i).filter(|_| flow.is_some()) {
            let close = self.text[open..line_end].find("}}").map_or(line_end, |i| open + i + 2);
            let message = "not YAML: an expression without quotes inside brackets";
            return told(open..close, message, "inside `{…}` and `[…]` an expression needs quotes: \"${{ … }}\"");
        }
        // The scalar that went on for too long: the last event, or what was read since.
        let behind = self.last.end.min(at);
        let skip = |from: usize| from + (self.text[from..at].len() - self.text[from..at].trim_start().len());
        let since = skip(behind);
        let since = if self.text[since..at].starts_with(": ") { skip(since + 2) } else { since };
        let scalar = if since < at { since } else { self.last.start.min(at) };
        let quote = self.text[scalar..].chars().next().filter(|c| matches!(c, '"' | '\''));
        if let (Some(quote), true) = (quote, scalar < at && self.text[scalar..at].contains('\n')) {
            let message = format!("not YAML: the `{quote}` is not closed where it should be");
            return told(scalar..scalar + 1, &message, "close the quote at the end of the value");
        }
        if let Some(open) = flow.filter(|open| *open < line) {
            let bracket = &self.text[open..=open];
            let message = format!("not YAML: the `{bracket}` is never closed");
            let close = if bracket == "[" { "]" } else { "}" };
            return told(open..open + 1, &message, &format!("close it with `{close}`"));
        }
        if error.kind == SyntaxErrorKind::MappingNotAllowed && scalar < line {
            let first = self.text[scalar..line].split('\n').next().unwrap_or("");
            let colon = first.find(':').filter(|i| !first[i + 1..].starts_with(['/', ' ']) && i + 1 < first.len());
            let plain = |key: &str| key.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-'));
            if let Some(colon) = colon.filter(|colon| plain(&first[..*colon])) {
                let at = scalar + colon;
                return told(at..at + 1, "not YAML: a space is missing after the `:`", "write `KEY: VALUE`");
            }
        }
        self.indentation(line)
    }

    /// The key that a line begins with, if it may be quoted.
    fn keyed(&self, line: usize) -> Option<Keyed<'_>> {
        let keyed = Keyed::of(self.text, line)?;
        let start = line + keyed.indent;
        (!self.conceals(&(start..start + keyed.key.len()))).then_some(keyed)
    }

    /// A key in a column where it can't stand: told with the line that it was meant to belong to.
    fn indentation(&self, line: usize) -> Option<Diagnostic> {
        let own = self.keyed(line)?;
        let mut above = self.text[..line].lines().rev().scan(line, |start, text| {
            *start = self.text[..start.saturating_sub(1)].rfind('\n').map_or(0, |i| i + 1);
            Some((*start, text))
        });
        let keyed = above.by_ref().take(1000).filter_map(|(start, _)| self.keyed(start));
        let keys: Vec<Keyed<'_>> = keyed.collect();
        let before = keys.first()?;
        let told = |message: String, parent: &Keyed<'_>, word: &str, help: String| {
            let at = line + own.indent;
            let span = self.span(at..at + own.key.len());
            let below = parent.start + parent.indent;
            Some(
                Diagnostic::error(code::YAML_SYNTAX, span, message)
                    .also(self.span(below..below + parent.key.len()), word)
                    .help(help),
            )
        };
        let columns = |n: usize| format!("{n} space{}", if n == 1 { "" } else { "s" });
        if own.indent > before.indent && before.has_value {
            let message =
                format!("not YAML: `{}` is indented deeper than `{}`, which has a value already", own.key, before.key);
            let help = format!("give it the {} of the line above; or remove that value", columns(before.indent));
            return told(message, before, "this line", help);
        }
        if own.indent < before.indent && !keys.iter().any(|k| k.indent == own.indent) {
            let parent = keys.iter().find(|k| k.indent < own.indent)?;
            let deeper = keys.iter().rfind(|k| k.indent > own.indent && k.start > parent.start)?;
            let message = format!("not YAML: `{}` stands in a column where no map begins", own.key);
            let help = format!("below `{}`, lines begin after {}", parent.key, columns(deeper.indent));
            return told(message, parent, "it belongs to this map", help);
        }
        None
    }
}

/// A line of the form `key: value`.
struct Keyed<'t> {
    /// Where the line begins.
    start: usize,
    /// Spaces before the key.
    indent: usize,
    key: &'t str,
    has_value: bool,
}

impl<'t> Keyed<'t> {
    fn of(text: &'t str, start: usize) -> Option<Self> {
        let line = text[start..].lines().next()?;
        let content = line.trim_start_matches(' ');
        let (key, rest) = content.split_once(':')?;
        let plain =
            !key.is_empty() && key.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.'));
        let rest = rest.trim();
        let has_value = !rest.is_empty() && !rest.starts_with(['#', '|', '>', '&']);
        plain.then_some(Self { start, indent: line.len() - content.len(), key, has_value })
    }
}

/// A tab outside of quotes, comments and block scalars.
pub(super) fn tab(span: Span) -> Diagnostic {
    Diagnostic::error(code::YAML_TAB, span, "a tab where YAML wants spaces")
        .help("indent with spaces; two a level are customary")
}

fn syntax_help(kind: SyntaxErrorKind) -> &'static str {
    match kind {
        SyntaxErrorKind::Unclosed => "close the bracket or quote that was opened before",
        SyntaxErrorKind::MappingNotAllowed => {
            "quote the value if it contains `: `, and check that the lines of one map start in the same column"
        }
        _ => "check the indentation, and quote values that contain `: `, ` #` or start with one of `@ % & * ! | > { [`",
    }
}
