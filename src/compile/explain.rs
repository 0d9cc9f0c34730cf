//! The history of a value: which layer set it, what it overrode. The layers are merged once more, one at a time, and
//! watched.

use super::connection::merge_keys;
use crate::connectors::Catalogue;
use crate::overlay::Notes;
use crate::overlay::document::{stack, stack_keyed};
use crate::span::Span;
use crate::value::{Map, Node, Value};
use crate::workspace::Layer;
use crate::workspace::discover::Family;

/// One layer that touched a value.
#[derive(Clone, Debug)]
pub struct Step<'w> {
    /// The layer: `""` for the root.
    pub layer: &'w str,
    /// Where it was written.
    pub span: Span,
    /// The unevaluated value from here on; `None` where the layer took it away.
    pub value: Option<Node>,
}

/// The steps of the value at `pointer` in a connection, lowest layer first. Empty where no layer ever had it.
pub fn history<'w>(stack: &[&'w Layer], catalogue: &Catalogue, id: &str, pointer: &str) -> Vec<Step<'w>> {
    let lowest = stack.iter().find_map(|layer| layer.connections.get(id)).and_then(|document| document.root.as_ref());
    watch(stack, Family::Connections, id, pointer, merge_keys(catalogue, lowest))
}

/// The same for the login of a linked credential: `pointer` starts with `/auth`.
pub fn credential_history<'w>(stack: &[&'w Layer], id: &str, pointer: &str) -> Vec<Step<'w>> {
    watch(stack, Family::Credentials, id, pointer, &[])
}

fn watch<'w>(
    layers: &[&'w Layer],
    family: Family,
    id: &str,
    pointer: &str,
    keys: &[(String, Box<str>)],
) -> Vec<Step<'w>> {
    let mut steps = Vec::new();
    let mut below: Option<Map> = None;
    let mut last: Option<Node> = None;
    for layer in layers {
        let Some(document) = layer.family(family).get(id).and_then(|d| d.root.as_ref()) else { continue };
        let Value::Map(map) = &document.value else { continue };
        let notes = &mut Notes::default();
        let merged = match family {
            Family::Connections => stack_keyed(below.take(), map, keys, notes),
            _ => stack(family, below.take(), map, notes),
        };
        let whole = Node::new(document.span, Value::Map(merged));
        let now = whole.pointer(pointer).cloned();
        let same = match (&last, &now) {
            (Some(before), Some(now)) => before.span == now.span && before == now,
            (before, now) => before.is_none() && now.is_none(),
        };
        if !same {
            let span = now.as_ref().map_or_else(|| removal(document, pointer), |n| n.span);
            steps.push(Step { layer: &layer.path, span, value: now.clone() });
        }
        last = now;
        below = match whole.value {
            Value::Map(map) => Some(map),
            _ => None,
        };
    }
    steps
}

/// What in a document took a value away: the `null`, `$replace` or switch of login nearest above it.
fn removal(document: &Node, pointer: &str) -> Span {
    let mut pointer = pointer;
    loop {
        if let Some(node) = document.pointer(pointer).filter(|_| !pointer.is_empty()) {
            return node.span;
        }
        match pointer.rsplit_once('/') {
            Some((above, _)) => pointer = above,
            None => {
                return document.get("credential").or_else(|| document.get("auth")).map_or(document.span, |n| n.span);
            }
        }
    }
}

/// The JSON Pointers of all leaves below a node, in order.
pub fn leaves(node: &Node, pointer: &str) -> Vec<String> {
    let mut found = Vec::new();
    collect(node, &mut pointer.to_owned(), &mut found);
    found
}

fn collect(node: &Node, pointer: &mut String, found: &mut Vec<String>) {
    let mut below = |key: &str, node: &Node| {
        let length = pointer.len();
        crate::value::push_segment(pointer, key);
        collect(node, pointer, found);
        pointer.truncate(length);
    };
    match &node.value {
        Value::Map(map) if !map.is_empty() => map.iter().for_each(|e| below(&e.key, &e.value)),
        Value::List(items) if !items.is_empty() => {
            items.iter().enumerate().for_each(|(i, item)| below(&i.to_string(), item));
        }
        _ => found.push(pointer.clone()),
    }
}
