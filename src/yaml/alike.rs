//! YAML that not every reader takes, or takes alike: tabs between tokens, names of anchors, lines inside brackets that go
//! back to the left. Each is told at its place, with the form that all take.
//!
//! The events say where scalars stand; what stands between two of them is blanks, indicators, comments, anchors and tags.

use std::collections::HashSet;
use std::ops::Range;

use super::events::{Style, Tag};
use super::tree::Builder;
use crate::diagnostic::{Diagnostic, code};
use crate::span::Span;

/// Where in a scalar readers differ, and what is said of it.
type Found = (usize, fn(Span) -> Diagnostic);

/// What was looked at so far.
#[derive(Default)]
pub(super) struct Seen {
    /// Where the text goes on that was not looked at.
    at: usize,
    /// A block scalar that ends where the file may, with a line break of its own or without.
    last_block: bool,
    /// Names of anchors.
    anchors: HashSet<String>,
    /// A line inside brackets that goes too far back: told when they close, as it may be that they don't.
    late: Option<Diagnostic>,
}

impl Builder<'_> {
    /// Looks at what stands between the last scalar, bracket or alias and the next one at `to`.
    pub(super) fn between(&mut self, to: usize) {
        let from = self.seen.at;
        self.seen.at = to.max(from);
        let Some(gap) = self.text.get(from..to) else { return };
        if !gap.contains(['\t', '\n', '&']) {
            return;
        }
        if from == 0 && gap.lines().any(|line| line.starts_with("...")) {
            let at = gap.find("...").unwrap_or(0);
            let what = "the end of a document before one begins";
            return self.stop(differs(self.span(at..at + 3), what).help("remove it"));
        }
        let mut at = 0;
        while let Some(found) = gap[at..].find(['\t', '\n', '&', '#']) {
            at += found;
            match gap.as_bytes()[at] {
                b'\t' => {
                    let span = self.span(from + at..from + at + 1);
                    return self.stop(super::syntax::tab(span));
                }
                b'\n' if self.in_brackets() => self.indented(from + at + 1),
                b'&' => at = self.anchor_name(from + at) - from,
                b'#' if at == 0 || gap[..at].ends_with([' ', '\n']) => {
                    at += gap[at..].find('\n').unwrap_or(gap.len() - at);
                    continue;
                }
                _ => {}
            }
            at += 1;
            if self.broken || at >= gap.len() {
                return;
            }
        }
    }

    /// Looks at a scalar as it was written; its text is `range`.
    pub(super) fn written(&mut self, style: Style, range: &Range<usize>) {
        let from = self.seen.at;
        self.between(range.start);
        let text = self.text.get(range.clone()).unwrap_or("");
        self.seen.at = range.end.max(from);
        self.seen.last_block = false;
        if style == Style::Block {
            return self.block_form(from..range.start);
        }
        for (at, _) in text.match_indices('\n') {
            self.indented(range.start + at + 1);
        }
        let found = match style {
            Style::Plain => self.plain_form(text),
            _ => quoted_form(text),
        };
        if let Some((at, diagnostic)) = found {
            let start = range.start + at;
            self.stop(diagnostic(self.span(start..start + 1)));
        }
    }

    /// A block scalar's header, and the lines before its first with content.
    fn block_form(&mut self, gap: Range<usize>) {
        let head = self.text.get(gap.clone()).unwrap_or("");
        let written = head.trim_end_matches([' ', '\r', '\n']);
        let header = written.rsplit('\n').next().unwrap_or("").split(" #").next().unwrap_or("").trim_end();
        self.seen.last_block = !header.trim_end_matches(|c: char| c.is_ascii_digit()).ends_with('-');
        // The last line of the gap is the indentation of the first with content.
        let empty: Vec<&str> = head[written.len()..].split('\n').collect();
        let spaces = empty.iter().skip(1).take(empty.len().saturating_sub(2)).any(|line| line.starts_with(' '));
        let last = written.char_indices().next_back().map_or(0, |(at, _)| at);
        let span = self.span(gap.start + last..gap.start + written.len());
        if spaces {
            let what = "spaces on an empty line at the start of a block scalar";
            self.stop(differs(span, what).help("remove them"));
        } else if self.text.get(gap.end..).is_some_and(|text| text.starts_with('\t')) {
            self.stop(super::syntax::tab(self.span(gap.end..gap.end + 1)));
        } else if self.stack.is_empty() {
            self.stop(differs(span, "a block scalar that is the whole file").help("write a map: `KEY: VALUE`"));
        }
    }

    /// What in a plain scalar readers take differently, and where.
    fn plain_form(&self, text: &str) -> Option<Found> {
        if let Some(at) = text.find('\t') {
            return Some((at, super::syntax::tab));
        }
        if !self.in_brackets() {
            return None;
        }
        if text.starts_with(':') {
            return Some((0, |span| {
                differs(span, "a value inside brackets that begins with `:`").help("quote the value")
            }));
        }
        let question: fn(Span) -> Diagnostic =
            |span| differs(span, "a `?` without quotes inside brackets").help("quote the value");
        text.find('?').map(|at| (at, question))
    }

    /// A key that was written as `range`: readers want it on one line, with its `:`.
    pub(super) fn key_form(&mut self, style: Style, range: &Range<usize>) {
        let told = |what: &str| Some((what.to_owned(), "write `KEY: VALUE`"));
        let rest = self.text.get(range.end..).unwrap_or("");
        let blanks = rest.len() - rest.trim_start_matches(is_blank).len();
        let behind = rest[blanks..].strip_prefix(':').and_then(|rest| rest.chars().next());
        let found = if self.text.get(range.clone()).is_some_and(|key| key.contains('\n')) {
            told("a key of several lines")
        } else if !self.in_brackets() || behind.is_none() {
            None
        } else if rest[..blanks].contains('\n') {
            told("a `:` on another line than its key")
        } else if behind.is_some_and(|c| matches!(c, ',' | ']' | '}') || (style == Style::Plain && !is_blank(c))) {
            told("a `:` without a blank behind it")
        } else {
            None
        };
        if let Some((what, help)) = found {
            let key = self.text.get(range.clone()).unwrap_or("");
            let end = range.start + key.find('\n').unwrap_or(key.len());
            let span = self.span(range.start..end);
            self.stop(differs(span, &what).help(help));
        }
    }

    /// The tag of a scalar: its value stands behind it, on its line.
    pub(super) fn tag_form(&mut self, tag: &Tag, range: &Range<usize>) {
        let between = self.text.get(tag.range.end..range.start).unwrap_or("");
        if range.is_empty() || !between.starts_with(' ') || between.contains('\n') {
            let span = self.span(tag.range.clone());
            self.stop(
                differs(span, "a tag without a value behind it").help("remove the tag, or write a value behind it"),
            );
        }
    }

    /// The end of the file.
    pub(super) fn ended(&mut self) {
        self.between(self.text.len());
        if self.seen.last_block && !self.text.ends_with('\n') && !self.broken {
            let end = self.text.len();
            let start = self.text.trim_end().char_indices().next_back().map_or(end, |(at, _)| at);
            let span = self.span(start..end);
            self.stop(
                differs(span, "a block scalar without a line break at the end of the file")
                    .help("end the file with a line break"),
            );
        }
    }

    fn in_brackets(&self) -> bool {
        self.stack.last().is_some_and(|open| open.flow)
    }

    /// A line that begins at `start` within a value: all readers want it further to the right than the map or list that has
    /// the value. A closing bracket may stand at its column, as people write it.
    fn indented(&mut self, start: usize) {
        let line = self.text[start..].split('\n').next().unwrap_or("");
        let content = line.trim_start_matches(' ');
        let column = line.len() - content.len();
        let Some(outer) = self.stack.iter().rev().find(|open| !open.flow).map(|open| open.column) else { return };
        let closes = content.starts_with([']', '}']);
        if !content.trim_end_matches(is_blank).is_empty() && column < outer + usize::from(!closes) && !self.broken {
            let width = content.chars().next().map_or(0, char::len_utf8);
            let span = self.span(start + column..start + column + width);
            let told = differs(span, "a line of a value that is not indented deeper than its key")
                .help(format!("begin it behind {} or more spaces", outer + 1));
            if self.in_brackets() {
                self.seen.late.get_or_insert(told);
            } else {
                self.stop(told);
            }
        }
    }

    /// Brackets close, none around them.
    pub(super) fn closed(&mut self) {
        let late = if self.in_brackets() { None } else { self.seen.late.take() };
        if let Some(late) = late {
            self.stop(late);
        }
    }

    /// The end of the name of an anchor whose `&` stands at `at`.
    fn anchor_name(&mut self, at: usize) -> usize {
        let rest = &self.text[at + 1..];
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
        let length = rest.find(|c| !plain(c)).unwrap_or(rest.len());
        let behind = rest[length..].chars().next();
        if length == 0 || behind.is_some_and(|c| !is_blank(c)) {
            let whole = rest.find(is_blank).unwrap_or(rest.len());
            let span = self.span(at..at + 1 + whole);
            self.stop(
                differs(
                    span,
                    "a name of an anchor that is not of letters, digits, `_` and `-`, with a blank behind it",
                )
                .help("write `&name value`; if the value starts with `&`, quote it"),
            );
        } else if !self.seen.anchors.insert(rest[..length].to_owned()) {
            let span = self.span(at..at + 1 + length);
            self.stop(differs(span, "a second anchor of the same name").help("give it another name"));
        }
        at + length
    }

    /// How many characters stand before a place on its line.
    pub(super) fn column(&self, at: usize) -> usize {
        let before = self.text.get(..at).unwrap_or("");
        before.len() - before.rfind('\n').map_or(0, |found| found + 1)
    }

    /// Whether the tag makes a string of a scalar. Any other is an error.
    pub(super) fn check_tag(&mut self, tag: Option<Tag>, scalar: bool) -> bool {
        let Some(tag) = tag else { return false };
        if scalar && tag.name == "tag:yaml.org,2002:str" {
            return true;
        }
        let name = match self.conceals(&tag.range) {
            true => String::new(),
            false => format!(" `{}`", tag.name.replace("tag:yaml.org,2002:", "!!")),
        };
        let span = self.span(tag.range);
        self.report(
            Diagnostic::error(code::YAML_TAG, span, format!("the tag{name} has no meaning here"))
                .help("remove the tag; values are plain, and secrets are written as ${{ secrets.NAME }}"),
        );
        false
    }
}

/// The same of a quoted one: a line break behind a `\\`, and then lines without content.
fn quoted_form(text: &str) -> Option<Found> {
    let continued = |at: &usize| {
        let escapes = text[..*at].bytes().rev().take_while(|b| *b == b'\\').count();
        let behind = text[at + 1..].trim_start_matches([' ', '\r']);
        escapes % 2 == 0 && text.starts_with('"') && text[at + 1..].trim_start_matches('\r').starts_with('\n') && {
            let next = behind.strip_prefix('\n').unwrap_or(behind);
            next.trim_start_matches([' ', '\t', '\r']).starts_with('\n')
        }
    };
    let at = text.match_indices('\\').map(|(at, _)| at).find(continued)?;
    let told =
        |span| differs(span, "an empty line behind a `\\` at the end of a line").help("write line breaks as \"\\n\"");
    Some((at, told))
}

/// What YAML takes for a blank or a line break: of Unicode's others, none.
fn is_blank(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\n' | '\r')
}

/// Not all readers take this, or take it alike.
fn differs(span: Span, what: &str) -> Diagnostic {
    Diagnostic::error(code::YAML_DIFFERS, span, format!("{what}: not every YAML reader takes it"))
}
