//! One field of an instance -> what the schema says of it, in the branches that a variant and mode choose.

use std::cell::Cell;
use std::collections::{BTreeMap, HashSet};

use serde_json::Value;

use super::marks::address;
use super::sensitive::decides;
use super::words::{list, objects, reference};
use crate::budget::{self, Cost};

/// Subschemas that one search may look at.
const MAX_VISITS: u32 = 100_000;

/// A search through a schema that counts its steps.
pub(super) struct Walk<'a, 'k> {
    root: &'a Value,
    known: &'k BTreeMap<&'k str, &'k str>,
    /// What is left of [`MAX_VISITS`].
    visits: Cell<u32>,
}

impl<'a, 'k> Walk<'a, 'k> {
    /// A search through `root`; `known` are the discriminators whose values are known.
    pub(super) fn new(root: &'a Value, known: &'k BTreeMap<&'k str, &'k str>) -> Self {
        Self { root, known, visits: Cell::new(MAX_VISITS) }
    }

    /// Takes a step; false where there were too many.
    fn step(&self) -> bool {
        self.visits.set(self.visits.get().saturating_sub(1));
        self.visits.get() > 0 && budget::spend(Cost::Checks, 1)
    }

    /// Whether a condition holds, as far as the known discriminators tell.
    fn decides(&self, condition: &Value, pointer: &mut String) -> Option<bool> {
        decides(self.known, condition, pointer)
    }
}

/// What a schema says of a field.
#[derive(Clone, Debug, Default)]
pub struct Field<'s> {
    /// Every subschema that describes it, the outermost first.
    pub schemas: Vec<&'s Value>,
    /// Whether it must be there.
    pub required: bool,
    /// Its place among those that must be there.
    pub rank: usize,
}

impl<'s> Field<'s> {
    /// The first word that the schemas have for `key`; a reference is followed once.
    pub fn word(&self, key: &str) -> Option<&'s Value> {
        self.schemas.iter().find_map(|schema| schema.get(key))
    }
}

/// One field of a block.
#[derive(Clone, Debug)]
pub struct Member<'s> {
    /// Its name.
    pub name: String,
    /// Whether it must be there.
    pub required: bool,
    /// Whether what stands there is a secret.
    pub secret: bool,
    /// What the schema says of it.
    pub field: Field<'s>,
}

impl<'s> Member<'s> {
    /// The first word that the schemas have for `key`.
    pub fn word(&self, key: &str) -> Option<&'s Value> {
        self.field.word(key)
    }
}

/// The names of the fields that the map at `pointer` can have, in the order of the schema.
pub(super) fn names<'s>(walk: &Walk<'s, '_>, pointer: &str) -> Vec<&'s str> {
    let mut names = Vec::new();
    for schema in find(walk, pointer).schemas {
        collect(walk, schema, &mut pointer.to_owned(), &mut names);
    }
    names
}

fn collect<'s>(walk: &Walk<'s, '_>, schema: &'s Value, pointer: &mut String, names: &mut Vec<&'s str>) {
    let Some(map) = schema.as_object().filter(|_| walk.step()) else { return };
    for (name, _) in objects(map, "properties") {
        if !names.contains(&name.as_str()) {
            names.push(name);
        }
    }
    for branch in branches(walk, map, pointer) {
        collect(walk, branch, pointer, names);
    }
}

/// The subschemas that speak of the same place, as far as the discriminators tell.
fn branches<'s>(walk: &Walk<'s, '_>, map: &'s serde_json::Map<String, Value>, pointer: &mut String) -> Vec<&'s Value> {
    let decided = map.get("if").and_then(|condition| walk.decides(condition, pointer));
    let chosen = [("then", decided != Some(false)), ("else", decided != Some(true))];
    let chosen = chosen.into_iter().filter(|(_, counts)| *counts).filter_map(|(key, _)| map.get(key));
    let unions = list(map, "oneOf").iter().filter(|branch| walk.decides(branch, pointer) != Some(false));
    list(map, "allOf").iter().chain(list(map, "anyOf")).chain(unions).chain(chosen).collect()
}

/// Finds the field at `pointer`.
pub(super) fn find<'s>(walk: &Walk<'s, '_>, pointer: &str) -> Field<'s> {
    let segments: Vec<String> = crate::value::segments(pointer).collect();
    let mut field = Field::default();
    // What speaks of the map at `depth` of the path; the next to look at is the last.
    let mut open: Vec<(&Value, usize)> = vec![(walk.root, 0)];
    let mut seen = HashSet::new();
    while let Some((schema, depth)) = open.pop() {
        let Some(map) = schema.as_object().filter(|map| seen.insert((address(*map), depth)) && walk.step()) else {
            continue;
        };
        let from = open.len();
        let target = reference(walk.root, map).map(|(_, target)| (target, depth));
        match segments.get(depth) {
            None => field.schemas.push(schema),
            Some(next) => {
                let inner = map.get("properties").and_then(|properties| properties.get(next));
                open.extend(inner.map(|inner| (inner, depth + 1)));
                let required = list(map, "required").iter().position(|name| name.as_str() == Some(next));
                if let Some(rank) = required.filter(|_| depth + 1 == segments.len()) {
                    field.required = true;
                    field.rank = rank;
                }
                let mut above = String::new();
                segments[..depth].iter().for_each(|segment| crate::value::push_segment(&mut above, segment));
                open.extend(branches(walk, map, &mut above).into_iter().map(|branch| (branch, depth)));
            }
        }
        open.extend(target);
        open[from..].reverse();
    }
    field
}
