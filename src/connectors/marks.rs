//! A schema -> what it says of each place of an instance, first of all which are secret.
//!
//! Marks add up: a place is what any subschema says that can apply to it, whatever keyword or reference leads there. So
//! the walk goes from place to place with all subschemas that speak of one, not from subschema to subschema. What it can't
//! follow (too large, too deep) gives no places at all.

use std::collections::{BTreeMap, HashMap, HashSet};

use jsonschema::Validator;
use serde_json::{Map, Value, json};

use super::sensitive::{Places, decides};
use super::words::{asks, compares, is_marked, list, objects, reference};
use crate::budget::{self, Cost};
use crate::value::push_segment;

/// Places within each other that are the same are unrolled so often: a schema that contains itself.
const MAX_REPEATS: usize = 3;
/// Places may lie so deep within each other.
const MAX_DEPTH: usize = 100;
/// Subschemas that one walk may meet, each counted at every place that it speaks of.
const MAX_VISITS: u32 = 100_000;
/// Patterns that one walk holds names against; others count as if they matched.
const MAX_PATTERNS: usize = 64;
/// Values in clear that one walk tells of.
const MAX_TOLD: usize = 20;
/// The keywords that say a value. Those of `examples` are nobody's.
const VALUES: [&str; 3] = ["default", "const", "enum"];

/// What a walk found.
pub(super) struct Found<'s> {
    /// What is said of each place.
    pub(super) places: Places,
    /// The addresses of subschemas that stand for a whole secret place, below `properties` and the like.
    pub(super) sealed: HashSet<usize>,
    /// The first subschema of a condition (`if`, `not`) that asks something of a secret, and the JSON Pointer of that
    /// secret in the instance.
    pub(super) asked: Option<(String, &'s Map<String, Value>)>,
    /// What writes the value of a secret in clear, up to [`MAX_TOLD`].
    pub(super) written: Vec<Written<'s>>,
}

/// A keyword that writes the value of a secret in clear.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Written<'s> {
    /// The subschema that has it.
    pub(super) map: &'s Map<String, Value>,
    /// The keyword.
    pub(super) keyword: &'static str,
}

/// Walks through `schema`, where the discriminators in `known` (JSON Pointer to constant, for example `/auth/mode` to
/// `password`) decide which branches count. A branch that they don't decide counts.
///
/// `None` for a schema that is too large to follow.
pub(super) fn walk<'s>(schema: &'s Value, known: &BTreeMap<&str, &str>) -> Option<Found<'s>> {
    let mut walk = Walk {
        root: schema,
        known,
        left: MAX_VISITS,
        patterns: HashMap::new(),
        above: Vec::new(),
        sealed: HashSet::new(),
        asked: None,
        written: Vec::new(),
    };
    let places = walk.place(&[Part { schema, asked: false }], &mut String::new(), false)?;
    Some(Found { places, sealed: walk.sealed, asked: walk.asked, written: walk.written })
}

/// A subschema that speaks of a place.
#[derive(Clone, Copy)]
struct Part<'s> {
    schema: &'s Value,
    /// It stands in a condition.
    asked: bool,
}

/// The same with what it says.
#[derive(Clone, Copy)]
struct Said<'s> {
    map: &'s Map<String, Value>,
    asked: bool,
}

struct Walk<'s, 'k> {
    root: &'s Value,
    known: &'k BTreeMap<&'k str, &'k str>,
    /// What is left of [`MAX_VISITS`].
    left: u32,
    /// Ready to match; `None` where a pattern can't be.
    patterns: HashMap<&'s str, Option<Validator>>,
    /// The subschemas of each place above this one.
    above: Vec<Vec<usize>>,
    sealed: HashSet<usize>,
    asked: Option<(String, &'s Map<String, Value>)>,
    written: Vec<Written<'s>>,
}

/// What tells one subschema of a document from another.
pub(super) fn address<T>(of: &T) -> usize {
    std::ptr::from_ref(of) as usize
}

impl<'s> Walk<'s, '_> {
    fn step(&mut self) -> Option<()> {
        self.left = self.left.checked_sub(1)?;
        budget::spend(Cost::Checks, 1).then_some(())
    }

    /// The place that `parts` speak of, and all below.
    fn place(&mut self, parts: &[Part<'s>], pointer: &mut String, in_secret: bool) -> Option<Places> {
        self.step()?;
        let here = self.here(parts, pointer)?;
        let mut places = Places::default();
        for said in &here {
            describe(said.map, &mut places);
            // A text in which another document stands is secret if anything in that is.
            places.asked |= said.asked && (asks(said.map) || compares(said.map));
            if let Some(content) = said.map.get("contentSchema") {
                places.secret |= self.reaches_mark(content)?;
            }
        }
        let secret = in_secret || places.secret;
        if secret {
            self.sealed.extend(parts.iter().map(|part| address(part.schema)));
            if self.asked.is_none() {
                let asking = here.iter().find(|said| said.asked && asks(said.map));
                self.asked = asking.map(|said| (pointer.clone(), said.map));
            }
        }
        let mut set: Vec<usize> = here.iter().map(|said| address(said.map)).collect();
        set.sort_unstable();
        if self.above.len() >= MAX_DEPTH {
            return None;
        }
        if self.above.iter().filter(|above| **above == set).count() >= MAX_REPEATS {
            // The schema repeats from here: what may be secret further down is secret from here.
            for said in &here {
                places.secret |= self.reaches_mark_in(said.map)?;
            }
            return Some(places);
        }
        self.above.push(set);
        self.children(&here, &mut places, pointer, secret)?;
        self.above.pop();
        here.iter().for_each(|said| self.values(said.map, &places, secret));
        if self.asked.is_none()
            && let Some(said) = here.iter().find(|said| said.asked && compares(said.map))
        {
            // What is compared as a whole is read down to its last field.
            self.asked = places.secret_pointers().first().map(|below| (format!("{pointer}{below}"), said.map));
        }
        Some(places)
    }

    fn children(&mut self, here: &[Said<'s>], places: &mut Places, pointer: &mut String, secret: bool) -> Option<()> {
        let mut named: BTreeMap<&'s str, Vec<Part<'s>>> = BTreeMap::new();
        for said in here {
            for (name, schema) in objects(said.map, "properties") {
                named.entry(name).or_default().push(Part { schema, asked: said.asked });
            }
        }
        let open: Vec<Said<'s>> = here.iter().copied().filter(|said| is_open(said.map)).collect();
        for (name, mut parts) in named {
            for said in &open {
                self.step()?;
                self.others(said, name, &mut parts);
            }
            let below = self.below(&parts, name, pointer, secret)?;
            places.insert(name, below);
        }
        let parts: Vec<Part<'s>> = open.iter().flat_map(any).collect();
        if !parts.is_empty() {
            let below = self.below(&parts, "*", pointer, secret)?;
            places.insert_any(below);
        }
        Some(())
    }

    /// Notes the keywords of a subschema that write a secret of this place, or of one below.
    fn values(&mut self, map: &'s Map<String, Value>, places: &Places, secret: bool) {
        for keyword in VALUES {
            let written = match map.get(keyword) {
                Some(Value::Array(options)) if keyword == "enum" => options.iter().any(|o| writes(o, places, secret)),
                Some(value) => writes(value, places, secret),
                None => false,
            };
            let written = Some(Written { map, keyword }).filter(|_| written && self.written.len() < MAX_TOLD);
            self.written.extend(written);
        }
    }

    fn below(&mut self, parts: &[Part<'s>], key: &str, pointer: &mut String, secret: bool) -> Option<Places> {
        let length = pointer.len();
        push_segment(pointer, key);
        let places = self.place(parts, pointer, secret)?;
        pointer.truncate(length);
        Some(places)
    }

    /// Every subschema that speaks of the place, whatever leads to it.
    fn here(&mut self, parts: &[Part<'s>], pointer: &mut String) -> Option<Vec<Said<'s>>> {
        let (mut found, mut seen) = (Vec::new(), HashSet::new());
        let mut open: Vec<Part<'s>> = parts.iter().rev().copied().collect();
        while let Some(Part { schema, asked }) = open.pop() {
            let Some(map) = schema.as_object() else { continue };
            if !seen.insert((address(map), asked)) {
                continue;
            }
            self.step()?;
            found.push(Said { map, asked });
            let from = open.len();
            let mut push = |schema, condition: bool| open.push(Part { schema, asked: asked || condition });
            if let Some((_, target)) = reference(self.root, map) {
                push(target, false);
            }
            list(map, "allOf").iter().chain(list(map, "anyOf")).for_each(|branch| push(branch, false));
            for branch in list(map, "oneOf") {
                if decides(self.known, branch, pointer) != Some(false) {
                    push(branch, false);
                }
            }
            for (_, branch) in objects(map, "dependentSchemas").chain(objects(map, "dependencies")) {
                push(branch, false);
            }
            map.get("not").into_iter().chain(map.get("if")).for_each(|condition| push(condition, true));
            let decided = map.get("if").and_then(|condition| decides(self.known, condition, pointer));
            for (key, counts) in [("then", decided != Some(false)), ("else", decided != Some(true))] {
                map.get(key).filter(|_| counts).into_iter().for_each(|branch| push(branch, false));
            }
            open[from..].reverse();
        }
        Some(found)
    }

    /// What speaks of a key besides `properties`.
    fn others(&mut self, said: &Said<'s>, name: &str, parts: &mut Vec<Part<'s>>) {
        let mut push = |schema| parts.push(Part { schema, asked: said.asked });
        let mut taken = said.map.get("properties").is_some_and(|properties| properties.get(name).is_some());
        for (pattern, schema) in objects(said.map, "patternProperties") {
            match self.matches(pattern, name) {
                Some(false) => continue,
                Some(true) => taken = true,
                None => {}
            }
            push(schema);
        }
        if !taken {
            REST.iter().filter_map(|key| said.map.get(*key)).for_each(&mut push);
        }
        // A list has indexes where a map has such keys.
        if name.bytes().all(|byte| byte.is_ascii_digit()) {
            items(said.map).for_each(push);
        }
    }

    /// Whether a pattern matches a key; `None` where nobody can tell. The validator's own engine says it.
    fn matches(&mut self, pattern: &'s str, name: &str) -> Option<bool> {
        if !self.patterns.contains_key(pattern) && self.patterns.len() >= MAX_PATTERNS {
            return None;
        }
        let compile = || {
            let options = jsonschema::options().offline().with_pattern_options(super::compiled::linear());
            options.build(&json!({ "pattern": pattern })).ok()
        };
        let validator = self.patterns.entry(pattern).or_insert_with(compile).as_ref()?;
        Some(validator.is_valid(&Value::String(name.to_owned())))
    }

    fn reaches_mark(&mut self, schema: &'s Value) -> Option<bool> {
        schema.as_object().map_or(Some(false), |map| self.reaches_mark_in(map))
    }

    /// Whether anything in a schema, or that it refers to, is marked.
    fn reaches_mark_in(&mut self, map: &'s Map<String, Value>) -> Option<bool> {
        let mut seen = HashSet::new();
        let mut open = vec![map];
        while let Some(map) = open.pop() {
            if !seen.insert(address(map)) {
                continue;
            }
            self.step()?;
            if is_marked(map) {
                return Some(true);
            }
            let target = reference(self.root, map).map(|(_, target)| target);
            for value in map.values().chain(target) {
                match value {
                    Value::Object(map) => open.push(map),
                    Value::Array(items) => open.extend(items.iter().filter_map(Value::as_object)),
                    _ => {}
                }
            }
        }
        Some(false)
    }
}

/// Keys that no `properties` and no pattern of the same schema takes.
const REST: [&str; 2] = ["additionalProperties", "unevaluatedProperties"];

fn is_open(map: &Map<String, Value>) -> bool {
    objects(map, "patternProperties").next().is_some()
        || REST.iter().any(|key| map.get(*key).is_some_and(Value::is_object))
        || items(map).next().is_some()
}

/// What speaks of keys without a name of their own, and of the items of a list.
fn any<'s>(said: &Said<'s>) -> impl Iterator<Item = Part<'s>> + use<'s> {
    let Said { map, asked } = *said;
    let rest = REST.iter().filter_map(|key| map.get(*key)).filter(|schema| schema.is_object());
    let schemas = objects(map, "patternProperties").map(|(_, schema)| schema).chain(rest).chain(items(map));
    schemas.map(move |schema| Part { schema, asked })
}

fn items(map: &Map<String, Value>) -> impl Iterator<Item = &Value> {
    let single = ["items", "additionalItems", "unevaluatedItems", "contains"];
    let single = single.into_iter().filter_map(|key| map.get(key)).filter(|schema| schema.is_object());
    single.chain(list(map, "prefixItems")).chain(list(map, "items"))
}

/// Whether a value has a text or number where a secret belongs.
fn writes(value: &Value, places: &Places, secret: bool) -> bool {
    let secret = secret || places.secret;
    let nothing = Places::default();
    let below = |segment: &str, value: &Value| writes(value, places.below(segment).unwrap_or(&nothing), secret);
    match value {
        Value::Null | Value::Bool(_) => false,
        Value::Number(_) => secret,
        Value::String(text) => secret && !text.is_empty(),
        Value::Array(items) => items.iter().enumerate().any(|(index, item)| below(&index.to_string(), item)),
        Value::Object(map) => map.iter().any(|(key, value)| below(key, value)),
    }
}

/// Whether a schema speaks of something else than a text.
fn is_no_text(map: &Map<String, Value>) -> bool {
    match map.get("type") {
        Some(Value::String(kind)) => kind != "string",
        Some(Value::Array(kinds)) => !kinds.iter().any(|kind| kind == "string"),
        _ => ["properties", "additionalProperties", "items"].iter().any(|key| map.contains_key(*key)),
    }
}

fn describe(map: &Map<String, Value>, places: &mut Places) {
    places.secret |= is_marked(map);
    places.clear |= map.get("writeOnly") == Some(&Value::Bool(false));
    places.other |= is_no_text(map);
    places.deprecated |= map.get("deprecated") == Some(&Value::Bool(true));
    places.global |= map.get("x-scope").and_then(Value::as_str) == Some("global");
    if let Some(key) = map.get("x-merge-key").and_then(Value::as_str) {
        places.merge_key = Some(key.into());
    }
    if let Some(accepted) = map.get("x-connection").and_then(Value::as_array) {
        places.connection = Some(accepted.iter().filter_map(Value::as_str).map(Into::into).collect());
    }
}
