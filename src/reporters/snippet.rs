//! A text as it may be shown: secrets masked, control characters visible, and the way from its offsets to the
//! original's.
//!
//! Masked is what the checks found to be a plaintext secret, and, since a snippet may come from a file that was never
//! checked to the end, whatever stands behind a key that sounds like one.

use std::ops::Range;
use std::sync::OnceLock;

use miette::{MietteError, MietteSpanContents, SourceCode, SourceSpan, SpanContents};
use regex::Regex;

use super::text::{is_unsafe, push_visible, visible};
use crate::source::Source;
use crate::span::Span;

/// What stands in a snippet where a value may not be shown: always as long.
const MASK: &str = "********";

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
        let mut masked: Vec<Range<usize>> =
            source.masked().into_iter().map(|r| r.start as usize..r.end as usize).collect();
        masked.extend(suspicious(text, source.hidden()));
        masked.sort_by_key(|r| (r.start, r.end));
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
        let line_end = self.text[start..].find('\n').map_or(self.text.len(), |i| start + i);
        end = end.min(line_end);
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
        let start = self.lines[first];
        let end = self.lines.get(last + 1).copied().unwrap_or(self.text.len());
        let data = self.text.get(start..end).ok_or(MietteError::OutOfBounds)?;
        // The column stands in the heading beside the path; miette counts it from the start of the span.
        let column = self.text[start..span.offset()].chars().count();
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

/// Ranges behind keys that sound like a secret, and in a file of secrets everything but its keys.
fn suspicious(text: &str, hidden: bool) -> Vec<Range<usize>> {
    static KEY: OnceLock<Option<Regex>> = OnceLock::new();
    let pattern = r#"(?i)(?:passw(?:or)?d|pwd|passphrase|secret|token|private_?key|api_?key|access_?key|client_?key)["']?[ \t]*:[ \t]+"#;
    let key = KEY.get_or_init(|| Regex::new(pattern).ok());
    let mut found = Vec::new();
    let mut block: Option<usize> = None;
    let mut start = 0;
    for line in text.split_inclusive('\n') {
        let body = line.trim_end_matches(['\n', '\r']);
        let indent = body.len() - body.trim_start().len();
        if let Some(outer) = block {
            if body.trim().is_empty() || indent > outer {
                found.push(start + indent..start + body.len());
                start += line.len();
                continue;
            }
            block = None;
        }
        if hidden {
            let name = body.trim_start().find(':').map(|i| indent + i + 1);
            let is_key =
                name.is_some_and(|end| body[indent..end - 1].bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_'));
            found.push(start + name.filter(|_| is_key).unwrap_or(0)..start + body.len());
        } else if let Some(hit) = key.as_ref().and_then(|k| k.find(body)) {
            let value = &body[hit.end()..];
            if value.starts_with(['|', '>']) {
                block = Some(indent);
            } else if !value.contains("${{") && !value.is_empty() && !value.starts_with('#') {
                let flow = body[..hit.start()].contains('{');
                let end = if flow { value.find([',', '}']).unwrap_or(value.len()) } else { value.len() };
                found.push(start + hit.end()..start + hit.end() + end);
            }
        }
        start += line.len();
    }
    found
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
        assert_eq!(shown("password: hunter2\nhost: db\n", false), "password: ********\nhost: db\n");
        assert_eq!(shown("auth: {mode: x, api_key: abc, y: z}\n", false), "auth: {mode: x, api_key: ********, y: z}\n");
        assert_eq!(shown("token: ${{ secrets.T }}\n", false), "token: ${{ secrets.T }}\n");
        assert_eq!(
            shown("a:\n  private_key: |\n    L1\n    L2\n  b: 1\n", false),
            "a:\n  private_key: |\n    ********\n    ********\n  b: 1\n"
        );
        assert_eq!(shown("DB: hunter2\nhunter3\n", true), "DB:********\n********\n");
    }

    #[test]
    fn offsets_lead_through_masks() {
        let mut sources = Sources::default();
        let file = sources.add("a.yaml", "password: hunter2\r\nhost: \u{7f}db\n".into(), false);
        let snippet = Snippet::new(sources.get(file));
        let at = |range| {
            let span = snippet.locate(Span::new(file, range));
            snippet.text[span.offset()..span.offset() + span.len()].to_owned()
        };
        assert_eq!(at(10..17), "********");
        assert_eq!(at(19..23), "host");
        assert_eq!(at(26..28), "db");
        assert_eq!(at(25..26), "\\u{7f}");
    }
}
