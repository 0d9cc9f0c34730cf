//! The keys of maps: what one may be, and that it stands once.

use std::collections::HashMap;

use unicode_normalization::UnicodeNormalization;

use super::scalar;
use super::tree::{Builder, Open, OpenKind};
use crate::diagnostic::{Diagnostic, code};
use crate::span::Span;
use crate::value::Entry;

/// A key that waits for its value.
pub(super) struct Key {
    pub(super) text: Box<str>,
    pub(super) span: Span,
    /// Another key of the map has the same text: reported. The tree keeps the first, so that lookups stay meaningful.
    pub(super) repeated: bool,
}

/// A key may have this many characters.
const MAX_KEY: usize = 1000;
/// The keys on the way to a value may have this many bytes together, half of what sops allows: an expression may put a value
/// with a way of its own below it.
const MAX_PATH: usize = 8 << 10;
/// Maps up to this size are searched for a duplicate key by walking them.
const SMALL_MAP: usize = 16;

impl Builder<'_> {
    /// What is sealed has a key and a path of bounded length: told now, not when it is applied.
    fn long_key(&mut self, text: &str, span: Span) {
        let above = self.stack.iter().filter_map(|open| match &open.kind {
            OpenKind::Map { key: Some(key), .. } => Some(key.text.len() + 1),
            _ => None,
        });
        let path = above.sum::<usize>() + text.len();
        let what = match (text.chars().count() > MAX_KEY, path > MAX_PATH) {
            (true, _) => format!("the key has more than {MAX_KEY} characters"),
            (_, true) => format!("the keys on the way to this value have more than {} KiB", MAX_PATH >> 10),
            _ => return,
        };
        self.report(Diagnostic::error(code::YAML_KEY, span, what).help("shorten the key"));
    }

    /// Takes a key, which waits for its value from here on.
    pub(super) fn key(&mut self, text: &str, read: &scalar::Plain, span: Span) {
        match read {
            scalar::Plain::Str => self.long_key(text, span),
            scalar::Plain::MergeKey => {
                self.lost = true;
                self.report(
                    Diagnostic::error(code::YAML_MERGE_KEY, span, "merge keys are not part of YAML 1.2")
                        .help("use a layer: what an environment inherits needs no `<<`"),
                );
            }
            scalar::Plain::Null if text.is_empty() => {
                self.report(
                    Diagnostic::error(code::YAML_KEY, span, "a key is missing before the `:`")
                        .help("write the key, or quote the text if the `:` belongs to it"),
                );
            }
            other => {
                let (name, help) = match self.conceals_at(span) {
                    true => (String::new(), "quote it".to_owned()),
                    false => (format!(" `{text}`"), format!("quote it: '{text}'")),
                };
                let message = format!("the key{name} is {}, not a string", other.describe());
                self.report(Diagnostic::error(code::YAML_KEY, span, message).help(help));
            }
        }
        let Some(Open { kind: OpenKind::Map { entries, key, seen }, .. }) = self.stack.last_mut() else { return };
        let first = duplicate(entries, seen, text);
        let repeated = first.is_some_and(|(first, _)| *first == *text);
        *key = Some(Key { text: text.into(), span, repeated });
        if let Some(first) = first {
            let what = match *first.0 == *text {
                true => "stands twice in this map",
                false => "is the same text as another key, in another Unicode form",
            };
            let diagnostic = Diagnostic::error(code::DUPLICATE_KEY, span, what)
                .label("again here")
                .also(first.1, "first here")
                .help("keep one of them");
            let name = if self.conceals_at(span) { String::new() } else { format!(" `{text}`") };
            self.report(Diagnostic { message: format!("the key{name} {what}"), ..diagnostic });
        }
    }
}

/// Puts the last of the entries of a map into what is known of its keys; few keys are walked instead.
pub(super) fn know(entries: &[Entry], seen: &mut HashMap<Box<str>, usize>) {
    let new = if entries.len() == SMALL_MAP { 0 } else { entries.len().saturating_sub(1) };
    if entries.len() >= SMALL_MAP {
        for (at, entry) in entries.iter().enumerate().skip(new) {
            seen.entry(normal(&entry.key)).or_insert(at);
        }
    }
}

/// The entry that already has this key: the same text, or the same after Unicode normalization (NFC), which some
/// editors and file systems apply on their own.
fn duplicate<'e>(entries: &'e [Entry], seen: &HashMap<Box<str>, usize>, key: &str) -> Option<(&'e str, Span)> {
    if seen.is_empty() {
        let key = normal(key);
        return entries.iter().find(|e| normal(&e.key) == key).map(|e| (&*e.key, e.key_span));
    }
    entries.get(*seen.get(&normal(key))?).map(|e| (&*e.key, e.key_span))
}

fn normal(key: &str) -> Box<str> {
    if key.is_ascii() { key.into() } else { key.nfc().collect::<String>().into() }
}
