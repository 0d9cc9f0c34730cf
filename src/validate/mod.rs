//! An instance against its connector: schema errors become diagnostics at the nodes that brought them in, and secrets
//! are checked to stand where they belong, both ways.
//!
//! Takes a connection with its login put in and its expressions evaluated, gives the problems. No secret is open here:
//! schemas are used in a form that accepts anything in secret places.

mod lookup;
mod schema;
mod words;

use crate::connectors::Connector;
use crate::connectors::sensitive::Places;
use crate::diagnostic::{Diagnostic, code};
use crate::model::connection::Connection;
use crate::model::record::SECRET;
use crate::source::Sources;
use crate::span::Span;
use crate::template::OPEN;
use crate::value::{Map, Node, Value, push_segment};

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
    let places = against.connector.places(&variant, &mode);
    let before = told.len();
    let mut unknown = Vec::new();
    schema::check(connection, against, &mut unknown, told);
    // An unknown mode or variant was told; any of them may have been meant.
    let known = |block: &str, switch: &str, choice: &str| {
        let at = connection.instance.get(block).and_then(|b| b.get(switch)).map(|n| n.span);
        !told[before..].iter().any(|d| d.code == code::SCHEMA && d.span() == at) || choice.is_empty()
    };
    let places = match (known("config", "variant", &variant), known("auth", "mode", &mode)) {
        (true, true) => places,
        (variant_known, mode_known) => {
            against.connector.places(if variant_known { &variant } else { "" }, if mode_known { &mode } else { "" })
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
    told[before..].sort_by_key(|d| d.span().map(|s| (s.file, s.start)));
}

struct Placement<'a, 'b> {
    against: &'a Against<'b>,
    told: &'a mut Vec<Diagnostic>,
    /// Pointers of fields that the schema doesn't know: told already.
    unknown: &'a [String],
}

impl Placement<'_, '_> {
    fn visit(&mut self, node: &Node, places: &Places, pointer: &mut String, key: Span) {
        if places.secret {
            self.secret_place(node, pointer, key);
            return;
        }
        match &node.value {
            Value::Secret(reference) if !self.unknown.iter().any(|u| pointer.starts_with(u.as_str())) => {
                self.told.push(secret_in_clear(node, pointer, &reference.names));
            }
            Value::Map(map) => {
                for entry in map.iter() {
                    if &*entry.key == SECRET {
                        let message = format!("`{SECRET}` can't be a key: records mark their secrets with it");
                        self.told.push(
                            Diagnostic::error(code::INVALID_VALUE, entry.key_span, message)
                                .help("secrets are written as ${{ secrets.NAME }}"),
                        );
                    }
                    self.child(&entry.value, &entry.key, places, pointer, entry.key_span);
                }
            }
            Value::List(items) => {
                for (index, item) in items.iter().enumerate() {
                    self.child(item, &index.to_string(), places, pointer, item.span);
                }
            }
            _ => {}
        }
    }

    fn child(&mut self, node: &Node, key: &str, places: &Places, pointer: &mut String, at: Span) {
        let nowhere = Places::default();
        let length = pointer.len();
        push_segment(pointer, key);
        self.visit(node, places.below(key).unwrap_or(&nowhere), pointer, at);
        pointer.truncate(length);
    }

    /// Everything in a secret place must be a secret; what isn't may never be shown.
    fn secret_place(&mut self, node: &Node, pointer: &str, key: Span) {
        match &node.value {
            Value::Secret(_) => {}
            Value::Null if self.against.incomplete => mask_literals(node.span, self.against.sources),
            Value::Map(map) => map.iter().for_each(|e| self.secret_place(&e.value, pointer, e.key_span)),
            Value::List(items) => items.iter().for_each(|item| self.secret_place(item, pointer, item.span)),
            _ => {
                self.against.sources.mask(node.span);
                let field = dotted(pointer);
                let name = suggested(pointer);
                // A variable's value is written elsewhere, and no variable can hold a secret.
                let elsewhere = key.file != node.span.file;
                let place = if elsewhere { "in that field, in the variable's place" } else { "here" };
                let mut told = Diagnostic::error(
                    code::PLAINTEXT_SECRET,
                    node.span,
                    format!("`{field}` is a secret, and its value stands here in clear"),
                )
                .help(format!(
                    "if it was ever committed, rotate it. Then `tieline secret set {name} -e ENV` and write \
                     ${{{{ secrets.{name} }}}} {place}"
                ));
                if elsewhere {
                    told = told.also(key, "used for this field");
                }
                self.told.push(told);
            }
        }
    }
}

/// Forbids showing what stands beside the expressions of a scalar.
fn mask_literals(span: Span, sources: &Sources) {
    let text = sources.slice(span);
    let start = span.start as usize;
    let mut at = 0;
    while let Some(open) = text[at..].find(OPEN).map(|i| at + i) {
        sources.mask(Span::new(span.file, start + at..start + open));
        let Some(close) = text[open..].find("}}").map(|i| open + i + 2) else { return };
        at = close;
    }
    sources.mask(Span::new(span.file, start + at..start + text.len()));
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

fn secret_in_clear(node: &Node, pointer: &str, names: &[Box<str>]) -> Diagnostic {
    let names: Vec<&str> = names.iter().map(|n| &**n).collect();
    let secrets = crate::diagnostic::listed(names, 4);
    Diagnostic::error(
        code::SECRET_IN_CLEAR,
        node.span,
        format!("the secret {secrets} in `{}`, which is not a secret field", dotted(pointer)),
    )
    .help("what stands here is shown in plans and records: use `vars`, or put the secret into a field that is secret")
}

/// A JSON Pointer as people write paths: `auth.password`, `"a.b"` in quotes.
pub fn dotted(pointer: &str) -> String {
    let mut path = String::new();
    for segment in crate::value::segments(pointer) {
        if !path.is_empty() {
            path.push('.');
        }
        if segment.contains(['.', '"', ' ']) || segment.is_empty() {
            path.push_str(&format!("{segment:?}"));
        } else {
            path.push_str(&segment);
        }
    }
    path
}

/// A name for the secret of a field.
fn suggested(pointer: &str) -> String {
    let last = crate::value::segments(pointer).last().unwrap_or_default();
    let name: String =
        last.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' }).collect();
    if name.starts_with(|c: char| c.is_ascii_digit()) || name.is_empty() { format!("SECRET_{name}") } else { name }
}
