//! Which paths of an instance are secret: a trie for each variant and mode.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::words::objects;

/// The places below a node of an instance.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Places {
    /// A secret stands here, or everything below is secret.
    pub secret: bool,
    /// It is the same for all customers: `x-scope: global`, here or above.
    pub global: bool,
    /// The schema says that it is clear, whatever its name: `writeOnly: false`.
    pub clear: bool,
    /// It is not to be used any more: `deprecated`.
    pub deprecated: bool,
    /// Something else than a text stands here.
    pub other: bool,
    /// A condition (`if` or `not`) of the schema reads what stands here.
    pub asked: bool,
    /// A list of maps here merges by this key: `x-merge-key`.
    pub merge_key: Option<Box<str>>,
    /// It names another connection, of one of these connectors, categories or capabilities: `x-connection`.
    pub connection: Option<Vec<Box<str>>>,
    children: BTreeMap<Box<str>, Places>,
    /// Items of a list and keys that are not named.
    any: Option<Box<Places>>,
}

impl Places {
    /// Where nobody knows what is secret: all of it.
    pub(super) fn all_secret() -> Self {
        Self { secret: true, ..Self::default() }
    }

    pub(super) fn insert(&mut self, key: &str, below: Places) {
        self.children.insert(key.into(), below);
    }

    pub(super) fn insert_any(&mut self, below: Places) {
        self.any = Some(Box::new(below));
    }

    /// What is secret by either; of the rest, what both say.
    #[must_use]
    pub fn union(&self, other: &Self) -> Self {
        let below = |key: &str| match (self.below(key), other.below(key)) {
            (Some(a), Some(b)) => a.union(b),
            (Some(one), None) | (None, Some(one)) => one.clone(),
            (None, None) => Self::default(),
        };
        let keys = self.children.keys().chain(other.children.keys());
        let any = match (self.any.as_deref(), other.any.as_deref()) {
            (Some(a), Some(b)) => Some(a.union(b)),
            (one, None) | (None, one) => one.cloned(),
        };
        Self {
            secret: self.secret || other.secret,
            global: self.global && other.global,
            clear: self.clear && other.clear,
            deprecated: self.deprecated && other.deprecated,
            other: self.other || other.other,
            asked: self.asked || other.asked,
            merge_key: self.merge_key.clone().filter(|key| other.merge_key.as_ref() == Some(key)),
            connection: self.connection.clone().filter(|accepted| other.connection.as_ref() == Some(accepted)),
            children: keys.map(|key| (key.clone(), below(key))).collect(),
            any: any.map(Box::new),
        }
    }

    /// The place of a key or index below this one, if the schema knows it.
    pub fn below(&self, segment: &str) -> Option<&Places> {
        self.children.get(segment).or(self.any.as_deref())
    }

    /// The same where these fields, as JSON Pointers, are secret too.
    #[must_use]
    pub fn sealing<'p>(&self, pointers: impl IntoIterator<Item = &'p str>) -> Self {
        let mut places = self.clone();
        for pointer in pointers {
            let mut at = &mut places;
            for segment in crate::value::segments(pointer) {
                let any = at.any.as_deref().cloned().unwrap_or_default();
                at = at.children.entry(segment.into()).or_insert(any);
            }
            at.secret = true;
        }
        places
    }

    /// Whether a value here may be a secret or stand in clear, as it is written: that of a key in a free map, a header or a
    /// driver's parameter.
    pub fn takes_secret(&self) -> bool {
        !(self.clear || self.other || self.asked || self.connection.is_some())
    }

    /// Whether any place below, with the key that leads to it, is one of these.
    pub(super) fn has(&self, is: &dyn Fn(&str, &Self) -> bool) -> bool {
        let named = self.children.iter().any(|(key, below)| is(key, below) || below.has(is));
        named || self.any.as_deref().is_some_and(|any| any.has(is))
    }

    /// Whether the schema has a key by its name, and not only as any other.
    pub fn names(&self, key: &str) -> bool {
        self.children.contains_key(key)
    }

    /// Whether a secret stands at a JSON Pointer below this place, or above it.
    pub fn is_secret(&self, pointer: &str) -> bool {
        let mut place = Some(self);
        for segment in crate::value::segments(pointer) {
            match place {
                Some(at) if !at.secret => place = at.below(&segment),
                _ => break,
            }
        }
        place.is_some_and(|place| place.secret)
    }

    /// Whether what stands at a JSON Pointer below this place is the same for all customers.
    pub fn is_global(&self, pointer: &str) -> bool {
        let mut place = Some(self);
        let mut global = self.global;
        for segment in crate::value::segments(pointer) {
            place = place.and_then(|place| place.below(&segment));
            global |= place.is_some_and(|place| place.global);
        }
        global
    }

    /// Whether anything below is the same for all customers.
    pub fn has_global(&self) -> bool {
        self.global || self.has(&|_, place| place.global)
    }

    /// The lists that merge by a key: the JSON Pointer of each, and the key. Lists within lists are not among them.
    pub fn merge_keys(&self) -> Vec<(String, Box<str>)> {
        let mut found = Vec::new();
        self.keyed(&mut String::new(), &mut found);
        found
    }

    fn keyed(&self, pointer: &mut String, found: &mut Vec<(String, Box<str>)>) {
        if let Some(key) = &self.merge_key {
            found.push((pointer.clone(), key.clone()));
        }
        for (segment, below) in &self.children {
            let length = pointer.len();
            crate::value::push_segment(pointer, segment);
            below.keyed(pointer, found);
            pointer.truncate(length);
        }
    }

    /// All secret places as JSON Pointers; `*` stands for any item or key.
    pub fn secret_pointers(&self) -> BTreeSet<String> {
        let mut found = BTreeSet::new();
        self.collect(&|place| place.secret, &mut String::new(), &mut found);
        found
    }

    /// All places that name another connection, likewise.
    pub fn connection_pointers(&self) -> BTreeSet<String> {
        let mut found = BTreeSet::new();
        self.collect(&|place| place.connection.is_some(), &mut String::new(), &mut found);
        found
    }

    fn collect(&self, is: &dyn Fn(&Places) -> bool, pointer: &mut String, found: &mut BTreeSet<String>) {
        if is(self) {
            found.insert(pointer.clone());
        }
        let named = self.children.iter().map(|(k, v)| (&**k, v));
        for (key, below) in named.chain(self.any.as_deref().map(|any| ("*", any))) {
            let length = pointer.len();
            crate::value::push_segment(pointer, key);
            below.collect(is, pointer, found);
            pointer.truncate(length);
        }
    }
}

/// Whether a condition holds, as far as the known discriminators (JSON Pointer to value) tell: `true` only where it asks
/// for nothing else, `false` where one of them contradicts it.
pub(super) fn decides(known: &BTreeMap<&str, &str>, condition: &Value, pointer: &mut String) -> Option<bool> {
    // Beside a reference older drafts hear nothing else.
    let map = condition.as_object().filter(|map| !map.contains_key("$ref"))?;
    let (mut asked, mut open) = (false, false);
    for (key, schema) in objects(map, "properties") {
        let length = pointer.len();
        crate::value::push_segment(pointer, key);
        let verdict = match known.get(pointer.as_str()) {
            Some(actual) => allows(schema, actual),
            None => decides(known, schema, pointer),
        };
        pointer.truncate(length);
        match verdict {
            Some(false) => return Some(false),
            Some(true) => asked = true,
            None => open = true,
        }
    }
    let has = |name: &str| {
        let mut below = pointer.clone();
        crate::value::push_segment(&mut below, name);
        known
            .keys()
            .any(|known| known.strip_prefix(&*below).is_some_and(|rest| rest.is_empty() || rest.starts_with('/')))
    };
    let rest = map.iter().all(|(key, value)| match &**key {
        "properties" => true,
        "type" => value == "object",
        "required" => value.as_array().is_some_and(|names| names.iter().all(|name| name.as_str().is_some_and(has))),
        key => describes(key),
    });
    (asked && !open && rest).then_some(true)
}

/// Whether a schema allows this string, if it says so by `const` or `enum` and nothing else.
fn allows(schema: &Value, actual: &str) -> Option<bool> {
    let map = schema.as_object().filter(|map| !map.contains_key("$ref"))?;
    let constant = map.get("const").map(|constant| *constant == *actual);
    let listed = map.get("enum").and_then(Value::as_array).map(|options| options.iter().any(|one| *one == *actual));
    if constant == Some(false) || listed == Some(false) {
        return Some(false);
    }
    let plain = map.iter().all(|(key, value)| match &**key {
        "const" | "enum" => true,
        "type" => value == "string",
        key => describes(key),
    });
    ((constant.is_some() || listed.is_some()) && plain).then_some(true)
}

/// Keywords that only describe.
fn describes(key: &str) -> bool {
    matches!(key, "title" | "description" | "$comment" | "default" | "examples" | "deprecated" | "readOnly")
        || key.starts_with("x-")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use serde_json::{Map, json};

    use super::super::marks::walk;
    use super::*;

    fn places(schema: &Value, known: &[(&str, &str)]) -> Option<Places> {
        walk(schema, &known.iter().copied().collect()).map(|found| found.places)
    }

    fn pointers(schema: &Value, known: &[(&str, &str)]) -> Vec<String> {
        places(schema, known).unwrap().secret_pointers().into_iter().collect()
    }

    #[test]
    fn the_chosen_mode_decides_what_is_secret() {
        let branch = |mode: &str, field: Value| json!({"if": {"properties": {"mode": {"const": mode}}}, "then": {"properties": {"token": field}}});
        let secret = json!({"type": "string", "writeOnly": true});
        let auth = json!({"allOf": [branch("a", secret), branch("b", json!({"type": "string"}))]});
        let schema = json!({"properties": {"auth": auth}});
        assert_eq!(pointers(&schema, &[("/auth/mode", "a")]), ["/auth/token"]);
        assert!(pointers(&schema, &[("/auth/mode", "b")]).is_empty());
        assert_eq!(pointers(&schema, &[]), ["/auth/token"]);
    }

    #[test]
    fn a_mode_does_not_rule_out_what_more_is_asked_for() {
        let marked = json!({"properties": {"token": {"writeOnly": true}}});
        for more in [
            json!({"required": ["zzz"]}),
            json!({"not": {"required": ["x"]}}),
            json!({"properties": {"mode": {"const": "a"}, "x": {"const": 1}}}),
            json!({"properties": {"mode": {"const": "a", "enum": []}}}),
            json!({"properties": {"mode": {"const": "a", "minLength": 2}}}),
            json!({"$ref": "#/$defs/other"}),
        ] {
            let mut condition = json!({"properties": {"mode": {"const": "a"}}});
            condition.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            let auth = json!({"if": condition, "else": marked});
            let schema = json!({"$defs": {"other": {"required": ["y"]}}, "properties": {"auth": auth}});
            assert_eq!(pointers(&schema, &[("/auth/mode", "a")]), ["/auth/token"], "{more}");
        }
    }

    #[test]
    fn a29_references_in_a_circle_end() {
        let one = json!({"properties": {"a": {"$ref": "#"}, "s": {"x-secret": true}}});
        let places = |schema: &Value| places(schema, &[]);
        let found = places(&one).unwrap();
        assert!(
            found.is_secret("/s") && found.is_secret("/a/a/s") && !found.is_secret("/a") && !found.is_secret("/a/t")
        );
        // However deep.
        let deep = "/a".repeat(1000) + "/s";
        assert!(found.is_secret(&deep));
        let clear = json!({"properties": {"a": {"$ref": "#"}, "s": {}}});
        assert!(!places(&clear).unwrap().is_secret(&deep));
        // The same place is seen once, whatever leads to it.
        let doubled: Map<String, Value> = (0..60)
            .map(|i| (format!("d{i}"), json!({"allOf": [{"$ref": format!("#/$defs/d{}", i + 1)}, {"$ref": format!("#/$defs/d{}", i + 1)}]})))
            .chain([("d60".to_owned(), json!({"properties": {"s": {"writeOnly": true}}}))])
            .collect();
        assert!(places(&json!({"$defs": doubled, "$ref": "#/$defs/d0"})).unwrap().is_secret("/s"));
        let names: Vec<String> = (0..60).map(|i| format!("p{i}")).collect();
        let properties: Map<String, Value> = names.iter().map(|n| (n.clone(), json!({"$ref": "#"}))).collect();
        assert_eq!(places(&json!({"properties": properties})), None);
    }

    #[test]
    fn a_named_field_takes_the_marks_of_everything_that_speaks_of_it() {
        for schema in [
            json!({"properties": {"t": {}}, "patternProperties": {"^t": {"writeOnly": true}}}),
            // Nobody can say what this pattern matches.
            json!({"properties": {"t": {}}, "patternProperties": {"^(?!x)": {"writeOnly": true}}}),
            json!({"allOf": [{"properties": {"t": {}}}, {"additionalProperties": {"writeOnly": true}}]}),
            json!({"properties": {"t": {"not": {"writeOnly": true}}}}),
            json!({"dependencies": {"x": {"properties": {"t": {"writeOnly": true}}}}}),
            json!({"if": {"properties": {"t": {"writeOnly": true}}}}),
            json!({"unevaluatedProperties": {"writeOnly": true}}),
            json!({"properties": {"t": {"contentSchema": {"properties": {"x": {"writeOnly": true}}}}}}),
        ] {
            assert!(places(&schema, &[]).unwrap().is_secret("/t"), "{schema}");
        }
        let clear = json!({"properties": {"t": {}}, "patternProperties": {"^s": {"writeOnly": true}}, "additionalProperties": {"writeOnly": true}});
        let found = places(&clear, &[]).unwrap();
        assert!(!found.is_secret("/t") && found.is_secret("/s") && found.is_secret("/x"));
        // A list's index is a key like any other.
        let list = json!({"properties": {"0": {}}, "items": {"writeOnly": true}});
        assert!(places(&list, &[]).unwrap().is_secret("/0"));
    }
}
