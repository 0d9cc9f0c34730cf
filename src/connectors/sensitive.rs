//! Which paths of an instance are secret: a trie for each variant and mode, and the form of a schema that can be checked
//! while secrets are sealed.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

/// A reference is followed this often on one path: a schema that contains itself is unrolled so far.
const MAX_REPEATS: usize = 3;
/// Subschemas that one walk may visit; references that branch could make it endless.
const MAX_VISITS: u32 = 100_000;

/// The places below a node of an instance.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Places {
    /// A secret stands here, or everything below is secret.
    pub secret: bool,
    /// It is the same for all customers: `x-scope: global`, here or above.
    pub global: bool,
    /// It is not to be used any more: `deprecated`.
    pub deprecated: bool,
    /// A list of maps here merges by this key: `x-merge-key`.
    pub merge_key: Option<Box<str>>,
    /// It names another connection, of one of these connectors, categories or capabilities: `x-connection`.
    pub connection: Option<Vec<Box<str>>>,
    children: BTreeMap<Box<str>, Places>,
    /// Items of a list and keys that are not named.
    any: Option<Box<Places>>,
}

impl Places {
    /// The place of a key or index below this one, if the schema knows it.
    pub fn below(&self, segment: &str) -> Option<&Places> {
        self.children.get(segment).or(self.any.as_deref())
    }

    /// Whether a secret stands at a JSON Pointer below this place, or above it.
    pub fn is_secret(&self, pointer: &str) -> bool {
        let mut place = self;
        for segment in crate::value::segments(pointer) {
            match place.below(&segment) {
                Some(below) => place = below,
                None => return false,
            }
            if place.secret {
                return true;
            }
        }
        false
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
        self.collect(&mut String::new(), &mut found);
        found
    }

    fn collect(&self, pointer: &mut String, found: &mut BTreeSet<String>) {
        if self.secret {
            found.insert(pointer.clone());
        }
        let named = self.children.iter().map(|(k, v)| (&**k, v));
        for (key, below) in named.chain(self.any.as_deref().map(|any| ("*", any))) {
            let length = pointer.len();
            crate::value::push_segment(pointer, key);
            below.collect(pointer, found);
            pointer.truncate(length);
        }
    }

    fn child(&mut self, key: &str) -> &mut Places {
        self.children.entry(key.into()).or_default()
    }

    fn any(&mut self) -> &mut Places {
        self.any.get_or_insert_default()
    }
}

/// The marks of a secret field: ours, and those of foreign schemas.
pub(super) fn is_marked(schema: &Map<String, Value>) -> bool {
    let flag = |key: &str| schema.get(key).and_then(Value::as_bool) == Some(true);
    flag("writeOnly")
        || flag("airbyte_secret")
        || flag("x-secret")
        || schema.get("format").and_then(Value::as_str) == Some("password")
}

/// Finds the secret places of `schema`, where the discriminators in `known` (JSON Pointer to constant, for example
/// `/auth/mode` to `password`) decide which branches count. A branch that they don't decide counts.
///
/// `None` for a schema whose references branch without end.
pub(super) fn places(schema: &Value, known: &BTreeMap<&str, &str>) -> Option<Places> {
    let mut places = Places::default();
    let walk = Walk::new(schema, known);
    walk.visit(schema, &mut String::new(), &mut places, &mut Vec::new());
    (walk.visits.get() > 0).then_some(places)
}

/// A walk through a schema that counts its steps.
pub(super) struct Walk<'a, 'k> {
    pub(super) root: &'a Value,
    known: &'k BTreeMap<&'k str, &'k str>,
    /// What is left of [`MAX_VISITS`].
    visits: Cell<u32>,
}

impl<'a, 'k> Walk<'a, 'k> {
    /// A walk through `root`; `known` are the discriminators whose values are known.
    pub(super) fn new(root: &'a Value, known: &'k BTreeMap<&'k str, &'k str>) -> Self {
        Self { root, known, visits: Cell::new(MAX_VISITS) }
    }

    /// Takes a step; false where there were too many.
    pub(super) fn step(&self) -> bool {
        self.visits.set(self.visits.get().saturating_sub(1));
        self.visits.get() > 0
    }

    fn visit(&self, schema: &'a Value, pointer: &mut String, places: &mut Places, references: &mut Vec<&'a str>) {
        let Value::Object(map) = schema else { return };
        if !self.step() {
            return;
        }
        places.secret |= is_marked(map);
        if let Some(key) = map.get("x-merge-key").and_then(Value::as_str) {
            places.merge_key = Some(key.into());
        }
        if let Some(accepted) = map.get("x-connection").and_then(Value::as_array) {
            places.connection = Some(accepted.iter().filter_map(Value::as_str).map(Into::into).collect());
        }
        places.deprecated |= map.get("deprecated") == Some(&Value::Bool(true));
        places.global |= map.get("x-scope").and_then(Value::as_str) == Some("global");
        if let Some((name, target)) = reference(self.root, map)
            && references.iter().filter(|r| **r == name).count() < MAX_REPEATS
        {
            references.push(name);
            self.visit(target, pointer, places, references);
            references.pop();
        }
        for (key, below) in objects(map, "properties") {
            self.below(below, key, pointer, places.child(key), references);
        }
        for (_, below) in objects(map, "patternProperties") {
            self.below(below, "*", pointer, places.any(), references);
        }
        for key in ["additionalProperties", "unevaluatedProperties", "items", "additionalItems", "contains"] {
            if let Some(below) = map.get(key).filter(|s| s.is_object()) {
                self.below(below, "*", pointer, places.any(), references);
            }
        }
        for item in list(map, "prefixItems").iter().chain(list(map, "items")) {
            self.below(item, "*", pointer, places.any(), references);
        }
        for branch in list(map, "allOf").iter().chain(list(map, "anyOf")) {
            self.visit(branch, pointer, places, references);
        }
        for branch in list(map, "oneOf") {
            if self.decides(branch, pointer) != Some(false) {
                self.visit(branch, pointer, places, references);
            }
        }
        for (_, branch) in objects(map, "dependentSchemas") {
            self.visit(branch, pointer, places, references);
        }
        let decided = map.get("if").and_then(|condition| self.decides(condition, pointer));
        for (key, counts) in [("then", decided != Some(false)), ("else", decided != Some(true))] {
            if let Some(branch) = map.get(key).filter(|_| counts) {
                self.visit(branch, pointer, places, references);
            }
        }
    }

    fn below(
        &self,
        schema: &'a Value,
        key: &str,
        pointer: &mut String,
        places: &mut Places,
        references: &mut Vec<&'a str>,
    ) {
        let length = pointer.len();
        crate::value::push_segment(pointer, key);
        self.visit(schema, pointer, places, references);
        pointer.truncate(length);
    }

    /// Whether a condition holds, as far as the known discriminators tell.
    pub(super) fn decides(&self, condition: &Value, pointer: &mut String) -> Option<bool> {
        let mut holds = None;
        for (key, schema) in objects(condition.as_object()?, "properties") {
            let length = pointer.len();
            crate::value::push_segment(pointer, key);
            let verdict = match self.known.get(pointer.as_str()) {
                Some(actual) => constants(schema).map(|allowed| allowed.contains(actual)),
                None => self.decides(schema, pointer),
            };
            pointer.truncate(length);
            match verdict {
                Some(false) => return Some(false),
                Some(true) => holds = Some(true),
                // Something else is asked for too, which nobody knows: it may fail.
                None => {}
            }
        }
        holds
    }
}

/// The strings that a `const` or `enum` allows.
pub(super) fn constants(schema: &Value) -> Option<Vec<&str>> {
    if let Some(constant) = schema.get("const") {
        return constant.as_str().map(|c| vec![c]);
    }
    let options = schema.get("enum")?.as_array()?;
    Some(options.iter().filter_map(Value::as_str).collect())
}

/// A local `$ref` and its target.
pub(super) fn reference<'a>(root: &'a Value, schema: &'a Map<String, Value>) -> Option<(&'a str, &'a Value)> {
    let name = schema.get("$ref")?.as_str()?;
    Some((name, root.pointer(name.strip_prefix('#')?)?))
}

pub(super) fn objects<'a>(schema: &'a Map<String, Value>, key: &str) -> impl Iterator<Item = (&'a String, &'a Value)> {
    schema.get(key).and_then(Value::as_object).into_iter().flatten()
}

pub(super) fn list<'a>(schema: &'a Map<String, Value>, key: &str) -> &'a [Value] {
    schema.get(key).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// The schema with every secret place accepting anything: what can be checked while secrets are sealed.
pub(super) fn plan_form(schema: &Value) -> Value {
    match schema {
        Value::Object(map) if is_marked(map) => Value::Object(Map::new()),
        Value::Object(map) => {
            // Examples, defaults and constants are data, not schemas.
            let data = |key: &str| matches!(key, "const" | "enum" | "examples" | "default");
            let entry = |(k, v): (&String, &Value)| (k.clone(), if data(k) { v.clone() } else { plan_form(v) });
            Value::Object(map.iter().map(entry).collect())
        }
        Value::Array(items) => Value::Array(items.iter().map(plan_form).collect()),
        other => other.clone(),
    }
}

/// The first `if` that reads a secret, as a JSON Pointer to the secret in the instance: what it decided would tell
/// something about the value. `all` are the places of every variant and mode.
pub(super) fn secret_in_condition(schema: &Value, all: &Places) -> Option<String> {
    conditions(schema, schema, &mut String::new(), all, &mut Vec::new())
}

/// Visits what [`places`] visited, which was bounded.
fn conditions<'a>(
    root: &'a Value,
    schema: &'a Value,
    pointer: &mut String,
    all: &Places,
    references: &mut Vec<&'a str>,
) -> Option<String> {
    let map = schema.as_object()?;
    if let Some(condition) = map.get("if") {
        let asked = places_named(condition);
        let secret = asked.iter().find(|asked| all.is_secret(&format!("{pointer}{asked}")));
        if let Some(secret) = secret {
            return Some(format!("{pointer}{secret}"));
        }
    }
    if let Some((name, target)) = reference(root, map)
        && references.iter().filter(|r| **r == name).count() < MAX_REPEATS
    {
        references.push(name);
        let found = conditions(root, target, pointer, all, references);
        references.pop();
        if found.is_some() {
            return found;
        }
    }
    for (key, below) in objects(map, "properties") {
        let length = pointer.len();
        crate::value::push_segment(pointer, key);
        let found = conditions(root, below, pointer, all, references);
        pointer.truncate(length);
        if found.is_some() {
            return found;
        }
    }
    let lists = ["allOf", "anyOf", "oneOf"].into_iter().flat_map(|k| list(map, k));
    let branches = lists.chain(["then", "else"].into_iter().filter_map(|k| map.get(k)));
    let mut found = None;
    for branch in branches {
        found = found.or_else(|| conditions(root, branch, pointer, all, references));
    }
    found
}

/// The paths whose values a condition looks at (that a key is there may be asked).
fn places_named(condition: &Value) -> Vec<String> {
    let Some(map) = condition.as_object() else { return Vec::new() };
    let mut named = Vec::new();
    for (key, below) in objects(map, "properties") {
        let mut head = String::new();
        crate::value::push_segment(&mut head, key);
        let deeper = places_named(below);
        if deeper.is_empty() && below.as_object().is_some_and(|m| !m.is_empty()) {
            named.push(head.clone());
        }
        named.extend(deeper.into_iter().map(|d| format!("{head}{d}")));
    }
    named
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use serde_json::json;

    use super::*;

    #[test]
    fn the_chosen_mode_decides_what_is_secret() {
        let branch = |mode: &str, field: Value| json!({"if": {"properties": {"mode": {"const": mode}}}, "then": {"properties": {"token": field}}});
        let secret = json!({"type": "string", "writeOnly": true});
        let auth = json!({"allOf": [branch("a", secret), branch("b", json!({"type": "string"}))]});
        let schema = json!({"properties": {"auth": auth}});
        let pointers = |known: &[(&str, &str)]| {
            places(&schema, &known.iter().copied().collect()).unwrap().secret_pointers().into_iter().collect::<Vec<_>>()
        };
        assert_eq!(pointers(&[("/auth/mode", "a")]), ["/auth/token"]);
        assert!(pointers(&[("/auth/mode", "b")]).is_empty());
        assert_eq!(pointers(&[]), ["/auth/token"]);
    }

    #[test]
    fn a29_references_in_a_circle_end() {
        let one = json!({"properties": {"a": {"$ref": "#"}, "s": {"x-secret": true}}});
        assert!(places(&one, &BTreeMap::new()).unwrap().secret_pointers().contains("/a/a/s"));
        let names: Vec<String> = (0..40).map(|i| format!("p{i}")).collect();
        let properties: Map<String, Value> = names.iter().map(|n| (n.clone(), json!({"$ref": "#"}))).collect();
        assert_eq!(places(&json!({"properties": properties}), &BTreeMap::new()), None);
    }

    #[test]
    fn n02_no_condition_may_read_a_secret() {
        let schema = json!({
            "properties": {"auth": {
                "properties": {"pin": {"writeOnly": true}},
                "if": {"properties": {"pin": {"const": "1234"}}},
                "then": {"required": ["x"]},
            }},
        });
        let all = places(&schema, &BTreeMap::new()).unwrap();
        assert_eq!(secret_in_condition(&schema, &all), Some("/auth/pin".into()));
    }
}
