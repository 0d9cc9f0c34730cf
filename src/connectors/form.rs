//! A schema -> the form of it that can be checked while secrets are sealed: whatever stands for a secret place accepts
//! anything.

use std::collections::{BTreeMap, HashSet};

use serde_json::{Map, Value};

use super::check::Wrong;
use super::marks::{self, Written, address};
use super::words::{Below, below, is_marked};

/// Variants and modes are told apart up to so many of them together.
const MAX_BRANCHES: usize = 64;

/// The form. `sealed` are the addresses of subschemas that speak of a secret without being marked themselves.
pub(super) fn plan_form(schema: &Value, sealed: &HashSet<usize>) -> Value {
    let mut form = relaxed(schema, sealed);
    // Nothing may be resolved against another address than ours.
    if let Some(map) = form.as_object_mut() {
        map.remove("$id");
    }
    form
}

fn relaxed(schema: &Value, sealed: &HashSet<usize>) -> Value {
    match schema {
        Value::Object(map) if is_marked(map) || sealed.contains(&address(schema)) => Value::Object(Map::new()),
        Value::Object(map) => {
            let entry = |(key, value): (&String, &Value)| {
                let value = match (below(key), value) {
                    (Below::Data, value) => value.clone(),
                    (Below::Named, Value::Object(named)) => {
                        named.iter().map(|(name, schema)| (name.clone(), relaxed(schema, sealed))).collect()
                    }
                    (_, value) => relaxed(value, sealed),
                };
                (key.clone(), value)
            };
            Value::Object(map.iter().map(entry).collect())
        }
        Value::Array(items) => items.iter().map(|item| relaxed(item, sealed)).collect(),
        other => other.clone(),
    }
}

/// The subschemas that speak of a secret place in one of these variants and modes, and those that write its value: what is
/// secret in one mode alone is checked in the others. `all` are those of a walk that knows neither.
pub(super) fn branches<'s>(
    schema: &'s Value,
    variants: &[String],
    modes: &[String],
    all: marks::Found<'s>,
) -> (HashSet<usize>, Vec<Written<'s>>) {
    let all = (all.sealed, all.written);
    let one = [String::new()];
    let [variants, modes] = [variants, modes].map(|list| if list.is_empty() { &one[..] } else { list });
    if variants.len().saturating_mul(modes.len()) > MAX_BRANCHES {
        return all;
    }
    let (mut sealed, mut written) = (HashSet::new(), Vec::new());
    for variant in variants {
        for mode in modes {
            let known = super::schema::known(variant, mode);
            // One that knows less was small enough.
            let Some(walked) = marks::walk(schema, &known) else { return all };
            sealed.extend(walked.sealed);
            written.extend(walked.written);
        }
    }
    (sealed, written)
}

/// The JSON Pointer of a subschema in its schema.
pub(super) fn pointer_of(schema: &Value, wanted: &Map<String, Value>) -> Option<String> {
    fn search(value: &Value, wanted: &Map<String, Value>, pointer: &mut String) -> bool {
        let mut below = |segment: &str, value: &Value| {
            let length = pointer.len();
            crate::value::push_segment(pointer, segment);
            let found = search(value, wanted, pointer);
            if !found {
                pointer.truncate(length);
            }
            found
        };
        match value {
            Value::Object(map) => std::ptr::eq(map, wanted) || map.iter().any(|(key, value)| below(key, value)),
            Value::Array(items) => items.iter().enumerate().any(|(index, item)| below(&index.to_string(), item)),
            _ => false,
        }
    }
    let mut pointer = String::new();
    search(schema, wanted, &mut pointer).then_some(pointer)
}

/// The first condition that reads a secret: the JSON Pointer of the secret in the instance, and of the condition in the
/// schema. What it decided would tell something about the value.
pub(super) fn secret_in_condition(schema: &Value, found: &marks::Found<'_>) -> Option<(String, String)> {
    let (secret, asking) = found.asked.as_ref()?;
    Some((secret.clone(), pointer_of(schema, asking).unwrap_or_default()))
}

/// What is wrong with values of secrets that the schema writes, each once.
pub(super) fn values(schema: &Value, written: &[Written<'_>]) -> Vec<Wrong> {
    let mut seen = HashSet::new();
    let new = written.iter().filter(|one| seen.insert((address(one.map), one.keyword)));
    let wrong = |Written { map, keyword }: &Written<'_>| Wrong {
        pointer: format!("{}/{keyword}", pointer_of(schema, map).unwrap_or_default()),
        message: format!("`{keyword}` writes the value of a secret in clear"),
        help: "remove it: no value of a secret stands in a schema; `pattern` can say what form it has".to_owned(),
    };
    new.map(wrong).collect()
}

/// All that is known without a variant and a mode.
///
/// `None` for a schema that is too large to follow.
pub(super) fn everything(schema: &Value) -> Option<marks::Found<'_>> {
    marks::walk(schema, &BTreeMap::new())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use serde_json::json;

    use super::*;

    fn asked(schema: &Value) -> Option<(String, String)> {
        secret_in_condition(schema, &everything(schema).unwrap())
    }

    #[test]
    fn n02_no_condition_may_read_a_secret() {
        let read = json!({"properties": {"pin": {"const": "1234"}}});
        for (keyword, condition) in [
            ("if", read.clone()),
            ("not", read.clone()),
            ("if", json!({"allOf": [read]})),
            ("if", json!({"not": read})),
            ("if", json!({"$ref": "#/$defs/read"})),
            ("if", json!({"patternProperties": {"^p": {"const": "1234"}}})),
            ("if", json!({"additionalProperties": {"minLength": 4}})),
            ("if", json!({"dependentSchemas": {"mode": read}})),
            ("if", json!({"const": {"pin": "1234"}})),
            ("not", json!({"enum": [{"pin": "1234"}, {"pin": "4321"}]})),
        ] {
            let mut auth = json!({"properties": {"pin": {"writeOnly": true}}, "then": {"required": ["x"]}});
            auth[keyword] = condition.clone();
            let schema = json!({"$defs": {"read": read}, "properties": {"auth": auth}});
            let (secret, place) = asked(&schema).unwrap_or_default();
            assert_eq!(secret, "/auth/pin", "{keyword}: {condition}");
            assert!(schema.pointer(&place).is_some() && !place.is_empty(), "{place}");
        }
        // Whether it is there may be asked.
        let there = json!({"properties": {"pin": {"writeOnly": true}}, "if": {"required": ["pin"]}, "then": {}});
        assert_eq!(asked(&there), None);
    }

    #[test]
    fn whatever_speaks_of_a_secret_accepts_anything_in_the_form() {
        let schema = json!({
            "properties": {"t": {"minLength": 3}, "u": {"minLength": 3}},
            "patternProperties": {"^t": {"writeOnly": true}},
        });
        let form = plan_form(&schema, &everything(&schema).unwrap().sealed);
        assert_eq!(form["properties"], json!({"t": {}, "u": {"minLength": 3}}));
        // A field that is called like a keyword is a field.
        let named = json!({"properties": {"writeOnly": true, "format": {"const": "password"}}, "examples": [{"x-secret": true}]});
        assert_eq!(plan_form(&named, &HashSet::new()), named);
    }
}
