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
use crate::diagnostic::sounds_secret;
use crate::source::Source;
use crate::span::Span;

/// What stands in a snippet where a value may not be shown: always as long.
const MASK: &str = "********";

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
        let mut masked: Vec<Range<usize>> =
            source.masked().into_iter().map(|r| r.start as usize..r.end as usize).collect();
        masked.extend(suspicious(text, source.hidden()));
        masked.retain(|r| !r.is_empty());
        masked.sort_by_key(|r| (r.start, r.end));
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
        let line_end = self.text[start..].find('\n').map_or(self.text.len(), |i| start + i);
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

/// Ranges behind keys that sound like a secret, private keys anywhere, and in a file of secrets everything but its keys.
fn suspicious(text: &str, hidden: bool) -> Vec<Range<usize>> {
    static KEY: OnceLock<Option<Regex>> = OnceLock::new();
    static PRIVATE: OnceLock<Option<Regex>> = OnceLock::new();
    if hidden {
        return all_but_keys(text);
    }
    let private = r"(?is)AGE-SECRET-KEY-[A-Z0-9-]+|-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*-----|\z)";
    let private = PRIVATE.get_or_init(|| Regex::new(private).ok());
    let mut found: Vec<Range<usize>> = private.iter().flat_map(|p| p.find_iter(text)).map(|m| m.range()).collect();
    let key = KEY.get_or_init(|| Regex::new(r#"[A-Za-z0-9_-]+["']?[ \t]*:"#).ok());
    let mut at = 0;
    while let Some(hit) = key.as_ref().and_then(|k| k.find_at(text, at)) {
        at = hit.end();
        let name = hit.as_str().trim_end_matches([':', ' ', '\t', '"', '\'']);
        if sounds_secret(name) && !text[at..].starts_with("//") {
            at = value(text, hit.range(), &mut found);
        }
    }
    found
}

/// In a file of secrets: each line but the name at its start.
fn all_but_keys(text: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut start = 0;
    for line in text.split_inclusive('\n') {
        let body = line.trim_end_matches(['\n', '\r']);
        let name = body.trim_start();
        let indent = body.len() - name.len();
        let name = name.split_once(':').map(|(name, _)| name);
        let name = name.filter(|n| n.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_'));
        let from = name.map_or(0, |n| indent + n.len() + 1);
        let space = body[from..].len() - body[from..].trim_start().len();
        found.push(start + from + space..start + body.len());
        start += line.len();
    }
    found
}

/// The value behind the key at `key`, over as many lines as it takes; gives the place to go on from.
fn value(text: &str, key: Range<usize>, found: &mut Vec<Range<usize>>) -> usize {
    let line_start = text[..key.start].rfind('\n').map_or(0, |i| i + 1);
    let line_end = |from: usize| text[from..].find('\n').map_or(text.len(), |i| from + i);
    let head = &text[line_start..key.start];
    let outer = head.len() - head.trim_start().len();
    let end = line_end(key.end);
    let rest = &text[key.end..end];
    let start = key.end + (rest.len() - rest.trim_start().len());
    let first = text[start..end].chars().next();
    if let Some(quote @ ('"' | '\'')) = first {
        let end = closing(text, start + 1, quote);
        literals(text, start..end, found);
        return end;
    }
    if head.contains(['{', '[']) {
        let end = start + flow_end(&text[start..end]);
        literals(text, start..end, found);
        return end;
    }
    if !matches!(first, None | Some('|' | '>' | '#')) {
        let comment = text[start..end].find(" #").map_or(end, |i| start + i);
        let before = found.len();
        literals(text, start..comment, found);
        if found.len() > before {
            literals(text, comment..end, found);
        }
    }
    // A block, a map, or a scalar that goes on: whatever is indented deeper.
    let mut at = (end + 1).min(text.len());
    if first.is_none() && text[at..].trim_start().starts_with("from:") {
        // A name bound to a store.
        return at;
    }
    while at < text.len() {
        let end = line_end(at);
        let body = text[at..end].trim_end_matches('\r');
        let indent = body.len() - body.trim_start().len();
        if !body.trim().is_empty() && indent <= outer {
            break;
        }
        literals(text, at + indent..at + body.len(), found);
        at = end + 1;
    }
    at.min(text.len()).max(end)
}

/// What is literal in a value: all but its expressions, and of these what stands in quotes.
fn literals(text: &str, range: Range<usize>, found: &mut Vec<Range<usize>>) {
    let mut push = |range: Range<usize>| {
        let part = &text[range.clone()];
        let trimmed = part.trim_start_matches(|c: char| c.is_whitespace() || c == '"' || c == '\'');
        let start = range.end - trimmed.len();
        let length = trimmed.trim_end_matches(|c: char| c.is_whitespace() || c == '"' || c == '\'').len();
        if length > 0 {
            found.push(start..start + length);
        }
    };
    let mut at = range.start;
    while let Some(open) = text[at..range.end].find("${{").map(|i| at + i) {
        let Some(close) = text[open..range.end].find("}}").map(|i| open + i) else { break };
        push(at..open);
        let mut quoted = open;
        while let Some(start) = text[quoted..close].find(['"', '\'']).map(|i| quoted + i) {
            let end = text[start + 1..close].find(&text[start..=start]).map_or(close, |i| start + 1 + i);
            push(start..end);
            quoted = (end + 1).min(close);
        }
        at = close + 2;
    }
    push(at..range.end);
}

/// Behind the quote that closes what was opened before `from`; the end of the text if none does.
fn closing(text: &str, from: usize, quote: char) -> usize {
    let mut escaped = false;
    for (i, c) in text[from..].char_indices() {
        match c {
            '\\' if quote == '"' => escaped = !escaped,
            c if c == quote && !escaped => return from + i + 1,
            _ => escaped = false,
        }
    }
    text.len()
}

/// Where a plain value within brackets ends.
fn flow_end(text: &str) -> usize {
    let mut at = 0;
    while let Some(found) = text[at..].find([',', '}', ']']).map(|i| at + i) {
        let open = text[at..].find("${{").map(|i| at + i).filter(|open| *open < found);
        match open.and_then(|open| text[open..].find("}}").map(|i| open + i + 2)) {
            Some(behind) => at = behind,
            None => return found,
        }
    }
    text.len()
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
        assert_eq!(shown("DB: hunter2\nhunter3\n", true), "DB: ********\n********\n");
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
