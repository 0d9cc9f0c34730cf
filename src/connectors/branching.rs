//! How often a schema looks at one and the same value: each keyword and reference that leads to another subschema of it is
//! one look more, and references that branch multiply.

use std::collections::HashMap;

use serde_json::{Map, Value};

use super::check::Wrong;
use super::form::pointer_of;
use super::marks::address;
use super::words::{list, objects, reference};

/// Looks that a schema may take at one value.
const MAX_LOOKS: u64 = 10_000;
/// Keywords and references may lead so far without entering a field.
const MAX_DEPTH: usize = 100;

/// What is wrong with the references of a schema.
///
/// # Errors
/// The first subschema that comes back to itself, or that takes too many looks.
pub(super) fn check(schema: &Value) -> Result<(), Wrong> {
    let mut branching = Branching { root: schema, looks: HashMap::new() };
    branching.all(schema)
}

struct Branching<'s> {
    root: &'s Value,
    /// By address; `None` while they are counted.
    looks: HashMap<usize, Option<u64>>,
}

impl<'s> Branching<'s> {
    /// Every map of the schema, whether anything leads there or not: a reference may.
    fn all(&mut self, schema: &'s Value) -> Result<(), Wrong> {
        match schema {
            Value::Object(map) => {
                self.looks(map, 0)?;
                map.values().try_for_each(|value| self.all(value))
            }
            Value::Array(items) => items.iter().try_for_each(|item| self.all(item)),
            _ => Ok(()),
        }
    }

    fn looks(&mut self, map: &'s Map<String, Value>, depth: usize) -> Result<u64, Wrong> {
        match self.looks.get(&address(map)) {
            Some(Some(known)) => return Ok(*known),
            Some(None) => {
                return Err(self.wrong(map, "the references of this schema lead back to it without entering a field"));
            }
            None if depth > MAX_DEPTH => {
                let message = format!("more than {MAX_DEPTH} references and keywords lead from one to the next here");
                return Err(self.wrong(map, &message));
            }
            None => {}
        }
        self.looks.insert(address(map), None);
        let mut looks = 1_u64;
        for branch in self.in_place(map) {
            looks = looks.saturating_add(self.looks(branch, depth + 1)?);
        }
        if looks > MAX_LOOKS {
            let message =
                format!("the references of this schema branch: it checks one value more than {MAX_LOOKS} times");
            return Err(self.wrong(map, &message));
        }
        self.looks.insert(address(map), Some(looks));
        Ok(looks)
    }

    /// The subschemas that speak of the same value.
    fn in_place(&self, map: &'s Map<String, Value>) -> Vec<&'s Map<String, Value>> {
        let single = ["not", "if", "then", "else"].into_iter().filter_map(|key| map.get(key));
        let lists = ["allOf", "anyOf", "oneOf"].into_iter().flat_map(|key| list(map, key));
        let named = ["dependentSchemas", "dependencies"].into_iter().flat_map(|key| objects(map, key));
        let target = reference(self.root, map).map(|(_, target)| target);
        let all = target.into_iter().chain(single).chain(lists).chain(named.map(|(_, schema)| schema));
        all.filter_map(Value::as_object).collect()
    }

    fn wrong(&self, map: &Map<String, Value>, message: &str) -> Wrong {
        Wrong {
            pointer: pointer_of(self.root, map).unwrap_or_default(),
            message: message.to_owned(),
            help: "let each reference stand once; a schema may contain itself in a field (`properties`, `items`)"
                .to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use serde_json::json;

    use super::*;

    /// `a0` refers twice to `a1`, which refers twice to `a2`, and so on.
    fn doubling(levels: usize, keyword: &str) -> Value {
        let one = |i: usize| {
            let next = json!({"$ref": format!("#/$defs/a{}", i + 1)});
            (
                format!("a{i}"),
                match keyword {
                    "not" => json!({"not": next, "allOf": [next]}),
                    "dependentSchemas" => json!({"dependentSchemas": {"x": next, "y": next}}),
                    "if" => json!({"if": next, "then": next}),
                    keyword => json!({keyword: [next, next]}),
                },
            )
        };
        let mut definitions: Map<String, Value> = (0..levels).map(one).collect();
        definitions.insert(format!("a{levels}"), json!({"type": "object"}));
        json!({"$defs": definitions})
    }

    #[test]
    fn e2_01_references_that_double_are_refused_whatever_keyword_they_stand_in() {
        for keyword in ["allOf", "anyOf", "oneOf", "not", "if", "dependentSchemas"] {
            assert!(check(&doubling(8, keyword)).is_ok(), "{keyword}");
            let wrong = check(&doubling(40, keyword)).unwrap_err();
            assert!(wrong.message.ends_with("more than 10000 times"), "{keyword}: {}", wrong.message);
        }
    }

    #[test]
    fn e2_01_a_schema_may_contain_itself_in_a_field_and_nowhere_else() {
        assert!(check(&json!({"properties": {"a": {"$ref": "#"}}, "items": {"$ref": "#"}})).is_ok());
        for circle in [
            json!({"$defs": {"a": {"$ref": "#/$defs/a"}}}),
            json!({"$defs": {"a": {"not": {"$ref": "#/$defs/b"}}, "b": {"allOf": [{"$ref": "#/$defs/a"}]}}}),
            json!({"allOf": [{"$ref": "#"}]}),
        ] {
            let wrong = check(&circle).unwrap_err();
            assert!(wrong.message.contains("without entering a field"), "{circle}: {}", wrong.message);
        }
    }

    #[test]
    fn e2_01_a_long_chain_of_references_is_refused() {
        let chain = |length: usize| {
            let one = |i: usize| (format!("d{i}"), json!({"$ref": format!("#/$defs/d{}", i + 1)}));
            let mut definitions: Map<String, Value> = (0..length).map(one).collect();
            definitions.insert(format!("d{length}"), json!({}));
            json!({"allOf": [{"$ref": "#/$defs/d0"}], "$defs": definitions})
        };
        assert!(check(&chain(80)).is_ok());
        assert!(check(&chain(16_000)).unwrap_err().message.contains("more than 100 references"));
    }
}
