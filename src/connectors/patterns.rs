//! The regular expressions of a stranger's schema: how large each is once it is compiled, and what a byte of text that is
//! held against it costs.

use jsonschema_regex::to_rust_regex;
use regex::RegexBuilder;
use serde_json::{Map, Value};

use super::check::Wrong;
use super::words::{Below, below, objects};
use crate::value::push_segment;

/// Bytes of memory that one compiled pattern may take.
pub(super) const MAX_COMPILED: usize = 64 << 10;
/// The same of all patterns of a schema.
const MAX_ALL: usize = 8 << 20;
/// Patterns of a schema, large or small.
const MAX_PATTERNS: usize = 1000;
/// Sizes that are told apart.
const SIZES: [usize; 4] = [1 << 10, 4 << 10, 16 << 10, MAX_COMPILED];
/// Steps of backtracking that a pattern with look-around may take.
pub(super) const BACKTRACK_LIMIT: usize = 1000;

/// What texts and keys cost that are held against the patterns of a schema.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Weights {
    text: Weight,
    key: Weight,
}

/// A part for each text, and one for each of its bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Weight {
    each: usize,
    byte: usize,
}

impl Weights {
    /// Those of a schema without patterns, and of one that is ours.
    pub(super) const NONE: Self = Self { text: Weight::NONE, key: Weight::NONE };

    /// The cost of a text.
    pub(super) fn of_text(self, text: &str) -> usize {
        self.text.of(text)
    }

    /// The cost of a key of a map.
    pub(super) fn of_key(self, key: &str) -> usize {
        self.key.of(key)
    }
}

impl Weight {
    const NONE: Self = Self { each: 0, byte: 0 };

    fn of(self, text: &str) -> usize {
        1 + self.each + self.byte.saturating_mul(text.len())
    }

    /// A pattern of so many bytes. The regex engine takes a step for each byte of text as a rule, and one for each state of
    /// the pattern at worst.
    fn of_size(size: usize) -> Self {
        Self { each: 0, byte: size >> 10 }
    }

    /// A pattern that backtracks.
    const LOOKS_AROUND: Self = Self { each: BACKTRACK_LIMIT, byte: BACKTRACK_LIMIT / 64 };

    fn most(self, other: Self) -> Self {
        Self { each: self.each.max(other.each), byte: self.byte.max(other.byte) }
    }

    fn sum(self, other: Self) -> Self {
        Self { each: self.each.saturating_add(other.each), byte: self.byte.saturating_add(other.byte) }
    }
}

/// Weighs the patterns of a schema.
///
/// # Errors
/// The first pattern that is too large.
pub(super) fn weigh(schema: &Value) -> Result<Weights, Wrong> {
    let mut scale = Scale { weights: Weights::NONE, left: MAX_ALL, patterns: 0 };
    scale.visit(schema, &mut String::new())?;
    Ok(scale.weights)
}

struct Scale {
    weights: Weights,
    /// What is left of [`MAX_ALL`].
    left: usize,
    patterns: usize,
}

impl Scale {
    fn visit(&mut self, schema: &Value, pointer: &mut String) -> Result<(), Wrong> {
        match schema {
            Value::Object(map) => {
                self.patterns(map, pointer)?;
                for (key, value) in map {
                    match (below(key), value) {
                        (Below::Data, _) => {}
                        (Below::Named, Value::Object(named)) => {
                            within(pointer, key, |pointer| self.each(named.iter(), pointer))?;
                        }
                        (_, value) => within(pointer, key, |pointer| self.visit(value, pointer))?,
                    }
                }
                Ok(())
            }
            Value::Array(items) => items
                .iter()
                .enumerate()
                .try_for_each(|(index, item)| within(pointer, &index.to_string(), |pointer| self.visit(item, pointer))),
            _ => Ok(()),
        }
    }

    fn each<'v>(
        &mut self,
        mut named: impl Iterator<Item = (&'v String, &'v Value)>,
        pointer: &mut String,
    ) -> Result<(), Wrong> {
        named.try_for_each(|(name, schema)| within(pointer, name, |pointer| self.visit(schema, pointer)))
    }

    /// The patterns of one subschema: its own, and those that its keys are held against, one after the other.
    fn patterns(&mut self, map: &Map<String, Value>, pointer: &mut String) -> Result<(), Wrong> {
        if let Some(pattern) = map.get("pattern").and_then(Value::as_str) {
            let weight = within(pointer, "pattern", |pointer| self.one(pattern, pointer))?;
            self.weights.text = self.weights.text.most(weight);
        }
        let mut keys = Weight::NONE;
        for (pattern, _) in objects(map, "patternProperties") {
            let weight = within(pointer, "patternProperties", |pointer| {
                within(pointer, pattern, |pointer| self.one(pattern, pointer))
            })?;
            keys = keys.sum(weight);
        }
        self.weights.key = self.weights.key.most(keys);
        Ok(())
    }

    fn one(&mut self, pattern: &str, pointer: &str) -> Result<Weight, Wrong> {
        let told = |message: String, help: &str| Wrong { pointer: pointer.to_owned(), message, help: help.to_owned() };
        self.patterns += 1;
        if self.patterns > MAX_PATTERNS {
            return Err(told(format!("the schema has more than {MAX_PATTERNS} patterns"), "write fewer"));
        }
        // An invalid pattern is reported when it is compiled.
        let Ok(translated) = to_rust_regex(pattern) else { return Ok(Weight::LOOKS_AROUND) };
        let fits = |size: usize| RegexBuilder::new(&translated).size_limit(size).build();
        let Some(size) = SIZES.into_iter().find(|size| fits(*size).is_ok()) else {
            return match fits(MAX_COMPILED) {
                Err(regex::Error::CompiledTooBig(_)) => Err(told(
                    format!("the pattern takes more than {} KiB compiled", MAX_COMPILED >> 10),
                    "repeat fewer times: `{m,n}` within `{m,n}` multiplies; `maxLength` bounds a length for nothing",
                )),
                _ => Ok(Weight::LOOKS_AROUND),
            };
        };
        self.left = self.left.checked_sub(size).ok_or_else(|| {
            told(
                format!("the patterns of this schema take more than {} MiB compiled", MAX_ALL >> 20),
                "write fewer, or smaller ones",
            )
        })?;
        Ok(Weight::of_size(size))
    }
}

/// Goes one segment down, and back.
fn within<T>(pointer: &mut String, segment: &str, run: impl FnOnce(&mut String) -> T) -> T {
    let length = pointer.len();
    push_segment(pointer, segment);
    let result = run(pointer);
    pointer.truncate(length);
    result
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use serde_json::json;

    use super::*;

    fn told(schema: &Value) -> String {
        let wrong = weigh(schema).unwrap_err();
        format!("{}: {}", wrong.pointer, wrong.message)
    }

    #[test]
    fn e2_03_a_pattern_has_64_kib_compiled_and_patterns_are_told_apart_by_size() {
        let text = |pattern: &str| weigh(&json!({"properties": {"a": {"pattern": pattern}}})).unwrap().text;
        assert_eq!(text("^a$"), Weight { each: 0, byte: 1 });
        assert!(text("^[a-z0-9.-]{1,63}$").byte <= 16);
        assert_eq!(text("^(?!x)a$"), Weight::LOOKS_AROUND);
        let large = "^(([a-z]{1,60}){1,60})$";
        let message = "the pattern takes more than 64 KiB compiled";
        for (schema, place) in [
            (json!({"items": [{"pattern": large}]}), "/items/0/pattern"),
            (
                json!({"$defs": {"x": {"patternProperties": {large: {}}}}}),
                "/$defs/x/patternProperties/^(([a-z]{1,60}){1,60})$",
            ),
            (json!({"propertyNames": {"pattern": large}}), "/propertyNames/pattern"),
        ] {
            assert_eq!(told(&schema), format!("{place}: {message}"));
        }
        // What no keyword is, no pattern is.
        assert!(weigh(&json!({"properties": {"pattern": {"const": {"pattern": large}}}})).is_ok());
        let keys = json!({"patternProperties": {"^a$": {}, "^b$": {}, "^c$": {}}});
        assert_eq!(weigh(&keys).unwrap().of_key("12"), 1 + 3 * 2);
    }

    #[test]
    fn e2_03_all_patterns_of_a_schema_are_bounded() {
        let many = |count: usize, pattern: &str| {
            let named: Map<String, Value> =
                (0..count).map(|i| (format!("f{i}"), json!({"pattern": format!("{pattern}{i}")}))).collect();
            json!({ "properties": named })
        };
        assert!(weigh(&many(200, "^[a-z]{1,63}$")).is_ok());
        assert!(told(&many(300, "^([a-z]{1,30}){1,12}$")).ends_with("take more than 8 MiB compiled"));
        assert!(told(&many(1001, "a")).ends_with("has more than 1000 patterns"));
    }
}
