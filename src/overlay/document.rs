//! The documents of one connection, credential or consumer, layer by layer: the merge rules that know what they are.
//!
//! Another connector, mode or variant asks for `$replace`. In a connection, `credential` and `auth` displace each other,
//! and what ties it together across environments (`key`, `scope`) stands in its lowest layer.

use std::collections::HashSet;

use super::keyed::merged;
use super::{Notes, fresh_map, merge_map};
use crate::diagnostic::{Diagnostic, code};
use crate::span::Span;
use crate::value::{Entry, Map, Node, Value};
use crate::workspace::discover::Family;

/// Keys that only the lowest layer may set.
const LOWEST: &[&str] = &["key", "scope"];
/// Fields that are secret beside those of the schema.
const SEALED: &str = "sealed";

/// The same as [`stack`] for a connection whose connector has lists that merge by a key.
pub fn stack_keyed(below: Option<Map>, document: &Map, keys: &[(String, Box<str>)], notes: &mut Notes) -> Map {
    let patched = below.as_ref().filter(|_| !keys.is_empty()).and_then(|below| merged(below, document, keys, notes));
    stack(Family::Connections, below, patched.as_ref().unwrap_or(document), notes)
}

/// Puts the next document of an item over what lies below (`None` for the lowest).
pub fn stack(family: Family, below: Option<Map>, document: &Map, notes: &mut Notes) -> Map {
    let Some(mut base) = below else { return fresh_map(document, notes) };
    if family == Family::Connections {
        check_lowest(&base, document, notes);
        check_connector(&base, document, notes);
    }
    if family != Family::Consumers {
        check_choices(&base, document, notes);
    }
    if family == Family::Connections {
        displace(&mut base, document);
    }
    let below = base.get(SEALED).filter(|_| family != Family::Consumers).cloned();
    merge_map(&mut base, document, notes);
    if let (Some(below), Some(entry)) = (below, document.entry(SEALED)) {
        keep_sealed(below, entry, &mut base, notes);
    }
    base
}

/// Keeps what a lower layer seals: reports the fields that an overlay leaves out, and puts them back.
fn keep_sealed(below: Node, written: &Entry, merged: &mut Map, notes: &mut Notes) {
    let now = merged.get(SEALED).and_then(Node::as_list).unwrap_or_default();
    let kept: HashSet<&str> = now.iter().filter_map(Node::as_str).collect();
    let items = below.as_list().unwrap_or_default().iter();
    let lost: Vec<Node> =
        items.filter(|item| item.as_str().is_some_and(|field| !kept.contains(field))).cloned().collect();
    let Some(first) = lost.first() else { return };
    let field = first.as_str().unwrap_or_default();
    let message = format!("`{field}` is sealed in a lower layer, and an overlay can only add to `sealed`");
    let help = "add with `sealed: {$append: [PATH]}`; to unseal a field, remove it from the lowest layer";
    notes
        .error(Diagnostic::error(code::SEALED, written.value.span, message).also(first.span, "sealed here").help(help));
    let all = lost.into_iter().chain(now.iter().cloned()).collect();
    merged.remove(SEALED);
    merged.push(Entry { value: Node::new(written.value.span, Value::List(all)), ..written.clone() });
}

fn check_lowest(base: &Map, document: &Map, notes: &mut Notes) {
    for key in LOWEST {
        if let Some(entry) = document.entry(key) {
            let message = format!("`{key}` stands only in a connection's lowest layer");
            let mut told = Diagnostic::error(code::INVALID_VALUE, entry.key_span, message)
                .help("it is the same in every environment: move it down");
            if let Some(below) = base.entry(key) {
                told = told.also(below.key_span, "set here");
            }
            notes.error(told);
        }
    }
}

/// The higher layer's choice of `credential` or `auth` displaces the lower one's.
fn displace(base: &mut Map, document: &Map) {
    for (chosen, other) in [("credential", "auth"), ("auth", "credential")] {
        let sets = document.get(chosen).is_some_and(|n| n.value != Value::Null);
        if sets && document.get(other).is_none() {
            base.remove(other);
        }
    }
}

/// Another connector makes the lower settings meaningless: they must be replaced, not merged.
fn check_connector(base: &Map, document: &Map, notes: &mut Notes) {
    let text = |map: &Map, key: &str| map.get(key).and_then(Node::as_str).map(str::to_owned);
    if let (Some(old), Some(new)) = (text(base, "connector"), text(document, "connector"))
        && old != new
    {
        for key in ["config", "auth"] {
            let kept = base.get(key).is_some() && !replaces(document.get(key));
            let displaced = key == "auth" && document.get("credential").is_some();
            if kept && !displaced {
                let span = document.get("connector").map_or(base_span(base), |n| n.span);
                notes.error(needs_replace("connector", &old, &new, key, span, base.get("connector")));
            }
        }
    }
}

/// So does another mode or variant, for its own block.
fn check_choices(base: &Map, document: &Map, notes: &mut Notes) {
    for (block, switch) in [("auth", "mode"), ("config", "variant")] {
        let below = base.get(block).and_then(|n| n.get(switch));
        let above = document.get(block).and_then(|n| n.get(switch));
        if let (Some(below), Some(above)) = (below, above)
            && let (Some(old), Some(new)) = (below.as_str(), above.as_str())
            && old != new
        {
            notes.error(needs_replace(switch, old, new, block, above.span, Some(below)));
        }
    }
}

fn needs_replace(switch: &str, old: &str, new: &str, block: &str, span: Span, below: Option<&Node>) -> Diagnostic {
    let message = format!("another `{switch}` (`{old}` below, `{new}` here) needs `$replace` on `{block}`");
    let lines = if switch == "connector" {
        format!("{block}:\n  $replace:\n    …")
    } else {
        format!("{block}:\n  $replace:\n    {switch}: {new}\n    …")
    };
    let told = Diagnostic::error(code::NEEDS_REPLACE, span, message)
        .help(format!("the settings below belong to `{old}`; write the whole block anew:\n{lines}"));
    match below {
        Some(node) => told.also(node.span, "the lower layer's choice"),
        None => told,
    }
}

fn replaces(node: Option<&Node>) -> bool {
    node.and_then(|n| n.get("$replace")).is_some()
}

fn base_span(base: &Map) -> Span {
    base.iter().next().map_or(Span::file(crate::span::FileId(0)), |e| e.key_span)
}
