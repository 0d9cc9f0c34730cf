//! New text over old: where exactly in a YAML text a leaf is replaced, added or removed.
//!
//! Takes byte ranges of a parsed text, gives a changed text, or `None` where no splice is possible. Nothing here need
//! be right in every layout: [`super::edit`] reads every result back, and writes the document anew if it is not.

use std::ops::Range;

use super::document::{self, Entry, Format, Kind, Map, Node, Scalar};
use super::error::{ErrorKind, SopsError};
use super::leaf::Enc;
use super::open::Encrypted;
use super::{emit, emit_json};
use crate::yaml::events::Style;

type Cut = (Range<usize>, String);

impl<'a> Node<'a> {
    pub(super) fn as_map(&self) -> Option<&Map<'a>> {
        match &self.kind {
            Kind::Map(map) => Some(map),
            _ => None,
        }
    }
}

/// An action, resolved: what the text shall hold.
pub(super) struct Wanted<'p> {
    pub(super) path: &'p [String],
    /// An ENC text or a plain string; `None` to remove the leaf.
    pub(super) text: Option<String>,
}

/// Applies changes to the first document.
pub(super) fn values(file: &Encrypted<'_>, wanted: &[Wanted<'_>]) -> Option<String> {
    let (text, format) = (file.text, file.format);
    let document = file.documents.first()?;
    let mut cuts = Vec::with_capacity(wanted.len());
    for Wanted { path, text: new } in wanted {
        let (last, above) = path.split_last()?;
        let mut map = &document.root;
        for key in above {
            map = map.get(key)?.value.as_map()?;
        }
        cuts.push(match (map.get(last), new) {
            (Some(entry), Some(new)) => replace(text, entry, map.flow, new, format)?,
            (Some(entry), None) if format == Format::Json => remove_json(text, entry)?,
            (Some(entry), None) => {
                (line_start(text, entry.key_range.start)..line_end(text, end_of(text, entry)), String::new())
            }
            (None, Some(new)) if format == Format::Json => add_json(text, map, last, new)?,
            (None, Some(new)) => {
                let block = document.block.as_ref().filter(|_| above.is_empty());
                add(text, map, block, &format!("{}: {}", emit::quoted(last), spelled(new, false, format)))?
            }
            (None, None) => continue,
        });
    }
    join(text, cuts)
}

/// Replaces `lastmodified` and `mac` in the block of every document.
pub(super) fn block(text: &str, format: Format, lastmodified: &str, mac: &str) -> Result<String, SopsError> {
    let mut cuts = Vec::new();
    for document in document::parse(text, format)? {
        let Some(block) = document.block.as_ref().and_then(|block| block.value.as_map()) else { continue };
        for (key, new) in [("lastmodified", lastmodified), ("mac", mac)] {
            // The first block has both; no other is ever read.
            cuts.extend(block.get(key).and_then(|entry| replace(text, entry, block.flow, new, format)));
        }
    }
    join(text, cuts).ok_or_else(|| ErrorKind::EditFailed.into())
}

/// An ENC text may stand bare in block style; its commas and brackets forbid that in flow style.
fn spelled(text: &str, flow: bool, format: Format) -> String {
    match Enc::parse(text) {
        _ if format == Format::Json => emit_json::quoted(text),
        Some(_) if !flow => text.to_owned(),
        Some(_) => emit::double_quoted(text),
        None => emit::quoted(text).into_owned(),
    }
}

/// A scalar with its tag, which does not outlive it.
fn whole(scalar: &Scalar<'_>, range: &Range<usize>) -> Range<usize> {
    scalar.tag.as_ref().map_or(range.start, |tag| tag.range.start.min(range.start))..range.end
}

/// The byte behind the `:` of an entry.
fn behind_colon(text: &str, entry: &Entry<'_>) -> Option<usize> {
    let rest = text.get(entry.key_range.end..)?;
    let gap = rest.find(':')?;
    rest[..gap].trim().is_empty().then_some(entry.key_range.end + gap + 1)
}

fn replace(text: &str, entry: &Entry<'_>, flow: bool, new: &str, format: Format) -> Option<Cut> {
    let Kind::Scalar(scalar) = &entry.value.kind else { return None };
    let range = &entry.value.range;
    let new = spelled(new, flow, format);
    if scalar.style == Style::Block {
        // The range is that of the lines, and of what stands before the next thing; the `|` before them goes too.
        let end = text.get(..range.end)?.trim_end().len();
        return Some((behind_colon(text, entry)?..end, format!(" {new}")));
    }
    if range.is_empty() {
        let colon = behind_colon(text, entry)?;
        return Some((colon..colon, format!(" {new}")));
    }
    Some((whole(scalar, range), new))
}

/// A line behind the last entry of a map, or before the block if there is none.
fn add(text: &str, map: &Map<'_>, block: Option<&Entry<'_>>, line: &str) -> Option<Cut> {
    if map.flow {
        return None;
    }
    let (at, model) = match (map.entries.last(), block) {
        (Some(last), _) => (line_end(text, end_of(text, last)), &map.entries[0]),
        (None, Some(block)) => (line_start(text, block.key_range.start), block),
        (None, None) => return None,
    };
    let indent = model.key_range.start.saturating_sub(line_start(text, model.key_range.start));
    // A text without a last newline gets one.
    let broken = if at > 0 && !text.get(..at)?.ends_with('\n') { newline(text) } else { "" };
    Some((at..at, format!("{broken}{}{line}{}", " ".repeat(indent.min(1000)), newline(text))))
}

/// An entry behind the last of an object, laid out like that one.
fn add_json(text: &str, map: &Map<'_>, key: &str, new: &str) -> Option<Cut> {
    let last = map.entries.last()?;
    let before = text.get(..last.key_range.start)?;
    let gap = &before[before.trim_end().len()..];
    let colon = text.get(last.key_range.end..last.value.range.start)?;
    let at = last.value.range.end;
    Some((at..at, format!(",{gap}{}{colon}{}", emit_json::quoted(key), emit_json::quoted(new))))
}

/// An entry with the comma behind it, or the one before it.
fn remove_json(text: &str, entry: &Entry<'_>) -> Option<Cut> {
    let (before, after) = (text.get(..entry.key_range.start)?, text.get(entry.value.range.end..)?);
    let rest = after.trim_start();
    if let Some(next) = rest.strip_prefix(',') {
        let end = text.len() - next.trim_start().len();
        return Some((entry.key_range.start..end, String::new()));
    }
    let start = before.trim_end().strip_suffix(',').map_or(entry.key_range.start, str::len);
    Some((start..entry.value.range.end, String::new()))
}

/// The recipients in the block of every document.
pub(super) fn recipients(file: &Encrypted<'_>, entries: &Node<'_>) -> Option<String> {
    if file.format == Format::Json {
        return None;
    }
    let mut cuts = Vec::new();
    for document in &file.documents {
        let Some(block) = document.block.as_ref().and_then(|block| block.value.as_map()) else { continue };
        let Some(age) = block.get("age") else { continue };
        let colon = behind_colon(file.text, age)?;
        let indent = age.key_range.start - line_start(file.text, age.key_range.start);
        let lines = emit::value_lines(entries, indent + 4).ok()?;
        cuts.push((colon..line_end(file.text, end_of(file.text, age)), format!("\n{lines}")));
    }
    join(file.text, cuts)
}

fn newline(text: &str) -> &'static str {
    if text.contains("\r\n") { "\r\n" } else { "\n" }
}

fn end_of(text: &str, entry: &Entry<'_>) -> usize {
    let colon = behind_colon(text, entry).unwrap_or(entry.key_range.end);
    let end = entry.value.range.end;
    match &entry.value.kind {
        Kind::Scalar(_) => end.max(colon),
        // A map or list ends where the next thing begins, indentation and all.
        Kind::Map(_) | Kind::List(_) => text.get(..end).map_or(end, |text| text.trim_end().len()).max(colon),
    }
}

/// The first byte of a line; a byte order mark is no part of it.
fn line_start(text: &str, at: usize) -> usize {
    let mark = if text.starts_with('\u{feff}') { '\u{feff}'.len_utf8() } else { 0 };
    text.get(..at).and_then(|before| before.rfind('\n')).map_or(mark, |newline| newline + 1)
}

/// Behind the newline of the line that a value ends in. The lines of a block scalar end with their newline.
fn line_end(text: &str, at: usize) -> usize {
    if text.get(..at).is_some_and(|before| before.ends_with('\n')) {
        return at;
    }
    text.get(at..).and_then(|rest| rest.find('\n')).map_or(text.len(), |newline| at + newline + 1)
}

/// Applies cuts; `None` if two overlap.
fn join(text: &str, mut cuts: Vec<Cut>) -> Option<String> {
    cuts.sort_by_key(|(range, _)| range.start);
    let mut out = String::with_capacity(text.len() + cuts.iter().map(|(_, new)| new.len()).sum::<usize>());
    let mut done = 0;
    for (range, new) in &cuts {
        out.push_str(text.get(done..range.start)?);
        out.push_str(new);
        done = range.end;
    }
    out.push_str(text.get(done..)?);
    Some(out)
}
