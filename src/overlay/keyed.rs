//! Lists of maps that merge by a key, where a connector's schema says so (`x-merge-key`). Elsewhere lists never merge.

use std::collections::HashMap;

use super::{Notes, fresh, merge_map};
use crate::diagnostic::{Diagnostic, code};
use crate::span::{FileId, Span};
use crate::value::{Map, Node, Value, segments};

/// A document in which every list that merges by a key is what comes of it: its items put over those of `below` that have the
/// same key, the others at the end. `keys` are JSON Pointers of lists, each with its key. `None` where nothing merges so.
pub fn merged(below: &Map, document: &Map, keys: &[(String, Box<str>)], notes: &mut Notes) -> Option<Map> {
    let mut patched: Option<Node> = None;
    let place = |map: &Map| map.iter().next().map_or(Span::file(FileId(0)), |entry| entry.key_span);
    let root = |map: &Map| Node::new(place(map), Value::Map(map.clone()));
    let base = root(below);
    for (pointer, key) in keys {
        let current = patched.take().unwrap_or_else(|| root(document));
        let lists = base.pointer(pointer).and_then(Node::as_list).zip(current.pointer(pointer).and_then(Node::as_list));
        let list = lists.map(|(old, new)| list(old, new, key, notes));
        let mut current = current;
        if let (Some(list), Some(place)) = (list, pointer_mut(&mut current, pointer)) {
            place.value = Value::List(list);
        }
        patched = Some(current);
    }
    match patched?.value {
        Value::Map(map) => Some(map),
        _ => None,
    }
}

fn list(old: &[Node], new: &[Node], key: &str, notes: &mut Notes) -> Vec<Node> {
    let mut items = old.to_vec();
    let mut below = Known::default();
    items
        .iter()
        .enumerate()
        .filter_map(|(at, item)| Some((at, item.get(key)?)))
        .for_each(|(at, own)| below.add(own, at));
    let mut seen = Known::default();
    for item in new {
        let Some(own) = item.get(key) else {
            let told = Diagnostic::error(code::MISSING_KEY, item.span, format!("an item of this list needs `{key}`"));
            notes.error(told.help("the list merges by it with that of the lower layer"));
            continue;
        };
        if let Some((first, ())) = seen.get(own) {
            let told = Diagnostic::error(code::DUPLICATE_KEY, own.span, format!("two items have the same `{key}`"));
            notes.error(told.also(first, "first here").help("an item is known by it: keep one of them"));
            continue;
        }
        seen.add(own, ());
        let slot = below.get(own).and_then(|(_, at)| items.get_mut(at));
        match (slot.map(|below| &mut below.value), &item.value) {
            (Some(Value::Map(below)), Value::Map(patch)) => merge_map(below, patch, notes),
            _ => items.extend(fresh(item, key, notes)),
        }
    }
    items
}

/// Values that were seen, the first of each with where it stands.
struct Known<T> {
    /// Most are texts or numbers, found at once.
    plain: HashMap<String, (Span, T)>,
    /// Others are compared with each other.
    others: Vec<(Node, T)>,
}

impl<T> Default for Known<T> {
    fn default() -> Self {
        Self { plain: HashMap::new(), others: Vec::new() }
    }
}

impl<T: Copy> Known<T> {
    fn add(&mut self, node: &Node, what: T) {
        match node.identity() {
            Some(identity) => _ = self.plain.entry(identity).or_insert((node.span, what)),
            None => self.others.push((node.clone(), what)),
        }
    }

    fn get(&self, node: &Node) -> Option<(Span, T)> {
        match node.identity() {
            Some(identity) => self.plain.get(&identity).copied(),
            None => self.others.iter().find(|(other, _)| other.same(node)).map(|(other, what)| (other.span, *what)),
        }
    }
}

fn pointer_mut<'n>(node: &'n mut Node, pointer: &str) -> Option<&'n mut Node> {
    segments(pointer).try_fold(node, |node, segment| match &mut node.value {
        Value::Map(map) => map.entry_mut(&segment).map(|entry| &mut entry.value),
        _ => None,
    })
}
