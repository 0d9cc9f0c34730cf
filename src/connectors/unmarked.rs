//! Fields whose name says secret, and that a schema neither marks as secret nor calls clear.

use serde_json::{Map, Value};

use super::sensitive::Places;
use super::words::{Below, below, is_marked, reference};
use crate::diagnostic::sounds_secret;
use crate::value::push_segment;

/// References that are followed from a field to what says something of it.
const MAX_STEPS: usize = 8;

/// Such fields: the JSON Pointer of each in the schema, and its name. `all` are the places of every variant and mode.
pub(super) fn find(schema: &Value, all: &Places) -> Vec<(String, String)> {
    let mut search = Search { root: schema, pointer: String::new(), found: Vec::new() };
    search.visit(schema);
    // Another part of the schema may mark it.
    search.found.retain(|(_, name)| all.has(&|key, place| key == name && !place.secret && place.takes_secret()));
    search.found
}

struct Search<'s> {
    root: &'s Value,
    pointer: String,
    found: Vec<(String, String)>,
}

impl Search<'_> {
    fn visit(&mut self, schema: &Value) {
        match schema {
            Value::Object(map) => {
                for (key, value) in map {
                    match (below(key), value) {
                        (Below::Data, _) => {}
                        (Below::Named, Value::Object(named)) => {
                            self.below(key, |search| search.named(named, key == "properties"));
                        }
                        (_, value) => self.below(key, |search| search.visit(value)),
                    }
                }
            }
            Value::Array(items) => {
                for (index, item) in items.iter().enumerate() {
                    self.below(&index.to_string(), |search| search.visit(item));
                }
            }
            _ => {}
        }
    }

    fn named(&mut self, named: &Map<String, Value>, are_fields: bool) {
        for (name, schema) in named {
            self.below(name, |search| {
                if are_fields && sounds_secret(name) && !search.is_decided(schema) {
                    search.found.push((search.pointer.clone(), name.clone()));
                }
                search.visit(schema);
            });
        }
    }

    /// Whether a field is marked, called clear, or has a value that the schema writes.
    fn is_decided(&self, schema: &Value) -> bool {
        let mut at = schema;
        for _ in 0..MAX_STEPS {
            let Some(map) = at.as_object() else { return true };
            if is_marked(map) || ["writeOnly", "const", "enum"].iter().any(|word| map.contains_key(*word)) {
                return true;
            }
            match reference(self.root, map) {
                Some((_, target)) => at = target,
                None => return false,
            }
        }
        true
    }

    fn below(&mut self, segment: &str, run: impl FnOnce(&mut Self)) {
        let length = self.pointer.len();
        push_segment(&mut self.pointer, segment);
        run(self);
        self.pointer.truncate(length);
    }
}
