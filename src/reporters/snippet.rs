//! A text as it may be shown: secrets masked, control characters visible, and the way from its offsets to the
//! original's.
//!
//! Masked is what [`conceal`] says.

use std::ops::Range;

use miette::{MietteError, MietteSpanContents, SourceCode, SourceSpan, SpanContents};

use super::text::{is_unsafe, push_visible, visible};
use crate::source::Source;
use crate::span::Span;
use crate::yaml::conceal::{self, MASK};

/// A line of more bytes is shown in part.
const LONG_LINE: usize = 400;

/// A shown text.
#[derive(Debug)]
pub(super) struct Snippet {
    name: String,
    text: String,
    pieces: Vec<Piece>,
    lines: Vec<usize>,
}

/// A stretch of the original and what is shown of it.
#[derive(Debug)]
struct Piece {
    original: Range<usize>,
    shown: Range<usize>,
    verbatim: bool,
}

impl Snippet {
    pub(super) fn new(source: &Source) -> Self {
        let text = source.text();
        let masked = conceal::of(source);
        // What touches is one mask: two would tell where one part ends.
        let mut parts: Vec<Range<usize>> = Vec::with_capacity(masked.len());
        for range in masked {
            match parts.last_mut() {
                Some(last) if text[last.end.min(range.start)..range.start].chars().all(|c| c == ' ') => {
                    last.end = last.end.max(range.end);
                }
                _ => parts.push(range),
            }
        }
        let masked = parts;
        let mut snippet = Self {
            name: visible(source.path()).into_owned(),
            text: String::with_capacity(text.len()),
            pieces: Vec::new(),
            lines: Vec::new(),
        };
        let mut at = 0;
        for range in masked {
            if range.end > at {
                let start = range.start.max(at);
                snippet.copy(text, at..start);
                snippet.mask(text, start..range.end);
                at = range.end;
            }
        }
        snippet.copy(text, at..text.len());
        let breaks = snippet.text.match_indices('\n').map(|(i, _)| i + 1);
        snippet.lines = std::iter::once(0).chain(breaks).collect();
        snippet
    }

    fn piece(&mut self, original: Range<usize>, verbatim: bool, write: impl FnOnce(&mut String)) {
        let start = self.text.len();
        write(&mut self.text);
        self.pieces.push(Piece { original, shown: start..self.text.len(), verbatim });
    }

    /// Shows a range as it is, but for what would act on a terminal.
    fn copy(&mut self, text: &str, range: Range<usize>) {
        let harmless = |c: char| matches!(c, '\n' | '\t') || !is_unsafe(c);
        let mut start = range.start;
        for (i, c) in text[range.clone()].char_indices().filter(|(_, c)| !harmless(*c)) {
            let at = range.start + i;
            self.piece(start..at, true, |shown| shown.push_str(&text[start..at]));
            start = at + c.len_utf8();
            // A line break of two characters is one line break.
            let part_of_break = c == '\r' && text[start..].starts_with('\n');
            self.piece(at..start, false, |shown| {
                if !part_of_break {
                    push_visible(shown, c);
                }
            });
        }
        self.piece(start..range.end, true, |shown| shown.push_str(&text[start..range.end]));
    }

    /// Shows a mask on each line of a range: the number of lines must stay, the length must not show.
    fn mask(&mut self, text: &str, range: Range<usize>) {
        let mut start = range.start;
        for line in text[range].split_inclusive('\n') {
            let end = start + line.trim_end_matches(['\n', '\r']).len();
            if end > start {
                self.piece(start..end, false, |shown| shown.push_str(MASK));
            }
            let next = start + line.len();
            self.copy(text, end..next);
            start = next;
        }
    }

    /// The shown place of a span: its first line alone, at least one character wide.
    pub(super) fn locate(&self, span: Span) -> SourceSpan {
        let start = self.shown(span.start as usize, false);
        let mut end = self.shown(span.end as usize, true).max(start);
        let next = self.lines.get(self.lines.partition_point(|line| *line <= start));
        let line_end = next.map_or(self.text.len(), |next| next - 1);
        end = end.min(line_end).min(start + LONG_LINE / 2);
        while !self.text.is_char_boundary(end) {
            end += 1;
        }
        (start, end - start).into()
    }

    fn shown(&self, offset: usize, end: bool) -> usize {
        let index = self.pieces.partition_point(|p| p.original.end < offset || (p.original.end == offset && !end));
        match self.pieces.get(index) {
            None => self.text.len(),
            Some(p) if p.verbatim => p.shown.start + offset.saturating_sub(p.original.start),
            Some(p) if end && offset > p.original.start => p.shown.end,
            Some(p) => p.shown.start,
        }
    }
}

impl SourceCode for &Snippet {
    fn read_span<'a>(
        &'a self,
        span: &SourceSpan,
        _before: usize,
        _after: usize,
    ) -> Result<Box<dyn SpanContents<'a> + 'a>, MietteError> {
        let line_of = |offset: usize| self.lines.partition_point(|start| *start <= offset).saturating_sub(1);
        let first = line_of(span.offset());
        let last = line_of(span.offset() + span.len().saturating_sub(1));
        let line = self.lines[first];
        let (mut start, mut end) = (line, self.lines.get(last + 1).copied().unwrap_or(self.text.len()));
        if first == last && end - start > LONG_LINE {
            // The part around the place: a file in one line must not be shown whole for each problem.
            start = start.max(span.offset().saturating_sub(LONG_LINE / 4));
            end = end.min(span.offset() + span.len() + LONG_LINE / 4);
            while !self.text.is_char_boundary(start) {
                start += 1;
            }
            while !self.text.is_char_boundary(end) {
                end -= 1;
            }
        }
        let data = self.text.get(start..end).ok_or(MietteError::OutOfBounds)?;
        // The column stands in the heading beside the path; miette counts it from the start of the span.
        let column = self.text[line..span.offset()].chars().count();
        let whole = (start, end - start).into();
        Ok(Box::new(MietteSpanContents::new_named(
            self.name.clone(),
            data.as_bytes(),
            whole,
            first,
            if last == first { column } else { 0 },
            self.lines.len(),
        )))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::Sources;

    fn shown(text: &str, hidden: bool) -> String {
        let mut sources = Sources::default();
        let file = sources.add("a.yaml", text.into(), hidden);
        Snippet::new(sources.get(file)).text
    }

    #[test]
    fn a35_values_behind_keys_that_sound_like_secrets_are_masked() {
        for (text, expected) in [
            ("password: hunter2\nconfig: {host: db}\n", "password: ********\nconfig: {host: db}\n"),
            ("auth: {mode: x, api_key: abc, y: z}\n", "auth: {mode: x, api_key: ********, y: ********}\n"),
            ("token: ${{ secrets.T }}\n", "token: ${{ secrets.T }}\n"),
            ("auth:\n  value: ${{ hunter2 }} # old\n", "auth:\n  value: ${{ ******** }} ********\n"),
            (
                "vars:\n  private_key: |\n    L1\n    L2\n  b: 1\n",
                "vars:\n  private_key: |\n    ********\n    ********\n  b: 1\n",
            ),
            // Not YAML.
            (
                "config: {host: db\nauth:\n  mode: basic\n  value: hunter2\n hunter3: 1\nowner: team",
                "config: {host: db\nauth:\n  mode: ********\n  value: ********\n ********\nowner: team",
            ),
            ("\"auth\" : [\nvalue: hunter2\ntitle: x\n", "\"auth\" : [\nvalue: ********\ntitle: x\n"),
        ] {
            assert_eq!(shown(text, false), expected);
        }
        assert_eq!(shown("DB: hunter2\nhunter3\n", true), "DB: ********\n********\n");
    }

    #[test]
    fn offsets_lead_through_masks() {
        let mut sources = Sources::default();
        let file = sources.add("a.yaml", "password: hunter2\r\nname: \u{7f}db\n".into(), false);
        let snippet = Snippet::new(sources.get(file));
        let at = |range| {
            let span = snippet.locate(Span::new(file, range));
            snippet.text[span.offset()..span.offset() + span.len()].to_owned()
        };
        assert_eq!(at(10..17), "********");
        assert_eq!(at(19..23), "name");
        assert_eq!(at(26..28), "db");
        assert_eq!(at(25..26), "\\u{7f}");
    }
}
