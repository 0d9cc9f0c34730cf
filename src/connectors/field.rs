//! One field of an instance -> what the schema says of it, in the branches that a variant and mode choose.

use serde_json::Value;

use super::sensitive::{Walk, list, objects, reference};

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
    visit(walk, walk.root, &mut String::new(), &segments, &mut field);
    field
}

fn visit<'s>(walk: &Walk<'s, '_>, schema: &'s Value, pointer: &mut String, rest: &[String], found: &mut Field<'s>) {
    let Some(map) = schema.as_object().filter(|_| walk.step()) else { return };
    let target = reference(walk.root, map).map(|(_, target)| target);
    match rest {
        [] => found.schemas.push(schema),
        [next, below @ ..] => {
            if let Some((_, inner)) = objects(map, "properties").find(|(key, _)| *key == next) {
                let length = pointer.len();
                crate::value::push_segment(pointer, next);
                visit(walk, inner, pointer, below, found);
                pointer.truncate(length);
            }
            let required = list(map, "required").iter().position(|name| name.as_str() == Some(next));
            if let Some(rank) = required.filter(|_| below.is_empty()) {
                found.required = true;
                found.rank = rank;
            }
            for branch in branches(walk, map, pointer) {
                visit(walk, branch, pointer, rest, found);
            }
        }
    }
    if let Some(target) = target {
        visit(walk, target, pointer, rest, found);
    }
}
