//! The keywords of JSON Schema, as far as it matters where a schema may stand: one table for every walk.

use serde_json::{Map, Value};

/// What stands below a keyword.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Below {
    /// A schema, or a list of them.
    Schemas,
    /// Names, or patterns, each with a schema.
    Named,
    /// Anything else: never a schema.
    Data,
}

/// What stands below `keyword`. Below one that nobody knows a schema may stand that a reference leads to.
pub(super) fn below(keyword: &str) -> Below {
    match keyword {
        "properties" | "patternProperties" | "$defs" | "definitions" | "dependentSchemas" | "dependencies" => {
            Below::Named
        }
        "const" | "enum" | "examples" | "example" | "default" | "required" | "type" | "dependentRequired" => {
            Below::Data
        }
        keyword if keyword.starts_with("x-") => Below::Data,
        _ => Below::Schemas,
    }
}

/// The marks of a secret field that are true or false: ours, and those of foreign schemas.
pub(super) const MARKS: [&str; 3] = ["writeOnly", "airbyte_secret", "x-secret"];

/// Whether a schema calls what it describes secret. A mark of an odd form is one: such schemas are refused, and until then
/// nothing that they describe is clear.
pub(super) fn is_marked(schema: &Map<String, Value>) -> bool {
    let flag = |key: &&str| schema.get(*key).is_some_and(|mark| *mark != Value::Bool(false));
    MARKS.iter().any(flag) || schema.get("format").and_then(Value::as_str) == Some("password")
}

/// Keywords that ask nothing of a value: what only describes, and what leads to other schemas.
const SILENT: [&str; 28] = [
    "$ref",
    "$defs",
    "definitions",
    "$comment",
    "$anchor",
    "$dynamicAnchor",
    "title",
    "description",
    "default",
    "examples",
    "deprecated",
    "readOnly",
    "writeOnly",
    "airbyte_secret",
    "allOf",
    "anyOf",
    "oneOf",
    "not",
    "if",
    "then",
    "else",
    "dependentSchemas",
    "dependencies",
    "properties",
    "patternProperties",
    "unevaluatedProperties",
    // Which keys are there may be asked.
    "required",
    "additionalProperties",
];

/// Whether a schema asks something of the value that stands where it speaks.
pub(super) fn asks(schema: &Map<String, Value>) -> bool {
    schema.iter().any(|(key, value)| match &**key {
        "format" => value != "password",
        key => !SILENT.contains(&key) && !key.starts_with("x-"),
    })
}

/// Whether a schema compares maps or lists with others, whole.
pub(super) fn compares(schema: &Map<String, Value>) -> bool {
    let whole = |value: &Value| value.is_object() || value.is_array();
    schema.get("const").is_some_and(whole)
        || schema.get("enum").and_then(Value::as_array).is_some_and(|options| options.iter().any(whole))
        || schema.get("uniqueItems") == Some(&Value::Bool(true))
}

pub(super) fn objects<'a>(schema: &'a Map<String, Value>, key: &str) -> impl Iterator<Item = (&'a String, &'a Value)> {
    schema.get(key).and_then(Value::as_object).into_iter().flatten()
}

pub(super) fn list<'a>(schema: &'a Map<String, Value>, key: &str) -> &'a [Value] {
    schema.get(key).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// A local `$ref` and its target.
pub(super) fn reference<'a>(root: &'a Value, schema: &'a Map<String, Value>) -> Option<(&'a str, &'a Value)> {
    let name = schema.get("$ref")?.as_str()?;
    Some((name, root.pointer(name.strip_prefix('#')?)?))
}

/// The schema that stands at a JSON Pointer of `root`; `None` where nothing stands there, or something else.
pub(super) fn schema_at<'a>(root: &'a Value, pointer: &str) -> Option<&'a Value> {
    if !(pointer.is_empty() || pointer.starts_with('/')) {
        return None;
    }
    let mut named = false;
    let mut at = root;
    let mut segments = crate::value::segments(pointer);
    while let Some(segment) = segments.next() {
        at = at.as_object()?.get(&segment)?;
        if named {
            named = false;
            continue;
        }
        match below(&segment) {
            Below::Data => return None,
            Below::Named => named = true,
            Below::Schemas => {
                if let Value::Array(items) = at {
                    at = items.get(index(&segments.next()?)?)?;
                }
            }
        }
    }
    (!named && matches!(at, Value::Object(_) | Value::Bool(_))).then_some(at)
}

/// An index of a list as JSON Pointers write it.
fn index(segment: &str) -> Option<usize> {
    segment.parse().ok().filter(|index: &usize| index.to_string() == segment)
}

/// What a value is, for messages.
pub(super) fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "a map",
    }
}
