//! Which parts of a text may hold a secret, so that no snippet shows them and no message quotes them.
//!
//! A login that is typed in clear is an error; the report of it, or of anything else in its file, goes into logs that
//! others read. So everything below `auth` and everything behind a key that sounds secret is concealed, until a check
//! knows a value to be clear ([`crate::source::Sources::clear`]). Where the text is not YAML nothing is known of it: then
//! lines, indentation and names decide, and what could be part of a value is concealed.

mod lines;
mod words;

use std::ops::Range;
use std::sync::OnceLock;

use regex::Regex;

use super::parse;
pub use crate::diagnostic::MASK;
use crate::diagnostic::{logins, nearest, sounds_secret};
use crate::source::{Source, Sources};
use crate::span::{FileId, Span};
use crate::value::{Entry, Map, Node, Value};
use words::literals;

/// The keys at the top of our files below which only names tell what is secret. Everything else there is concealed, for it
/// may be a part of a login that lost its indentation.
const CLEAR: &[&str] = &[
    "abstract",
    "config",
    "connections",
    "connector",
    "connectors",
    "credential",
    "customers",
    "description",
    "enabled",
    "env",
    "environments",
    "expose",
    "extends",
    "guards",
    "handles",
    "id",
    "inherit_secrets",
    "key",
    "keys",
    "kind",
    "labels",
    "name",
    "outputs",
    "owner",
    "packs",
    "policy",
    "prefix",
    "protect",
    "protected",
    "publish",
    "recipients",
    "rotate_every",
    "rotated",
    "rules",
    "runbook",
    "scope",
    "sealed",
    "secrets",
    "settings",
    "supplied_by",
    "target",
    "tieline",
    "title",
    "usages",
    "uses",
    "vars",
];

/// Whether what stands below this key at the top of a file is clear, as far as names tell: one of ours, or a slip of one.
fn is_clear(key: &str) -> bool {
    let known = || CLEAR.iter().copied().chain(["auth"]);
    let meant = if CLEAR.contains(&key) { Some(key) } else { nearest(key, known()) };
    meant.is_some_and(|meant| meant != "auth") && !sounds_secret(key)
}

/// The ranges of a source that may not be shown, sorted, without overlaps.
pub fn of(source: &Source) -> Vec<Range<usize>> {
    let masked = source.masked().into_iter().map(|range| range.start as usize..range.end as usize);
    let mut ranges = without(by_names(source).to_vec(), &merged(source.cleared()));
    ranges.extend(masked);
    // Clear as a value may be, the login in it is not.
    hide_logins(source.text(), &mut ranges);
    merged(ranges)
}

/// Whether a part of what stands at `span` may be a secret, for all that names say: no message quotes it.
pub fn conceals(sources: &Sources, span: Span) -> bool {
    overlaps(by_names(sources.get(span.file)), &span.range())
}

fn hide_logins(text: &str, found: &mut Vec<Range<usize>>) {
    // `user:password@host`, of an address without its scheme. What stands before a digest is an image's name.
    static USER: OnceLock<Option<Regex>> = OnceLock::new();
    let user =
        r#"(?:^|[\s"'=,(\[{])([^\s"'/:@$(\[{]+:[^\s"'/@]+)@(?:[a-z0-9.-]*[^a-z0-9.:-]|[a-z0-9.-]*:[0-9]|[a-z0-9.-]+$)"#;
    let user = USER.get_or_init(|| Regex::new(&format!("(?im){user}")).ok());
    for hit in user.iter().flat_map(|user| user.captures_iter(text)).filter_map(|hit| hit.get(1)) {
        literals(text, hit.range(), found);
    }
    logins(text).into_iter().for_each(|range| literals(text, range, found));
}

fn overlaps(ranges: &[Range<usize>], range: &Range<usize>) -> bool {
    let first = ranges.partition_point(|other| other.end <= range.start);
    ranges.get(first).is_some_and(|other| other.start < range.end)
}

fn by_names(source: &Source) -> &[Range<usize>] {
    source.concealed(|source| {
        let text = source.text();
        merged(if source.hidden() {
            words::all_but_names(text)
        } else if source.path().ends_with(".json") {
            words::behind_secret_names(text)
        } else {
            of_yaml(text)
        })
    })
}

/// The ranges of a YAML text of which no check knows anything yet.
fn of_yaml(text: &str) -> Vec<Range<usize>> {
    let mut found = words::behind_secret_names(text);
    match parse(FileId(0), text).0 {
        Some(root) if root.value == Value::Null => {}
        Some(root) => Tree { text, found: &mut found }.document(&root),
        None => found.extend(lines::of(text)),
    }
    found
}

/// Whether a message about a text that is still being read must not quote `range`: `found` is [`unread`] of the text.
pub(super) fn conceals_unread(found: &[Range<usize>], range: &Range<usize>) -> bool {
    overlaps(found, range)
}

/// What could be part of a secret in a text of which it is not known yet whether it is YAML.
pub(super) fn unread(text: &str) -> Vec<Range<usize>> {
    let mut found = words::behind_secret_names(text);
    found.extend(lines::of(text));
    hide_logins(text, &mut found);
    merged(found)
}

/// A text as it may be shown: with a mask on each line of each range that may not.
pub fn shown(source: &Source) -> String {
    let (text, mut shown, mut at) = (source.text(), String::new(), 0);
    for range in of(source) {
        shown.push_str(&text[at..range.start]);
        shown.push_str(MASK);
        text[range.clone()].matches('\n').for_each(|_| shown.extend(["\n", MASK]));
        at = range.end;
    }
    shown + &text[at..]
}

fn merged(mut ranges: Vec<Range<usize>>) -> Vec<Range<usize>> {
    ranges.retain(|range| !range.is_empty());
    ranges.sort_by_key(|range| (range.start, range.end));
    let mut merged: Vec<Range<usize>> = Vec::with_capacity(ranges.len());
    for range in ranges {
        match merged.last_mut() {
            Some(last) if range.start <= last.end => last.end = last.end.max(range.end),
            _ => merged.push(range),
        }
    }
    merged
}

/// What is left of sorted ranges without others.
fn without(ranges: Vec<Range<usize>>, others: &[Range<usize>]) -> Vec<Range<usize>> {
    let mut left = Vec::with_capacity(ranges.len());
    for mut range in ranges {
        let first = others.partition_point(|other| other.end <= range.start);
        for other in others[first..].iter().take_while(|other| other.start < range.end) {
            left.push(range.start..other.start.max(range.start));
            range.start = other.end.min(range.end);
        }
        left.push(range);
    }
    left
}

/// The concealed parts of a text that has a tree.
struct Tree<'a> {
    text: &'a str,
    found: &'a mut Vec<Range<usize>>,
}

impl Tree<'_> {
    fn document(&mut self, root: &Node) {
        let Some(map) = root.as_map() else { return self.hide(root.span.range()) };
        self.entries(map, self.text.len(), &|entry| {
            // Below `secrets` stand addresses by name; anything else may be a value.
            let misplaced = &*entry.key == "secrets" && !matches!(entry.value.value, Value::Map(_) | Value::Null);
            &*entry.key == "auth" || misplaced || !is_clear(&entry.key)
        });
    }

    fn below(&mut self, node: &Node, limit: usize) {
        match &node.value {
            Value::Map(map) => self.entries(map, limit, &|entry| {
                // A name that is bound to a store says so.
                let bound = entry.value.get("from").is_some();
                &*entry.key == "auth" || (sounds_secret(&entry.key) && !bound)
            }),
            Value::List(items) => {
                for (at, item) in items.iter().enumerate() {
                    self.below(item, items.get(at + 1).map_or(limit, |next| next.span.range().start));
                }
            }
            // `password hunter2`, of which the `:` is missing.
            Value::String(_) => {
                let range = node.span.range();
                let written = self.text.get(range.clone()).unwrap_or("");
                if lines::begins_secret(written).is_some_and(|end| written[end..].starts_with(char::is_whitespace)) {
                    self.hide(range);
                }
            }
            _ => {}
        }
    }

    /// `limit` is where what follows the map begins.
    fn entries(&mut self, map: &Map, limit: usize, secret: &dyn Fn(&Entry) -> bool) {
        let entries: Vec<&Entry> = map.iter().collect();
        for (at, entry) in entries.iter().enumerate() {
            let start = entry.key_span.range().end;
            let next = entries.get(at + 1).map(|next| next.key_span.range().start);
            let limit = next.filter(|next| *next >= start).unwrap_or(limit).max(start);
            if secret(entry) {
                self.login(entry, start..limit);
            } else {
                self.below(&entry.value, limit);
            }
        }
    }

    /// Conceals all that stands behind a key, but the names right below `auth`.
    fn login(&mut self, entry: &Entry, behind: Range<usize>) {
        let value = &entry.value;
        if !behind.contains(&value.span.range().start) && value.span.range() != (behind.end..behind.end) {
            // An alias: what it stands for was written elsewhere.
            self.hide(value.span.range());
            return self.hide(behind);
        }
        let mut at = behind.start;
        for named in names(entry) {
            let key = named.key_span.range();
            if key.start < at || key.end > behind.end {
                // Within an alias.
                self.hide(named.value.span.range());
                continue;
            }
            self.hide(at..key.start);
            at = key.end;
            let mode = named.value.as_str().filter(|_| &*named.key == "mode" && &*entry.key == "auth");
            let word = |mode: &str| mode.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_');
            if mode.is_some_and(|mode| mode.len() < 24 && word(mode)) && named.value.span.range().start >= at {
                at = named.value.span.range().end;
            }
        }
        self.hide(at..behind.end);
    }

    fn hide(&mut self, range: Range<usize>) {
        literals(self.text, range, self.found);
    }
}

/// The entries of `auth` whose keys are names: those with a value, through `$replace` too.
fn names(entry: &Entry) -> Vec<&Entry> {
    let map = entry.value.as_map().filter(|_| &*entry.key == "auth");
    let entries = map.into_iter().flat_map(Map::iter);
    let named = |entry: &&Entry| entry.value.span.start < entry.value.span.end;
    let mut names = Vec::new();
    for entry in entries.filter(named) {
        names.push(entry);
        if entry.key.starts_with('$') {
            names.extend(entry.value.as_map().into_iter().flat_map(Map::iter).filter(named));
        }
    }
    names
}
