//! What a stranger's schema may not say: whatever would make a field clear that a reader of the file takes for secret.
//!
//! References lead to one place only, which every reader finds: `#/…`. Nothing else than that is followed, so nothing else
//! is allowed.

use serde_json::{Map, Value};

use super::keywords;
use super::words::{Below, MARKS, below, kind, schema_at};
use crate::value::push_segment;

/// Something that a schema may not say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Wrong {
    /// The JSON Pointer of the member in the schema.
    pub(super) pointer: String,
    /// What is wrong.
    pub(super) message: String,
    /// What to do.
    pub(super) help: String,
}

/// The drafts whose keywords are understood, without `#` at their end.
const DRAFTS: [&str; 4] = [
    "https://json-schema.org/draft/2020-12/schema",
    "https://json-schema.org/draft/2019-09/schema",
    "http://json-schema.org/draft-07/schema",
    "http://json-schema.org/draft-06/schema",
];

/// Everything of the kind, in the order of the schema's keys. `shares` is whether the shared definitions were put in.
pub(super) fn check(schema: &Value, shares: bool) -> Vec<Wrong> {
    let mut check = Check { root: schema, shares, wrong: Vec::new() };
    check.visit(schema, &mut String::new());
    check.wrong
}

struct Check<'s> {
    root: &'s Value,
    shares: bool,
    wrong: Vec<Wrong>,
}

impl Check<'_> {
    fn visit(&mut self, schema: &Value, pointer: &mut String) {
        match schema {
            Value::Object(map) => {
                for (key, value) in map {
                    let length = pointer.len();
                    push_segment(pointer, key);
                    if let Some((message, help)) = self.member(key, value, length == 0) {
                        self.wrong.push(Wrong { pointer: pointer.clone(), message, help });
                    }
                    if let (true, "x-tieline", Value::Object(block)) = (length == 0, key.as_str(), value) {
                        let told = keywords::about(block).map(|(key, message, help)| {
                            let mut pointer = pointer.clone();
                            push_segment(&mut pointer, key);
                            Wrong { pointer, message, help }
                        });
                        self.wrong.extend(told);
                    }
                    match (below(key), value) {
                        (Below::Data, _) => {}
                        (Below::Named, Value::Object(named)) => self.named(named, pointer),
                        (_, value) => self.visit(value, pointer),
                    }
                    pointer.truncate(length);
                }
            }
            Value::Array(items) => {
                for (index, item) in items.iter().enumerate() {
                    let length = pointer.len();
                    push_segment(pointer, &index.to_string());
                    self.visit(item, pointer);
                    pointer.truncate(length);
                }
            }
            _ => {}
        }
    }

    fn named(&mut self, named: &Map<String, Value>, pointer: &mut String) {
        for (name, schema) in named {
            let length = pointer.len();
            push_segment(pointer, name);
            match schema {
                // Ours, by name.
                Value::Object(definitions) if self.shares && pointer == "/$defs/shared" => {
                    self.named(definitions, pointer)
                }
                _ => self.visit(schema, pointer),
            }
            pointer.truncate(length);
        }
    }

    /// What is wrong with one keyword, and what to do.
    fn member(&self, key: &str, value: &Value, top: bool) -> Option<(String, String)> {
        const POINTER: &str = "`#/$defs/NAME`";
        let told = |message: String, help: &str| Some((message, help.to_owned()));
        match key {
            "$ref" => self.reference(value),
            "$dynamicRef" | "$recursiveRef" => told(
                format!("`{key}` can't be followed: what it means depends on who refers to it"),
                &format!("write `$ref` and where the schema stands: {POINTER}"),
            ),
            "$id" if !top && value.is_string() => told(
                "`$id` below the top gives references another meaning".to_owned(),
                &format!("remove it, and refer to the schema as {POINTER}"),
            ),
            "$schema" if top && value.as_str().is_some_and(is_draft) => None,
            "$schema" => told(
                "`$schema` does not name a draft that tieline reads".to_owned(),
                &format!("write `\"$schema\": \"{}\"` at the top", DRAFTS[0]),
            ),
            mark if MARKS.contains(&mark) && !value.is_boolean() => told(
                format!("`{mark}` must be true or false, found {}", kind(value)),
                &format!("write `\"{mark}\": true` if the field is secret"),
            ),
            _ => keywords::wrong(key, value, top),
        }
    }

    fn reference(&self, value: &Value) -> Option<(String, String)> {
        const COPY: &str = "copy what it names below `$defs`, and write `#/$defs/NAME`";
        let told = |message: String, help: &str| Some((message, help.to_owned()));
        let Some(target) = value.as_str() else {
            return told(format!("`$ref` must be a string, found {}", kind(value)), "write `#/$defs/NAME`");
        };
        let Some(pointer) = target.strip_prefix('#') else {
            return told(format!("`$ref` leads out of this file: `{target}`"), COPY);
        };
        if pointer.contains('%') {
            return told(format!("`$ref` is encoded: `{target}`"), "write the pointer without % encoding");
        }
        if !pointer.is_empty() && !pointer.starts_with('/') {
            return told(format!("`$ref` names an anchor: `{target}`"), "write where it stands: `#/$defs/NAME`");
        }
        match schema_at(self.root, pointer) {
            Some(_) => None,
            None => told(format!("`$ref` leads to no schema of this file: `{target}`"), COPY),
        }
    }
}

fn is_draft(uri: &str) -> bool {
    let uri = uri.strip_suffix('#').unwrap_or(uri);
    DRAFTS.iter().any(|draft| {
        let rest = |uri: &str| uri.split_once("://").map(|(_, rest)| rest.to_owned());
        rest(draft) == rest(uri)
    })
}
