//! The texts that were read in this run: path <-> [`FileId`], offset <-> line and column, and which bytes of them may
//! never be shown.

use std::fmt;
use std::ops::Range;
use std::sync::{Arc, Mutex, OnceLock};

use crate::span::{FileId, Span};

/// Every text of a run, in the order of reading.
#[derive(Default)]
pub struct Sources {
    files: Vec<Source>,
}

/// One text.
pub struct Source {
    path: Arc<str>,
    text: Box<str>,
    lines: OnceLock<Vec<u32>>,
    /// Byte ranges that hold a plaintext secret (or may hold one), found while checking; never shown in a snippet.
    masked: Mutex<Vec<Range<u32>>>,
    /// Byte ranges that are concealed by their names alone, and that a check knows to be clear.
    cleared: Mutex<Vec<Range<usize>>>,
    /// The ranges that are concealed by their names alone, once somebody asked.
    concealed: OnceLock<Vec<Range<usize>>>,
    /// Nothing of this text may be shown: positions only.
    hidden: bool,
}

/// A place for people and editors: both from 1, the column in Unicode code points.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// Line, from 1.
    pub line: usize,
    /// Column in code points, from 1.
    pub column: usize,
}

/// A line of a file, for what outlives the texts.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Line {
    /// The path of the file.
    pub file: Arc<str>,
    /// The line, from 1.
    pub number: u32,
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file, self.number)
    }
}

impl Sources {
    /// Adds a text under its workspace-relative path (`/` between segments).
    ///
    /// With `hidden`, no snippet of it is ever shown (a file of secrets).
    pub fn add(&mut self, path: &str, text: String, hidden: bool) -> FileId {
        let id = FileId(u32::try_from(self.files.len()).unwrap_or(u32::MAX));
        self.files.push(Source { hidden, ..Source::of(path, text) });
        id
    }

    /// The text behind an id. Ids come from [`Sources::add`] of the same value only.
    pub fn get(&self, id: FileId) -> &Source {
        &self.files[id.0 as usize]
    }

    /// The path of the file that `span` stands in.
    pub fn path(&self, span: Span) -> &str {
        &self.get(span.file).path
    }

    /// The bytes under `span`; empty where the span does not fit its text.
    pub fn slice(&self, span: Span) -> &str {
        self.get(span.file).text.get(span.range()).unwrap_or("")
    }

    /// Line and column of the first byte of `span`.
    pub fn position(&self, span: Span) -> Position {
        self.get(span.file).position(span.start as usize)
    }

    /// The file and line of `span`.
    pub fn line(&self, span: Span) -> Line {
        let number = u32::try_from(self.position(span).line).unwrap_or(u32::MAX);
        Line { file: Arc::clone(&self.get(span.file).path), number }
    }

    /// `path:line`, as plans and `explain` print it.
    pub fn place(&self, span: Span) -> String {
        format!("{}:{}", self.path(span), self.position(span).line)
    }

    /// Forbids showing the bytes under `span` in any snippet from now on.
    pub fn mask(&self, span: Span) {
        if let Ok(mut masked) = self.get(span.file).masked.lock() {
            masked.push(span.start..span.end);
        }
    }

    /// Whether the bytes under `span`, all of them, may not be shown.
    pub fn is_masked(&self, span: Span) -> bool {
        self.get(span.file).masked().iter().any(|range| range.start <= span.start && span.end <= range.end)
    }

    /// Allows showing the bytes under `span`, unless they are masked: what stands there is known to be clear.
    pub fn clear(&self, span: Span) {
        if let Ok(mut cleared) = self.get(span.file).cleared.lock() {
            cleared.push(span.range());
        }
    }

    /// Every text, in the order of reading.
    pub fn iter(&self) -> impl Iterator<Item = &Source> {
        self.files.iter()
    }

    /// How many texts there are.
    pub fn len(&self) -> usize {
        self.files.len()
    }

    /// Whether nothing was read.
    pub fn is_empty(&self) -> bool {
        self.files.is_empty()
    }
}

impl Source {
    /// A text that belongs to no run.
    pub fn of(path: &str, text: impl Into<Box<str>>) -> Self {
        Self {
            path: path.into(),
            text: text.into(),
            lines: OnceLock::new(),
            masked: Mutex::new(Vec::new()),
            cleared: Mutex::new(Vec::new()),
            concealed: OnceLock::new(),
            hidden: false,
        }
    }

    /// The path below the workspace, with `/` between segments.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The whole text, unmasked: for parsing, not for showing.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Whether nothing of the text may be shown.
    pub fn hidden(&self) -> bool {
        self.hidden
    }

    /// The ranges that may not be shown, sorted, without overlaps.
    pub fn masked(&self) -> Vec<Range<u32>> {
        let mut ranges = self.masked.lock().map(|m| m.clone()).unwrap_or_default();
        ranges.sort_by_key(|r| (r.start, r.end));
        let mut merged: Vec<Range<u32>> = Vec::with_capacity(ranges.len());
        for range in ranges {
            match merged.last_mut() {
                Some(last) if range.start <= last.end => last.end = last.end.max(range.end),
                _ => merged.push(range),
            }
        }
        merged
    }

    /// The ranges that are concealed by their names alone; `find` is asked once.
    pub fn concealed(&self, find: impl FnOnce(&Self) -> Vec<Range<usize>>) -> &[Range<usize>] {
        self.concealed.get_or_init(|| find(self))
    }

    /// The ranges that a check knows to be clear.
    pub fn cleared(&self) -> Vec<Range<usize>> {
        self.cleared.lock().map(|cleared| cleared.clone()).unwrap_or_default()
    }

    /// Line and column of a byte offset; an offset behind the end is the end.
    pub fn position(&self, offset: usize) -> Position {
        let offset = self.floor(offset);
        let lines = self.lines();
        let line = lines.partition_point(|&start| start as usize <= offset).saturating_sub(1);
        let start = lines.get(line).map_or(0, |&s| s as usize);
        Position { line: line + 1, column: self.text[start..offset].chars().count() + 1 }
    }

    /// The bytes of line `number` (from 1), without its line break.
    pub fn line(&self, number: usize) -> Range<usize> {
        let lines = self.lines();
        let start = lines.get(number - 1).map_or(self.text.len(), |&s| s as usize);
        let end = lines.get(number).map_or(self.text.len(), |&s| s as usize);
        let text = &self.text[start..end];
        start..start + text.trim_end_matches(['\n', '\r']).len()
    }

    /// The nearest character border at or below `offset`.
    fn floor(&self, offset: usize) -> usize {
        let mut offset = offset.min(self.text.len());
        while !self.text.is_char_boundary(offset) {
            offset -= 1;
        }
        offset
    }

    fn lines(&self) -> &[u32] {
        self.lines.get_or_init(|| {
            let breaks = self.text.bytes().enumerate().filter(|(_, b)| *b == b'\n');
            let starts = breaks.map(|(i, _)| u32::try_from(i + 1).unwrap_or(u32::MAX));
            std::iter::once(0).chain(starts).collect()
        })
    }
}
