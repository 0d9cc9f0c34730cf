//! Layers -> one tree: JSON Merge Patch (RFC 7396), made strict.
//!
//! Maps merge, scalars and lists replace, `null` removes; a directive map (exactly one of the [`DIRECTIVES`]) covers the
//! rest. What RFC 7396 would do in silence is an error here: a map patched by a scalar or back, a directive with nothing
//! below, a `null` that removes nothing. Every node of the result keeps the place that it was written at. Lists never
//! merge by guess. Nothing is evaluated: an expression is a scalar like any other.

pub mod document;
pub mod keyed;

use std::collections::HashMap;

use crate::diagnostic::{Diagnostic, code, listed, nearest};
use crate::span::Span;
use crate::value::{Entry, Map, Node, Value};

/// The keys that make a map a directive.
pub const DIRECTIVES: &[&str] = &["$append", "$prepend", "$remove", "$replace"];

/// Maps up to this size are walked to find a key.
const SMALL_MAP: usize = 64;

/// What merging has to say.
#[derive(Debug, Default)]
pub struct Notes {
    /// Problems.
    pub diagnostics: Vec<Diagnostic>,
    /// Patches without effect: an error only where that is so in every environment that the layer takes part in.
    pub idle: Vec<Idle>,
}

/// A patch that changed nothing in this stack.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Idle {
    /// Where it stands.
    pub span: Span,
    /// What it is told as, if it is idle everywhere.
    pub code: &'static str,
    /// What it wanted.
    pub what: String,
    /// What to do.
    pub help: String,
}

impl Notes {
    fn error(&mut self, diagnostic: Diagnostic) {
        self.diagnostics.push(diagnostic);
    }

    fn idle(&mut self, span: Span, what: impl Into<String>, help: impl Into<String>) {
        self.idle.push(Idle { span, code: code::REMOVES_NOTHING, what: what.into(), help: help.into() });
    }
}

/// What a map of a patch is.
enum Directive<'a> {
    /// An ordinary map.
    None,
    /// One of [`DIRECTIVES`] and its operand.
    One(&'a Entry),
    /// `$` keys that make no directive; told.
    Broken,
}

fn directive<'a>(map: &'a Map, notes: &mut Notes) -> Directive<'a> {
    // An expression as a key is told where expressions are evaluated.
    let directive = |e: &&Entry| e.key.starts_with('$') && !e.key.starts_with("${{");
    let Some(entry) = map.iter().find(directive) else { return Directive::None };
    let message = if !DIRECTIVES.contains(&&*entry.key) {
        format!("`{}` is no directive", entry.key)
    } else if map.len() > 1 {
        format!("`{}` stands beside other keys", entry.key)
    } else {
        return Directive::One(entry);
    };
    let help = match nearest(&entry.key, DIRECTIVES.iter().copied()) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!(
            "a directive map has exactly one of {}; `$replace: …` carries keys that start with `$`",
            listed(DIRECTIVES.iter().copied(), 4)
        ),
    };
    notes.error(Diagnostic::error(code::INVALID_DIRECTIVE, entry.key_span, message).help(help));
    Directive::Broken
}

/// The value of a lowest layer: there is nothing below that it could patch. `None` for `null`.
pub fn fresh(node: &Node, key: &str, notes: &mut Notes) -> Option<Node> {
    fresh_beside(node, key, None, notes)
}

/// The same beside keys of a lower layer, of which `near` may have been meant.
fn fresh_beside(node: &Node, key: &str, near: Option<&str>, notes: &mut Notes) -> Option<Node> {
    match &node.value {
        // A key without a value is no wish to remove anything: what reads the document tells that it is empty.
        Value::Null if node.span.start == node.span.end => Some(node.clone()),
        Value::Null => {
            let help = match near {
                Some(near) => format!("did you mean `{near}`?"),
                None => "no lower layer has it: write a value, or delete the line".to_owned(),
            };
            notes.idle(node.span, format!("`{key}: null` removes nothing"), help);
            None
        }
        Value::Map(map) => match directive(map, notes) {
            Directive::None => Some(Node::new(node.span, Value::Map(fresh_map(map, notes)))),
            // Its operand is literal: `null` and `$` keys included.
            Directive::One(entry) if &*entry.key == "$replace" => Some(entry.value.clone()),
            Directive::One(entry) => {
                notes.error(
                    Diagnostic::error(
                        code::INVALID_DIRECTIVE,
                        entry.key_span,
                        format!("`{}` has nothing below: no lower layer has `{key}`", entry.key),
                    )
                    .help("write the list itself"),
                );
                None
            }
            Directive::Broken => None,
        },
        _ => Some(node.clone()),
    }
}

/// A map of a lowest layer, without its `null`s.
pub fn fresh_map(map: &Map, notes: &mut Notes) -> Map {
    let entry = |e: &Entry, notes: &mut Notes| {
        fresh(&e.value, &e.key, notes).map(|value| Entry { key: e.key.clone(), key_span: e.key_span, value })
    };
    Map::new(map.iter().filter_map(|e| entry(e, notes)).collect())
}

/// Puts the map `patch` of a higher layer over `base`.
pub fn merge_map(base: &mut Map, patch: &Map, notes: &mut Notes) {
    let mut below: Vec<Option<Entry>> = std::mem::take(base).into_iter().map(Some).collect();
    // Maps of people are small and walked; a large one must not cost its square.
    let keys = |(at, entry): (usize, &Option<Entry>)| Some((entry.as_ref()?.key.clone(), at));
    let index: Option<HashMap<Box<str>, usize>> =
        (below.len() > SMALL_MAP).then(|| below.iter().enumerate().filter_map(keys).collect());
    let mut added = Vec::new();
    for entry in patch.iter() {
        let at = match &index {
            Some(index) => index.get(&entry.key).copied(),
            None => below.iter().position(|e| e.as_ref().is_some_and(|e| e.key == entry.key)),
        };
        let slot = at.and_then(|at| below.get_mut(at));
        match slot {
            Some(slot) if entry.value.value == Value::Null => *slot = None,
            Some(Some(old)) => {
                if merge(&mut old.value, &entry.value, &entry.key, notes) {
                    old.key_span = entry.key_span;
                }
            }
            _ => {
                let removes = entry.value.value == Value::Null && index.is_none();
                let keys = below.iter().flatten().map(|e| &*e.key);
                let near = if removes { nearest(&entry.key, keys) } else { None };
                let value = fresh_beside(&entry.value, &entry.key, near, notes);
                added.extend(value.map(|value| Entry { key: entry.key.clone(), key_span: entry.key_span, value }));
            }
        }
    }
    *base = Map::new(below.into_iter().flatten().chain(added).collect());
}

/// Puts `patch` over the value below; true if it now stands in its place, false if both went into the result.
fn merge(below: &mut Node, patch: &Node, key: &str, notes: &mut Notes) -> bool {
    if let Value::Map(map) = &patch.value {
        match directive(map, notes) {
            Directive::Broken => return false,
            Directive::One(entry) => return direct(below, entry, key, notes),
            Directive::None => {
                if let Value::Map(base) = &mut below.value {
                    merge_map(base, map, notes);
                    return false;
                }
            }
        }
    }
    if matches!(below.value, Value::Map(_)) != matches!(patch.value, Value::Map(_)) {
        let message = format!("`{key}` is {} below and {} here", below.kind(), patch.kind());
        notes.error(
            Diagnostic::error(code::PATCH_TYPE, patch.span, message)
                .label("patches")
                .also(below.span, "this value")
                .help(format!("to put another value in its place: `{key}: {{$replace: …}}`")),
        );
        return false;
    }
    *below = patch.clone();
    true
}

/// Takes out of a list what is the same as one of the operands, and says which of those took nothing.
fn remove(items: &mut Vec<Node>, operands: &[Node], key: &str, notes: &mut Notes) {
    let mut known: HashMap<String, usize> = HashMap::new();
    for (at, identity) in operands.iter().enumerate().filter_map(|(at, node)| Some((at, node.identity()?))) {
        known.entry(identity).or_insert(at);
    }
    let mut took = vec![false; operands.len()];
    items.retain(|item| {
        let at = match item.identity() {
            Some(identity) => known.get(&identity).copied(),
            None => operands.iter().position(|operand| item.same(operand)),
        };
        at.is_none_or(|at| {
            took[at] = true;
            false
        })
    });
    for (operand, _) in operands.iter().zip(&took).filter(|(_, took)| !**took) {
        let help = "no item below is the same: expressions count as they are written, before they are evaluated";
        notes.idle(operand.span, format!("`$remove` removes nothing from `{key}`"), help);
    }
}

/// Applies a directive; true if the value below is gone.
fn direct(below: &mut Node, entry: &Entry, key: &str, notes: &mut Notes) -> bool {
    if &*entry.key == "$replace" {
        *below = entry.value.clone();
        return true;
    }
    let kind = below.kind();
    let (Value::List(items), Value::List(operand)) = (&mut below.value, &entry.value.value) else {
        let (at, message) = if matches!(entry.value.value, Value::List(_)) {
            (entry.key_span, format!("`{}` works on lists, `{key}` is {kind} below", entry.key))
        } else {
            (entry.value.span, format!("`{}` takes a list, this is {}", entry.key, entry.value.kind()))
        };
        let told = Diagnostic::error(code::INVALID_DIRECTIVE, at, message)
            .also(below.span, "the value below")
            .help(format!("`{}: [ … ]` on a list, or `$replace: …` on anything", entry.key));
        notes.error(told);
        return false;
    };
    match &*entry.key {
        "$append" => items.extend(operand.iter().cloned()),
        "$prepend" => {
            items.splice(0..0, operand.iter().cloned());
        }
        _ => remove(items, operand, key, notes),
    }
    false
}
