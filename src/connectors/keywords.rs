//! The keywords that a schema may use, with the form of each: those of JSON Schema (2020-12, and what earlier drafts had),
//! ours, and those of foreign schemas that mean nothing here.
//!
//! A keyword that nobody knows is a note, as JSON Schema has it. One that is nearly the name of another is a slip, which would
//! otherwise pass in silence: `writeonly` marks nothing.

use serde_json::{Map, Value};

use super::words::kind;
use crate::diagnostic::{listed, nearest};

/// What may stand behind a keyword.
#[derive(Clone, Copy)]
enum Form {
    Anything,
    Flag,
    Text,
    Texts,
    /// A whole number of 0 or more.
    Count,
    Number,
    List,
    Map,
    /// A schema: a map, true or false.
    Schema,
    /// A schema, or a list of them.
    Schemas,
    /// A type, or a list of types.
    Types,
    OneOf(&'static [&'static str]),
    About,
}

const TYPES: [&str; 7] = ["array", "boolean", "integer", "null", "number", "object", "string"];

#[rustfmt::skip]
const KEYWORDS: &[(&str, Form)] = &[
    ("$anchor", Form::Text), ("$comment", Form::Text), ("$defs", Form::Map), ("$dynamicAnchor", Form::Anything),
    ("$dynamicRef", Form::Anything), ("$id", Form::Anything), ("$recursiveAnchor", Form::Anything), ("$recursiveRef", Form::Anything),
    ("$ref", Form::Anything), ("$schema", Form::Anything), ("$vocabulary", Form::Map), ("additionalItems", Form::Schema),
    ("additionalProperties", Form::Schema), ("allOf", Form::List), ("anyOf", Form::List), ("const", Form::Anything),
    ("contains", Form::Schema), ("contentEncoding", Form::Text), ("contentMediaType", Form::Text), ("contentSchema", Form::Schema),
    ("default", Form::Anything), ("definitions", Form::Map), ("dependencies", Form::Map), ("dependentRequired", Form::Map),
    ("dependentSchemas", Form::Map), ("deprecated", Form::Flag), ("description", Form::Text), ("else", Form::Schema),
    ("enum", Form::List), ("example", Form::Anything), ("examples", Form::Anything), ("exclusiveMaximum", Form::Number),
    ("exclusiveMinimum", Form::Number), ("format", Form::Text), ("if", Form::Schema), ("items", Form::Schemas),
    ("maxContains", Form::Count), ("maxItems", Form::Count), ("maxLength", Form::Count), ("maxProperties", Form::Count),
    ("maximum", Form::Number), ("minContains", Form::Count), ("minItems", Form::Count), ("minLength", Form::Count),
    ("minProperties", Form::Count), ("minimum", Form::Number), ("multipleOf", Form::Number), ("not", Form::Schema),
    ("oneOf", Form::List), ("pattern", Form::Text), ("patternProperties", Form::Map), ("prefixItems", Form::List),
    ("properties", Form::Map), ("propertyNames", Form::Schema), ("readOnly", Form::Flag), ("required", Form::Texts),
    ("then", Form::Schema), ("title", Form::Text), ("type", Form::Types), ("unevaluatedItems", Form::Schema),
    ("unevaluatedProperties", Form::Schema), ("uniqueItems", Form::Flag), ("writeOnly", Form::Flag),
    ("x-alias", Form::Texts), ("x-connection", Form::Texts), ("x-dsn", Form::Anything), ("x-merge-key", Form::Text),
    ("x-scope", Form::OneOf(&["global", "customer"])), ("x-secret", Form::Flag), ("x-tieline", Form::About),
    ("airbyte_secret", Form::Flag), ("airbyte_hidden", Form::Anything), ("always_show", Form::Anything), ("display_type", Form::Anything),
    ("group", Form::Anything), ("groups", Form::Anything), ("hidden", Form::Anything), ("multiline", Form::Anything),
    ("name", Form::Anything), ("order", Form::Anything), ("pattern_descriptor", Form::Anything), ("schema", Form::Anything),
];

/// What people take for the mark of a secret.
const NO_MARKS: [&str; 10] = [
    "confidential",
    "encrypted",
    "isSecret",
    "is_secret",
    "masked",
    "secret",
    "sensitive",
    "write_only",
    "x-sensitive",
    "x-writeOnly",
];

/// The keys of `x-tieline`.
const ABOUT: &[(&str, Form)] = &[
    ("capabilities", Form::Texts),
    ("category", Form::Text),
    ("consent", Form::Texts),
    ("docs", Form::Text),
    ("endpoint", Form::Map),
    ("harmless", Form::Anything),
    ("hosts", Form::Texts),
    ("probe", Form::Anything),
    ("status", Form::OneOf(&["planned", "alpha", "beta", "ga", "deprecated"])),
];

/// What is wrong with a keyword and its value, and what to do; `top` is whether it stands at the top of the schema.
pub(super) fn wrong(key: &str, value: &Value, top: bool) -> Option<(String, String)> {
    if key == "x-tieline" && !top {
        let help = "move it to the top: it says what the connector is".to_owned();
        return Some(("`x-tieline` stands at the top of a schema alone".to_owned(), help));
    }
    look(KEYWORDS, "a keyword of JSON Schema", key, value)
}

/// What is wrong with the keys of `x-tieline`: key, message, help.
pub(super) fn about(block: &Map<String, Value>) -> impl Iterator<Item = (&str, String, String)> {
    block.iter().filter_map(|(key, value)| {
        let unknown = || {
            let names = listed(ABOUT.iter().map(|(name, _)| *name), 12);
            (!ABOUT.iter().any(|(name, _)| name == key))
                .then(|| (format!("`{key}` is not a key of `x-tieline`"), format!("its keys are {names}")))
        };
        let (message, help) = look(ABOUT, "a key of `x-tieline`", key, value).or_else(unknown)?;
        Some((key.as_str(), message, help))
    })
}

fn look(table: &[(&str, Form)], what: &str, key: &str, value: &Value) -> Option<(String, String)> {
    if let Some((_, form)) = table.iter().find(|(name, _)| *name == key) {
        return form.wrong(key, value);
    }
    if NO_MARKS.iter().any(|mark| mark.eq_ignore_ascii_case(key)) {
        let help = "write `\"writeOnly\": true` if the field is secret, else remove it".to_owned();
        return Some((format!("`{key}` marks nothing: no reader of the schema knows it"), help));
    }
    let near = nearest(key, table.iter().map(|(name, _)| *name))?;
    Some((
        format!("`{key}` is not {what}, and says nothing"),
        format!("did you mean `{near}`? a note of your own is called `x-…`"),
    ))
}

impl Form {
    fn wrong(self, key: &str, value: &Value) -> Option<(String, String)> {
        let texts = |value: &Value| value.as_array().is_some_and(|items| items.iter().all(Value::is_string));
        let is_type = |value: &Value| value.as_str().is_some_and(|name| TYPES.contains(&name));
        let right = match self {
            Self::Anything => true,
            Self::Flag => value.is_boolean(),
            Self::Text => value.is_string(),
            Self::Texts => texts(value),
            Self::Count => {
                value.is_u64() || value.as_f64().is_some_and(|number| number >= 0.0 && number.fract() == 0.0)
            }
            Self::Number => value.is_number(),
            Self::List => value.as_array().is_some_and(|items| !items.is_empty()),
            Self::Map | Self::About => value.is_object(),
            Self::Schema => value.is_object() || value.is_boolean(),
            Self::Schemas => value.is_object() || value.is_boolean() || value.is_array(),
            Self::Types => is_type(value) || value.as_array().is_some_and(|types| types.iter().all(is_type)),
            Self::OneOf(options) => value.as_str().is_some_and(|name| options.contains(&name)),
        };
        if right {
            return None;
        }
        let wanted = match self {
            Self::Flag => "true or false",
            Self::Text => "a string",
            Self::Texts => "a list of strings",
            Self::Count => "a whole number of 0 or more",
            Self::Number => "a number",
            Self::List => "a list with something in it",
            Self::Map | Self::About => "a map",
            Self::Schema => "a schema: a map, true or false",
            Self::Schemas => "a schema, or a list of schemas",
            Self::Types => "a type, or a list of types",
            Self::OneOf(_) | Self::Anything => "one of its values",
        };
        let options: &[&str] = match self {
            Self::Types => &TYPES,
            Self::OneOf(options) => options,
            _ => &[],
        };
        let help = match value.as_str().and_then(|name| nearest(name, options.iter().copied())) {
            Some(near) => format!("did you mean `{near}`?"),
            None if options.is_empty() => format!("write `\"{key}\": …` with {wanted}"),
            None => format!("one of {}", listed(options.iter().copied(), 12)),
        };
        let found = match value {
            Value::String(text) if !options.is_empty() && text.len() <= 24 => format!("`{text}`"),
            other => kind(other).to_owned(),
        };
        Some((format!("`{key}` must be {wanted}, found {found}"), help))
    }
}
