//! An offset in the text of a scalar -> the span in its file.

use std::cell::OnceCell;
use std::ops::Range;

use super::{OPEN, engine};
use crate::diagnostic::{Diagnostic, code};
use crate::source::Sources;
use crate::span::Span;
use crate::yaml::conceal;

/// A scalar in its file: where an offset of its text stands in the source.
pub(super) struct Place<'a> {
    text: &'a str,
    pub(super) span: Span,
    pub(super) sources: &'a Sources,
    /// Where each `${{` stands, in the text and in the source: found once, for a scalar may have thousands.
    opens: OnceCell<[Vec<usize>; 2]>,
}

impl<'a> Place<'a> {
    pub(super) fn new(text: &'a str, span: Span, sources: &'a Sources) -> Self {
        Self { text, span, sources, opens: OnceCell::new() }
    }

    /// The span of a range of the scalar's text. Where the scalar was escaped or folded, so that offsets differ, the
    /// whole scalar.
    pub(super) fn span_of(&self, range: Range<usize>) -> Span {
        let source = self.sources.slice(self.span);
        let Some(wanted) = self.text.get(range.clone()) else { return self.span };
        // As many `${{` before it in the source as in the text, then the same words.
        let [in_text, in_source] = self
            .opens
            .get_or_init(|| [self.text, source].map(|text| text.match_indices(OPEN).map(|(at, _)| at).collect()));
        let nth = in_text.partition_point(|at| at + OPEN.len() <= range.start);
        let base = match nth.checked_sub(1) {
            None => source.match_indices(wanted).next().map(|(at, _)| at),
            Some(last) => in_source.get(last).zip(in_text.get(last)).map(|(at, open)| at + (range.start - open)),
        };
        match base.filter(|at| source.get(*at..at + wanted.len()) == Some(wanted)) {
            Some(at) => {
                let start = self.span.start as usize + at;
                Span::new(self.span.file, start..start + wanted.len())
            }
            None => self.span,
        }
    }

    pub(super) fn failure(&self, failure: engine::Failure, range: &Range<usize>) -> Diagnostic {
        let at = match failure.range {
            Some(at) if at.end > at.start => range.start + at.start..(range.start + at.end).min(range.end),
            _ => range.start..range.end,
        };
        let span = self.span_of(at);
        let message = match conceal::conceals(self.sources, span) {
            true => "the expression has no value".to_owned(),
            false => failure.message,
        };
        Diagnostic::error(code::INVALID_EXPRESSION, span, message)
            .help("an expression is names, literals, operators and filters: ${{ vars.host | default('localhost') }}")
    }
}
