//! What a schema says about a field, for messages: through `$ref`, the nearest word wins.

use serde_json::Value;

/// A schema that stands alone.
#[derive(Clone, Copy)]
pub(super) struct Lookup<'a> {
    pub(super) root: &'a Value,
}

impl<'a> Lookup<'a> {
    /// The schema that the keyword at the end of `path` stands in.
    pub(super) fn parent(self, path: &str) -> Option<&'a Value> {
        self.root.pointer(path.rsplit_once('/').map_or("", |(parent, _)| parent))
    }

    /// What the field is, in a line.
    pub(super) fn described(self, schema: &'a Value) -> Option<String> {
        self.word(schema, "description").and_then(Value::as_str).map(str::to_owned)
    }

    /// A value that a person could write.
    pub(super) fn example(self, schema: &'a Value) -> Option<String> {
        self.word(schema, "examples").and_then(|e| e.get(0)).filter(|e| !e.is_object()).map(shown)
    }

    /// The values that the field can have, if it is a choice.
    pub(super) fn options(self, schema: &'a Value) -> Vec<String> {
        self.word(schema, "enum").and_then(Value::as_array).into_iter().flatten().map(shown).collect()
    }

    /// Other spellings of the field's name.
    pub(super) fn aliases(self, schema: &'a Value) -> Vec<&'a str> {
        let list = self.word(schema, "x-alias").and_then(Value::as_array);
        list.into_iter().flatten().filter_map(Value::as_str).collect()
    }

    fn word(self, schema: &'a Value, key: &str) -> Option<&'a Value> {
        schema.get(key).or_else(|| {
            let target = schema.get("$ref")?.as_str()?.strip_prefix('#')?;
            self.root.pointer(target)?.get(key)
        })
    }
}

/// A constant of a schema as people write it.
pub(super) fn shown(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}
