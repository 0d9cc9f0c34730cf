//! Secrets stand in secret places and nowhere else, in an instance as it is compiled. What each document says by itself is
//! judged in [`super::document`].

use super::{Against, mask_literals, suggested};
use crate::connectors::sensitive::Places;
use crate::diagnostic::{Diagnostic, code};
use crate::model::record::SECRET;
use crate::span::Span;
use crate::value::path::dotted;
use crate::value::{Node, Value, push_segment};

/// A walk through an instance.
pub(super) struct Placement<'a, 'b> {
    pub(super) against: &'a Against<'b>,
    pub(super) told: &'a mut Vec<Diagnostic>,
    /// Pointers of fields that the schema doesn't know: told already.
    pub(super) unknown: &'a [String],
}

impl Placement<'_, '_> {
    /// Visits what stands at `pointer`, behind the key at `key`.
    pub(super) fn visit(&mut self, node: &Node, places: &Places, pointer: &mut String, key: Span) {
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
                    let takes = || places.below(&entry.key).is_some_and(Places::takes_secret);
                    if matches!(entry.value.value, Value::Secret(_)) && !places.names(&entry.key) && takes() {
                        continue;
                    }
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
                self.told.push(plaintext(node.span, pointer, key));
            }
        }
    }
}

/// A value in clear at `span`, in the secret field at `pointer` behind the key at `key`.
pub(super) fn plaintext(span: Span, pointer: &str, key: Span) -> Diagnostic {
    let name = suggested(pointer);
    // The value of a variable, or of an anchor: no secret can stand there.
    let elsewhere = key.file != span.file || span.start < key.start;
    let place = if elsewhere { "in that field" } else { "here" };
    let message = format!("`{}` is a secret, and its value stands here in clear", dotted(pointer));
    let told = Diagnostic::error(code::PLAINTEXT_SECRET, span, message).help(format!(
        "if it was ever committed, rotate it. Then `tieline secret set {name} -e ENV` and write \
         ${{{{ secrets.{name} }}}} {place}"
    ));
    if elsewhere { told.also(key, "used for this field") } else { told }
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
