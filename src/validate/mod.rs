//! An instance against its connector: schema errors become diagnostics at the nodes that brought them in, and secrets
//! are checked to stand where they belong, both ways.
//!
//! Takes a connection with its login put in and its expressions evaluated, gives the problems. No secret is open here:
//! schemas are used in a form that accepts anything in secret places.

pub mod document;
mod lookup;
mod placement;
mod schema;
mod sealed;
mod unknown;
mod words;

use crate::connectors::Connector;
use crate::diagnostic::{Diagnostic, code};
use crate::model::connection::Connection;
use crate::source::Sources;
use crate::span::Span;
use crate::template::OPEN;
use crate::value::{Map, Node, Value, push_segment};
use crate::yaml::conceal;
use placement::Placement;

/// What checking needs to know besides the connection.
pub struct Against<'a> {
    /// The connector's schema.
    pub connector: &'a Connector,
    /// For masking, and for quoting what was written.
    pub sources: &'a Sources,
    /// An expression of this connection failed, which was told: a null where it stands is not to blame.
    pub incomplete: bool,
    /// The documents that it is made of, lowest first, those of its login last: what a value overrode stands in them.
    pub layers: Vec<&'a Node>,
    /// Secrets that are missing are slots for the customer to fill.
    pub slots: bool,
}

/// Checks the instance of `connection`. A string that spells the integer its field wants becomes that integer, with a
/// warning.
pub fn check(connection: &mut Connection, against: &Against<'_>, told: &mut Vec<Diagnostic>) {
    let variant = connection.choice("config", "variant").to_owned();
    let mode = connection.choice("auth", "mode").to_owned();
    let places = against.connector.places_of(connection);
    let before = told.len();
    sealed::check(connection, against, told);
    let mut unknown = Vec::new();
    let mistyped = schema::check(connection, against, &mut unknown, told);
    // An unknown mode or variant was told; any of them may have been meant.
    let known = |block: &str, switch: &str, choice: &str| {
        let at = connection.instance.get(block).and_then(|b| b.get(switch)).map(|n| n.span);
        !told[before..].iter().any(|d| d.code == code::SCHEMA && d.span() == at) || choice.is_empty()
    };
    let places = match (known("config", "variant", &variant), known("auth", "mode", &mode)) {
        (true, true) => places,
        (variant_known, mode_known) => {
            let variant = if variant_known { &*variant } else { "" };
            against.connector.places_sealing(connection, variant, if mode_known { &mode } else { "" })
        }
    };
    if mode.is_empty() || !known("auth", "mode", &mode) {
        // Nobody knows what is secret in this login.
        let auth = connection.instance.get("auth").and_then(Node::as_map);
        let fields = auth.into_iter().flat_map(Map::iter).filter(|e| &*e.key != "mode");
        fields.for_each(|e| mask_all(&e.value, against.sources));
    }
    let mut placement = Placement { against, told, unknown: &unknown };
    placement.visit(&connection.instance, &places, &mut String::new(), connection.instance.span);
    // Schema errors and placement of one connection in the order of the text.
    if !told.is_empty() {
        clear(&connection.instance, connection, against, &mistyped, &mut String::new());
    }
    told[before..].sort_by_key(|d| d.span().map(|s| (s.file, s.start)));
}

/// Lets snippets show what the schema knows to be clear and has its type, whatever its name sounds like.
fn clear(node: &Node, connection: &Connection, against: &Against<'_>, mistyped: &[String], pointer: &mut String) {
    match &node.value {
        Value::Map(map) => {
            for entry in map.iter() {
                let length = pointer.len();
                push_segment(pointer, &entry.key);
                clear(&entry.value, connection, against, mistyped, pointer);
                pointer.truncate(length);
            }
        }
        Value::String(_) | Value::Int(_) | Value::Float(_) | Value::Bool(_) => {
            let concealed = || conceal::conceals(against.sources, node.span);
            if !mistyped.contains(pointer) && concealed() && schema::is_known(connection, against, pointer) {
                against.sources.clear(node.span);
            }
        }
        _ => {}
    }
}

/// Forbids showing what stands beside the expressions of a scalar. Its quotes stay: a mask instead of them would look like
/// a value.
fn mask_literals(span: Span, sources: &Sources) {
    let text = sources.slice(span);
    let quoted = ['"', '\''].iter().any(|quote| text.len() > 1 && text.starts_with(*quote) && text.ends_with(*quote));
    let (first, end) = if quoted { (1, text.len() - 1) } else { (0, text.len()) };
    let mask = |from: usize, to: usize| {
        if from < to {
            sources.mask(Span::new(span.file, span.start as usize + from..span.start as usize + to));
        }
    };
    let mut at = first;
    while let Some(open) = text[at..end].find(OPEN).map(|i| at + i) {
        mask(at, open);
        let Some(close) = text[open..].find("}}").map(|i| open + i + 2) else { return };
        at = close;
    }
    mask(at, end);
}

/// Forbids showing a value that may be a secret, whole.
fn mask_all(node: &Node, sources: &Sources) {
    match &node.value {
        Value::Map(map) => map.iter().for_each(|e| mask_all(&e.value, sources)),
        Value::List(items) => items.iter().for_each(|item| mask_all(item, sources)),
        Value::Secret(_) => mask_literals(node.span, sources),
        Value::Null => {}
        _ => sources.mask(node.span),
    }
}

/// A name for the secret of a field.
fn suggested(pointer: &str) -> String {
    let last = crate::value::segments(pointer).last().unwrap_or_default();
    let name: String =
        last.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' }).collect();
    if name.starts_with(|c: char| c.is_ascii_digit()) || name.is_empty() { format!("SECRET_{name}") } else { name }
}

#[cfg(test)]
mod tests;
